import EdgeCore
import EdgeTesting
import EdgeTransport
import EdgeTunnel
import Shared
import Testing

/// What becomes of requests whose tunnel leads nowhere.
@Suite struct TunnelFailoverTests {
    private func withEdge(
        loops: Int = 1, isExtended: Bool = true, _ configure: @Sendable (inout Configuration) -> Void = { _ in },
        _ body: (TestEdge) async throws -> Void
    ) async throws {
        let gate = TestGate(isExtended: isExtended)
        try await EdgeTesting.withEdge(Tunnels.settings(loops: loops), gate: gate) { configuration in
            configuration.addTunnelProxy(Tunnels.host, Tunnels.labels)
            configure(&configuration)
        } _: { edge in
            try await body(edge)
        }
    }

    @Test(arguments: [1, 2], [true, false])
    func `C39 an upstream that its agent cannot dial is answered 502 and ERR_NGROK_8012`(
        loops: Int, isExtended: Bool
    ) async throws {
        try await withEdge(loops: loops, isExtended: isExtended) { edge in
            let agent = try await edge.connect(Tunnels.labels, to: 1)
            for method in ["GET", "POST", "HEAD"] {
                let head = try await onThread {
                    let visitor = try RawSocket(port: edge.clearPort)
                    try visitor.send(Tunnels.request(method, body: method == "POST" ? "a body" : ""))
                    return try visitor.receive(until: "\r\n\r\n")
                }
                #expect(head.hasPrefix("HTTP/1.1 502 "), "\(method)")
                #expect(head.lowercased().contains("ngrok-error-code: err_ngrok_8012"), "\(method)")
            }
            #expect(agent.events.filter { if case .upstreamFailed = $0 { true } else { false } }.count == 3)
        }
    }

    @Test(arguments: [1, 2], [true, false])
    func `C38 a request whose agent reaches nobody goes to the next one, with its body and once`(
        loops: Int, isExtended: Bool
    ) async throws {
        let upstream = try FakeUpstream { HandlerResponse(status: 200, body: .bytes($0.body)) }
        try await withEdge(loops: loops, isExtended: isExtended) { edge in
            let dead = try await edge.connect(Tunnels.labels, to: 1)
            try await edge.connect(Tunnels.labels, to: upstream.port)
            let bodies = try await onThread {
                try (0..<10).map { number in
                    try RawSocket(port: edge.clearPort).ask("POST", body: "the body \(number)").body
                }
            }
            #expect(bodies == (0..<10).map { "the body \($0)" })
            #expect(upstream.requests.value == 10)
            #expect(dead.events.contains { if case .upstreamFailed = $0 { true } else { false } })
        }
    }

    @Test(arguments: [1, 2], [true, false])
    func `C38 a failover backend goes on to a static leg when an agent reaches nobody, also with a POST`(
        loops: Int, isExtended: Bool
    ) async throws {
        let upstream = try FakeUpstream { HandlerResponse(status: 200, body: .bytes($0.body)) }
        let configure = { @Sendable (configuration: inout Configuration) in
            configuration.addStatic("bkdsc_b", port: upstream.port)
            configuration.add("bkdfo_1", FailoverBackend.self, ["backends": ["bkdtg_a", "bkdsc_b"]])
            configuration.addEdge(host: Tunnels.host, backend: "bkdfo_1")
        }
        try await withEdge(loops: loops, isExtended: isExtended, configure) { edge in
            let ask = { @Sendable in
                try RawSocket(port: edge.clearPort).ask("POST", body: "the body").body
            }
            // Nobody at all, and then somebody who leads nowhere.
            #expect(try await onThread(ask) == "the body")
            let dead = try await edge.connect(Tunnels.labels, to: 1)
            for _ in 0..<6 { #expect(try await onThread(ask) == "the body") }
            #expect(upstream.requests.value == 7)
            #expect(dead.events.filter { if case .upstreamFailed = $0 { true } else { false } }.count == 6)
        }
    }

    @Test func `a body that is being sent arrives whole at the leg after the one that fails`() async throws {
        let upstream = try FakeUpstream { HandlerResponse(status: 200, body: .bytes($0.body)) }
        let configure = { @Sendable (configuration: inout Configuration) in
            configuration.addStatic("bkdsc_b", port: upstream.port)
            configuration.add("bkdfo_1", FailoverBackend.self, ["backends": ["bkdtg_a", "bkdsc_b"]])
            configuration.addEdge(host: Tunnels.host, backend: "bkdfo_1")
        }
        let body = String(decoding: Tunnels.text(40_000), as: UTF8.self)
        try await withEdge(loops: 2, configure) { edge in
            try await edge.connect(Tunnels.labels, to: 1)
            for _ in 0..<6 {
                let answer = try await onThread { try RawSocket(port: edge.clearPort).ask("POST", body: body) }
                #expect(Tunnels.fingerprint(answer.body) == Tunnels.fingerprint(body))
            }
        }
    }

    @Test func `no tunnel is answered 503 and ERR_NGROK_6515, until one comes and after it has gone`() async throws {
        let upstream = try Tunnels.named("here")
        try await withEdge(loops: 2) { edge in
            let ask = { @Sendable in try RawSocket(port: edge.clearPort).ask() }
            let isOffline = { @Sendable (answer: (head: String, body: String)) in
                answer.head.hasPrefix("HTTP/1.1 503 ") && answer.head.lowercased().contains("err_ngrok_6515")
            }
            #expect(isOffline(try await onThread(ask)))
            let agent = try await edge.connect(Tunnels.labels, to: upstream.port)
            for _ in 0..<6 { #expect(try await onThread(ask).body == "here") }
            // Labels that the group does not ask for are nobody's.
            try await edge.connect(["app": "other"], to: upstream.port)
            agent.close()
            try await eventually("the tunnel is gone") { isOffline(try await onThread(ask)) }
        }
    }

    @Test func `C40 an upstream that takes the request and says nothing is not failed over`() async throws {
        let other = try Tunnels.named("other")
        // It has read the request before it goes away.
        let silent = try RawServer { _ = try $0.receive(until: "\r\n\r\n") }
        let configure = { @Sendable (configuration: inout Configuration) in
            configuration.addStatic("bkdsc_b", port: other.port)
            configuration.add("bkdfo_1", FailoverBackend.self, ["backends": ["bkdtg_a", "bkdsc_b"]])
            configuration.addEdge(host: Tunnels.host, backend: "bkdfo_1")
        }
        try await withEdge(configure) { edge in
            try await edge.connect(Tunnels.labels, to: silent.port)
            let answer = try await onThread { try RawSocket(port: edge.clearPort).ask() }
            #expect(answer.head.hasPrefix("HTTP/1.1 502 ") && answer.head.lowercased().contains("err_ngrok_3004"))
            #expect(silent.connections.value == 1 && other.requests.value == 0)
        }
    }

    // MARK: Agents that go away

    @Test(arguments: [1, 2])
    func `an agent that is cut off under load costs no answer where requests can be repeated`(loops: Int) async throws {
        let upstreams = try (0..<3).map { try Tunnels.named("\($0)") }
        try await withEdge(loops: loops) { edge in
            var agents: [TestAgent] = []
            for upstream in upstreams { agents.append(try await edge.connect(Tunnels.labels, to: upstream.port)) }
            let answered = Counter()
            let load = Task {
                try await withThrowingTaskGroup(of: [String].self) { group in
                    for _ in 0..<6 {
                        group.addTask {
                            try await onThread {
                                let visitor = try RawSocket(port: edge.clearPort)
                                return try (0..<150).map { _ in
                                    let answer = try visitor.ask()
                                    answered.raise()
                                    return "\(answer.head.prefix(12)) \(answer.body)"
                                }
                            }
                        }
                    }
                    return try await group.reduce(into: []) { $0 += $1 }
                }
            }
            try await eventually("there is load") { answered.value > 100 }
            agents[0].close()
            try await eventually("there is more") { answered.value > 300 }
            agents[1].close()
            let answers = Set(try await load.value)
            #expect(answers.isSubset(of: ["HTTP/1.1 200 0", "HTTP/1.1 200 1", "HTTP/1.1 200 2"]), "\(answers)")
            #expect(upstreams[0].requests.value > 0 && upstreams[1].requests.value > 0)
            #expect(answered.value == 900)
        }
    }

    /// What an upstream does in the middle of an answer whose end only a close tells.
    enum End: CaseIterable { case close, reset }

    @Test(arguments: End.allCases, [1, 2])
    func `an upstream's reset in the middle of an answer is no clean end to the visitor`(
        end: End, loops: Int
    ) async throws {
        let hasRead = Latch()
        let upstream = try RawServer { connection in
            _ = try connection.receive(until: "\r\n\r\n")
            try connection.send("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nsome of it")
            hasRead.wait()
            if end == .reset { connection.resetOnClose() }
        }
        try await withEdge(loops: loops) { edge in
            let agent = try await edge.connect(Tunnels.labels, to: upstream.port)
            let rest = try await onThread {
                let visitor = try RawSocket(port: edge.clearPort)
                try visitor.send(Tunnels.request())
                #expect(try visitor.receive(until: "\r\n\r\n").lowercased().contains("transfer-encoding: chunked"))
                _ = try visitor.receive(until: "some of it\r\n")
                hasRead.open()
                guard end == .reset else { return try visitor.receive(until: "0\r\n\r\n") }
                return visitor.isEnded() ? "broken off" : try visitor.receiveAll()
            }
            #expect(rest == (end == .reset ? "broken off" : "0\r\n\r\n"))
            try await eventually("no visitor is left at the agent") { await agent.openConnections() == 0 }
        }
    }
}
