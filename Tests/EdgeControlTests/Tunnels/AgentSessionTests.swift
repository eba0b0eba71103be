import EdgeCore
import EdgeTunnel
import Foundation
import Shared
import Synchronization
import Testing

@testable import EdgeControl

/// Who may come in as an agent, and who it then is.
@Suite struct AgentSessionTests {
    @Test func `a credential's token is let in, and what is none is told from what is not valid`() async throws {
        let agents = try await AgentRoom()
        let credential = try await agents.credential()
        let reply = try await agents.connect(credential.token).reply
        #expect(Identity.prefix(of: reply.clientID) == "ts" && !reply.cookie.isEmpty && reply.region == "eu")
        let other = try await agents.credential()
        _ = try await agents.room.call("DELETE", "/credentials/\(other.id)")
        let altered = String(credential.token.dropLast()) + (credential.token.hasSuffix("A") ? "B" : "A")
        let refused: [(token: String, code: String)] = [
            ("", "ERR_NGROK_105"), ("hello", "ERR_NGROK_105"), (altered, "ERR_NGROK_107"),
            (other.token, "ERR_NGROK_107"),
        ]
        for (token, code) in refused {
            guard case .failure(let refusal) = await agents.show(token).outcome else {
                Issue.record("let in: \(code)")
                continue
            }
            #expect(refusal.code == code)
            #expect(!refusal.text.contains(token) || token.isEmpty)
        }
        #expect(agents.service.sessions().map(\.credentialID) == [credential.id])
    }

    @Test func `a key of the admin API is no authtoken`() async throws {
        let agents = try await AgentRoom()
        let key = try await agents.room.call("POST", "/api_keys", [:])["token"]?.stringValue ?? ""
        guard case .failure(let refusal) = await agents.show(key).outcome else {
            Issue.record("let in")
            return
        }
        #expect(refusal.code == "ERR_NGROK_107")
    }

    @Test func `an agent that comes back with its cookie has its session again and takes its own place`() async throws {
        let agents = try await AgentRoom()
        let token = try await agents.credential().token
        let first = try await agents.connect(token)
        let (second, outcome) = await agents.show(token, session: first.reply.clientID, cookie: first.reply.cookie)
        let grant = try outcome.get()
        #expect(grant.reply.clientID == first.reply.clientID && grant.reply.cookie == first.reply.cookie)
        #expect(grant.replaces == [first.connection])
        await agents.service.ended(first.connection, reason: "replaced")
        #expect(agents.service.sessions().map(\.id) == [first.reply.clientID])
        // Another leg of it takes nobody's place.
        let leg = await agents.show(token, session: first.reply.clientID, cookie: first.reply.cookie) { $0.leg = 1 }
        #expect(try leg.outcome.get().replaces == [])
        #expect(second != leg.connection)
    }

    @Test func `a cookie that is forged, or another credential's, gives a new session`() async throws {
        let agents = try await AgentRoom()
        let token = try await agents.credential().token
        let other = try await agents.credential().token
        let first = try await agents.connect(token).reply
        let foreign = try await agents.connect(other).reply
        let forged = [
            (token, first.clientID, "x" + first.cookie), (token, first.clientID, ""),
            (token, first.clientID, foreign.cookie), (other, first.clientID, first.cookie),
            (token, foreign.clientID, foreign.cookie), (token, "ts_short", first.cookie),
        ]
        for (token, session, cookie) in forged {
            let (_, outcome) = await agents.show(token, session: session, cookie: cookie)
            let grant = try outcome.get()
            #expect(grant.reply.clientID != session && grant.replaces == [])
        }
    }

    @Test func `after a restart with the same key an agent has the same session and tunnels`() async throws {
        let folder = NSTemporaryDirectory() + "selvage-agents-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        var token = ""
        var reply = AuthReply(clientID: "", cookie: "", region: "")
        var ids: [String] = []
        do {
            let agents = try await AgentRoom(folder: folder, identity: try TunnelIdentity(folder: folder))
            token = try await agents.credential().token
            let connection: UInt64
            (connection, reply) = try await agents.connect(token)
            for labels in [["app": "a"], ["app": "b"], ["app": "a"]] {
                ids.append(try await agents.label(labels, on: connection).get().id)
            }
        }
        #expect(Set(ids).count == 3)
        let attributes = try FileManager.default.attributesOfItem(atPath: folder + "/agents.key")
        #expect((attributes[.posixPermissions] as? Int) == 0o600)
        let agents = try await AgentRoom(folder: folder, identity: try TunnelIdentity(folder: folder))
        let (connection, again) = try await agents.connect(token, session: reply.clientID, cookie: reply.cookie)
        #expect(again.clientID == reply.clientID)
        // In another order, as agents do: which of two equal ones is first does not matter.
        let later = [
            try await agents.label(["app": "b"], on: connection).get().id,
            try await agents.label(["app": "a"], on: connection).get().id,
            try await agents.label(["app": "a"], on: connection).get().id,
        ]
        #expect(later == [ids[1], ids[0], ids[2]])
        // With another key it is a stranger.
        let stranger = try await AgentRoom(folder: folder)
        let new = try await stranger.connect(token, session: reply.clientID, cookie: reply.cookie).reply
        #expect(new.clientID != reply.clientID)
    }

    @Test func `a key file that cannot be used is not replaced`() throws {
        let folder = NSTemporaryDirectory() + "selvage-agents-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        try Data("no key\n".utf8).write(to: URL(fileURLWithPath: folder + "/agents.key"))
        #expect(throws: InternalAuthority.Failure.self) { try TunnelIdentity(folder: folder) }
        #expect(FileManager.default.contents(atPath: folder + "/agents.key") == Data("no key\n".utf8))
    }

    @Test func `a deleted credential's sessions are ordered to end, and no others`() async throws {
        let agents = try await AgentRoom()
        let (id, token) = try await agents.credential()
        let gone = [try await agents.connect(token).connection, try await agents.connect(token).connection]
        _ = try await agents.connect()
        agents.service.configurationChanged()
        #expect(agents.plane.orders.withLock { $0.isEmpty })
        _ = try await agents.room.call("DELETE", "/credentials/\(id)")
        agents.service.configurationChanged()
        let orders = agents.plane.orders.withLock { $0 }
        #expect(orders.allSatisfy { $0.order == .disconnect })
        #expect(orders.map(\.connection).sorted() == gone)
    }

    // MARK: Returns

    @Test func `it is counted how often an agent has come back`() async throws {
        let agents = try await AgentRoom()
        let token = try await agents.credential().token
        var reply = try await agents.connect(token).reply
        for turn in 1...3 {
            let connection: UInt64
            (connection, reply) = try await agents.connect(token, session: reply.clientID, cookie: reply.cookie)
            let status = await agents.service.statuses().first { $0.reconnects == UInt64(turn) }
            #expect(status?.id == reply.clientID, "turn \(turn)")
            await agents.service.ended(connection, reason: "cut")
        }
    }

    @Test func `how often others came back is forgotten some day, so that memory is bounded`() async throws {
        let agents = try await AgentRoom()
        let (id, token) = try await agents.credential()
        let count = TunnelService.maximumReturns + 100
        for number in 0..<count {
            let session = "ts_" + Identity.ksuid(time: WallTime(seconds: 1_800_000_000), random: (1, UInt64(number)))
            let cookie = agents.service.identity.cookie(session: session, credential: id)
            let connection = try await agents.connect(token, session: session, cookie: cookie).connection
            await agents.service.ended(connection, reason: "cut")
        }
        #expect(agents.service.state.withLock { $0.returns.count } == TunnelService.maximumReturns)
        #expect(agents.service.state.withLock { $0.sessions.isEmpty && $0.servers.isEmpty })
    }

    // MARK: Where they come from

    @Test func `agents come only from where a restriction lets them`() async throws {
        let agents = try await AgentRoom()
        #expect(agents.service.admits("192.0.2.7") && !agents.service.admits("no address"))
        let policy = try await agents.room.make("/ip_policies")
        _ = try await agents.room.make(
            "/ip_policy_rules", ["ip_policy_id": .string(policy), "cidr": "10.0.0.0/8", "action": "allow"])
        let restriction = try await agents.room.make(
            "/ip_restrictions", ["type": "agent", "ip_policy_ids": [.string(policy)], "enforced": false])
        #expect(agents.service.admits("192.0.2.7") && agents.service.admits("10.1.2.3"))
        _ = try await agents.room.call("PATCH", "/ip_restrictions/\(restriction)", ["enforced": true])
        #expect(!agents.service.admits("192.0.2.7") && agents.service.admits("10.1.2.3"))
    }

    @Test func `what an agent may be asked beyond the protocol is bounded`() async throws {
        let agents = try await AgentRoom()
        let token = try await agents.credential().token
        let (_, plain) = await agents.show(token)
        #expect(try plain.get().reply.extension == nil)
        let (_, greedy) = await agents.show(token) { $0.extension = Extension(streams: 1 << 30) }
        #expect(try greedy.get().reply.extension == Extension(streams: Extension.largestStreams))
    }
}
