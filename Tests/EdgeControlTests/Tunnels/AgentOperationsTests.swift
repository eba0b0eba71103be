import EdgeCore
import EdgeTunnel
import Shared
import Synchronization
import Testing

@testable import EdgeControl

/// `/selvage/agents`, and what is asked of agents through `/tunnel_sessions`.
@Suite struct AgentOperationsTests {
    @Test func `agents are listed with what the data plane measured, those with most streams first`() async throws {
        let agents = try await AgentRoom()
        let (id, token) = try await agents.credential()
        let first = try await agents.connect(token)
        let second = try await agents.connect(token)
        let tunnel = try await agents.label(["app": "web"], on: second.connection).get().id
        agents.plane.readings.withLock {
            $0 = [
                AgentReading(
                    connection: second.connection, isDraining: true, uptime: 12.5, roundTrip: 3.25, streams: 7,
                    streamLimit: 480, opened: 99, bytesIn: 1000, bytesOut: 2000)
            ]
        }
        let list = try await agents.room.call("GET", "/selvage/agents", uid: 1002)
        let all = try #require(list["agents"]?.arrayValue)
        #expect(all.map { $0["id"]?.stringValue } == [second.reply.clientID, first.reply.clientID])
        let expected: [String: JSON] = [
            "state": "draining", "version": "1.4.0", "client": "ngrok-python", "ip": "192.0.2.7", "region": "eu",
            "credential_id": .string(id), "uptime": 12.5, "rtt": 3.25, "streams": 7, "stream_limit": 480, "opened": 99,
            "bytes_in": 1000, "bytes_out": 2000, "reconnects": 0,
        ]
        for (name, value) in expected { #expect(all[0][name] == value, "\(name): \(all[0].text)") }
        #expect(all[0]["tunnels"]?.arrayValue?.map { $0["id"] } == [.string(tunnel)])
        #expect(all[1]["state"] == "online" && all[1]["streams"] == 0)
        if let fault = Schema.object(LiveShapes.agents).fault(in: list.body) { Issue.record("\(fault)") }
    }

    @Test(arguments: ["disconnect", "drain"])
    func `an operator ends an agent's connection, and it is told`(verb: String) async throws {
        let agents = try await AgentRoom()
        let agent = try await agents.connect(agents.credential().token)
        let path = "/selvage/agents/\(agent.reply.clientID)/\(verb)"
        #expect(try await agents.room.call("POST", path, uid: 1002).status == 403)
        #expect(try await agents.room.call("POST", path, ["force": true]).status == 400)
        #expect(agents.plane.orders.withLock { $0.isEmpty })
        #expect(try await agents.room.call("POST", path, uid: 1001).status == 204)
        let orders = agents.plane.orders.withLock { $0 }
        #expect(orders.map(\.order) == [verb == "drain" ? .drain : .disconnect])
        #expect(orders.map(\.connection) == [agent.connection])
        #expect(agents.events.recent(10).contains { $0.kind == "agent.\(verb)" && $0.object == agent.reply.clientID })
        let other = "/selvage/agents/ts_000000000000000000000000000/\(verb)"
        #expect(try await agents.room.call("POST", other).status == 404)
    }

    @Test func `what is asked of a session is ordered of every connection that it has`() async throws {
        let agents = try await AgentRoom()
        let token = try await agents.credential().token
        let first = try await agents.connect(token)
        let leg = await agents.show(token, session: first.reply.clientID, cookie: first.reply.cookie) { $0.leg = 1 }
        for (verb, order) in [("stop", AgentOrder.stop), ("restart", .restart), ("update", .update)] {
            let path = "/tunnel_sessions/\(first.reply.clientID)/\(verb)"
            #expect(try await agents.room.call("POST", path).status == 204)
            let orders = agents.plane.orders.withLock { orders in
                defer { orders = [] }
                return orders
            }
            #expect(orders.map(\.order) == [order, order])
            #expect(orders.map(\.connection).sorted() == [first.connection, leg.connection])
        }
    }

    @Test func `what agents say of themselves is cleaned before operators see it`() async throws {
        let agents = try await AgentRoom()
        let token = try await agents.credential().token
        let (connection, outcome) = await agents.show(token) {
            $0.agentVersion = "1\u{1b}[2J\n"
            $0.metadata = String(repeating: "m", count: 5000)
            $0.clientType = "\u{7}bell"
        }
        _ = try outcome.get()
        var request = LabelRequest(labels: ["app": "a"])
        request.forwardsTo = "http://\u{1b}]0;title\u{7}"
        _ = try await agents.service.startLabelled(request, on: connection).get()
        let status = try #require(await agents.service.statuses().first)
        for text in [status.version, status.client, status.metadata] + status.tunnels.map(\.forwardsTo) {
            #expect(text.unicodeScalars.allSatisfy { $0.value >= 0x20 && $0.value != 0x7F }, "\(text.debugDescription)")
            #expect(text.count <= 255)
        }
        let events = agents.events.recent(10).map(\.text).joined()
        #expect(!events.contains("\u{1b}") && !events.contains("\u{7}"))
    }
}
