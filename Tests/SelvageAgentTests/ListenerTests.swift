import EdgeCore
import EdgeTesting
import EdgeTransport
import Shared
import Synchronization
import Testing

@testable import EchoAgent
@testable import SelvageAgent

/// Programs that serve a tunnel's visitors themselves.
@Suite struct ListenerTests {
    private typealias Body = @Sendable (TunnelConnection) async throws -> Void

    /// Runs a listener behind a TCP edge. - Parameter test: gets the edge, its port and the listener's task.
    private func withListener(
        loops: Int = 2, gate: TestGate = TestGate(), _ body: @escaping Body,
        _ test: (TestEdge, UInt16, Task<Void, any Error>) async throws -> Void
    ) async throws {
        let port = try FreePorts.one()
        var settings = TransportSettings()
        settings.loops = loops
        try await withEdge(settings, gate: gate) { configuration in
            configuration.addTunnelGroup("bkdtg_a", ["app": "echo"])
            configuration.addTCPEdge(port: port, backend: "bkdtg_a")
        } _: { edge in
            var settings = AgentSettings(
                server: try ServerAddress("127.0.0.1:\(edge.agentPort)"), authtoken: try Authtoken(TestGate.token))
            settings.trust = .insecure
            let listener = try TunnelListener(settings, labels: ["app": "echo"])
            let isOnline = Counter()
            let task = Task {
                try await listener.run { event in
                    if case .tunnelOnline = event { isOnline.raise() }
                } _: { connection in
                    try await body(connection)
                }
            }
            defer { task.cancel() }
            try await eventually("the tunnel is open") { isOnline.value == 1 }
            try await test(edge, port, task)
        }
    }

    @Sendable private static func echo(_ connection: TunnelConnection) async throws {
        while let bytes = try await connection.read() { try await connection.write(bytes) }
    }

    /// Sends a text, ends the visitor's half, and gives all that comes back; nothing when the connection was closed.
    @Sendable private static func visit(_ port: UInt16, _ text: String) async throws -> String {
        try await onThread {
            let visitor = try RawSocket(port: port)
            do {
                try visitor.send(text)
                visitor.endWriting()
                return try visitor.receiveAll()
            } catch {
                return ""
            }
        }
    }

    /// Asks until somebody serves: a tunnel is open a moment before every loop knows of it.
    private func untilServed(_ edge: TestEdge, _ port: UInt16) async throws {
        try await eventually("visitors are served") { try await Self.visit(port, "are you there?") == "are you there?" }
        await edge.publishTunnels()
    }

    @Test(arguments: [1, 2]) func `a listener's visitors are served side by side`(loops: Int) async throws {
        let clients = Mutex<[String]>([])
        try await withListener(loops: loops) { connection in
            clients.withLock { $0.append(connection.clientAddress) }
            try await Self.echo(connection)
        } _: { edge, port, _ in
            try await untilServed(edge, port)
            let texts = (0..<12).map { String(repeating: "visitor \($0) ", count: 40_000) }
            let isRight = try await withThrowingTaskGroup(of: Bool.self) { group in
                for text in texts { group.addTask { try await Self.visit(port, text) == text } }
                return try await group.reduce(into: []) { $0.append($1) }
            }
            #expect(isRight == Array(repeating: true, count: 12))
            #expect(clients.withLock { $0 }.allSatisfy { $0.hasPrefix("127.0.0.1:") })
        }
    }

    @Test func `a listener whose task is cancelled ends, and none of its visitors' tasks outlives it`() async throws {
        let begun = Counter()
        let ended = Counter()
        let cancelled = Counter()
        try await withListener { connection in
            begun.raise()
            defer { ended.raise() }
            do { try await Self.echo(connection) } catch is CancellationError { cancelled.raise() }
        } _: { edge, port, task in
            try await untilServed(edge, port)
            let before = begun.value
            let visitors = try await onThread {
                try (0..<5).map { _ in
                    let visitor = try RawSocket(port: port)
                    try visitor.send("stay")
                    #expect(try visitor.receive(count: 4) == Array("stay".utf8))
                    return visitor
                }
            }
            #expect(begun.value == before + 5)
            task.cancel()
            try await task.value
            // Here and now, without waiting for anything.
            #expect(ended.value == begun.value && cancelled.value == 5)
            let areEnded = try await onThread { visitors.map { $0.isEnded() } }
            #expect(areEnded == Array(repeating: true, count: 5))
            try await eventually("the agent is gone") { await edge.plane.agentReadings().isEmpty }
        }
    }

    @Test func `a visitor whose body fails is closed, and nobody else`() async throws {
        struct Failure: Error {}
        try await withListener { connection in
            while let bytes = try await connection.read() {
                if bytes.first == 0x21 { throw Failure() }
                try await connection.write(bytes)
            }
        } _: { edge, port, task in
            try await untilServed(edge, port)
            let (good, bad) = try await onThread {
                let good = try RawSocket(port: port)
                try good.send("first")
                #expect(try good.receive(count: 5) == Array("first".utf8))
                let bad = try RawSocket(port: port)
                try bad.send("!")
                return (good, bad)
            }
            #expect(try await onThread { bad.isEnded() })
            let text = try await onThread {
                try good.send("second")
                good.endWriting()
                return try good.receiveAll()
            }
            #expect(text == "second")
            try await untilServed(edge, port)
            #expect(!task.isCancelled)
        }
    }

    @Test func `a writer is slowed by a visitor who does not read`() async throws {
        let written = Atomic<Int>(0)
        let piece = [UInt8](repeating: 0x61, count: 64 << 10)
        let whole = 128 << 20
        try await withListener { [piece] connection in
            guard try await connection.read() == Array("large".utf8) else { return try await connection.write("small") }
            for _ in 0..<whole / piece.count {
                try await connection.write(piece)
                written.add(piece.count, ordering: .relaxed)
            }
        } _: { edge, port, _ in
            try await eventually("visitors are served") { try await Self.visit(port, "x") == "small" }
            await edge.publishTunnels()
            let slow = try await onThread {
                let slow = try RawSocket(port: port)
                try slow.send("large")
                _ = try slow.receive(count: 1)
                return slow
            }
            var before = -1
            while before != written.load(ordering: .relaxed) {
                before = written.load(ordering: .relaxed)
                for _ in 0..<50 { #expect(try await Self.visit(port, "x") == "small") }
            }
            #expect(before > 0 && before < whole / 2, "\(before) bytes")
            #expect(try await onThread { try slow.receiveRest().count } == whole - 1)
        }
    }

    @Test func `the example answers the requests of a kept connection, also when they come in pieces`() async throws {
        try await withListener(EchoAgent.serve) { edge, port, _ in
            try await eventually("visitors are served") {
                try await Self.visit(port, "GET / HTTP/1.1\r\n\r\n").hasSuffix("You asked: GET / HTTP/1.1\n")
            }
            await edge.publishTunnels()
            let (bodies, last) = try await onThread {
                let visitor = try RawSocket(port: port)
                try visitor.send("GET /1 HTTP/1.1\r\nHost: a\r\n\r\nGET /2 HTTP/1.1\r\nHo")
                var bodies = [try visitor.receiveAnswer().body]
                try visitor.send("st: a\r\n\r\n")
                bodies.append(try visitor.receiveAnswer().body)
                try visitor.send("POST /3 HTTP/1.1\r\nContent-Length: 4\r\n\r\nbody")
                return (bodies, try visitor.receiveAll())
            }
            #expect(bodies == ["You asked: GET /1 HTTP/1.1\n", "You asked: GET /2 HTTP/1.1\n"])
            #expect(last.contains("Connection: close\r\n") && last.hasSuffix("You asked: POST /3 HTTP/1.1\n"))
        }
    }

    @Test func `a listener whose token is refused ends with why`() async throws {
        try await withEdge(gate: TestGate()) { _ in
        } _: { edge in
            var settings = AgentSettings(
                server: try ServerAddress("127.0.0.1:\(edge.agentPort)"), authtoken: try Authtoken("wrong"))
            settings.trust = .insecure
            let listener = try TunnelListener(settings, labels: ["app": "echo"])
            await #expect(throws: AgentFailure.refused(code: "ERR_NGROK_107", text: "The authtoken is not valid.")) {
                try await listener.run { _ in }
            }
        }
    }
}
