import EdgeCore
import EdgeTesting
import EdgeTransport
import Shared
import Testing

/// HTTP through labelled tunnels: from a visitor's socket to an upstream's, with a real agent between them.
@Suite struct TunnelTrafficTests {
    /// - Parameters:
    ///   - loops: with two, most visitors are on another loop than the agent.
    ///   - isExtended: whether the agent and the server know of each other that both are ours.
    private func withTunnel(
        loops: Int, isExtended: Bool = true, to port: UInt16, _ body: (TestEdge, TestAgent) async throws -> Void
    ) async throws {
        let gate = TestGate(isExtended: isExtended)
        try await withEdge(Tunnels.settings(loops: loops), gate: gate) { configuration in
            configuration.addTunnelProxy(Tunnels.host, Tunnels.labels)
        } _: { edge in
            let agent = try await edge.connect(Tunnels.labels, to: port)
            try await body(edge, agent)
        }
    }

    @Test(arguments: [1, 2], [true, false])
    func `a labelled tunnel serves visitors of HTTP/1.1 and of HTTP/2`(loops: Int, isExtended: Bool) async throws {
        let upstream = try FakeUpstream { request in
            let text = "\(request.path) \(request.field("x-forwarded-for") ?? "") \(request.field("host") ?? "")"
            return HandlerResponse(status: 200, body: .bytes(Array(text.utf8)))
        }
        try await withTunnel(loops: loops, isExtended: isExtended, to: upstream.port) { edge, _ in
            for version in ["--http1.1", "--http2"] {
                let result = try await onThread {
                    try Command.curl(
                        Tunnels.host, port: edge.httpsPort, path: "/some",
                        [version, "-w", " %{http_version} %{http_code}"])
                }
                let number = version == "--http2" ? "2" : "1.1"
                #expect(result.output == "/some 127.0.0.1 \(Tunnels.host):\(edge.httpsPort) \(number) 200", "\(result)")
            }
            #expect(await edge.counters("backend/bkdtg_a").ended == 2)
        }
    }

    @Test(arguments: [1, 2], [true, false])
    func `bodies of megabytes pass both ways unchanged`(loops: Int, isExtended: Bool) async throws {
        let upstream = try FakeUpstream(largestBody: 16 << 20) { HandlerResponse(status: 200, body: .bytes($0.body)) }
        try await withTunnel(loops: loops, isExtended: isExtended, to: upstream.port) { edge, _ in
            // Several at once: with two loops some of them cross.
            try await withThrowingTaskGroup(of: Void.self) { group in
                for visitor in 0..<6 {
                    group.addTask {
                        let body = String(decoding: Tunnels.text(3 << 20, seed: UInt64(visitor)), as: UTF8.self)
                        let answer = try await onThread {
                            try RawSocket(port: edge.clearPort).ask("POST", body: body)
                        }
                        #expect(answer.head.hasPrefix("HTTP/1.1 200 "))
                        #expect(Tunnels.fingerprint(answer.body) == Tunnels.fingerprint(body))
                    }
                }
                try await group.waitForAll()
            }
        }
    }

    @Test(arguments: [1, 2])
    func `bodies of megabytes pass both ways of an HTTP/2 visitor`(loops: Int) async throws {
        let upstream = try FakeUpstream(largestBody: 16 << 20) { HandlerResponse(status: 200, body: .bytes($0.body)) }
        let body = String(decoding: Tunnels.text(3 << 20), as: UTF8.self)
        try await withTunnel(loops: loops, to: upstream.port) { edge, _ in
            for _ in 0..<loops * 2 {
                let result = try await onThread {
                    try Command.run(
                        [
                            "curl", "-sk", "--http2", "--max-time", "50", "--resolve",
                            "\(Tunnels.host):\(edge.httpsPort):127.0.0.1", "--data-binary", "@-",
                            "https://\(Tunnels.host):\(edge.httpsPort)/",
                        ], input: body)
                }
                #expect(Tunnels.fingerprint(result.output) == Tunnels.fingerprint(body))
            }
        }
    }

    @Test(arguments: [1, 2])
    func `a kept connection's requests go through one stream, which its agent sees as one visitor`(
        loops: Int
    ) async throws {
        let upstream = try RawServer { connection in
            while true {
                _ = try connection.receive(until: "\r\n\r\n")
                try connection.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
            }
        }
        try await withTunnel(loops: loops, to: upstream.port) { edge, agent in
            let bodies = try await onThread {
                let visitor = try RawSocket(port: edge.clearPort)
                return try (0..<20).map { _ in try visitor.ask().body }
            }
            #expect(bodies == Array(repeating: "ok", count: 20))
            #expect(upstream.connections.value == 1)
            #expect(await agent.openConnections() == 1)
            #expect(await edge.plane.agentReadings().map(\.opened) == [1])
        }
    }

    @Test(arguments: [1, 2])
    func `an upgrade passes bytes both ways through a tunnel until both sides have ended`(loops: Int) async throws {
        let upstream = try RawServer { connection in
            let head = try connection.receive(until: "\r\n\r\n").lowercased()
            guard head.contains("upgrade: websocket"), head.contains("connection: upgrade") else { return }
            try connection.send(
                "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\nfirst")
            let all = try connection.receiveAll()
            try connection.send("back:" + all)
        }
        try await withTunnel(loops: loops, to: upstream.port) { edge, agent in
            for _ in 0..<loops * 3 {
                let text = try await onThread {
                    let visitor = try RawSocket(port: edge.clearPort)
                    try visitor.send(
                        "GET /ws HTTP/1.1\r\nHost: \(Tunnels.host)\r\nConnection: Upgrade\r\n"
                            + "Upgrade: websocket\r\n\r\n")
                    let head = try visitor.receive(until: "\r\n\r\n")
                    #expect(head.hasPrefix("HTTP/1.1 101 "))
                    #expect(try visitor.receive(count: 5) == Array("first".utf8))
                    try visitor.send("\u{1}\u{2}frames")
                    visitor.endWriting()
                    return try visitor.receiveAll()
                }
                #expect(text == "back:\u{1}\u{2}frames")
            }
            try await eventually("no visitor is left at the agent") { await agent.openConnections() == 0 }
        }
    }
}
