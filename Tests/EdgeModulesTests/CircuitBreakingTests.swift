import EdgeCore
import EdgeModules
import Shared
import Testing

@Suite struct CircuitBreakingTests {
    private let breakers = CircuitBreakers()

    private func module(_ settings: JSON = [:]) throws -> CircuitBreaking {
        let kept = try CircuitBreaking.normalise(
            .object(["volume_threshold": 4, "tripped_duration": 5].merging(settings.objectValue ?? [:]) { $1 }))
        return try CircuitBreaking(settings: kept, environment: environment(breakers: breakers))
    }

    /// Runs one exchange; gives the decision that was published.
    private func run(_ module: CircuitBreaking, _ outcome: Outcome, at seconds: Double = 1000) -> String? {
        let view = exchange(at: seconds)
        var note: UInt64 = 0
        if case .proceed = module.onRequest(view, note: &note) {
            module.onOutcome(view, outcome: outcome, note: &note)
        }
        return view.variables.first { "\($0.name)" == "circuit_breaker.decision" }?.value
    }

    private func state(at seconds: Double = 1000) -> BreakerState? {
        breakers.statuses(now: MonotonicTime(seconds: seconds)).first?.state
    }

    @Test func `C89 C90 C91 it opens, blocks with 503 and ERR_NGROK_3202, probes once, and closes by itself`() throws {
        let module = try module()
        for _ in 0..<4 { #expect(run(module, .answered(status: 500)) == "allow") }
        let view = exchange(at: 1001)
        var note: UInt64 = 0
        guard case .reject(let error) = module.onRequest(view, note: &note) else {
            Issue.record("expected a refusal")
            return
        }
        #expect(error.status == 503 && error.code == "ERR_NGROK_3202")
        #expect(run(module, .answered(status: 200), at: 1004.9) == "block")
        #expect(run(module, .answered(status: 200), at: 1005) == "allow_while_open")
        #expect(run(module, .answered(status: 200), at: 1005) == "allow")
        #expect(state(at: 1005) == .closed)
    }

    @Test(arguments: [
        (Outcome.answered(status: 500), true), (.answered(status: 503), true), (.answered(status: 599), true),
        (.answered(status: 499), false), (.answered(status: 200), false), (.answered(status: 101), false),
        (.failed(.upstreamUnreachable), true), (.failed(.upstreamTimeout), true), (.failed(.badRequest), false),
        (.abandoned, false),
    ])
    func `an error is an answer of 500 or more, or none because of the upstream`(outcome: Outcome, opens: Bool) throws {
        let module = try module()
        for _ in 0..<4 { _ = run(module, outcome) }
        #expect(state() == (opens ? .open : .closed))
    }

    @Test func `clients that leave are not counted, but a probe that is left has failed`() throws {
        let module = try module()
        for _ in 0..<3 { _ = run(module, .answered(status: 500)) }
        for _ in 0..<10 { _ = run(module, .abandoned) }
        #expect(breakers.statuses(now: MonotonicTime(seconds: 1000)).first?.total == 3)
        _ = run(module, .answered(status: 500))
        #expect(run(module, .abandoned, at: 1005) == "allow_while_open")
        #expect(run(module, .answered(status: 200), at: 1006) == "block")
    }

    @Test func `an outcome that is told twice counts once`() throws {
        let module = try module()
        let view = exchange()
        var note: UInt64 = 0
        _ = module.onRequest(view, note: &note)
        module.onOutcome(view, outcome: .answered(status: 500), note: &note)
        module.onOutcome(view, outcome: .answered(status: 500), note: &note)
        #expect(breakers.statuses(now: view.now).first?.errors == 1)
    }

    @Test func `zeros are kept, and mean the defaults`() throws {
        let kept = try CircuitBreaking.normalise(["error_threshold_percentage": 0.2])
        #expect(
            kept == [
                "tripped_duration": 0, "rolling_window": 0, "num_buckets": 0, "volume_threshold": 0,
                "error_threshold_percentage": 0.2,
            ])
        _ = try CircuitBreaking(settings: kept, environment: environment(breakers: breakers))
        let status = try #require(breakers.statuses(now: MonotonicTime(seconds: 1)).first)
        #expect(status.trippedDuration == 10 && status.rollingWindow == 10)
        #expect(status.volumeThreshold == 20 && status.errorThreshold == 0.2)
    }

    @Test(
        arguments: [
            ("error_threshold_percentage", 1.1, "ERR_NGROK_7011"),
            ("error_threshold_percentage", -0.1, "ERR_NGROK_7011"),
            ("error_threshold_percentage", "x", "ERR_NGROK_212"), ("tripped_duration", -1, "ERR_NGROK_7016"),
            ("tripped_duration", 1.5, "ERR_NGROK_212"), ("rolling_window", -1, "ERR_NGROK_7017"),
            ("num_buckets", 129, "ERR_NGROK_7018"), ("num_buckets", -1, "ERR_NGROK_7018"),
            ("volume_threshold", -1, "ERR_NGROK_212"), ("enabled", true, "ERR_NGROK_214"),
        ] as [(String, JSON, String)])
    func `settings out of range are refused with their codes`(name: String, value: JSON, code: String) {
        #expect(fault(CircuitBreaking.self, .object([name: value])) == code)
    }

    @Test(
        arguments: [
            ("error_threshold_percentage", 1), ("error_threshold_percentage", 0.0), ("tripped_duration", 1),
            ("num_buckets", 128), ("num_buckets", nil),
        ] as [(String, JSON)])
    func `settings at their bounds are taken`(name: String, value: JSON) {
        #expect(fault(CircuitBreaking.self, .object([name: value])) == nil)
    }
}
