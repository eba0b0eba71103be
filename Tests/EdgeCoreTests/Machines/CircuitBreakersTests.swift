import Shared
import Testing

@testable import EdgeCore

@Suite struct CircuitBreakersTests {
    private let route = RouteID("edghtsrt_1")
    private let settings = CircuitBreakerSettings(
        trippedDuration: .seconds(5), rollingWindow: .seconds(10), buckets: 10, volumeThreshold: 4, errorThreshold: 0.5)

    private func at(_ seconds: Double) -> MonotonicTime { MonotonicTime(seconds: 1000 + seconds) }

    @Test func `the shared breaker decides as the machine does, for any traffic`() {
        var chance = Chance(11)
        for round in 0..<200 {
            let breaker = CircuitBreakers().breaker(routeID: route, settings: settings)
            var machine = CircuitBreaker(settings: settings, at: at(0))
            var time = 0.0
            let health = Double.random(in: 0.3...1, using: &chance)
            for _ in 0..<300 {
                time += Double.random(in: 0...0.7, using: &chance)
                let admission = breaker.admit(at: at(time))
                #expect(admission == machine.admit(at: at(time)))
                guard admission.decision != .block else { continue }
                let result: CircuitBreaker.Result =
                    Double.random(in: 0...1, using: &chance) < health ? .success : .failure
                breaker.record(result, probe: admission.probe, at: at(time))
                machine.record(result, probe: admission.probe, at: at(time))
            }
            let status = breaker.status(at: at(time))
            machine.advance(to: at(time))
            #expect(status.state == machine.state, "round \(round)")
            #expect(status.total == machine.total && status.errors == machine.errors)
            #expect(status.trips == machine.trips && status.rejected == machine.rejected)
        }
    }

    @Test func `loops at the same time lose no count`() async {
        let breaker = CircuitBreakers().breaker(
            routeID: route, settings: CircuitBreakerSettings(volumeThreshold: 1_000_000_000))
        let now = at(0)
        await withTaskGroup(of: Void.self) { group in
            for loop in 0..<4 {
                group.addTask {
                    for step in 0..<25_000 {
                        let admission = breaker.admit(at: now)
                        breaker.record(
                            loop == 0 && step % 100 == 0 ? .failure : .success, probe: admission.probe, at: now)
                    }
                }
            }
        }
        let status = breaker.status(at: now)
        #expect(status.total == 100_000)
        #expect(status.errors == 250)
    }

    @Test func `C90 of all loops only one gets the probe`() async {
        let breaker = CircuitBreakers().breaker(routeID: route, settings: settings)
        for _ in 0..<4 { breaker.record(.failure, at: at(0)) }
        let later = at(6)
        let probes = await withTaskGroup(of: Int.self) { group in
            for _ in 0..<4 {
                group.addTask { (0..<5000).count { _ in breaker.admit(at: later).decision == .allowWhileOpen } }
            }
            return await group.reduce(0, +)
        }
        #expect(probes == 1)
    }

    @Test func `a breaker is found again, with its state, when the settings change`() {
        let breakers = CircuitBreakers()
        let breaker = breakers.breaker(routeID: route, settings: settings)
        for _ in 0..<4 { breaker.record(.failure, at: at(0)) }
        var changed = settings
        changed.trippedDuration = .seconds(2)
        let again = breakers.breaker(routeID: route, settings: changed)
        #expect(again === breaker)
        #expect(again.admit(at: at(1)).decision == .block)
        #expect(again.admit(at: at(2)).decision == .allowWhileOpen)
    }

    @Test func `an operator sees every breaker and its numbers`() {
        let breakers = CircuitBreakers()
        let failing = breakers.breaker(routeID: route, settings: settings)
        _ = breakers.breaker(routeID: RouteID("edghtsrt_0"), settings: settings)
        for _ in 0..<4 { failing.record(.failure, at: at(0)) }
        _ = failing.admit(at: at(1))
        let statuses = breakers.statuses(now: at(2))
        #expect(statuses.map(\.routeID.rawValue) == ["edghtsrt_0", "edghtsrt_1"])
        #expect(statuses[0].since == 0)
        #expect(breakers.statuses(now: at(5))[0].since == 3)
        #expect(statuses[1].state == .open)
        #expect(statuses[1].total == 4 && statuses[1].errors == 4)
        #expect(statuses[1].since == 2 && statuses[1].nextProbe == 3)
        #expect(statuses[1].rejected == 1 && statuses[1].trips == 1)
        #expect(statuses[1].rollingWindow == 10 && statuses[1].trippedDuration == 5)
        #expect(statuses[1].reason == "4 of 4 failed (100 %), threshold 50 %")
    }

    @Test func `each change of state is told once, oldest first`() {
        let breakers = CircuitBreakers()
        let breaker = breakers.breaker(routeID: route, settings: settings)
        for _ in 0..<4 { breaker.record(.failure, at: at(0)) }
        let admission = breaker.admit(at: at(5))
        breaker.record(.success, probe: admission.probe, at: at(6))
        let told = breakers.drainTransitions()
        #expect(told.map(\.from) == [.closed, .open, .halfOpen])
        #expect(told.map(\.to) == [.open, .halfOpen, .closed])
        #expect(told.map(\.at) == [at(0), at(5), at(6)])
        #expect(breakers.drainTransitions().isEmpty)
    }

    @Test func `transitions that nobody fetches do not fill the memory`() {
        let breakers = CircuitBreakers()
        _ = breakers.breaker(routeID: route, settings: settings)
        for step in 0..<10_000 {
            #expect(breakers.perform(route, step % 2 == 0 ? .open : .close, now: at(Double(step))))
        }
        let told = breakers.drainTransitions()
        #expect(told.count <= 1024 && told.count > 500)
        #expect(told.last?.at == at(9999))
    }

    @Test func `breakers of routes that are gone are forgotten`() {
        let breakers = CircuitBreakers()
        _ = breakers.breaker(routeID: route, settings: settings)
        _ = breakers.breaker(routeID: RouteID("other"), settings: settings)
        breakers.retire(except: [route])
        #expect(breakers.statuses(now: at(0)).map(\.routeID) == [route])
        #expect(!breakers.perform(RouteID("other"), .open, now: at(0)))
    }
}
