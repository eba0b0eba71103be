import Testing

@testable import SelvageAgent

/// A model of two tunnels, and events by name.
enum Sample {
    static func model(connections: Int = 1, tunnels: Int = 2) throws -> AgentModel {
        var settings = AgentSettings(server: try ServerAddress("edge.example"), authtoken: try Authtoken("t0ken"))
        settings.connections = connections
        let specs = try (0..<tunnels).map { index in
            TunnelSpec(name: "t\(index)", kind: .labelled(["a": "b"]), upstream: try UpstreamAddress("\(8000 + index)"))
        }
        return AgentModel(settings: settings, tunnels: specs, now: 1000)
    }

    static func connected(_ session: Int = 0, id: String = "ts_1") -> AgentEvent {
        .connected(session: session, id: id, region: "eu", rtt: 0.0123)
    }

    static func online(_ name: String, session: Int = 0) -> AgentEvent {
        .tunnelOnline(session: session, name: name, place: .url("https://\(name).example"), id: "tn_\(name)")
    }
}

@Suite struct ModelTests {
    @Test func `a session that comes up makes the agent online, and its loss takes its tunnels along`() throws {
        var model = try Sample.model()
        #expect(model.state == .connecting)
        model.take(Sample.connected(), now: 1001)
        model.take(Sample.online("t0"), now: 1001)
        #expect(model.state == .online)
        #expect(model.region == "eu")
        #expect(model.latency == 0.0123)
        #expect(model.tunnels.map(\.isOnline) == [true, false])
        model.take(.disconnected(session: 0, reason: "reset"), now: 1002)
        model.take(.retrying(session: 0, seconds: 2), now: 1002)
        #expect(model.state == .offline(until: 1004))
        #expect(model.latency == nil)
        #expect(model.tunnels.map(\.isOnline) == [false, false])
        #expect(model.mishaps.map(\.text) == ["reset"])
        model.take(Sample.connected(), now: 1004)
        #expect(model.reconnects == 1)
        #expect(model.onlineSince == 1004)
    }

    @Test func `one of two sessions is enough for a tunnel to stay online`() throws {
        var model = try Sample.model(connections: 2)
        for session in 0..<2 {
            model.take(Sample.connected(session), now: 1001)
            model.take(Sample.online("t0", session: session), now: 1001)
        }
        model.take(.latency(session: 1, seconds: 0.002), now: 1002)
        #expect(model.latency == 0.002)
        model.take(.disconnected(session: 1, reason: "reset"), now: 1003)
        #expect(model.state == .degraded)
        #expect(model.tunnels[0].isOnline)
        #expect(model.latency == 0.0123)
        #expect(model.onlineSince == 1001)
    }

    @Test func `a refused tunnel tells why until it comes online`() throws {
        var model = try Sample.model()
        model.take(.tunnelFailed(session: 0, name: "t1", code: "ERR_NGROK_334", text: "already online"), now: 1001)
        #expect(model.tunnels[1].failure == "already online (ERR_NGROK_334)")
        #expect(model.mishaps.map(\.text) == ["t1: already online (ERR_NGROK_334)"])
        model.take(Sample.online("t1"), now: 1002)
        #expect(model.tunnels[1].failure == nil)
    }

    @Test func `connections and bytes are counted by tunnel`() throws {
        var model = try Sample.model()
        model.take(.connectionOpened(tunnel: "t0", client: "c"), now: 1001)
        model.take(.connectionOpened(tunnel: "t0", client: "c"), now: 1001)
        model.take(.connectionOpened(tunnel: "t1", client: "c"), now: 1001)
        model.take(.traffic(tunnel: "t0", bytesIn: 10, bytesOut: 100), now: 1001)
        model.take(.connectionClosed(tunnel: "t0", .init(bytesIn: 10, bytesOut: 100, duration: 1)), now: 1002)
        #expect(model.tunnels.map(\.open) == [1, 1])
        #expect(model.tunnels.map(\.total) == [2, 1])
        #expect(model.open == 2 && model.total == 3)
        #expect(model.bytesIn == 10 && model.bytesOut == 100)
    }

    @Test func `a close without an opening, a strange session and a strange tunnel change nothing`() throws {
        var model = try Sample.model()
        model.take(.connectionClosed(tunnel: "t0", .init(bytesIn: 0, bytesOut: 0, duration: 1)), now: 1001)
        model.take(Sample.connected(7), now: 1001)
        model.take(.connectionOpened(tunnel: "nobody", client: "c"), now: 1001)
        #expect(model.open == 0 && model.total == 0)
        #expect(model.state == .connecting)
    }

    @Test func `rates are means of the whole seconds that have passed, at most ten`() throws {
        var model = try Sample.model()
        model.take(.traffic(tunnel: "t0", bytesIn: 1000, bytesOut: 4000), now: 1000.5)
        #expect(model.rates(now: 1000.9).bytesIn == 0)
        #expect(model.rates(now: 1001.1) == .init(bytesIn: 1000, bytesOut: 4000, connections: 0))
        #expect(model.rates(now: 1004).bytesIn == 250)
        for second in 1004..<1030 {
            model.take(.traffic(tunnel: "t0", bytesIn: 500, bytesOut: 0), now: Double(second))
            model.take(.connectionOpened(tunnel: "t0", client: "c"), now: Double(second))
        }
        #expect(model.rates(now: 1030) == .init(bytesIn: 500, bytesOut: 0, connections: 1))
        #expect(model.rates(now: 1035).bytesIn == 250)
        #expect(model.rates(now: 1100).bytesIn == 0)
    }

    @Test func `percentiles are of the last 512 connections`() throws {
        var model = try Sample.model()
        #expect(model.duration(0.5) == nil)
        for value in 1...100 {
            let summary = ConnectionSummary(
                bytesIn: 0, bytesOut: 0, duration: Double(value), firstByte: value > 90 ? Double(value) / 1000 : nil)
            model.take(.connectionClosed(tunnel: "t0", summary), now: 1001)
        }
        #expect(model.duration(0.5) == 50)
        #expect(model.duration(0.9) == 90)
        #expect(model.duration(1) == 100)
        #expect(model.firstByte(0.5) == 0.095)
        for _ in 0..<512 {
            model.take(.connectionClosed(tunnel: "t0", .init(bytesIn: 0, bytesOut: 0, duration: 7)), now: 1001)
        }
        #expect(model.duration(1) == 7)
    }

    @Test func `errors are bounded in number and length, and the same again counts up`() throws {
        var model = try Sample.model()
        for index in 0..<50 { model.take(.upstreamFailed(tunnel: "t0", text: "error \(index)"), now: 1001) }
        #expect(model.mishaps.count == AgentModel.maximumMishaps)
        #expect(model.mishaps.last?.text == "t0: error 49")
        for _ in 0..<3 { model.take(.disconnected(session: 0, reason: String(repeating: "x", count: 9999)), now: 1002) }
        #expect(model.mishaps.last?.count == 3)
        #expect(model.mishaps.last?.text.count == AgentModel.maximumText)
        #expect(model.mishaps.count == AgentModel.maximumMishaps)
    }

    @Test func `draining and stopped are final, whatever the sessions do`() throws {
        var model = try Sample.model()
        model.take(.draining(open: 3), now: 1001)
        model.take(Sample.connected(), now: 1001)
        #expect(model.state == .draining)
        model.take(.stopped, now: 1002)
        #expect(model.state == .stopped)
    }
}
