public import EdgeCore
public import Shared

/// Answers 503 in place of an upstream that fails, until a probe finds it well again. See `CircuitBreaker`.
///
/// An error is an answer of 500 or more, or an error of that kind that the edge made because there was no answer. One
/// state per route and server, shared by all loops, and kept when the settings change.
public final class CircuitBreaking: TrafficModule, BreakerBearing {
    public static let name = "circuit_breaker"
    public static let edgeKinds: Set<EdgeKind> = [.https]
    public static let phases: ModulePhases = [.request, .outcome]
    public static let settings = Shape(
        "EndpointCircuitBreaker",
        [
            Shape.Field("tripped_duration", .integer(0...Int64(UInt32.max)), "seconds; 0 means 10"),
            Shape.Field("rolling_window", .integer(0...Int64(UInt32.max)), "seconds; 0 means 10"),
            Shape.Field("num_buckets", .integer(0...maximumBuckets), "parts of the window; 0 means 10"),
            Shape.Field("volume_threshold", .integer(0...Int64(UInt32.max)), "requests in the window; 0 means 20"),
            Shape.Field("error_threshold_percentage", .number(0...1), "share of errors that opens it"),
        ])
    public static let example: JSON = [
        "tripped_duration": 10, "rolling_window": 10, "num_buckets": 10, "volume_threshold": 20,
        "error_threshold_percentage": 0.5,
    ]

    static let maximumBuckets: Int64 = 128

    private let breaker: SharedCircuitBreaker

    public init(settings: JSON, environment: ModuleEnvironment) throws(Fault) {
        breaker = environment.breakers.breaker(
            routeID: RouteID(environment.ownerID), settings: CircuitBreaking.inForce(settings))
    }

    /// Zero is kept and shown as zero, and means the default.
    private static func inForce(_ settings: JSON) -> CircuitBreakerSettings {
        var result = CircuitBreakerSettings()
        let number = { (name: String) in settings[name]?.intValue ?? 0 }
        if number("tripped_duration") > 0 { result.trippedDuration = .seconds(number("tripped_duration")) }
        if number("rolling_window") > 0 { result.rollingWindow = .seconds(number("rolling_window")) }
        if number("num_buckets") > 0 { result.buckets = Int(number("num_buckets")) }
        if number("volume_threshold") > 0 { result.volumeThreshold = UInt64(number("volume_threshold")) }
        if let share = settings["error_threshold_percentage"]?.doubleValue, share > 0 { result.errorThreshold = share }
        return result
    }

    public static func normalise(_ settings: JSON) throws(Fault) -> JSON {
        let reader = try SettingsReader(
            settings, Self.settings, subject: "circuit_breaker module")
        let share = try reader.number("error_threshold_percentage")
        guard (0...1).contains(share) else {
            throw Fault(7011, "error_threshold_percentage must be from 0.0 to 1.0, not \(share).")
        }
        let whole: (String, Int64, Int) throws(Fault) -> JSON = { (name, maximum, code) throws(Fault) in
            let value = try reader.integer(name)
            guard (0...maximum).contains(value) else {
                throw Fault(code, "\(name) must be from 1 to \(maximum), or 0 for the default; not \(value).")
            }
            return .int(value)
        }
        return [
            "tripped_duration": try whole("tripped_duration", Int64(UInt32.max), 7016),
            "rolling_window": try whole("rolling_window", Int64(UInt32.max), 7017),
            "num_buckets": try whole("num_buckets", maximumBuckets, 7018),
            "volume_threshold": try whole("volume_threshold", Int64(UInt32.max), 212),
            "error_threshold_percentage": reader["error_threshold_percentage"] ?? 0,
        ]
    }

    public func onRequest(_ exchange: ExchangeView, note: inout UInt64) -> Verdict {
        let admission = breaker.admit(at: exchange.now)
        exchange.publish("circuit_breaker.decision", admission.decision.rawValue)
        guard admission.decision != .block else { return .reject(.circuitBreakerTripped) }
        note = 1 | UInt64(admission.probe) << 1
        return .proceed
    }

    public func onOutcome(_ exchange: ExchangeView, outcome: Outcome, note: inout UInt64) {
        guard note != 0 else { return }
        let probe = UInt32(truncatingIfNeeded: note >> 1)
        note = 0
        breaker.record(CircuitBreaking.result(outcome), probe: probe, at: exchange.now)
    }

    private static func result(_ outcome: Outcome) -> CircuitBreaker.Result {
        switch outcome {
        case .answered(let status): status >= 500 ? .failure : .success
        // Below 500 the client or another module was at fault: that says nothing about the upstream.
        case .failed(let error): error.status >= 500 ? .failure : .cancelled
        case .abandoned: .cancelled
        }
    }
}
