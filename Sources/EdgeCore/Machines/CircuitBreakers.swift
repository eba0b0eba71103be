public import Shared
import Synchronization

/// A circuit breaker has changed its state.
public struct BreakerTransition: Sendable, Hashable {
    public let routeID: RouteID
    public let from: BreakerState
    public let to: BreakerState
    /// Why it last opened, in words; `nil` when it never has.
    public let reason: String?
    public let at: MonotonicTime

    public init(routeID: RouteID, from: BreakerState, to: BreakerState, reason: String?, at: MonotonicTime) {
        self.routeID = routeID
        self.from = from
        self.to = to
        self.reason = reason
        self.at = at
    }
}

/// Transitions that wait to be told; the oldest give way when nobody fetches them.
final class BreakerTransitions: Sendable {
    static let capacity = 1024
    private let waiting = Mutex<[BreakerTransition]>([])

    func append(_ transition: BreakerTransition) {
        waiting.withLock { waiting in
            if waiting.count >= BreakerTransitions.capacity { waiting.removeFirst(BreakerTransitions.capacity / 4) }
            waiting.append(transition)
        }
    }

    func drain() -> [BreakerTransition] {
        waiting.withLock { waiting in
            defer { waiting = [] }
            return waiting
        }
    }
}

/// The circuit breakers of this server, by route: they outlive snapshots and are found again by the route's identifier.
public final class CircuitBreakers: Sendable {
    private let breakers = Mutex<[RouteID: SharedCircuitBreaker]>([:])
    private let transitions: BreakerTransitions
    /// Those in force, when these are a draft.
    private let original: CircuitBreakers?
    private let wanted = Mutex<[RouteID: CircuitBreakerSettings]>([:])

    public init() {
        original = nil
        transitions = BreakerTransitions()
    }

    private init(draftOf original: CircuitBreakers) {
        self.original = original
        transitions = original.transitions
    }

    /// The breaker of a route, new when it has none. Other settings than before come into force at once and keep
    /// the breaker's state.
    public func breaker(routeID: RouteID, settings: CircuitBreakerSettings) -> SharedCircuitBreaker {
        let earlier = original?.known(routeID)
        let (breaker, isKnown) = breakers.withLock { breakers in
            if let known = breakers[routeID] ?? earlier {
                breakers[routeID] = known
                return (known, true)
            }
            let breaker = SharedCircuitBreaker(
                routeID: routeID, settings: settings, at: MonotonicTime(nanoseconds: 0), transitions: transitions)
            breakers[routeID] = breaker
            return (breaker, false)
        }
        if original != nil {
            wanted.withLock { $0[routeID] = settings }
        } else if isKnown {
            breaker.adopt(settings)
        }
        return breaker
    }

    private func known(_ routeID: RouteID) -> SharedCircuitBreaker? { breakers.withLock { $0[routeID] } }

    // MARK: Drafts

    /// For compiling what may never be in force: gives out the breakers of these, and leaves these as they are.
    func draft() -> CircuitBreakers { CircuitBreakers(draftOf: self) }

    /// Takes over from a draft the breakers and settings of `routes`; what else it has is forgotten.
    func adopt(_ draft: CircuitBreakers, routes: Set<RouteID>) {
        let (made, wanted) = (draft.breakers.withLock { $0 }, draft.wanted.withLock { $0 })
        for route in routes {
            guard let made = made[route], let settings = wanted[route] else { continue }
            let breaker = breakers.withLock { breakers in
                let breaker = breakers[route] ?? made
                breakers[route] = breaker
                return breaker
            }
            breaker.adopt(settings)
        }
    }

    /// What an operator sees, ordered by route.
    public func statuses(now: MonotonicTime) -> [BreakerStatus] {
        breakers.withLock { $0.values.map { $0 } }.map { $0.status(at: now) }.sorted { $0.routeID < $1.routeID }
    }

    /// Forgets the breakers of other routes. Exchanges that still run keep theirs until they end.
    public func retire(except routes: Set<RouteID>) {
        breakers.withLock { breakers in breakers = breakers.filter { routes.contains($0.key) } }
    }

    /// Forgets the breakers of these routes.
    public func retire(_ routes: some Sequence<RouteID>) {
        breakers.withLock { breakers in
            for route in routes { breakers[route] = nil }
        }
    }

    /// What has happened since the last call, oldest first; at most 1,024 transitions are kept.
    public func drainTransitions() -> [BreakerTransition] { transitions.drain() }

    /// An operator's word.
    /// - Returns: whether the route has a breaker.
    public func perform(
        _ routeID: RouteID, _ action: CircuitBreaker.Action, now: MonotonicTime
    ) -> Bool {
        guard let breaker = breakers.withLock({ $0[routeID] }) else { return false }
        breaker.perform(action, at: now)
        return true
    }
}
