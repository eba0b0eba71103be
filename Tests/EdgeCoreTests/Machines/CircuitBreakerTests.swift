import Shared
import Testing

@testable import EdgeCore

@Suite struct CircuitBreakerTests {
    private let start = MonotonicTime(seconds: 1000)

    private func at(_ seconds: Double) -> MonotonicTime { MonotonicTime(seconds: 1000 + seconds) }

    private func breaker(
        volume: UInt64 = 4, threshold: Double = 0.5, window: Double = 10, buckets: Int = 10, tripped: Double = 5
    ) -> CircuitBreaker {
        CircuitBreaker(
            settings: CircuitBreakerSettings(
                trippedDuration: .milliseconds(Int(tripped * 1000)), rollingWindow: .milliseconds(Int(window * 1000)),
                buckets: buckets, volumeThreshold: volume, errorThreshold: threshold), at: start)
    }

    private func tripped() -> CircuitBreaker {
        var breaker = breaker()
        for _ in 0..<4 { breaker.record(.failure, at: start) }
        return breaker
    }

    @Test func `C89 it opens when the volume and the share of errors are reached, not before`() {
        var breaker = breaker(volume: 4, threshold: 0.5)
        for result in [CircuitBreaker.Result.failure, .failure, .success] { breaker.record(result, at: start) }
        #expect(breaker.state == .closed)
        // 2 of 4: exactly the threshold is enough. It opens on a success, since that fills the volume.
        breaker.record(.success, at: start)
        #expect(breaker.state == .open)
        #expect(breaker.trips == 1)
        #expect(breaker.reason == "2 of 4 failed (50 %), threshold 50 %")
    }

    @Test func `C89 below the threshold it stays closed`() {
        var breaker = breaker(volume: 4, threshold: 0.5)
        for _ in 0..<1000 {
            breaker.record(.success, at: start)
            breaker.record(.success, at: start)
            breaker.record(.failure, at: start)
        }
        #expect(breaker.state == .closed)
        #expect(breaker.total == 3000 && breaker.errors == 1000)
    }

    @Test func `a threshold of zero and a volume of one let one request through`() {
        var breaker = breaker(volume: 1, threshold: 0)
        #expect(breaker.admit(at: start).decision == .allow)
        breaker.record(.success, at: start)
        #expect(breaker.admit(at: start).decision == .block)
    }

    @Test func `C90 open, it blocks everything until the tripped duration has passed`() {
        var breaker = tripped()
        for step in 0..<49 {
            #expect(breaker.admit(at: at(Double(step) / 10)).decision == .block)
        }
        #expect(breaker.rejected == 49)
        #expect(breaker.nextProbe(at: at(4)) == 1)
    }

    @Test func `C90 half-open, exactly one request is let through`() {
        var breaker = tripped()
        #expect(breaker.admit(at: at(5)).decision == .allowWhileOpen)
        #expect(breaker.state == .halfOpen)
        for _ in 0..<100 { #expect(breaker.admit(at: at(6)).decision == .block) }
        #expect(breaker.nextProbe(at: at(6)) == nil)
    }

    @Test func `C91 a probe that succeeds closes it and empties the window`() {
        var breaker = tripped()
        let probe = breaker.admit(at: at(5)).probe
        breaker.record(.success, probe: probe, at: at(5))
        #expect(breaker.state == .closed)
        #expect(breaker.total == 0 && breaker.errors == 0)
        // The errors of before are forgotten: it takes a whole volume to open it again.
        for _ in 0..<3 { breaker.record(.failure, at: at(5)) }
        #expect(breaker.state == .closed)
        breaker.record(.failure, at: at(5))
        #expect(breaker.state == .open)
    }

    @Test(arguments: [CircuitBreaker.Result.failure, .cancelled])
    func `a probe that fails or is cancelled opens it again for the whole duration`(result: CircuitBreaker.Result) {
        var breaker = tripped()
        let probe = breaker.admit(at: at(5)).probe
        breaker.record(result, probe: probe, at: at(6))
        #expect(breaker.state == .open)
        #expect(breaker.admit(at: at(10.9)).decision == .block)
        #expect(breaker.admit(at: at(11)).decision == .allowWhileOpen)
    }

    @Test func `requests let through before it opened decide nothing afterwards`() {
        var breaker = tripped()
        breaker.record(.success, at: at(1))
        #expect(breaker.state == .open)
        let probe = breaker.admit(at: at(5)).probe
        breaker.record(.success, at: at(5))
        breaker.record(.failure, at: at(5))
        #expect(breaker.state == .halfOpen)
        breaker.record(.success, probe: probe, at: at(5))
        #expect(breaker.state == .closed)
    }

    @Test func `the outcome of an old probe does not count for a newer one`() {
        var breaker = tripped()
        let old = breaker.admit(at: at(5)).probe
        breaker.perform(.open, at: at(6))
        breaker.perform(.probe, at: at(6))
        let new = breaker.admit(at: at(6)).probe
        #expect(new != old)
        breaker.record(.success, probe: old, at: at(7))
        #expect(breaker.state == .halfOpen)
        breaker.record(.success, probe: new, at: at(7))
        #expect(breaker.state == .closed)
        breaker.record(.failure, probe: new, at: at(7))
        #expect(breaker.state == .closed)
    }

    @Test func `a probe that nobody reports on does not keep it half-open for ever`() {
        var breaker = tripped()
        #expect(breaker.admit(at: at(5)).decision == .allowWhileOpen)
        #expect(breaker.admit(at: at(304)).decision == .block)
        #expect(breaker.state == .halfOpen)
        #expect(breaker.admit(at: at(306)).decision == .block)
        #expect(breaker.state == .open)
        #expect(breaker.admit(at: at(311)).decision == .allowWhileOpen)
    }

    @Test func `cancelled requests say nothing about the upstream`() {
        var breaker = breaker()
        for _ in 0..<100 { breaker.record(.cancelled, at: start) }
        #expect(breaker.total == 0)
        #expect(breaker.state == .closed)
    }

    @Test func `what has left the window no longer counts`() {
        var breaker = breaker(volume: 4, threshold: 0.5, window: 10, buckets: 10)
        for _ in 0..<3 { breaker.record(.failure, at: start) }
        breaker.advance(to: at(9))
        #expect(breaker.total == 3)
        breaker.advance(to: at(10))
        #expect(breaker.total == 0 && breaker.errors == 0)
        breaker.record(.failure, at: at(10))
        #expect(breaker.state == .closed)
    }

    @Test func `the window agrees with a list of everything in it`() {
        var chance = Chance(10)
        for _ in 0..<40 {
            let buckets = Int.random(in: 1...20, using: &chance)
            // Never opens: only counting is looked at.
            var breaker = breaker(volume: .max, threshold: 1, window: Double(buckets), buckets: buckets)
            var seen: [(bucket: UInt64, failed: Bool)] = []
            var time = 0.0
            for _ in 0..<500 {
                time += Double.random(in: 0...1.5, using: &chance)
                let failed = Bool.random(using: &chance)
                breaker.record(failed ? .failure : .success, at: at(time))
                let now = at(time).nanoseconds / 1_000_000_000
                seen.append((now, failed))
                let inside = seen.filter { $0.bucket + UInt64(buckets) > now }
                #expect(breaker.total == UInt64(inside.count))
                #expect(breaker.errors == UInt64(inside.count(where: \.failed)))
            }
        }
    }

    @Test func `a clock that is a little behind counts into the newest bucket`() {
        var breaker = breaker()
        breaker.record(.failure, at: at(3))
        breaker.record(.failure, at: at(1))
        #expect(breaker.total == 2)
    }

    @Test func `opened by hand, it stays open until somebody closes it`() {
        var breaker = breaker()
        breaker.perform(.open, at: start)
        #expect(breaker.admit(at: at(100_000)).decision == .block)
        #expect(breaker.nextProbe(at: at(1)) == nil)
        #expect(breaker.reason == "opened by hand")
        breaker.perform(.close, at: at(100_001))
        #expect(breaker.admit(at: at(100_001)).decision == .allow)
        #expect(breaker.trips == 1 && breaker.rejected == 1)
        breaker.perform(.reset, at: at(100_002))
        #expect(breaker.trips == 0 && breaker.rejected == 0 && breaker.reason == nil)
    }

    @Test func `a probe by hand does not wait`() {
        var breaker = tripped()
        breaker.perform(.probe, at: at(1))
        #expect(breaker.nextProbe(at: at(1)) == 0)
        #expect(breaker.admit(at: at(1)).decision == .allowWhileOpen)
        #expect(breaker.admit(at: at(1)).decision == .block)
    }

    @Test func `other settings keep the state and what was counted`() {
        var breaker = breaker(volume: 10)
        for _ in 0..<3 { breaker.record(.failure, at: start) }
        breaker.adopt(CircuitBreakerSettings(rollingWindow: .seconds(60), buckets: 6, volumeThreshold: 4))
        #expect(breaker.total == 3 && breaker.errors == 3)
        breaker.record(.failure, at: at(1))
        #expect(breaker.state == .open)
        breaker.adopt(CircuitBreakerSettings(trippedDuration: .seconds(2)))
        #expect(breaker.state == .open)
        #expect(breaker.admit(at: at(3)).decision == .allowWhileOpen)
    }
}
