import EdgeCore
import Shared

/// When to put guarded changes back, for every guard of this server: decisions only. `GuardService` acts on them.
///
/// The life of a guard:
///
///     running ──keep──▶ keeping ──forgotten──▶ ended (kept)
///        │ limit, deadline,  └─failed: running again
///        │ rollback, session ended
///        ▼
///     returning ──restored────────▶ ended (rolled back)
///        │      ──not restorable──▶ ended (kept, and the outcome says why)
///        └─failed: again after `retryDelay`
struct GuardMachine: Sendable {
    /// What the machine wants done.
    enum Action: Sendable, Equatable {
        /// Put the guard's objects back, then tell `restored`, `notRestorable` or `failed`.
        case rollBack(id: String, reason: String)
        /// The guard has ended as decided.
        case ended(GuardStatus)
        /// The guard has ended, and the change that it should have put back stands.
        case stuck(GuardStatus)
    }

    /// How many guards may run at once.
    static let maximumRunning = 100
    /// Seconds that a guard stays in the ticks after it ended.
    static let afterglow = 30.0
    /// Seconds until a rollback that failed is tried again.
    static let retryDelay = 5.0
    /// The longest a guard may have left, in seconds.
    static let maximumSeconds = 3600.0

    private enum Phase {
        case running
        /// The store is being told to forget it: nothing else may end it meanwhile.
        case keeping(by: String)
        case returning(reason: String, retry: MonotonicTime?)
        case ended(at: MonotonicTime)
    }

    private struct Held {
        let plan: GuardPlan
        var phase = Phase.running
        var deadline: MonotonicTime
        /// The watched objects' counters when the change took effect, and what has come since.
        var start: [String: TrafficReading]
        var seen: [String: TrafficReading] = [:]
        let baseline: TrafficReading?
        var state = GuardStatus.State.running
        var outcome: String?
        var failures = 0

        /// Of all watched objects together.
        var sum: TrafficReading { seen.values.reduce(into: TrafficReading()) { $0.add($1) } }
    }

    private var guards: [String: Held] = [:]

    /// Guards whose end is not decided.
    var running: [GuardPlan] {
        guards.values.filter { if case .ended = $0.phase { false } else { true } }.map(\.plan)
    }

    /// Every object that some guard watches.
    var watched: Set<String> { Set(running.flatMap(\.watched)) }

    func plan(_ id: String) -> GuardPlan? { guards[id]?.plan }

    /// Running guards, and those that ended not long ago; the oldest first.
    func statuses(now: MonotonicTime) -> [GuardStatus] {
        guards.values.map { status($0, now: now) }.sorted { $0.id < $1.id }
    }

    func status(_ id: String, now: MonotonicTime) -> GuardStatus? { guards[id].map { status($0, now: now) } }
}

// MARK: - What happens to guards

extension GuardMachine {
    /// A change has taken effect and is to be guarded.
    /// - Parameters:
    ///   - readings: the watched objects' counters at this moment.
    ///   - baseline: what they did together before the change; `nil` when unknown.
    mutating func start(
        _ plan: GuardPlan, readings: [String: TrafficReading], baseline: TrafficReading?, now: MonotonicTime
    ) -> GuardStatus {
        let held = Held(
            plan: plan, deadline: now + .seconds(min(plan.limits.seconds, GuardMachine.maximumSeconds)),
            start: readings, baseline: baseline)
        guards[plan.id] = held
        return status(held, now: now)
    }

    /// A guard that an earlier process left running: it can only go back.
    mutating func resume(_ plan: GuardPlan, now: MonotonicTime) -> [Action] {
        guards[plan.id] = Held(plan: plan, deadline: now, start: [:], baseline: nil)
        return roll(plan.id, reason: "the server stopped while the guard was running")
    }

    /// New counters of the watched objects: judges the limits.
    mutating func observe(_ readings: [String: TrafficReading], now: MonotonicTime) -> [Action] {
        var actions: [Action] = []
        for (id, held) in guards {
            guard case .running = held.phase else { continue }
            for object in held.plan.watched {
                guard let reading = readings[object] else { continue }
                // An object that had no counters at the start has counted from zero since.
                guards[id]?.seen[object] = reading.since(held.start[object] ?? TrafficReading())
            }
            if let held = guards[id], let reason = GuardMachine.passedLimit(held.plan, held.seen, held.sum) {
                actions += roll(id, reason: reason)
            }
        }
        return actions
    }

    /// Time has passed: judges deadlines, tries failed rollbacks again, and forgets guards that ended long ago.
    mutating func poll(now: MonotonicTime) -> [Action] {
        var actions: [Action] = []
        for (id, held) in guards {
            switch held.phase {
            case .running where held.deadline <= now:
                actions += roll(id, reason: "nobody kept it")
            case .returning(let reason, let retry?) where retry <= now:
                actions += roll(id, reason: reason)
            case .ended(let at) where now.seconds(since: at) > GuardMachine.afterglow:
                guards[id] = nil
            case .running, .keeping, .returning, .ended: break
            }
        }
        return actions
    }

    /// An operator keeps the change. The guard ends with `kept`, once the store has forgotten it.
    /// - Throws: 404 for an unknown guard, 409 for one that does not run any more.
    mutating func keep(_ id: String, by principal: String) throws(Fault) {
        try checkRunning(id)
        guards[id]?.phase = .keeping(by: principal)
    }

    /// The store has forgotten the guard.
    mutating func kept(_ id: String, now: MonotonicTime) -> [Action] {
        guard case .keeping(let principal)? = guards[id]?.phase else { return [] }
        finish(id, .kept, "kept by \(principal)", now: now)
        return guards[id].map { [.ended(status($0, now: now))] } ?? []
    }

    /// The store could not forget the guard: it runs on.
    mutating func keepFailed(_ id: String) {
        guard case .keeping? = guards[id]?.phase else { return }
        guards[id]?.phase = .running
    }

    /// - Throws: as `keep`.
    mutating func rollBack(_ id: String, by principal: String) throws(Fault) -> [Action] {
        try checkRunning(id)
        return roll(id, reason: "rolled back by \(principal)")
    }

    /// Gives a running guard more time, never more than an hour in all from now.
    /// - Throws: as `keep`.
    mutating func extend(_ id: String, seconds: Double, now: MonotonicTime) throws(Fault) {
        try checkRunning(id)
        guard var held = guards[id] else { return }
        let left = held.deadline.seconds(since: now)
        held.deadline = now + .seconds(min(left + seconds, GuardMachine.maximumSeconds))
        guards[id] = held
    }

    /// A stream has ended: the guards that it owns go back.
    mutating func sessionEnded(_ session: String) -> [Action] {
        guards.filter { $0.value.plan.session == session }
            .filter { if case .running = $0.value.phase { true } else { false } }
            .flatMap { roll($0.key, reason: "the operator's session ended") }
    }

    /// The objects are as they were before.
    mutating func restored(_ id: String, now: MonotonicTime) -> [Action] {
        guard case .returning(let reason, _)? = guards[id]?.phase else { return [] }
        finish(id, .rolledBack, reason, now: now)
        return guards[id].map { [.ended(status($0, now: now))] } ?? []
    }

    /// The objects cannot be put back, now or later: they stay as they are.
    /// - Parameter cause: for instance that somebody else has changed them since.
    mutating func notRestorable(_ id: String, cause: String, now: MonotonicTime) -> [Action] {
        guard case .returning(let reason, _)? = guards[id]?.phase else { return [] }
        finish(id, .kept, "not rolled back (\(reason)): \(cause)", now: now)
        return guards[id].map { [.stuck(status($0, now: now))] } ?? []
    }

    /// The objects could not be put back this time.
    /// - Returns: whether this was the first failure of this guard.
    mutating func failed(_ id: String, now: MonotonicTime) -> Bool {
        guard var held = guards[id], case .returning(let reason, _) = held.phase else { return false }
        held.phase = .returning(reason: reason, retry: now + .seconds(GuardMachine.retryDelay))
        held.failures += 1
        guards[id] = held
        return held.failures == 1
    }
}

// MARK: - Rules

extension GuardMachine {
    /// Each watched object is judged by itself once it has enough exchanges, and all of them together, so that a bad
    /// one does not hide behind a busy good one and many quiet ones are judged at all.
    private static func passedLimit(
        _ plan: GuardPlan, _ seen: [String: TrafficReading], _ sum: TrafficReading
    ) -> String? {
        for object in plan.watched {
            guard let reading = seen[object] else { continue }
            if let reason = passedLimit(plan.limits, reading) { return "\(object): \(reason)" }
        }
        return passedLimit(plan.limits, sum)
    }

    private static func passedLimit(_ limits: GuardPlan.Limits, _ reading: TrafficReading) -> String? {
        guard reading.exchanges > 0, reading.exchanges >= limits.minSamples else { return nil }
        if let limit = limits.maxErrorRate, reading.errorRate > limit {
            return "errors \(percent(reading.errorRate)) > \(percent(limit)) "
                + "(\(reading.errors) of \(reading.exchanges))"
        }
        if let limit = limits.maxP95, let p95 = reading.p95, p95 > limit {
            return "p95 \(rounded(p95)) ms > \(rounded(limit)) ms (\(reading.exchanges) samples)"
        }
        return nil
    }

    private static func percent(_ ratio: Double) -> String { "\(rounded(ratio * 100)) %" }

    /// One decimal.
    private static func rounded(_ value: Double) -> Double { (value * 10).rounded() / 10 }

    private func checkRunning(_ id: String) throws(Fault) {
        guard let held = guards[id] else { throw Fault(nil, "There is no guard \(id).", status: 404) }
        switch held.phase {
        case .running: return
        case .keeping(let other): throw Fault(nil, "The guard is being kept by \(other).", status: 409)
        case .returning(let reason, _):
            throw Fault(nil, "The guard is rolling back: \(reason).", status: 409)
        case .ended: throw Fault(nil, "The guard has ended: \(held.outcome ?? "").", status: 409)
        }
    }

    private mutating func roll(_ id: String, reason: String) -> [Action] {
        guards[id]?.phase = .returning(reason: reason, retry: nil)
        return [.rollBack(id: id, reason: reason)]
    }

    private mutating func finish(
        _ id: String, _ state: GuardStatus.State, _ outcome: String, now: MonotonicTime
    ) {
        guards[id]?.state = state
        guards[id]?.outcome = outcome
        guards[id]?.phase = .ended(at: now)
    }

    private func status(_ held: Held, now: MonotonicTime) -> GuardStatus {
        let plan = held.plan
        let sum = held.sum
        let isRunning = if case .running = held.phase { true } else { false }
        let baseline = held.baseline.flatMap { $0.exchanges > 0 ? $0 : nil }
        return GuardStatus(
            id: plan.id, state: held.state, command: plan.command, principal: plan.principal, objects: plan.objects,
            remaining: isRunning ? held.deadline.seconds(since: now) : 0, maxErrorRate: plan.limits.maxErrorRate,
            maxP95: plan.limits.maxP95, minSamples: plan.limits.minSamples, samples: sum.exchanges,
            errorRate: sum.errorRate, p95: sum.p95, baselineErrorRate: baseline?.errorRate,
            baselineP95: baseline?.p95, outcome: held.outcome)
    }
}
