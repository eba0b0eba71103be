import EdgeCore
import EdgeTesting
import EdgeTransport
import Shared
import Testing

/// TLS and TCP edges.
@Suite struct StreamEdgeTests {
    /// Sends back what comes, in capitals' stead unchanged, until the peer ends its half.
    private func echoServer() throws -> RawServer {
        try RawServer { connection in
            try connection.send("hi ")
            try connection.send(Array(connection.receiveAll().utf8))
        }
    }

    @Test func `C79 a TCP edge passes bytes untouched and keeps half-close`() async throws {
        let server = try echoServer()
        let port = try FreePorts.one()
        try await withEdge { configuration in
            configuration.addStatic("bkdsc_a", port: server.port)
            configuration.edges["edgtcp_1"] = EdgeConfiguration(
                id: "edgtcp_1", kind: .tcp, hostports: ["tcp.example.com:\(port)"],
                backend: BackendReference(id: "bkdsc_a"))
        } _: { edge in
            for v6 in [false, true] {
                let text = try await onThread {
                    let client = try RawSocket(port: port, v6: v6)
                    try client.send("\u{0}\u{1}raw \u{7f}")
                    client.endWriting()
                    return try client.receiveAll()
                }
                #expect(text == "hi \u{0}\u{1}raw \u{7f}")
            }
            await edge.change { $0.edges = [:] }
            try await eventually("the port is closed with its edge") {
                (try? await onThread { _ = try RawSocket(port: port) }) == nil
            }
        }
    }

    @Test func `a TLS edge terminates and relays the plain bytes`() async throws {
        let server = try echoServer()
        try await withEdge { configuration in
            configuration.addDomain("tls.example.com")
            configuration.addStatic("bkdsc_a", port: server.port)
            configuration.edges["edgtls_1"] = EdgeConfiguration(
                id: "edgtls_1", kind: .tls, hostports: ["tls.example.com:443"],
                backend: BackendReference(id: "bkdsc_a"))
        } _: { edge in
            let client = try RunningProcess(
                [
                    "openssl", "s_client", "-quiet", "-verify_quiet", "-ign_eof", "-connect",
                    "127.0.0.1:\(edge.httpsPort)", "-servername", "tls.example.com",
                ], input: "marker bytes")
            try await eventually("the server's bytes arrive") { client.output.contains("hi") }
            client.kill()
        }
    }

    @Test func `C78 a TLS edge that passes through shows the upstream's own certificate`() async throws {
        // The upstream is another edge with a certificate of its own.
        try await withEdge { configuration in
            configuration.addDomain("zero.example.com", id: "rd_inner")
            configuration.addEdge(host: "zero.example.com", backend: "bkdhr_1")
            configuration.add("bkdhr_1", HTTPResponseBackend.self, ["status_code": 200, "body": "from inside"])
        } _: { upstream in
            try await withEdge { configuration in
                configuration.addStatic("bkdsc_a", port: upstream.httpsPort)
                configuration.edges["edgtls_1"] = EdgeConfiguration(
                    id: "edgtls_1", kind: .tls, hostports: ["zero.example.com:443"],
                    modules: ["tls_termination": ["enabled": true, "terminate_at": "upstream"]],
                    backend: BackendReference(id: "bkdsc_a"))
            } _: { edge in
                let result = try await onThread { try Command.curl("zero.example.com", port: edge.httpsPort, ["-v"]) }
                #expect(result.output == "from inside", "\(result)")
            }
        }
    }

    @Test func `C51 an address that is not allowed is closed before the upstream hears of it`() async throws {
        let server = try echoServer()
        let port = try FreePorts.one()
        try await withEdge { configuration in
            configuration.addStatic("bkdsc_a", port: server.port)
            configuration.policies["ipp_1"] = [IPPolicyRule(network: try! IPNetwork(cidr: "10.0.0.0/8"), allows: true)]
            configuration.edges["edgtcp_1"] = EdgeConfiguration(
                id: "edgtcp_1", kind: .tcp, hostports: ["tcp.example.com:\(port)"],
                modules: ["ip_restriction": ["enabled": true, "ip_policy_ids": ["ipp_1"]]],
                backend: BackendReference(id: "bkdsc_a"))
        } _: { _ in
            let ended = try await onThread { try RawSocket(port: port).isEnded() }
            #expect(ended)
            #expect(server.connections.value == 0)
        }
    }
}
