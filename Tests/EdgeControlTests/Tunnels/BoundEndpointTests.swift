import EdgeCore
import EdgeTunnel
import Foundation
import Shared
import Synchronization
import Testing

@testable import EdgeControl

/// Endpoints that agents bind for themselves.
@Suite struct BoundEndpointTests {
    private static let host = "app.example.com"

    private func room(domain: String? = nil) async throws -> (AgentRoom, UInt64) {
        let agents = try await AgentRoom(domain: domain)
        for name in [Self.host, "*.wild.example.com", "edge.wild.example.com"] {
            _ = try await agents.room.make("/reserved_domains", ["domain": .string(name)])
        }
        return (agents, try await agents.connect())
    }

    @Test func `an endpoint is served from the answer on, and no more when its tunnel is gone`() async throws {
        let (agents, connection) = try await room()
        let (reply, grant) = try await agents.bind("https", ["Hostname": .string(Self.host)], on: connection).get()
        #expect(reply.url == "https://app.example.com" && reply.proto == "https" && reply.id == grant.id)
        #expect(grant.isEndpoint && !reply.token.isEmpty && Identity.prefix(of: reply.id) == "tn")
        let edge = try #require(agents.snapshot?.hosts.lookup(Self.host))
        #expect(edge.kind == .https && !edge.servesCleartext)
        #expect(agents.snapshot?.faults == [:])
        // Its tunnel is in its group, and in no group of others.
        let backend = agents.snapshot?.configuration.backends.values.first { $0.isEphemeral }
        #expect(backend?.settings["labels"] == .object(grant.labels.mapValues { .string($0) }))
        #expect(grant.labels.keys.allSatisfy { $0.contains("=") })
        await agents.service.unbound(reply.id, on: connection)
        #expect(agents.snapshot?.hosts.lookup(Self.host) == nil)
        #expect(agents.snapshot?.configuration.backends.values.contains { $0.isEphemeral } == false)
        #expect(agents.service.state.withLock { $0.servers.isEmpty })
    }

    @Test func `the end of a connection takes its endpoints along`() async throws {
        let (agents, connection) = try await room()
        _ = try await agents.bind("https", ["Hostname": .string(Self.host)], on: connection).get()
        _ = try await agents.bind("http", ["Hostname": "a.wild.example.com"], on: connection).get()
        _ = try await agents.bind("tcp", [:], on: connection).get()
        #expect(agents.snapshot?.hosts.lookup("a.wild.example.com")?.servesCleartext == true)
        #expect(agents.snapshot?.ports.count == 1)
        await agents.service.ended(connection, reason: "cut")
        #expect(agents.snapshot?.hosts.lookup(Self.host) == nil && agents.snapshot?.ports.isEmpty == true)
        #expect(agents.snapshot?.hosts.lookup("a.wild.example.com") == nil)
    }

    @Test func `what cannot be bound has its code, and leaves nothing behind`() async throws {
        let (agents, connection) = try await room()
        let other = try await agents.connect()
        _ = try await agents.bind("https", ["Hostname": "taken.wild.example.com"], on: other).get()
        _ = try await agents.room.make("/edges/https", ["hostports": ["edge.wild.example.com:443"]])
        let before = agents.snapshot?.configuration.edges.count
        let cases: [(proto: String, options: JSON, code: String)] = [
            ("https", ["Hostname": "unknown.example.org"], "ERR_NGROK_319"),
            ("https", [:], "ERR_NGROK_319"), ("https", ["Subdomain": "a"], "ERR_NGROK_319"),
            ("tcp", ["Addr": "edge.example.net:20000"], "ERR_NGROK_324"),
            ("tcp", ["Addr": "elsewhere.example.org:1"], "ERR_NGROK_324"),
            ("https", ["Hostname": "taken.wild.example.com"], "ERR_NGROK_334"),
            ("https", ["Hostname": "edge.wild.example.com"], "ERR_NGROK_381"),
        ]
        for (proto, options, code) in cases {
            #expect(await agents.refusal(binding: proto, options, on: connection) == code, "\(proto) \(options.text)")
        }
        for (proto, options) in [("ftp", [:] as JSON), ("https", ["URL": .string("tcp://\(Self.host):1")])] {
            #expect(await agents.refusal(binding: proto, options, on: connection) != nil, "\(proto) \(options.text)")
        }
        #expect(agents.snapshot?.configuration.edges.count == before)
        #expect(agents.service.state.withLock { $0.servers.count } == 1)
        #expect(agents.service.tunnels().count == 1)
    }

    @Test func `an edge does not take an address from an agent that serves it`() async throws {
        let (agents, connection) = try await room()
        _ = try await agents.bind("https", ["Hostname": .string(Self.host)], on: connection).get()
        let body: JSON = ["hostports": [.string("\(Self.host):443")]]
        #expect(try await agents.room.call("POST", "/edges/https", body).code == "ERR_NGROK_7132")
        let endpoint: JSON = ["url": "https://app.example.com", "type": "cloud", "traffic_policy": "{}"]
        #expect(try await agents.room.call("POST", "/endpoints", endpoint).code == "ERR_NGROK_7132")
        await agents.service.ended(connection, reason: "cut")
        #expect(try await agents.room.call("POST", "/edges/https", body).status == 201)
    }

    @Test func `a change of something else leaves endpoints of agents in force`() async throws {
        let (agents, connection) = try await room()
        _ = try await agents.bind("https", ["Hostname": .string(Self.host)], on: connection).get()
        _ = try await agents.room.make("/edges/https", ["hostports": ["edge.wild.example.com:443"]])
        _ = try await agents.room.make("/backends/static", ["address": "10.0.0.1:80"])
        #expect(agents.snapshot?.hosts.lookup(Self.host) != nil)
        #expect(agents.snapshot?.hosts.lookup("edge.wild.example.com") != nil)
        // It is nothing that is kept.
        #expect(try await agents.room.call("GET", "/edges/https")["https_edges"]?.arrayValue?.count == 1)
        #expect(try await agents.room.call("GET", "/backends/tunnel_group")["backends"] == [])
    }

    @Test func `C27 an access list says which endpoints may be bound`() async throws {
        let (agents, _) = try await room()
        let token = try await agents.credential(["bind:*.wild.example.com", "bind:edge.example.net:20001"]).token
        let connection = try await agents.connect(token).connection
        #expect(await agents.refusal(binding: "https", ["Hostname": "a.wild.example.com"], on: connection) == nil)
        let refused = await agents.refusal(binding: "https", ["Hostname": .string(Self.host)], on: connection)
        #expect(refused == "ERR_NGROK_398")
        #expect(agents.snapshot?.hosts.lookup(Self.host) == nil)
    }

    // MARK: Several agents

    @Test func `agents that pool share an endpoint, which is there until the last has gone`() async throws {
        let (agents, first) = try await room()
        let options: JSON = ["Hostname": .string(Self.host)]
        let second = try await agents.connect()
        let one = try await agents.bind("https", options, on: first, pooling: true).get()
        #expect(await agents.refusal(binding: "https", options, on: second) == "ERR_NGROK_334")
        let two = try await agents.bind("https", options, on: second, pooling: true).get()
        #expect(one.1.labels == two.1.labels && one.0.id != two.0.id)
        let listed = try await agents.room.call("GET", "/endpoints")["endpoints"]?.arrayValue
        #expect(listed?.count == 1)
        await agents.service.ended(first, reason: "cut")
        #expect(agents.snapshot?.hosts.lookup(Self.host) != nil)
        await agents.service.unbound(two.0.id, on: second)
        #expect(agents.snapshot?.hosts.lookup(Self.host) == nil)
    }

    @Test func `an agent that comes back has its endpoint again while its old connection is still there`() async throws
    {
        let (agents, _) = try await room()
        let token = try await agents.credential().token
        let first = try await agents.connect(token)
        let bound = try await agents.bind("https", ["Hostname": .string(Self.host)], on: first.connection).get().0
        let again = try await agents.connect(token, session: first.reply.clientID, cookie: first.reply.cookie)
        let rebind = { @Sendable (connection: UInt64, token: String) in
            await agents.bind("https", bound.options, on: connection) {
                $0.id = bound.id
                $0.token = token
            }
        }
        let reply = try await rebind(again.connection, bound.token).get().0
        #expect(reply.id == bound.id && reply.url == bound.url && reply.token == bound.token)
        await agents.service.ended(first.connection, reason: "replaced")
        #expect(agents.snapshot?.hosts.lookup(Self.host) != nil)
        // A forged token, and another session's tunnel, are neither's.
        let stranger = try await agents.connect()
        for (connection, token) in [(again.connection, "forged"), (stranger, bound.token)] {
            guard case .failure = await rebind(connection, token) else {
                Issue.record("let in")
                continue
            }
        }
    }

    // MARK: Names and ports

    @Test func `names and ports are made up where the agent names none, and asked for again by name`() async throws {
        let (agents, connection) = try await room(domain: "wild.example.com")
        var urls: Set<String> = []
        for _ in 0..<5 { urls.insert(try await agents.bind("https", [:], on: connection).get().0.url) }
        #expect(urls.count == 5)
        #expect(urls.allSatisfy { $0.hasPrefix("https://") && $0.hasSuffix(".wild.example.com") })
        let named = try await agents.bind("https", ["Subdomain": "mine"], on: connection).get().0
        #expect(named.url == "https://mine.wild.example.com")
        #expect(named.options["Hostname"] == "mine.wild.example.com" && named.options["Subdomain"] == "")
        // The room has four ports.
        var ports: Set<String> = []
        var last: BindReply?
        for _ in 0..<4 {
            let reply = try await agents.bind("tcp", [:], on: connection).get().0
            ports.insert(reply.url)
            last = reply
        }
        #expect(ports == Set((20000...20003).map { "tcp://edge.example.net:\($0)" }))
        #expect(await agents.refusal(binding: "tcp", [:], on: connection) != nil)
        let reply = try #require(last)
        await agents.service.unbound(reply.id, on: connection)
        let again = try await agents.bind("tcp", reply.options, on: connection) {
            $0.id = reply.id
            $0.token = reply.token
        }.get().0
        #expect(again.url == reply.url && again.id == reply.id)
    }

    @Test func `a port that cannot be opened is no endpoint`() async throws {
        let (agents, connection) = try await room()
        agents.room.dataPlane.troubles.withLock { troubles in
            for port in 20000...20003 { troubles["port/\(port)"] = "address in use" }
        }
        let refused = await agents.refusal(binding: "tcp", [:], on: connection)
        #expect(refused?.contains("cannot be opened") == true, "\(refused ?? "bound")")
        #expect(agents.snapshot?.ports.isEmpty == true)
        #expect(agents.service.state.withLock { $0.servers.isEmpty })
    }

    // MARK: Lists

    @Test func `endpoints, tunnels and sessions are listed and read with references to each other`() async throws {
        let (agents, connection) = try await room()
        let id = try await agents.bind("https", ["Hostname": .string(Self.host)], on: connection).get().0.id
        let tunnel = try await agents.room.call("GET", "/tunnels/\(id)")
        #expect(tunnel["public_url"] == "https://app.example.com" && tunnel["proto"] == "https")
        let session = tunnel["tunnel_session"]?["id"]?.stringValue ?? ""
        #expect(try await agents.room.call("GET", "/tunnel_sessions/\(session)").status == 200)
        let endpoint = tunnel["endpoint"]?["id"]?.stringValue ?? ""
        let read = try await agents.room.call("GET", "/endpoints/\(endpoint)")
        #expect(Set(read.body.objectValue?.keys.map(\.self) ?? []) == EndpointTests.fields)
        #expect(read["type"] == "ephemeral" && read["url"] == "https://app.example.com")
        #expect(read["tunnel"]?["id"] == .string(id) && read["tunnel_session"]?["id"] == .string(session))
        #expect(read["upstream_url"] == "http://localhost:80" && read["edge"] == .null)
        #expect(read["domain"]?["id"]?.stringValue?.hasPrefix("rd_") == true)
        #expect(read["principal"]?["id"]?.stringValue?.hasPrefix("cr_") == true)
        let list = try await agents.room.call("GET", "/endpoints?url=https://app.example.com")
        #expect(list["endpoints"] == [read.body])
        #expect(try await agents.room.call("GET", "/endpoints?url=https://other.example.com")["endpoints"] == [])
        #expect(try await agents.room.call("DELETE", "/endpoints/\(endpoint)").status >= 400)
    }
}
