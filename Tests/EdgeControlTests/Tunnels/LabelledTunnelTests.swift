import EdgeCore
import EdgeTunnel
import Shared
import Testing

@testable import EdgeControl

@Suite struct LabelledTunnelTests {
    @Test func `a tunnel is in the groups whose labels it has, and gone when it is unbound`() async throws {
        let agents = try await AgentRoom()
        let group = try await agents.room.make("/backends/tunnel_group", ["labels": ["app": "web"]])
        let connection = try await agents.connect()
        var request = LabelRequest(labels: ["app": "web", "version": "2"])
        request.forwardsTo = "http://localhost:80"
        request.metadata = "m"
        request.proxyProtocol = 2
        request.forwardsProto = "http2"
        let grant = try await agents.service.startLabelled(request, on: connection).get()
        #expect(grant.labels == request.labels && !grant.isEndpoint)
        #expect(grant.proxyProtocol == 2 && grant.speaksHTTP2)
        let answer = try await agents.room.call("GET", "/tunnels/\(grant.id)")
        #expect(answer["labels"] == ["app": "web", "version": "2"] && answer["forwards_to"] == "http://localhost:80")
        #expect(answer["metadata"] == "m" && answer["public_url"] == "" && answer["endpoint"] == .null)
        #expect(answer["backends"]?.arrayValue?.map { $0["id"] } == [.string(group)])
        let backend = try await agents.room.call("GET", "/backends/tunnel_group/\(group)")
        #expect(backend["tunnels"]?.arrayValue?.map { $0["id"] } == [.string(grant.id)])
        await agents.service.unbound(grant.id, on: connection)
        #expect(try await agents.room.call("GET", "/tunnels/\(grant.id)").status == 404)
        // One that is unknown is no fault.
        await agents.service.unbound(grant.id, on: connection)
    }

    @Test func `equal tunnels of a session differ, and a place that is given back is taken again`() async throws {
        let agents = try await AgentRoom()
        let connection = try await agents.connect()
        let ids = [
            try await agents.label(["app": "a"], on: connection).get().id,
            try await agents.label(["app": "a"], on: connection).get().id,
            try await agents.label(["app": "a"], on: connection).get().id,
        ]
        #expect(Set(ids).count == 3)
        await agents.service.unbound(ids[1], on: connection)
        #expect(try await agents.label(["app": "a"], on: connection).get().id == ids[1])
        // Those of another session are others.
        let other = try await agents.connect()
        #expect(!ids.contains(try await agents.label(["app": "a"], on: other).get().id))
    }

    @Test func `C27 an access list says which labels may be bound, and all of them have to be`() async throws {
        let agents = try await AgentRoom()
        let token = try await agents.credential(["bind:app=*", "bind:version=2"]).token
        let connection = try await agents.connect(token).connection
        let cases: [(labels: [String: String], isLetIn: Bool)] = [
            (["app": "web"], true), (["app": "x", "version": "2"], true), (["app": "x", "version": "3"], false),
            (["other": "x"], false),
        ]
        for (labels, isLetIn) in cases {
            switch await agents.label(labels, on: connection) {
            case .success: #expect(isLetIn, "\(labels)")
            case .failure(let refusal): #expect(!isLetIn && refusal.code == "ERR_NGROK_399", "\(labels)")
            }
        }
        #expect(agents.service.tunnels().count == 2)
    }

    @Test func `labels that no tunnel may have are refused with their codes`() async throws {
        let agents = try await AgentRoom()
        let connection = try await agents.connect()
        let many = Dictionary(uniqueKeysWithValues: (0..<33).map { ("l\($0)", "v") })
        let cases: [([String: String], String?)] = [
            ([:], nil), (["a=b": "c"], "ERR_NGROK_6531"), (["": "c"], "ERR_NGROK_6509"),
            (["a": String(repeating: "x", count: 256)], "ERR_NGROK_6510"), (many, "ERR_NGROK_6508"),
            // The label of endpoints, which would let it serve somebody else's.
            (["=endpoint": "ep_1"], "ERR_NGROK_6531"),
        ]
        for (labels, code) in cases {
            guard case .failure(let refusal) = await agents.label(labels, on: connection) else {
                Issue.record("let in: \(labels.keys)")
                continue
            }
            #expect(refusal.code == code)
        }
    }

    @Test func `a session has a bounded number of tunnels`() async throws {
        let agents = try await AgentRoom()
        let connection = try await agents.connect()
        for number in 0..<TunnelService.maximumTunnels {
            _ = try await agents.label(["app": "\(number)"], on: connection).get()
        }
        guard case .failure = await agents.label(["app": "more"], on: connection) else {
            Issue.record("one more was let in")
            return
        }
        #expect(await agents.refusal(binding: "tcp", [:], on: connection) != nil)
        await agents.service.ended(connection, reason: "cut")
        #expect(agents.service.tunnels().isEmpty)
        guard case .failure = await agents.label(["app": "a"], on: connection) else {
            Issue.record("a session that is over got a tunnel")
            return
        }
    }

    @Test func `a tunnel's metadata can be changed, and what cannot is refused`() async throws {
        let agents = try await AgentRoom()
        let connection = try await agents.connect()
        let id = try await agents.label(["app": "a"], on: connection).get().id
        let changed = PatchRequest(["TunnelId": .string(id), "Metadata": "new"])
        #expect(await agents.service.patch(changed, on: connection) == nil)
        #expect(agents.service.tunnel(id)?.metadata == "new")
        let policy = PatchRequest(["TunnelId": .string(id), "TrafficPolicy": "{}"])
        #expect(await agents.service.patch(policy, on: connection) != nil)
        #expect(await agents.service.patch(PatchRequest(["TunnelId": "tn_x", "Metadata": "m"]), on: connection) != nil)
        // Another session's is none of its business.
        let other = try await agents.connect()
        #expect(await agents.service.patch(changed, on: other) != nil)
    }
}
