import EdgeCore
import EdgeTesting
import EdgeTransport
import Shared
import Testing

/// The rules of the account, before those of any edge.
@Suite struct EntryRestrictionTests {
    private static let host = "app.example.com"

    private static func restrict(_ configuration: inout Configuration, to cidr: String?, isEnforced: Bool = true) {
        configuration.policies["ipp_1"] = cidr.map {
            [IPPolicyRule(network: try! IPNetwork(cidr: $0), allows: true)]
        }
        configuration.entry =
            cidr == nil ? nil : EntryRestriction(id: "ipx_1", isEnforced: isEnforced, policies: ["ipp_1"])
    }

    @Test func `a stranger's request is answered 403 over HTTP 1 and 2, whatever it asks for`() async throws {
        let upstream = try FakeUpstream { _ in HandlerResponse(status: 200) }
        try await withEdge { configuration in
            configuration.addProxy(Self.host, to: upstream.port)
            Self.restrict(&configuration, to: "10.0.0.0/8")
        } _: { edge in
            for version in ["--http1.1", "--http2"] {
                let result = try await onThread {
                    try Command.curl(Self.host, port: edge.httpsPort, ["-i", version])
                }
                #expect(result.output.contains(" 403"), "\(result)")
                #expect(result.output.lowercased().contains("ngrok-error-code: err_ngrok_3203"))
            }
            // Also where nothing is: a stranger learns nothing of which names exist.
            let answer = try await onThread {
                let client = try RawSocket(port: edge.clearPort)
                try client.send("GET / HTTP/1.1\r\nHost: nothing.example.com\r\n\r\n")
                return try client.receiveAnswer()
            }
            #expect(answer.head.hasPrefix("HTTP/1.1 403 "))
            #expect(upstream.requests.value == 0)
        }
    }

    @Test func `a change acts on the next request of a connection that is open`() async throws {
        let upstream = try FakeUpstream { _ in HandlerResponse(status: 200) }
        try await withEdge { configuration in
            configuration.addProxy(Self.host, to: upstream.port)
        } _: { edge in
            let client = try await onThread { try RawSocket(port: edge.clearPort) }
            let status = {
                try await onThread {
                    try client.send("GET / HTTP/1.1\r\nHost: \(Self.host)\r\n\r\n")
                    return try String(client.receiveAnswer().head.dropFirst(9).prefix(3))
                }
            }
            #expect(try await status() == "200")
            await edge.change { Self.restrict(&$0, to: "10.0.0.0/8") }
            #expect(try await status() == "403")
            await edge.change { Self.restrict(&$0, to: "127.0.0.0/8") }
            #expect(try await status() == "200")
            await edge.change { Self.restrict(&$0, to: "10.0.0.0/8", isEnforced: false) }
            #expect(try await status() == "200")
            await edge.change { Self.restrict(&$0, to: nil) }
            #expect(try await status() == "200")
            #expect(upstream.requests.value == 4)
        }
    }

    @Test(arguments: ["tcp", "terminated", "passed through"])
    func `a stranger's connection is closed before the upstream hears of it`(kind: String) async throws {
        let server = try RawServer { try $0.send("hi ") }
        let port = try FreePorts.one()
        try await withEdge { configuration in
            configuration.addStatic("bkdsc_a", port: server.port)
            configuration.addDomain(Self.host)
            configuration.edges["edge_1"] = EdgeConfiguration(
                id: "edge_1", kind: kind == "tcp" ? .tcp : .tls,
                hostports: [kind == "tcp" ? "tcp.example.com:\(port)" : "\(Self.host):443"],
                modules: kind == "passed through" ? ["tls_termination": ["terminate_at": "upstream"]] : [:],
                backend: BackendReference(id: "bkdsc_a"))
            Self.restrict(&configuration, to: "10.0.0.0/8")
        } _: { edge in
            let connect: @Sendable () throws -> Void = {
                guard kind != "tcp" else {
                    #expect(try RawSocket(port: port).isEnded())
                    return
                }
                _ = try Command.curl(Self.host, port: edge.httpsPort, ["--max-time", "20"])
            }
            try await onThread { try connect() }
            #expect(server.connections.value == 0)
            await edge.change { Self.restrict(&$0, to: "127.0.0.0/8") }
            try await onThread {
                if kind == "tcp" {
                    _ = try RawSocket(port: port)
                } else {
                    _ = try Command.curl(Self.host, port: edge.httpsPort, ["--max-time", "20"])
                }
            }
            try await eventually("who is allowed gets through") { server.connections.value == 1 }
        }
    }
}
