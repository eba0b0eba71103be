import EdgeCore
import Shared
import Testing

@testable import EdgeControl

struct StatisticsMachineTests {
    private let start = MonotonicTime(seconds: 100)
    private let keys = ["region/eu", "edge/e1", "route/r1", "backend/b1", "share/w1/b1", "share/w1/b2", "pool/x"]

    private func sample(_ change: (inout TrafficSample) -> Void) -> TrafficSample {
        var sample = TrafficSample()
        sample.grow(to: keys.count)
        change(&sample)
        return sample
    }

    private var everything: LiveConfiguration {
        LiveConfiguration(
            revision: 3, edges: [EdgeID("e1")], routes: [RouteID("r1")], backends: [BackendID("b1")],
            weights: [
                BackendID("w1"): [
                    LiveConfiguration.Share(backendID: BackendID("b1"), weight: 95),
                    LiveConfiguration.Share(backendID: BackendID("b2"), weight: 5),
                ]
            ])
    }

    @Test func `rates are those of the time that really passed`() throws {
        var machine = StatisticsMachine(start: start)
        let first = sample { $0.counters[0].ended = 100 }
        _ = machine.advance(sample: first, keys: keys, configuration: everything, now: start + .seconds(1))
        let second = sample {
            $0.counters[0].started = 163
            $0.counters[0].ended = 160
            $0.counters[0].status2 = 130
            $0.counters[0].status5 = 24
            $0.counters[0].aborted = 6
            $0.counters[0].bytesIn = 1_500
            $0.counters[0].bytesOut = 3_000
        }
        let tick = machine.advance(
            sample: second, keys: keys, configuration: everything, now: start + .milliseconds(2_500))
        #expect(tick.sequence == 2)
        #expect(tick.interval == 1.5)
        #expect(tick.uptime == 2.5)
        #expect(tick.revision == 3)
        let row = try #require(tick.regions.first)
        #expect(row.id == "eu")
        #expect(row.requests == 160)
        #expect(row.statuses == [0, 130, 0, 0, 24])
        #expect(row.open == 3)
        #expect(row.requestsPerSecond == 40)
        #expect(row.errorsPerSecond == 20)
        #expect(row.bytesInPerSecond == 1_000)
        #expect(row.bytesOutPerSecond == 2_000)
    }

    @Test func `what is open in a region are client connections where those are counted`() {
        var machine = StatisticsMachine(start: start)
        var counted = TrafficSample()
        counted.grow(to: 2)
        counted.counters[0].started = 50
        counted.counters[0].ended = 49
        counted.counters[1].started = 20
        counted.counters[1].ended = 8
        let tick = machine.advance(
            sample: counted, keys: ["region/eu", "connections/eu"], configuration: everything, now: start)
        #expect(tick.regions.map(\.open) == [12])
    }

    @Test func `percentiles are of the last interval alone`() throws {
        var machine = StatisticsMachine(start: start)
        let slow = sample { for _ in 0..<1_000 { $0.latencies[2].record(microseconds: 900_000) } }
        _ = machine.advance(sample: slow, keys: keys, configuration: everything, now: start + .seconds(1))
        var fast = slow
        for _ in 0..<100 { fast.latencies[2].record(microseconds: 20_000) }
        let tick = machine.advance(sample: fast, keys: keys, configuration: everything, now: start + .seconds(2))
        let p99 = try #require(tick.routes.first?.p99)
        #expect(abs(p99 - 20) < 0.5)
        let idle = machine.advance(sample: fast, keys: keys, configuration: everything, now: start + .seconds(3))
        #expect(idle.routes.first?.p50 == nil)
    }

    @Test func `rows of objects that no longer exist are left out`() {
        var machine = StatisticsMachine(start: start)
        let busy = sample { sample in for slot in 0..<4 { sample.counters[slot].ended = 9 } }
        let tick = machine.advance(
            sample: busy, keys: keys, configuration: LiveConfiguration(routes: [RouteID("r1")]),
            now: start + .seconds(1))
        #expect(tick.regions.map(\.id) == ["eu"])
        #expect(tick.routes.map(\.id) == ["r1"])
        #expect(tick.edges.isEmpty)
        #expect(tick.backends.isEmpty)
        #expect(tick.weights.isEmpty)
    }

    @Test func `C42 effective weights are the choices of the last interval`() throws {
        var machine = StatisticsMachine(start: start)
        _ = machine.advance(
            sample: sample { $0.counters[4].started = 50 }, keys: keys, configuration: everything,
            now: start + .seconds(1))
        let after = sample {
            $0.counters[4].started = 240
            $0.counters[5].started = 10
        }
        let weights = machine.advance(
            sample: after, keys: keys, configuration: everything, now: start + .seconds(2)
        ).weights
        let shares = try #require(weights.first).shares
        #expect(shares.map(\.weight) == [95, 5])
        #expect(shares.map(\.chosen) == [240, 10])
        #expect(shares.map(\.effective) == [0.95, 0.05])
        let idle = machine.advance(
            sample: after, keys: keys, configuration: everything, now: start + .seconds(3)
        ).weights
        #expect(idle.first?.shares.map(\.effective) == [nil, nil])
    }

    @Test func `the history keeps the last 300 seconds, oldest first`() throws {
        var machine = StatisticsMachine(start: start)
        var total: UInt64 = 0
        for second in 1...310 {
            total += UInt64(second)
            let counted = sample { $0.counters[0].ended = total }
            _ = machine.advance(
                sample: counted, keys: keys, configuration: everything, now: start + .seconds(second))
        }
        let history = try #require(machine.history.first)
        #expect(history.region == "eu")
        #expect(history.requestsPerSecond.count == 300)
        #expect(history.requestsPerSecond.first == 11)
        #expect(history.requestsPerSecond.last == 310)
    }

    @Test func `two samples at one instant give no rate`() {
        var machine = StatisticsMachine(start: start)
        let tick = machine.advance(
            sample: sample { $0.counters[0].ended = 5 }, keys: keys, configuration: everything, now: start)
        #expect(tick.regions.first?.requestsPerSecond == 0)
    }

    @Test func `of very many routes the busiest are kept`() {
        var machine = StatisticsMachine(start: start)
        let many = (0..<(StatisticsMachine.maximumRows + 500)).map { "r\($0)" }
        var counted = TrafficSample()
        counted.grow(to: many.count)
        counted.counters[many.count - 1].ended = 1
        let tick = machine.advance(
            sample: counted, keys: many.map { "route/\($0)" },
            configuration: LiveConfiguration(routes: Set(many.map { RouteID($0) })), now: start + .seconds(1))
        #expect(tick.routes.count == StatisticsMachine.maximumRows)
        #expect(tick.routes.contains { $0.id == many.last })
    }

    @Test func `a configuration tells its objects and the children of its weighted backends`() {
        let live = LiveConfiguration(LiveWorld.twoVersions)
        #expect(live.revision == 7)
        #expect(live.edges == [LiveWorld.edge])
        #expect(live.routes == [LiveWorld.route])
        #expect(live.backends == [LiveWorld.old, LiveWorld.canary, LiveWorld.weighted])
        #expect(live.weights[LiveWorld.weighted]?.map(\.weight) == [95, 5])
    }
}
