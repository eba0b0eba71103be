import EdgeCore
import EdgeTesting
import EdgeTransport
import EdgeTunnel
import Shared
import Testing

/// TCP and TLS edges through tunnels.
@Suite struct TunnelRelayTests {
    /// Says "hi", and when the visitor has ended its half, sends all back.
    private func echoServer() throws -> RawServer {
        try RawServer { connection in
            try connection.send("hi ")
            let all = try connection.receiveRest()
            try connection.send(all)
        }
    }

    private func withTCPEdge(
        loops: Int, isExtended: Bool = true, _ body: (TestEdge, UInt16) async throws -> Void
    ) async throws {
        let port = try FreePorts.one()
        let gate = TestGate(isExtended: isExtended)
        try await withEdge(Tunnels.settings(loops: loops), gate: gate) { configuration in
            configuration.addTunnelGroup("bkdtg_a", Tunnels.labels)
            configuration.addTCPEdge(port: port, backend: "bkdtg_a")
        } _: { edge in
            try await body(edge, port)
        }
    }

    @Test(arguments: [1, 2], [true, false])
    func `C79 a TCP edge keeps half-close through a tunnel`(loops: Int, isExtended: Bool) async throws {
        let server = try echoServer()
        try await withTCPEdge(loops: loops, isExtended: isExtended) { edge, port in
            let agent = try await edge.connect(Tunnels.labels, to: server.port)
            let sent = Tunnels.text(2 << 20)
            for v6 in [false, true, false, true] {
                let received = try await onThread {
                    let visitor = try RawSocket(port: port, v6: v6)
                    try visitor.send(sent)
                    visitor.endWriting()
                    return try visitor.receiveRest()
                }
                #expect(Tunnels.fingerprint(received) == Tunnels.fingerprint(Array("hi ".utf8) + sent))
            }
            try await eventually("no visitor is left at the agent") { await agent.openConnections() == 0 }
        }
    }

    @Test(arguments: [1, 2])
    func `megabytes pass both ways at the same time`(loops: Int) async throws {
        let piece = 32 << 10
        let server = try RawServer { connection in
            while true { try connection.send(connection.receive(count: piece)) }
        }
        let sent = Tunnels.text(8 << 20)
        try await withTCPEdge(loops: loops) { edge, port in
            let agent = try await edge.connect(Tunnels.labels, to: server.port)
            for _ in 0..<loops * 2 {
                let visitor = try await onThread { try RawSocket(port: port) }
                async let writing: Void = onThread { try visitor.send(sent) }
                let received = try await onThread { try visitor.receive(count: sent.count) }
                try await writing
                #expect(Tunnels.fingerprint(received) == Tunnels.fingerprint(sent))
            }
            try await eventually("no visitor is left at the agent") { await agent.openConnections() == 0 }
        }
    }

    @Test func `a visitor of a TCP edge goes to the next agent when the first reaches nobody`() async throws {
        let server = try echoServer()
        try await withTCPEdge(loops: 2) { edge, port in
            let dead = try await edge.connect(Tunnels.labels, to: 1)
            try await edge.connect(Tunnels.labels, to: server.port)
            for _ in 0..<6 {
                let text = try await onThread {
                    let visitor = try RawSocket(port: port)
                    try visitor.send("marker")
                    visitor.endWriting()
                    return try visitor.receiveAll()
                }
                #expect(text == "hi marker")
            }
            #expect(dead.events.contains { if case .upstreamFailed = $0 { true } else { false } })
        }
    }

    @Test func `a TCP edge without a tunnel closes`() async throws {
        try await withTCPEdge(loops: 1) { _, port in
            let ended = try await onThread { try RawSocket(port: port).isEnded() }
            #expect(ended)
        }
    }

    // MARK: TLS

    private func addTLSEdge(_ configuration: inout Configuration, _ host: String, passes: Bool) {
        configuration.addTunnelGroup("bkdtg_a", Tunnels.labels)
        if !passes { configuration.addDomain(host) }
        configuration.edges["edgtls_1"] = EdgeConfiguration(
            id: "edgtls_1", kind: .tls, hostports: ["\(host):443"],
            modules: passes ? ["tls_termination": ["enabled": true, "terminate_at": "upstream"]] : [:],
            backend: BackendReference(id: "bkdtg_a"))
    }

    @Test(arguments: [1, 2])
    func `C78 a TLS edge passes a visitor's TLS through a tunnel to the upstream`(loops: Int) async throws {
        let host = "zero.example.com"
        try await withEdge { configuration in
            configuration.addDomain(host, id: "rd_inner")
            configuration.addEdge(host: host, backend: "bkdhr_1")
            configuration.add("bkdhr_1", HTTPResponseBackend.self, ["status_code": 200, "body": "from inside"])
        } _: { upstream in
            try await withEdge(Tunnels.settings(loops: loops), gate: TestGate()) { configuration in
                addTLSEdge(&configuration, host, passes: true)
            } _: { edge in
                let agent = try await edge.connect(Tunnels.labels, to: upstream.httpsPort)
                for _ in 0..<loops * 2 {
                    let result = try await onThread { try Command.curl(host, port: edge.httpsPort) }
                    #expect(result.output == "from inside", "\(result)")
                }
                #expect(agent.events.contains { if case .opened = $0 { true } else { false } })
            }
        }
    }

    @Test(arguments: [1, 2])
    func `C78 an agent ends TLS that the edge passed through, with a certificate of its own`(loops: Int) async throws {
        let host = "zero.example.com"
        let body = String(decoding: Tunnels.text(1 << 20), as: UTF8.self)
        let server = try FakeUpstream { _ in HandlerResponse(status: 200, body: .bytes(Array(body.utf8))) }
        let certificate = try HandlerCertificate(ThrowAwayCertificate.make(["agent.example.com", host]))
        try await withEdge(Tunnels.settings(loops: loops), gate: TestGate()) { configuration in
            addTLSEdge(&configuration, host, passes: true)
        } _: { edge in
            let agent = try await edge.connect([
                AgentTunnel(
                    .labelled(LabelRequest(labels: Tunnels.labels).document),
                    .forward(try AgentUpstream(host: "127.0.0.1", port: server.port)), certificate: certificate)
            ])
            for _ in 0..<loops * 2 {
                let result = try await onThread { try Command.curl(host, port: edge.httpsPort, ["-v"]) }
                #expect(Tunnels.fingerprint(result.output) == Tunnels.fingerprint(body), "\(result.errors)")
                #expect(result.errors.contains("CN=agent.example.com"), "\(result.errors)")
            }
            try await eventually("no visitor is left at the agent") { await agent.openConnections() == 0 }
        }
    }

    @Test func `a TLS edge that terminates sends plain bytes into the tunnel`() async throws {
        let server = try echoServer()
        try await withEdge(Tunnels.settings(loops: 2), gate: TestGate()) { configuration in
            addTLSEdge(&configuration, "tls.example.com", passes: false)
        } _: { edge in
            try await edge.connect(Tunnels.labels, to: server.port)
            let client = try RunningProcess(
                [
                    "openssl", "s_client", "-quiet", "-verify_quiet", "-ign_eof", "-connect",
                    "127.0.0.1:\(edge.httpsPort)", "-servername", "tls.example.com",
                ], input: "marker bytes")
            try await eventually("the server's bytes arrive") { client.output.contains("hi") }
            client.kill()
        }
    }

    @Test func `an agent's connection to an upstream with TLS is sealed`() async throws {
        let host = Tunnels.host
        try await withEdge { configuration in
            configuration.addDomain(host, id: "rd_inner")
            configuration.addEdge(host: host, backend: "bkdhr_1")
            configuration.add("bkdhr_1", HTTPResponseBackend.self, ["status_code": 200, "body": "sealed"])
        } _: { upstream in
            try await withEdge(Tunnels.settings(loops: 1), gate: TestGate()) { configuration in
                configuration.addTunnelProxy(host, Tunnels.labels)
            } _: { edge in
                let inner = try AgentUpstream(
                    host: "127.0.0.1", port: upstream.httpsPort, trust: .anyone, serverName: host)
                try await edge.connect([
                    AgentTunnel(.labelled(LabelRequest(labels: Tunnels.labels).document), .forward(inner))
                ])
                let answer = try await onThread { try RawSocket(port: edge.clearPort).ask() }
                #expect(answer.body == "sealed")
            }
        }
    }
}
