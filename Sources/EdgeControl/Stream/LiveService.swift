public import EdgeCore
public import Foundation
public import Shared
import Synchronization

/// The live side of the admin API: statistics once a second, events as they happen, guards, and the stream that brings
/// them to operators.
///
/// `run` owns the timers. It works beside the data plane: it asks the loops for a sample once a second, and never waits
/// for an operator.
public final class LiveService: Sendable {
    /// What this server says of itself in a hello.
    public struct Name: Sendable {
        public var node: String
        public var region: String
        public var version: String

        public init(node: String, region: String, version: String) {
            self.node = node
            self.region = region
            self.version = version
        }
    }

    /// The rooms that the service looks at.
    public struct Sources: Sendable {
        public var dataPlane: any DataPlane
        public var slots: SlotTable
        public var breakers: CircuitBreakers
        public var events: EventLog
        public var guards: any GuardStore
        /// The configuration in force. Called about once a second.
        public var configuration: @Sendable () -> Configuration
        /// The same, compiled; what `explain` asks.
        public var snapshot: @Sendable () -> Snapshot
        /// The latest audit records, oldest first, at most so many.
        public var recentAudit: @Sendable (Int) async -> [AuditRecord]
        /// Notes an operator's deed that is no change of the configuration: who, the command, the object's kind and
        /// identifier.
        public var audit: @Sendable (Principal, String, String, String) async throws -> Void
        /// Connected agents, those with the most streams first.
        public var agents: @Sendable () async -> [AgentStatus]

        public init(
            dataPlane: any DataPlane, slots: SlotTable, breakers: CircuitBreakers, events: EventLog,
            guards: any GuardStore, configuration: @escaping @Sendable () -> Configuration,
            snapshot: @escaping @Sendable () -> Snapshot,
            recentAudit: @escaping @Sendable (Int) async -> [AuditRecord],
            audit: @escaping @Sendable (Principal, String, String, String) async throws -> Void,
            agents: @escaping @Sendable () async -> [AgentStatus] = { [] }
        ) {
            self.dataPlane = dataPlane
            self.slots = slots
            self.breakers = breakers
            self.events = events
            self.guards = guards
            self.configuration = configuration
            self.snapshot = snapshot
            self.recentAudit = recentAudit
            self.audit = audit
            self.agents = agents
        }
    }

    /// Time and chance.
    public struct Clock: Sendable {
        public var now: @Sendable () -> MonotonicTime
        /// For display only.
        public var wall: @Sendable () -> Date
        /// A new identifier with this prefix that nobody can guess.
        public var makeID: @Sendable (_ prefix: String) -> String

        public init(
            now: @escaping @Sendable () -> MonotonicTime, wall: @escaping @Sendable () -> Date,
            makeID: @escaping @Sendable (_ prefix: String) -> String
        ) {
            self.now = now
            self.wall = wall
            self.makeID = makeID
        }
    }

    private struct State {
        var machine: StatisticsMachine
        var measurement: TrafficMeasurement?
        var configuration = LiveConfiguration()
        var agents: [AgentStatus] = []
        /// What the data plane could not put in force, as last told.
        var problems: [String: String] = [:]
        /// When it was last told who came from where nobody is allowed to.
        var strangersTold: MonotonicTime?
    }

    let name: Name
    let sources: Sources
    let clock: Clock
    let hub: StreamHub
    let guards: GuardService
    private let state: Mutex<State>
    /// Held while a line is encoded and handed out, so that ticks reach every reader in order.
    private let publishing = Mutex<Void>(())
    private let subscription: UInt64

    public init(name: Name, sources: Sources, clock: Clock) {
        self.name = name
        self.sources = sources
        self.clock = clock
        state = Mutex(State(machine: StatisticsMachine(start: clock.now())))
        // The hub tells the guards of sessions that end, and the guards ask the hub for sessions that are open.
        let ended = SessionEnds()
        let hub = StreamHub(now: clock.now, onEnd: { ended.tell($0) })
        self.hub = hub
        let guards = GuardService(
            GuardService.Surroundings(
                store: sources.guards, events: sources.events,
                sample: { [plane = sources.dataPlane] in
                    await plane.sample()
                }, keys: { [slots = sources.slots] in slots.keys }, now: clock.now, makeID: clock.makeID,
                hasSession: { [weak hub] in hub?.has(session: $0) ?? false }))
        self.guards = guards
        let listener: @Sendable (String) -> Void = { [weak guards] in guards?.sessionEnded($0) }
        ended.listener.withLock { $0 = listener }
        subscription = sources.events.subscribe { [weak hub] event in
            hub?.broadcast(.event(event.id), StreamHub.line(.event(event)))
        }
    }

    deinit { sources.events.unsubscribe(subscription) }

    /// Puts back every guarded change that an earlier process left without a verdict. To be awaited before listeners
    /// open.
    /// - Throws: the store's error when it cannot even be read.
    public func recover() async throws { try await guards.recover() }

    /// Ticks once a second, looks at breakers and deadlines four times a second, and rolls back what is to be rolled
    /// back, until the task is cancelled.
    public func run() async {
        await withTaskGroup { group in
            group.addTask { await LiveService.every(.seconds(1)) { await self.tick() } }
            group.addTask { await LiveService.every(.milliseconds(250)) { self.poll() } }
            group.addTask { await self.guards.run() }
        }
    }

    /// Tells every reader of an acknowledged write.
    public func publish(_ record: AuditRecord) {
        hub.broadcast(.audit(record.id)) { StreamHub.line(.audit(record.shown(to: $0))) }
    }

    /// Calls `body` on a steady beat; beats that were missed are left out rather than made up for.
    private static func every(_ interval: Duration, _ body: () async -> Void) async {
        let clock = ContinuousClock()
        var next = clock.now + interval
        while !Task.isCancelled {
            // Cancelled while asleep: the loop's condition ends it.
            try? await Task.sleep(until: next, clock: clock)
            guard !Task.isCancelled else { return }
            await body()
            next = max(next + interval, clock.now)
        }
    }
}

/// Passes on the ends of sessions to a listener that is only known later.
private final class SessionEnds: Sendable {
    let listener = Mutex<(@Sendable (String) -> Void)?>(nil)

    func tell(_ session: String) { listener.withLock { $0 }?(session) }
}

// MARK: - Ticks

extension LiveService {
    /// Samples, measures, judges guards and tells every reader.
    func tick() async {
        let sample = await sources.dataPlane.sample()
        let agents = Array(await sources.agents().prefix(StatisticsMachine.maximumRows))
        let configuration = sources.configuration()
        let keys = sources.slots.keys
        let now = clock.now()
        state.withLock { state in
            state.agents = agents
            if state.measurement == nil || state.configuration.revision != configuration.revision {
                state.configuration = LiveConfiguration(configuration)
            }
            state.measurement = state.machine.advance(
                sample: sample, keys: keys, configuration: state.configuration, now: now)
        }
        guards.observe(sample, keys: keys, now: now)
        guards.poll(now: now)
        tell(await sources.dataPlane.problems())
        tellOfStrangers(now)
        publishTick()
    }

    /// A port that could not be opened or a certificate that does not load is an event when it begins and when it
    /// ends: the write that caused it was sound, and the rest serves all the same.
    func tell(_ problems: [String: String]) {
        let before = state.withLock { state in
            defer { state.problems = problems }
            return state.problems
        }
        for (object, text) in problems.sorted(by: { $0.key < $1.key }) where before[object] != text {
            sources.events.record(.crit, kind: "transport.failed", object: object, text: text)
        }
        for object in before.keys.sorted() where problems[object] == nil {
            sources.events.record(.info, kind: "transport.recovered", object: object, text: "\(object) is in force")
        }
    }

    /// At most once a minute, so that a flood of strangers is no flood of events.
    private func tellOfStrangers(_ now: MonotonicTime) {
        guard let entry = sources.snapshot().entry else { return }
        let isDue = state.withLock { state in state.strangersTold.map { now.seconds(since: $0) >= 60 } ?? true }
        guard isDue, let (count, latest) = entry.takeStrangers() else { return }
        state.withLock { $0.strangersTold = now }
        let what = count == 1 ? "1 request or connection" : "\(count) requests and connections"
        let (kind, text) =
            entry.isEnforced
            ? ("ip_restriction.refused", "refused \(what) from addresses that no IP policy allows")
            : ("ip_restriction.would_refuse", "would have refused \(what) from addresses that no IP policy allows")
        sources.events.record(.warn, kind: kind, object: entry.id, text: "\(text), as \(latest)")
    }

    /// Looks for what must be told at once: breakers that changed, and guards that began or ended. The tick that then
    /// goes out repeats the last measurement with its sequence number.
    func poll() {
        guards.poll(now: clock.now())
        let transitions = sources.breakers.drainTransitions()
        for transition in transitions { record(transition) }
        if guards.takeChange() || !transitions.isEmpty { publishTick() }
    }

    /// The latest tick, with breakers and guards as they are now.
    var latest: StatisticsTick {
        let (measurement, agents) = state.withLock { ($0.measurement, $0.agents) }
        let traffic = measurement ?? TrafficMeasurement(sequence: 0, interval: 0, uptime: 0, revision: 0)
        return StatisticsTick(
            sequence: traffic.sequence, at: DisplayTime.text(clock.wall()), interval: traffic.interval,
            uptime: traffic.uptime, revision: traffic.revision, regions: traffic.regions, edges: traffic.edges,
            routes: traffic.routes, backends: traffic.backends,
            breakers: LiveService.foremost(breakers),
            weights: traffic.weights, guards: guards.statuses(), agents: agents, operators: hub.principals)
    }

    /// Every breaker of a route that exists, as it is now.
    var breakers: [BreakerStatus] {
        let existing = state.withLock { $0.configuration.routes }
        return sources.breakers.statuses(now: clock.now()).filter { existing.contains($0.routeID) }
    }

    /// At most as many as rows of traffic: first those that are not closed, then those with the most errors, then the
    /// busiest. In the order of their routes.
    static func foremost(_ breakers: [BreakerStatus]) -> [BreakerStatus] {
        guard breakers.count > StatisticsMachine.maximumRows else { return breakers }
        let rank = { (breaker: BreakerStatus) in
            (breaker.state == .closed ? 0 : 1, breaker.errors, breaker.total)
        }
        return breakers.sorted { rank($0) > rank($1) }.prefix(StatisticsMachine.maximumRows)
            .sorted { $0.routeID < $1.routeID }
    }

    /// Requests per second of each region over the last five minutes.
    var history: [Hello.History] { state.withLock { $0.machine.history } }

    private func publishTick() {
        publishing.withLock { _ in hub.broadcast(.tick, StreamHub.line(.tick(latest))) }
    }

    private func record(_ transition: BreakerTransition) {
        let reason = transition.reason.map { ": \($0)" } ?? ""
        let (severity, kind, text): (EventRecord.Severity, String, String) =
            switch transition.to {
            case .open: (.crit, "breaker.opened", "the circuit breaker opened\(reason)")
            case .halfOpen: (.warn, "breaker.half_open", "the circuit breaker lets a probe through")
            case .closed: (.info, "breaker.closed", "the circuit breaker closed")
            }
        sources.events.record(severity, kind: kind, object: transition.routeID.rawValue, text: text)
    }
}

extension LiveService: GuardStarting {
    public func planGuard(
        _ wanted: ApplyRequest.Guard, command: String, principal: String, changes: [AuditRecord.Change]
    ) throws(Fault) -> GuardPlan {
        try guards.plan(wanted, command: command, principal: principal, changes: changes)
    }

    public func startGuard(_ plan: GuardPlan) async -> GuardStatus { await guards.start(plan) }
}
