import EdgeCore
import Shared
import Synchronization

/// Runs the guards: gives `GuardMachine` what it judges by, and does what it decides.
final class GuardService: Sendable {
    /// The outside world of the guards.
    struct Surroundings: Sendable {
        var store: any GuardStore
        var events: EventLog
        var sample: @Sendable () async -> TrafficSample
        var keys: @Sendable () -> [String]
        var now: @Sendable () -> MonotonicTime
        var makeID: @Sendable (_ prefix: String) -> String
        var hasSession: @Sendable (String) -> Bool
    }

    private struct State {
        var machine = GuardMachine()
        var baseline = BaselineRecorder()
        var hasChanged = false
    }

    private let world: Surroundings
    private let state = Mutex(State())
    /// Rollbacks to be done; never more than there are guards.
    private let work: AsyncStream<Work>
    private let queue: AsyncStream<Work>.Continuation

    private struct Work: Sendable {
        let id: String
        let reason: String
    }

    init(_ world: Surroundings) {
        self.world = world
        (work, queue) = AsyncStream.makeStream(of: Work.self)
    }

    /// Does the rollbacks, one after the other, until cancelled.
    func run() async {
        for await work in work { await restore(work.id, reason: work.reason) }
    }

    /// Puts back every change whose guard an earlier process left running.
    ///
    /// The newest goes first, because an older one's objects may be what the newer one found. Called before traffic is
    /// served. What fails now is tried again while the server runs.
    func recover() async throws {
        for plan in try await world.store.unfinishedGuards().reversed() {
            let now = world.now()
            for case .rollBack(let id, let reason) in state.withLock({ $0.machine.resume(plan, now: now) }) {
                await restore(id, reason: reason)
            }
        }
    }

    func statuses() -> [GuardStatus] {
        let now = world.now()
        return state.withLock { $0.machine.statuses(now: now) }
    }

    /// Whether a guard started or ended since this was last asked.
    func takeChange() -> Bool {
        state.withLock { state in
            defer { state.hasChanged = false }
            return state.hasChanged
        }
    }

    /// A new sample: keeps it for baselines, and judges limits.
    func observe(_ sample: TrafficSample, keys: [String], now: MonotonicTime) {
        act(
            state.withLock { state in
                state.baseline.record(sample, now: now)
                let watched = state.machine.watched
                guard !watched.isEmpty else { return [] }
                return state.machine.observe(
                    GuardService.readings(of: watched, in: sample, keys: keys), now: now)
            })
    }

    /// Judges deadlines.
    func poll(now: MonotonicTime) { act(state.withLock { $0.machine.poll(now: now) }) }

    func sessionEnded(_ session: String) { act(state.withLock { $0.machine.sessionEnded(session) }) }
}

// MARK: - Starting

extension GuardService {
    func plan(
        _ wanted: ApplyRequest.Guard, command: String, principal: String, changes: [AuditRecord.Change]
    ) throws(Fault) -> GuardPlan {
        let limits = try GuardPlan.Limits(wanted)
        if let session = wanted.session, !world.hasSession(session) {
            throw Fault(nil, "The guard's session is not open: its change would be rolled back at once.")
        }
        let running = state.withLock { $0.machine.running }
        // Two guards of one object would each find the other's change when they end, and neither could go back.
        let objects = Set(changes.map(\.id))
        if let other = running.first(where: { !objects.isDisjoint(with: $0.objects) }) {
            throw Fault(nil, "\(other.id) guards the same objects: keep it or roll it back first.", status: 409)
        }
        guard running.count < GuardMachine.maximumRunning else {
            throw Fault(nil, "\(GuardMachine.maximumRunning) guards are running; keep or roll back one.", status: 409)
        }
        return GuardPlan(
            id: world.makeID("grd"), command: DisplayText.clean(command, limit: 1_000), principal: principal,
            objects: changes.map(\.id), watched: GuardedChange.watched(changes), limits: limits,
            session: wanted.session)
    }

    func start(_ plan: GuardPlan) async -> GuardStatus {
        let sample = await world.sample()
        let keys = world.keys()
        let now = world.now()
        let watched = Set(plan.watched)
        let readings = GuardService.readings(of: watched, in: sample, keys: keys)
        let status = state.withLock { state in
            let baseline = state.baseline.oldest(now: now).map { earlier in
                let before = GuardService.readings(of: watched, in: earlier, keys: keys)
                return readings.reduce(into: TrafficReading()) { sum, entry in
                    sum.add(entry.value.since(before[entry.key] ?? TrafficReading()))
                }
            }
            state.hasChanged = true
            return state.machine.start(plan, readings: readings, baseline: baseline, now: now)
        }
        world.events.record(
            .info, kind: "guard.started", object: plan.objects.first ?? plan.id,
            text: "\(plan.principal): \(plan.command) (guard \(Int(plan.limits.seconds)) s)")
        // The session may have ended between the plan and now: nobody would notice any more.
        if let session = plan.session, !world.hasSession(session) { sessionEnded(session) }
        return status
    }
}

// MARK: - What operators do

extension GuardService {
    /// - Throws: `Fault` as `GuardMachine.keep`; the store's error when the guard could not be forgotten: it runs on.
    func keep(_ id: String, by principal: String) async throws -> GuardStatus {
        try state.withLock { state throws(Fault) in try state.machine.keep(id, by: principal) }
        do {
            try await world.store.forgetGuard(id)
        } catch {
            state.withLock { $0.machine.keepFailed(id) }
            throw error
        }
        let now = world.now()
        act(state.withLock { $0.machine.kept(id, now: now) })
        return try status(id)
    }

    /// - Throws: `Fault` as `GuardMachine.keep`.
    func rollBack(_ id: String, by principal: String) async throws -> GuardStatus {
        let actions = try state.withLock { state throws(Fault) in try state.machine.rollBack(id, by: principal) }
        for case .rollBack(let id, let reason) in actions { await restore(id, reason: reason) }
        return try status(id)
    }

    /// - Throws: `Fault` as `GuardMachine.keep`.
    func extend(_ id: String, seconds: Double) throws(Fault) -> GuardStatus {
        let now = world.now()
        try state.withLock { state throws(Fault) in
            try state.machine.extend(id, seconds: seconds, now: now)
            state.hasChanged = true
        }
        return try status(id)
    }

    private func status(_ id: String) throws(Fault) -> GuardStatus {
        let now = world.now()
        guard let status = state.withLock({ $0.machine.status(id, now: now) }) else {
            throw Fault(nil, "There is no guard \(id).", status: 404)
        }
        return status
    }
}

// MARK: - Effects

extension GuardService {
    private func act(_ actions: [GuardMachine.Action]) {
        for action in actions {
            switch action {
            case .rollBack(let id, let reason): queue.yield(Work(id: id, reason: reason))
            case .ended(let status) where status.state == .rolledBack:
                tell(status, .warn, "guard.rolled_back", "rolled back: ")
            case .ended(let status): tell(status, .info, "guard.kept", "")
            case .stuck(let status): tell(status, .crit, "guard.stuck", "")
            }
        }
    }

    private func restore(_ id: String, reason: String) async {
        do {
            try await world.store.restoreGuarded(id, reason: reason)
            let now = world.now()
            act(state.withLock { $0.machine.restored(id, now: now) })
        } catch let conflict as GuardConflict {
            await giveUp(id, conflict)
        } catch {
            let now = world.now()
            let (isFirst, plan) = state.withLock { ($0.machine.failed(id, now: now), $0.machine.plan(id)) }
            if isFirst, let plan {
                world.events.record(
                    .crit, kind: "guard.failed", object: plan.objects.first ?? id,
                    text: "\(plan.command) could not be rolled back (\(reason)); trying again")
            }
        }
    }

    private func giveUp(_ id: String, _ conflict: GuardConflict) async {
        // When this fails too, the next start of the server meets the conflict again, and tells it again.
        try? await world.store.forgetGuard(id)
        let now = world.now()
        act(state.withLock { $0.machine.notRestorable(id, cause: conflict.cause, now: now) })
    }

    private func tell(
        _ status: GuardStatus, _ severity: EventRecord.Severity, _ kind: String, _ words: String
    ) {
        state.withLock { $0.hasChanged = true }
        world.events.record(
            severity, kind: kind, object: status.objects.first ?? status.id,
            text: "\(status.command) \(words)\(status.outcome ?? "")")
    }

    /// The counters of some objects; those without counters are left out.
    private static func readings(
        of objects: Set<String>, in sample: TrafficSample, keys: [String]
    ) -> [String: TrafficReading] {
        guard !objects.isEmpty else { return [:] }
        var readings: [String: TrafficReading] = [:]
        for (slot, key) in keys.enumerated() where slot < sample.counters.count {
            guard let id = SlotSubject(key: key).objectID, objects.contains(id) else { continue }
            let latencies = slot < sample.latencies.count ? sample.latencies[slot] : LatencyHistogram()
            readings[id] = TrafficReading(sample.counters[slot], latencies)
        }
        return readings
    }
}
