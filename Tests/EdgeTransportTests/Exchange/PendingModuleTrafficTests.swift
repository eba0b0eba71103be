import EdgeCore
import EdgeModules
import EdgeTesting
import EdgeTransport
import Shared
import Testing

/// What traffic meets where a module is enabled that cannot run yet.
@Suite struct PendingModuleTrafficTests {
    private static let host = "app.example.com"
    private static let onRoutes = [
        "oauth", "oidc", "saml", "webhook_verification", "user_agent_filter", "websocket_tcp_converter",
        "traffic_policy",
    ]

    /// The module's own example as it is kept.
    private static func kept(_ name: String) -> JSON {
        guard let module = StandardModules.registry[name], let kept = try? module.normalise(module.example) else {
            preconditionFailure(name)
        }
        return kept
    }

    private func get(_ port: UInt16, _ path: String = "/", fields: String = "") async throws -> String {
        try await onThread {
            let client = try RawSocket(port: port)
            try client.send("GET \(path) HTTP/1.1\r\nHost: \(Self.host)\r\n\(fields)\r\n")
            let answer = try client.receiveAnswer()
            return answer.head + answer.body
        }
    }

    @Test func `a route that enables one answers 501 with its name, and the upstream sees nothing`() async throws {
        let upstream = try FakeUpstream { _ in HandlerResponse(status: 200) }
        try await withEdge {
            $0.addProxy(Self.host, to: upstream.port)
        } _: { edge in
            #expect(try await get(edge.clearPort).hasPrefix("HTTP/1.1 200"))
            let before = upstream.requests.value
            for name in Self.onRoutes {
                let kept = Self.kept(name)
                await edge.change { configuration in
                    configuration.edges["edghts_1"]?.routes[0].modules = [
                        name: kept, "compression": [:], "circuit_breaker": CircuitBreaking.example,
                    ]
                }
                let answer = try await get(edge.clearPort)
                #expect(answer.hasPrefix("HTTP/1.1 501"))
                #expect(answer.contains("the module \(name)"))
                #expect(!answer.contains("ngrok-error-code"))
                let upgrade = "Connection: upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
                #expect(try await get(edge.clearPort, fields: upgrade).hasPrefix("HTTP/1.1 501"))
            }
            #expect(upstream.requests.value == before)
            await edge.change { configuration in
                configuration.edges["edghts_1"]?.routes[0].modules = ["oauth": ["enabled": false]]
            }
            #expect(try await get(edge.clearPort).hasPrefix("HTTP/1.1 200"))
        }
    }

    @Test func `mutual TLS on an HTTPS edge stops every request of it, also where there is no route`() async throws {
        let upstream = try FakeUpstream { _ in HandlerResponse(status: 200) }
        try await withEdge { configuration in
            configuration.addProxy(Self.host, to: upstream.port, modules: ["compression": [:]])
            configuration.edges["edghts_1"]?.routes[0].match = "/app"
            configuration.edges["edghts_1"]?.modules = ["mutual_tls": Self.kept("mutual_tls")]
        } _: { edge in
            for path in ["/app", "/app/x", "/elsewhere"] {
                let answer = try await get(edge.clearPort, path)
                #expect(answer.hasPrefix("HTTP/1.1 501"))
                #expect(answer.contains("the module mutual_tls"))
            }
            #expect(upstream.requests.value == 0)
            await edge.change { $0.edges["edghts_1"]?.modules = [:] }
            #expect(try await get(edge.clearPort, "/app").hasPrefix("HTTP/1.1 200"))
            #expect(try await get(edge.clearPort, "/elsewhere").hasPrefix("HTTP/1.1 404"))
        }
    }

    @Test func `on TCP edges the connection is closed before anything goes upstream`() async throws {
        let server = try RawServer { connection in try connection.send("hi") }
        let port = try FreePorts.one()
        try await withEdge { configuration in
            configuration.addStatic("bkdsc_a", port: server.port)
            configuration.edges["edgtcp_1"] = EdgeConfiguration(
                id: "edgtcp_1", kind: .tcp, hostports: ["tcp.example.com:\(port)"],
                modules: ["traffic_policy": Self.kept("traffic_policy")], backend: BackendReference(id: "bkdsc_a"))
        } _: { edge in
            let text = try await onThread { try RawSocket(port: port).receiveAll() }
            #expect(text.isEmpty)
            #expect(server.connections.value == 0)
            await edge.change { $0.edges["edgtcp_1"]?.modules["traffic_policy"]?["enabled"] = false }
            #expect(try await onThread { try RawSocket(port: port).receive(count: 2) } == Array("hi".utf8))
        }
    }

    @Test(arguments: ["mutual_tls", "traffic_policy"])
    func `on TLS edges the connection is closed before anything goes upstream`(name: String) async throws {
        let server = try RawServer { connection in try connection.send("hi") }
        try await withEdge { configuration in
            configuration.addDomain("tls.example.com")
            configuration.addStatic("bkdsc_a", port: server.port)
            configuration.edges["edgtls_1"] = EdgeConfiguration(
                id: "edgtls_1", kind: .tls, hostports: ["tls.example.com:443"], modules: [name: Self.kept(name)],
                backend: BackendReference(id: "bkdsc_a"))
        } _: { edge in
            let client = try RunningProcess(
                [
                    "openssl", "s_client", "-quiet", "-verify_quiet", "-ign_eof", "-connect",
                    "127.0.0.1:\(edge.httpsPort)", "-servername", "tls.example.com",
                ], input: "marker bytes")
            try await eventually("the connection ends") { !client.isRunning }
            #expect(!client.output.contains("hi"))
            #expect(server.connections.value == 0)
        }
    }

    @Test func `a module that this version does not know stops an edge, too`() async throws {
        let compiler = SnapshotCompiler(
            modules: StandardModules.registry, slots: SlotTable(), breakers: CircuitBreakers())
        var configuration = Configuration()
        configuration.addStatic("bkdsc_a", port: 1)
        configuration.addEdge(host: Self.host, backend: "bkdsc_a", modules: ["of_tomorrow": ["enabled": true]])
        let snapshot = compiler.compile(configuration, touched: nil, previous: nil)
        #expect(!snapshot.faults.isEmpty)
        #expect(snapshot.hosts.lookup(Self.host) == nil)
    }
}
