import Shared
import Testing

@testable import ConsoleKit

/// Rates come from two ticks and the server's own time between them.
struct AgentTrafficTests {
    private func tick(_ sequence: UInt64, uptime: Double, _ agents: [AgentStatus]) -> StatisticsTick {
        var tick = Sample.tick(sequence)
        tick.uptime = uptime
        tick.agents = agents
        return tick
    }

    private func agent(_ bytesIn: UInt64, _ bytesOut: UInt64, uptime: Double = 50) -> AgentStatus {
        AgentStatus(id: "ts_1", uptime: uptime, bytesIn: bytesIn, bytesOut: bytesOut)
    }

    @Test func `a tick that comes late makes no peak, and the terminal's clock has no part in it`() {
        var app = Sample.app()
        _ = app.receive(.line(.tick(tick(101, uptime: 10, [agent(1_000, 0)]))), now: 100)
        #expect(app.model.history.agents["ts_1"]?.inPerSecond == nil, "one tick has no rate")
        // Both arrive at once, ten seconds after the last.
        _ = app.receive(.line(.tick(tick(102, uptime: 14, [agent(9_000, 400)]))), now: 110)
        #expect(app.model.history.agents["ts_1"]?.inPerSecond == 2_000)
        #expect(app.model.history.agents["ts_1"]?.outPerSecond == 100)
        _ = app.receive(.line(.tick(tick(103, uptime: 14.5, [agent(9_500, 400)]))), now: 110)
        #expect(app.model.history.agents["ts_1"]?.inPerSecond == 1_000)
        #expect(app.model.history.agents["ts_1"]?.outPerSecond == 0)
        #expect(app.model.history.agents["ts_1"]?.lastMinute == [2_100, 1_000])
    }

    @Test func `a tick that repeats its figures changes no rate`() {
        var history = History()
        history.append(tick(1, uptime: 10, [agent(0, 0)]))
        history.append(tick(2, uptime: 11, [agent(500, 0)]))
        history.append(tick(2, uptime: 11.2, [agent(500, 0)]))
        #expect(history.agents["ts_1"]?.inPerSecond == 500)
        history.append(tick(3, uptime: 12, [agent(800, 0)]))
        #expect(history.agents["ts_1"]?.inPerSecond == 300)
    }

    @Test(arguments: [
        AgentStatus(id: "ts_1", uptime: 51, bytesIn: 10, bytesOut: 9_000),
        AgentStatus(id: "ts_1", uptime: 51, bytesIn: 9_000, bytesOut: 10),
        AgentStatus(id: "ts_1", uptime: 0.5, bytesIn: 9_000, bytesOut: 9_000),
    ])
    func `an agent that came back has no rate until it can be compared again`(back: AgentStatus) {
        var history = History()
        history.append(tick(1, uptime: 10, [agent(1_000, 1_000)]))
        history.append(tick(2, uptime: 11, [agent(2_000, 2_000)]))
        #expect(history.agents["ts_1"]?.inPerSecond == 1_000)
        history.append(tick(3, uptime: 12, [back]))
        #expect(history.agents["ts_1"]?.inPerSecond == nil && history.agents["ts_1"]?.outPerSecond == nil)
        var next = back
        next.uptime += 1
        next.bytesIn += 70
        history.append(tick(4, uptime: 13, [next]))
        #expect(history.agents["ts_1"]?.inPerSecond == 70)
    }

    @Test func `figures that do not move on in time give no rate`() {
        var history = History()
        history.append(tick(1, uptime: 10, [agent(0, 0)]))
        history.append(tick(2, uptime: 10, [agent(500, 0)]))
        #expect(history.agents["ts_1"]?.inPerSecond == nil)
    }

    @Test func `a minute is kept of those that are there, and nothing of those that went`() {
        var history = History()
        for sequence in UInt64(1)...100 {
            history.append(tick(sequence, uptime: Double(sequence), [agent(sequence * sequence, 0)]))
        }
        // From tick 40 to tick 41 on: 41² - 40².
        #expect(history.agents["ts_1"]?.lastMinute.count == 60)
        #expect(history.agents["ts_1"]?.lastMinute.first == 81)
        #expect(history.agents["ts_1"]?.lastMinute.last == 199)
        history.append(tick(101, uptime: 101, []))
        #expect(history.agents.isEmpty)
        history.append(tick(102, uptime: 102, [agent(20_000, 0)]))
        #expect(history.agents["ts_1"]?.inPerSecond == nil)
    }

    @Test(arguments: [
        (0.0, "0 B"), (999.4, "999 B"), (999.5, "1.0 kB"), (4_149, "4.1 kB"), (9_951, "10 kB"), (310_400, "310 kB"),
        (999_600, "1.0 MB"), (48e6, "48 MB"), (5.1e12, "5.1 TB"), (Double(UInt64.max), "18 EB"), (.nan, "-"),
        (-1, "-"),
    ])
    func `bytes are told in three digits at most`(value: Double, text: String) {
        #expect(Figure.bytes(value) == text)
    }
}
