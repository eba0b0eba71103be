import EdgeCore
import Shared
import Testing

@testable import EdgeControl

struct GuardMachineTests {
    private let start = MonotonicTime(seconds: 50)

    private func plan(
        _ id: String = "g", seconds: Double = 30, errors: Double? = 0.02, p95: Double? = 400, samples: UInt64 = 200,
        session: String? = nil, watched: [String] = ["b"]
    ) -> GuardPlan {
        GuardPlan(
            id: id, command: "weight set", principal: "alice", objects: ["w"], watched: watched,
            limits: GuardPlan.Limits(seconds: seconds, maxErrorRate: errors, maxP95: p95, minSamples: samples),
            session: session)
    }

    private func reading(_ exchanges: UInt64, errors: UInt64 = 0, milliseconds: UInt64 = 10) -> TrafficReading {
        var reading = TrafficReading()
        reading.exchanges = exchanges
        reading.errors = errors
        for _ in 0..<exchanges { reading.latencies.record(microseconds: milliseconds * 1000) }
        return reading
    }

    private func started(_ plans: GuardPlan..., baseline: TrafficReading? = nil) -> GuardMachine {
        var machine = GuardMachine()
        for plan in plans {
            _ = machine.start(plan, readings: ["b": reading(1_000, errors: 900)], baseline: baseline, now: start)
        }
        return machine
    }

    /// `more` on top of what was there at the start.
    private func since(_ more: TrafficReading) -> TrafficReading {
        var sum = reading(1_000, errors: 900)
        sum.add(more)
        return sum
    }

    private func rollBacks(_ actions: [GuardMachine.Action]) -> [String] {
        actions.compactMap { if case .rollBack(let id, _) = $0 { id } else { nil } }
    }

    @Test func `nobody kept it: the deadline rolls back`() {
        var machine = started(plan())
        #expect(machine.poll(now: start + .milliseconds(29_999)).isEmpty)
        #expect(machine.poll(now: start + .seconds(30)) == [.rollBack(id: "g", reason: "nobody kept it")])
        // Only once, however often it is asked.
        #expect(machine.poll(now: start + .seconds(31)).isEmpty)
    }

    @Test func `kept in time it stays, and nothing rolls it back any more`() throws {
        var machine = started(plan())
        try machine.keep("g", by: "bob")
        // The store may take its time to forget the guard: nothing may end it meanwhile.
        #expect(machine.poll(now: start + .seconds(31)).isEmpty)
        guard case .ended(let status)? = machine.kept("g", now: start + .seconds(31)).first else {
            Issue.record("not ended")
            return
        }
        #expect(status.state == .kept)
        #expect(status.outcome == "kept by bob")
        #expect(status.remaining == 0)
        #expect(machine.poll(now: start + .seconds(40)).isEmpty)
    }

    @Test func `a keep that the store refused lets the guard run on`() throws {
        var machine = started(plan())
        try machine.keep("g", by: "bob")
        machine.keepFailed("g")
        #expect(rollBacks(machine.poll(now: start + .seconds(30))) == ["g"])
    }

    @Test func `too many errors since the change roll back, those before it do not count`() {
        var machine = started(plan())
        let fine = machine.observe(["b": since(reading(300, errors: 6))], now: start + .seconds(2))
        #expect(fine.isEmpty)
        let bad = machine.observe(["b": since(reading(400, errors: 9))], now: start + .seconds(3))
        #expect(bad == [.rollBack(id: "g", reason: "b: errors 2.3 % > 2.0 % (9 of 400)")])
    }

    @Test func `a slow backend rolls back`() {
        var machine = started(plan())
        let actions = machine.observe(["b": since(reading(300, milliseconds: 500))], now: start + .seconds(2))
        guard case .rollBack("g", let reason)? = actions.first else {
            Issue.record("not rolled back")
            return
        }
        #expect(reason.hasPrefix("b: p95 "))
    }

    @Test func `limits are not judged on too few samples`() {
        var machine = started(plan(samples: 200))
        let few = reading(199, errors: 199, milliseconds: 3_000)
        #expect(machine.observe(["b": since(few)], now: start + .seconds(2)).isEmpty)
        let enough = reading(200, errors: 200, milliseconds: 3_000)
        #expect(rollBacks(machine.observe(["b": since(enough)], now: start + .seconds(3))) == ["g"])
    }

    @Test func `limits that were not set are not judged`() {
        var machine = started(plan(errors: nil, p95: nil))
        let awful = reading(1_000, errors: 1_000, milliseconds: 3_000)
        #expect(machine.observe(["b": since(awful)], now: start + .seconds(2)).isEmpty)
    }

    @Test func `a bad child does not hide behind a busy good one`() {
        var machine = GuardMachine()
        _ = machine.start(plan(watched: ["b", "c"]), readings: [:], baseline: nil, now: start)
        let actions = machine.observe(
            ["b": reading(100_000), "c": reading(200, errors: 10)], now: start + .seconds(2))
        #expect(rollBacks(actions) == ["g"])
    }

    @Test func `quiet children are judged together`() {
        var machine = GuardMachine()
        _ = machine.start(plan(watched: ["b", "c"]), readings: [:], baseline: nil, now: start)
        let actions = machine.observe(
            ["b": reading(150, errors: 10), "c": reading(150)], now: start + .seconds(2))
        #expect(rollBacks(actions) == ["g"])
    }

    @Test func `the end of its operator's session rolls back, that of another's does not`() {
        var machine = started(plan("g", session: "s1"), plan("h", session: "s2"), plan("i"))
        #expect(machine.sessionEnded("s3").isEmpty)
        #expect(
            machine.sessionEnded("s1") == [.rollBack(id: "g", reason: "the operator's session ended")])
        #expect(machine.running.map(\.id).sorted() == ["g", "h", "i"])
        #expect(machine.sessionEnded("s1").isEmpty)
    }

    @Test func `an extension gives time, at most an hour`() throws {
        var machine = started(plan())
        try machine.extend("g", seconds: 60, now: start + .seconds(10))
        #expect(machine.poll(now: start + .seconds(89)).isEmpty)
        #expect(machine.status("g", now: start + .seconds(10))?.remaining == 80)
        try machine.extend("g", seconds: 3_600, now: start + .seconds(20))
        #expect(machine.status("g", now: start + .seconds(20))?.remaining == 3_600)
    }

    @Test func `a rollback that fails is tried again until it is done`() {
        var machine = started(plan())
        _ = machine.poll(now: start + .seconds(30))
        let first = machine.failed("g", now: start + .seconds(30))
        #expect(first)
        #expect(machine.poll(now: start + .seconds(34)).isEmpty)
        #expect(rollBacks(machine.poll(now: start + .seconds(35))) == ["g"])
        let again = machine.failed("g", now: start + .seconds(35))
        #expect(!again)
        #expect(rollBacks(machine.poll(now: start + .seconds(40))) == ["g"])
        guard case .ended(let status)? = machine.restored("g", now: start + .seconds(41)).first else {
            Issue.record("not ended")
            return
        }
        #expect(status.state == .rolledBack)
        #expect(status.outcome == "nobody kept it")
    }

    @Test func `what somebody else changed since is not rolled back, and the outcome says so`() throws {
        var machine = started(plan())
        _ = try machine.rollBack("g", by: "bob")
        let actions = machine.notRestorable("g", cause: "w was changed by carol since", now: start)
        guard case .stuck(let status)? = actions.first else {
            Issue.record("not stuck")
            return
        }
        #expect(status.state == .kept)
        #expect(status.outcome == "not rolled back (rolled back by bob): w was changed by carol since")
    }

    @Test func `an ended guard refuses, and is shown for 30 seconds`() throws {
        var machine = started(plan())
        try machine.keep("g", by: "bob")
        _ = machine.kept("g", now: start)
        #expect(throws: Fault(nil, "The guard has ended: kept by bob.", status: 409)) {
            try machine.extend("g", seconds: 1, now: start)
        }
        #expect(throws: Fault(nil, "There is no guard x.", status: 404)) { try machine.keep("x", by: "bob") }
        _ = machine.poll(now: start + .seconds(30))
        #expect(machine.statuses(now: start + .seconds(30)).count == 1)
        _ = machine.poll(now: start + .milliseconds(30_001))
        #expect(machine.statuses(now: start + .seconds(31)).isEmpty)
    }

    @Test func `a guard shows what it sees and what was before`() throws {
        var machine = started(plan(), baseline: reading(400, errors: 4, milliseconds: 20))
        _ = machine.observe(["b": since(reading(100, errors: 1))], now: start + .seconds(12))
        let status = try #require(machine.statuses(now: start + .seconds(12)).first)
        #expect(status.state == .running)
        #expect(status.remaining == 18)
        #expect(status.samples == 100)
        #expect(status.errorRate == 0.01)
        #expect(status.baselineErrorRate == 0.01)
        #expect(status.objects == ["w"])
        #expect(status.outcome == nil)
        let baseline = try #require(status.baselineP95)
        #expect(abs(baseline - 20) < 0.5)
        let p95 = try #require(status.p95)
        #expect(abs(p95 - 10) < 0.3)
    }

    @Test func `a guard that an earlier process left goes back`() {
        var machine = GuardMachine()
        #expect(rollBacks(machine.resume(plan(), now: start)) == ["g"])
    }

    @Test(arguments: [
        ApplyRequest.Guard(seconds: 0.5), ApplyRequest.Guard(seconds: 3_601), ApplyRequest.Guard(seconds: .nan),
        ApplyRequest.Guard(seconds: 30, maxErrorRate: 1.1), ApplyRequest.Guard(seconds: 30, maxP95: 0),
        ApplyRequest.Guard(seconds: 30, maxP95: .infinity),
    ])
    func `limits out of range are refused`(wanted: ApplyRequest.Guard) {
        #expect(throws: Fault.self) { try GuardPlan.Limits(wanted) }
    }

    @Test func `the baseline reaches back a minute`() {
        var recorder = BaselineRecorder()
        for second in 0...200 {
            var sample = TrafficSample()
            sample.grow(to: 1)
            sample.counters[0].ended = UInt64(second)
            recorder.record(sample, now: start + .seconds(second))
        }
        #expect(recorder.oldest(now: start + .seconds(200))?.counters[0].ended == 140)
        #expect(BaselineRecorder().oldest(now: start) == nil)
    }
}
