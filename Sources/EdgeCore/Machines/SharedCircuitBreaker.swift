public import Shared
import Synchronization

/// One route's circuit breaker, shared by all loops.
///
/// While it is closed and nothing fails, a request costs two relaxed atomic operations and no lock: successes are only
/// tallied, and handed to the machine when its bucket ends, when something fails, or when somebody looks. As long as
/// the window holds no error a success cannot open the breaker, so that nothing is decided late.
public final class SharedCircuitBreaker: Sendable {
    public let routeID: RouteID
    private let machine: Mutex<CircuitBreaker>
    private let transitions: BreakerTransitions
    /// Closed: every request is let through without asking the machine.
    private let isClosed = Atomic<Bool>(true)
    /// The bucket (its number and width) in which successes may only be tallied; width 0: in none.
    private let calmBucket = Atomic<UInt64>(0)
    private let calmWidth = Atomic<UInt64>(0)
    private let tally = Atomic<UInt64>(0)

    init(
        routeID: RouteID, settings: CircuitBreakerSettings, at now: MonotonicTime, transitions: BreakerTransitions
    ) {
        self.routeID = routeID
        self.transitions = transitions
        machine = Mutex(CircuitBreaker(settings: settings, at: now))
    }

    public func admit(at now: MonotonicTime) -> CircuitBreaker.Admission {
        if isClosed.load(ordering: .relaxed) { return CircuitBreaker.Admission(decision: .allow, probe: 0) }
        return change(at: now) { $0.admit(at: now) }
    }

    /// - Parameter probe: that of the admission.
    public func record(_ result: CircuitBreaker.Result, probe: UInt32 = 0, at now: MonotonicTime) {
        if probe == 0 {
            guard result != .cancelled else { return }
            if result == .success, isCalm(at: now) {
                tally.wrappingAdd(1, ordering: .relaxed)
                return
            }
        }
        change(at: now) { $0.record(result, probe: probe, at: now) }
    }

    @inline(__always)
    private func isCalm(at now: MonotonicTime) -> Bool {
        let width = calmWidth.load(ordering: .relaxed)
        return width > 0 && now.nanoseconds / width == calmBucket.load(ordering: .relaxed)
    }

    func perform(_ action: CircuitBreaker.Action, at now: MonotonicTime) {
        change(at: now) { $0.perform(action, at: now) }
    }

    /// Puts other settings in force; changes no state.
    func adopt(_ settings: CircuitBreakerSettings) {
        change(at: MonotonicTime(nanoseconds: 0)) { $0.adopt(settings) }
    }

    func status(at now: MonotonicTime) -> BreakerStatus {
        change(at: now) { machine in
            machine.advance(to: now)
            return BreakerStatus(
                routeID: routeID, state: machine.state, total: machine.total, errors: machine.errors,
                rollingWindow: Double(machine.settings.rollingWindow.nanoseconds) / 1e9,
                trippedDuration: Double(machine.settings.trippedDuration.nanoseconds) / 1e9,
                volumeThreshold: machine.settings.volumeThreshold, errorThreshold: machine.settings.errorThreshold,
                since: now.seconds(since: machine.since), reason: machine.reason,
                nextProbe: machine.nextProbe(at: now), trips: machine.trips, rejected: machine.rejected)
        }
    }

    /// The one place where the machine is touched: hands it the tally, lets it decide, and publishes what the paths
    /// without a lock go by.
    private func change<R: Sendable>(at now: MonotonicTime, _ body: (inout CircuitBreaker) -> R) -> R {
        machine.withLock { machine in
            let before = machine.state
            // Tallied in the bucket that was the newest then; the machine's newest still is that one.
            machine.record(tallied: tally.exchange(0, ordering: .relaxed))
            let result = body(&machine)
            if machine.state != before {
                transitions.append(
                    BreakerTransition(
                        routeID: routeID, from: before, to: machine.state, reason: machine.reason, at: now))
            }
            isClosed.store(machine.state == .closed, ordering: .relaxed)
            let calm = machine.state == .closed && machine.errors == 0 && machine.settings.errorThreshold > 0
            calmBucket.store(machine.newestBucket, ordering: .relaxed)
            calmWidth.store(calm ? CircuitBreaker.width(machine.settings) : 0, ordering: .relaxed)
            return result
        }
    }
}
