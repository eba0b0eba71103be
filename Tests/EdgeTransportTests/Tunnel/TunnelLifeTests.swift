import EdgeCore
import EdgeTesting
import EdgeTransport
import EdgeTunnel
import Shared
import Synchronization
import Testing

/// How agents' connections begin and end.
@Suite struct TunnelLifeTests {
    private func withEdge(
        loops: Int = 1, gate: TestGate = TestGate(), _ body: (TestEdge) async throws -> Void
    ) async throws {
        try await EdgeTesting.withEdge(Tunnels.settings(loops: loops), gate: gate) { configuration in
            configuration.addTunnelProxy(Tunnels.host, Tunnels.labels)
        } _: { edge in
            try await body(edge)
        }
    }

    @Test func `an agent with a wrong token is refused, told why, and its connection ends`() async throws {
        let gate = TestGate()
        try await withEdge(gate: gate) { edge in
            await #expect(throws: RawSocket.Failure.self) { try await edge.connect([], token: "wrong") }
            #expect(gate.requests.map(\.authtoken) == ["wrong"])
            try await eventually("it is gone") { await edge.plane.agentReadings().isEmpty }
            // It never was anybody: nobody is told that it ended.
            #expect(gate.ended.isEmpty)
        }
    }

    @Test func `an agent keeps its other tunnels when one is refused`() async throws {
        let upstream = try Tunnels.named("here")
        let gate = TestGate()
        gate.refuse(["app": "other"], Refusal(399, "The ACL does not permit it."))
        try await withEdge(gate: gate) { edge in
            let forward = AgentTunnel.Use.forward(try AgentUpstream(host: "127.0.0.1", port: upstream.port))
            let agent = try await edge.connect(
                [["app": "other"], Tunnels.labels].map {
                    AgentTunnel(.labelled(LabelRequest(labels: $0).document), forward)
                }, opening: 1)
            let refusals = agent.events.compactMap { event in
                if case .bindFailed(let index, let refusal) = event { "\(index) \(refusal.code ?? "")" } else { nil }
            }
            #expect(refusals == ["0 ERR_NGROK_399"])
            #expect(try await onThread { try RawSocket(port: edge.clearPort).ask().body } == "here")
        }
    }

    @Test(arguments: [1, 2], [true, false])
    func `a drained connection finishes what runs, and what is new goes elsewhere`(
        loops: Int, isExtended: Bool
    ) async throws {
        let arrived = Counter()
        let mayAnswer = Latch()
        let text = String(decoding: Tunnels.text(4 << 20), as: UTF8.self)
        let first = try RawServer { [text] connection in
            while true {
                _ = try connection.receive(until: "\r\n\r\n")
                arrived.raise()
                mayAnswer.wait()
                try connection.send("HTTP/1.1 200 OK\r\nContent-Length: \(text.utf8.count)\r\n\r\n\(text)")
            }
        }
        let second = try Tunnels.named("second")
        let gate = TestGate(isExtended: isExtended)
        try await withEdge(loops: loops, gate: gate) { edge in
            let agent = try await edge.connect(Tunnels.labels, to: first.port)
            let visitor = try await onThread {
                let visitor = try RawSocket(port: edge.clearPort)
                try visitor.send(Tunnels.request())
                return visitor
            }
            try await eventually("the request has arrived") { arrived.value == 1 }
            try await edge.connect(Tunnels.labels, to: second.port)
            #expect(edge.plane.order(.drain, of: gate.connections[0]))
            try await eventually("it drains") {
                await edge.plane.agentReadings().contains { $0.isDraining && $0.streams == 1 }
            }
            let bodies = try await onThread { try (0..<12).map { _ in try RawSocket(port: edge.clearPort).ask().body } }
            #expect(bodies == Array(repeating: "second", count: 12))
            #expect(agent.endReason == nil && agent.isDraining == isExtended)
            mayAnswer.open()
            let answer = try await onThread { try visitor.receiveAnswer() }
            #expect(Tunnels.fingerprint(answer.body) == Tunnels.fingerprint(text))
            #expect(arrived.value == 1)
            try await eventually("the connection has ended") { agent.endReason != nil }
            try await eventually("and the gate knows") { gate.ended.map(\.connection) == [gate.connections[0]] }
        }
    }

    @Test(arguments: [1, 2], [true, false])
    func `an agent that drains by itself finishes what runs and gets nothing new`(
        loops: Int, isExtended: Bool
    ) async throws {
        let arrived = Counter()
        let mayAnswer = Latch()
        let text = String(decoding: Tunnels.text(4 << 20), as: UTF8.self)
        let first = try RawServer { [text] connection in
            while true {
                let isLarge = try connection.receive(until: "\r\n\r\n").contains(" /large ")
                arrived.raise()
                if isLarge { mayAnswer.wait() }
                let body = isLarge ? text : "first"
                try connection.send("HTTP/1.1 200 OK\r\nContent-Length: \(body.utf8.count)\r\n\r\n\(body)")
            }
        }
        let second = try Tunnels.named("second")
        try await withEdge(loops: loops, gate: TestGate(isExtended: isExtended)) { edge in
            let agent = try await edge.connect(Tunnels.labels, to: first.port)
            let visitor = try await onThread {
                // Streams that are kept for later requests must not keep the agent.
                for _ in 0..<6 { #expect(try RawSocket(port: edge.clearPort).ask().body == "first") }
                let visitor = try RawSocket(port: edge.clearPort)
                try visitor.send(Tunnels.request("GET", "/large"))
                return visitor
            }
            try await eventually("the request has arrived") { arrived.value == 7 }
            try await edge.connect(Tunnels.labels, to: second.port)
            agent.drain()
            try await eventually("only what runs is left") { await agent.openConnections() == 1 }
            let bodies = try await onThread { try (0..<12).map { _ in try RawSocket(port: edge.clearPort).ask().body } }
            #expect(bodies == Array(repeating: "second", count: 12))
            mayAnswer.open()
            let answer = try await onThread { try visitor.receiveAnswer() }
            #expect(Tunnels.fingerprint(answer.body) == Tunnels.fingerprint(text))
            try await eventually("the connection has ended") { agent.endReason != nil }
        }
    }

    /// Who ends an agent's connection in good order.
    enum Side: CaseIterable { case server, agent }

    @Test(arguments: Side.allCases, [1, 2])
    func `draining an agent under load costs no answer, not even to requests that cannot be repeated`(
        side: Side, loops: Int
    ) async throws {
        let gate = TestGate()
        let upstreams = try (0..<2).map { _ in
            try FakeUpstream { HandlerResponse(status: 200, body: .bytes($0.body)) }
        }
        try await withEdge(loops: loops, gate: gate) { edge in
            let agent = try await edge.connect(Tunnels.labels, to: upstreams[0].port)
            try await edge.connect(Tunnels.labels, to: upstreams[1].port)
            let answered = Counter()
            let load = Task {
                try await withThrowingTaskGroup(of: [String].self) { group in
                    for visitor in 0..<6 {
                        group.addTask {
                            try await onThread {
                                let socket = try RawSocket(port: edge.clearPort)
                                return try (0..<100).compactMap { number in
                                    let answer = try socket.ask("POST", body: "\(visitor) \(number)")
                                    answered.raise()
                                    let isRight = answer.body == "\(visitor) \(number)"
                                    return isRight ? nil : answer.head + answer.body
                                }
                            }
                        }
                    }
                    return try await group.reduce(into: []) { $0 += $1 }
                }
            }
            try await eventually("there is load") { answered.value > 100 }
            if side == .agent { agent.drain() } else { #expect(edge.plane.order(.drain, of: gate.connections[0])) }
            #expect(try await load.value == [])
            #expect(answered.value == 600)
            #expect(upstreams[0].requests.value > 0)
            #expect(upstreams[0].requests.value + upstreams[1].requests.value == 600)
            try await eventually("the connection has ended") { agent.endReason != nil }
        }
    }

    @Test func `a tunnel that its agent has not confirmed gets no traffic`() async throws {
        try await withEdge { edge in
            let agent = try await onThread { try RawAgent(port: edge.agentPort) }
            let answer = try await onThread { try agent.startLabelled(Tunnels.labels) }
            #expect(answer.contains("tn_1"))
            let early = try await onThread { try RawSocket(port: edge.clearPort).ask() }
            #expect(early.head.lowercased().contains("err_ngrok_6515"))
            // The end of the call's stream says that the answer was read (agent-protocol.md 7.7).
            try await onThread { try agent.confirm() }
            async let visitor = onThread { try RawSocket(port: edge.clearPort).ask().body }
            let header = try await onThread { try agent.serveVisitor("served") }
            #expect(header.contains("\"Id\":\"tn_1\""))
            #expect(try await visitor == "served")
        }
    }
}

/// An agent made of frames written by hand, which confirms what it was answered when the test says so
/// (agent-protocol.md 3 and 4). Used by one thread at a time.
private final class RawAgent: Sendable {
    private struct Frame {
        var isFin: Bool
        var stream: UInt32
        var payload: [UInt8]
    }

    private let socket: RawTLSSocket
    private let buffer = Mutex<[UInt8]>([])

    init(port: UInt16) throws {
        socket = try RawTLSSocket(port: port)
        var auth = AuthRequest()
        auth.authtoken = TestGate.token
        // It beats never: an hour's silence is announced.
        auth.heartbeatInterval = 3_600_000_000_000
        try send(3, StreamKind.authenticate.bytes + auth.document.bytes, flags: 2)
        _ = try receive(stream: 3)
        try send(3, [], flags: 1)
    }

    func startLabelled(_ labels: [String: String]) throws -> String {
        try send(5, StreamKind.startLabelled.bytes + LabelRequest(labels: labels).document.bytes, flags: 2)
        return try receive(stream: 5)
    }

    func confirm() throws { try send(5, [], flags: 1) }

    /// Waits for a visitor and answers its request. - Returns: what came with it.
    func serveVisitor(_ body: String) throws -> String {
        var got: [UInt8] = []
        while true {
            let frame = try next()
            guard frame.stream & 1 == 0 else { continue }
            got += frame.payload
            guard got.firstRange(of: Array("\r\n\r\n".utf8)) != nil else { continue }
            let answer = "HTTP/1.1 200 OK\r\nContent-Length: \(body.utf8.count)\r\n\r\n\(body)"
            try send(frame.stream, Array(answer.utf8))
            return String(decoding: got, as: UTF8.self)
        }
    }

    private func send(_ stream: UInt32, _ payload: [UInt8], flags: UInt8 = 0) throws {
        let length = withUnsafeBytes(of: UInt32(payload.count).bigEndian) { Array($0[1...]) }
        let id = withUnsafeBytes(of: stream.bigEndian) { Array($0) }
        try socket.send(length + [0x10 | flags] + id + payload)
    }

    /// All of a stream, until the server ends it.
    private func receive(stream: UInt32) throws -> String {
        var text: [UInt8] = []
        while true {
            let frame = try next()
            guard frame.stream == stream else { continue }
            text += frame.payload
            if frame.isFin { return String(decoding: text, as: UTF8.self) }
        }
    }

    /// The next DATA frame; heartbeats are answered, and what else there is does not matter here.
    private func next() throws -> Frame {
        while true {
            let header = try take(8)
            let length = header[..<3].reduce(0) { $0 << 8 | Int($1) }
            let stream = header[4...].reduce(UInt32(0)) { $0 << 8 | UInt32($1) }
            let payload = try take(length)
            guard header[3] >> 4 == 1 else { continue }
            guard payload.starts(with: StreamKind.heartbeat.bytes) else {
                return Frame(isFin: header[3] & 1 == 1, stream: stream, payload: payload)
            }
            try send(stream, Array(payload.dropFirst(4)))
        }
    }

    private func take(_ count: Int) throws -> [UInt8] {
        while buffer.withLock({ $0.count < count }) {
            let more = try socket.receive()
            guard !more.isEmpty else { throw Late(what: "a frame, before the server closed the connection") }
            buffer.withLock { $0 += more }
        }
        return buffer.withLock { buffer in
            defer { buffer.removeFirst(count) }
            return Array(buffer[..<count])
        }
    }
}
