import Dispatch
import EdgeCore
import EdgeTesting
import EdgeTransport
import EdgeTunnel
import Shared
import Synchronization
import Testing

@testable import SelvageAgent

/// The agent's transport against a real edge.
@Suite struct RunnerTests {
    /// An agent's run in a task, and what it told.
    private final class Run: Sendable {
        let runner = TunnelRunner()
        private let told = Told()
        private let task: Task<AgentFailure?, Never>

        private final class Told: Sendable {
            let events = Mutex<[AgentEvent]>([])
        }

        init(_ settings: AgentSettings, _ specs: [TunnelSpec]) {
            task = Task { [runner, told] in
                do throws(AgentFailure) {
                    try await runner.run(settings, specs) { event in told.events.withLock { $0.append(event) } }
                    return nil
                } catch {
                    return error
                }
            }
        }

        deinit { runner.stop(drain: .zero) }

        var events: [AgentEvent] { told.events.withLock { $0 } }
        var hasEnded: Bool { events.last == .stopped }
        /// Waits for the end. - Returns: why it did not go on.
        func outcome() async -> AgentFailure? { await task.value }

        func count(_ matches: (AgentEvent) -> Bool) -> Int { events.filter(matches).count }
        var online: Int { count { if case .tunnelOnline = $0 { true } else { false } } }
    }

    private func withEdge(
        gate: TestGate = TestGate(), _ body: (TestEdge) async throws -> Void
    ) async throws {
        var settings = TransportSettings()
        settings.loops = 2
        // None that is kept for later requests ends by itself while a test runs.
        settings.upstreamIdleTimeout = 600_000
        try await EdgeTesting.withEdge(settings, gate: gate) { configuration in
            configuration.addTunnelProxy("app.example.com", ["app": "web"])
        } _: { edge in
            try await body(edge)
        }
    }

    private func start(
        _ edge: TestEdge, to port: UInt16, connections: Int = 1, token: String = TestGate.token
    ) throws -> Run {
        var settings = AgentSettings(
            server: try ServerAddress("127.0.0.1:\(edge.agentPort)"), authtoken: try Authtoken(token))
        settings.trust = .insecure
        settings.connections = connections
        return Run(
            settings,
            [TunnelSpec(name: "web", kind: .labelled(["app": "web"]), upstream: try UpstreamAddress("\(port)"))])
    }

    /// - Returns: the body, or the code of the edge's own error.
    private func ask(_ edge: TestEdge) async throws -> String {
        let answer = try await onThread {
            let visitor = try RawSocket(port: edge.clearPort)
            try visitor.send("GET / HTTP/1.1\r\nHost: app.example.com\r\n\r\n")
            return try visitor.receiveAnswer()
        }
        let code = answer.head.split(separator: "\r\n").first { $0.lowercased().hasPrefix("ngrok-error-code: ") }
        return code.map { String($0.dropFirst(18)) } ?? answer.body
    }

    private func named(_ name: String) throws -> FakeUpstream {
        try FakeUpstream { _ in HandlerResponse(status: 200, body: .bytes(Array(name.utf8))) }
    }

    // MARK: Coming back

    @Test func `an agent whose connection the server closes is back with the same session, and serves`() async throws {
        let gate = TestGate()
        let upstream = try named("here")
        try await withEdge(gate: gate) { edge in
            let run = try start(edge, to: upstream.port)
            for turn in 1...3 {
                try await eventually("visitors are served, time \(turn)") { try await ask(edge) == "here" }
                #expect(edge.plane.order(.disconnect, of: gate.connections[turn - 1]))
                try await eventually("it is back") { gate.connections.count == turn + 1 }
            }
            #expect(gate.requests.map(\.clientID) == ["", "ts_1", "ts_1", "ts_1"])
            #expect(gate.requests.dropFirst().allSatisfy { $0.cookie == "cookie of ts_1" })
            #expect(run.count { if case .disconnected = $0 { true } else { false } } == 3)
            run.runner.stop(drain: .zero)
            #expect(await run.outcome() == nil)
            #expect(run.hasEnded)
        }
    }

    @Test func `an agent that is drained connects anew while its visitor is still served`() async throws {
        let gate = TestGate()
        let arrived = Counter()
        let mayAnswer = DispatchSemaphore(value: 0)
        let upstream = try FakeUpstream { _ in
            guard arrived.raise() == 1 else { return HandlerResponse(status: 200, body: .bytes(Array("new".utf8))) }
            try? await onThread { mayAnswer.wait() }
            return HandlerResponse(status: 200, body: .bytes(Array("old".utf8)))
        }
        try await withEdge(gate: gate) { edge in
            let run = try start(edge, to: upstream.port)
            try await eventually("it is let in") { run.online == 1 }
            async let first = untilServed(edge)
            try await eventually("the request has arrived") { arrived.value == 1 }
            #expect(edge.plane.order(.drain, of: gate.connections[0]))
            try await eventually("it is back") { run.online == 2 }
            try await eventually("the new connection serves") { try await ask(edge) == "new" }
            mayAnswer.signal()
            #expect(try await first == "old")
            try await eventually("the old connection has ended") { gate.ended.count == 1 }
            #expect(gate.ended.first?.connection == gate.connections[0])
            run.runner.stop(drain: .zero)
        }
    }

    /// The first answer that an upstream gave.
    private func untilServed(_ edge: TestEdge) async throws -> String {
        let answer = Mutex("")
        try await eventually("an upstream has answered") {
            let body = try await ask(edge)
            answer.withLock { $0 = body }
            return ["old", "new"].contains(body)
        }
        return answer.withLock { $0 }
    }

    @Test func `two connections of one agent are two sessions with the same tunnel`() async throws {
        let gate = TestGate()
        let upstream = try named("here")
        try await withEdge(gate: gate) { edge in
            let run = try start(edge, to: upstream.port, connections: 2)
            try await eventually("both are there") { run.online == 2 }
            #expect(gate.labels.map(\.labels) == [["app": "web"], ["app": "web"]])
            #expect(await edge.plane.agentReadings().count == 2)
            run.runner.stop(drain: .zero)
            #expect(await run.outcome() == nil)
            try await eventually("both are gone") { await edge.plane.agentReadings().isEmpty }
        }
    }

    // MARK: Refusals

    @Test func `a token that is refused for good ends the run and says why`() async throws {
        let gate = TestGate()
        try await withEdge(gate: gate) { edge in
            let run = try start(edge, to: 1, connections: 3, token: "wrong")
            guard case .refused(let code, let text)? = await run.outcome() else {
                Issue.record("it was not refused: \(run.events)")
                return
            }
            #expect(code == "ERR_NGROK_107" && text == "The authtoken is not valid.")
            #expect(run.hasEnded)
        }
    }

    @Test func `a refusal that may pass is tried again, without what was refused`() async throws {
        let gate = TestGate()
        let upstream = try named("here")
        try await withEdge(gate: gate) { edge in
            let run = try start(edge, to: upstream.port)
            try await eventually("it is let in") { run.online == 1 }
            gate.refuse(Refusal(108, "There are too many sessions."))
            #expect(edge.plane.order(.disconnect, of: gate.connections[0]))
            try await eventually("it was refused") {
                run.events.contains(
                    .refused(session: 0, code: "ERR_NGROK_108", text: "There are too many sessions."))
            }
            gate.refuse(nil)
            try await eventually("it is let in again") { run.online == 2 }
            #expect(gate.requests.last?.clientID == "")
            try await eventually("it serves") { try await ask(edge) == "here" }
            run.runner.stop(drain: .zero)
        }
    }

    // MARK: Stopping

    @Test func `a stop with a drain lets a running answer finish, and nothing new in`() async throws {
        let arrived = Counter()
        let mayAnswer = DispatchSemaphore(value: 0)
        let text = String(repeating: "all of a long answer ", count: 50_000)
        let upstream = try FakeUpstream { [text] _ in
            arrived.raise()
            try? await onThread { mayAnswer.wait() }
            return HandlerResponse(status: 200, body: .bytes(Array(text.utf8)))
        }
        let gate = TestGate()
        try await withEdge(gate: gate) { edge in
            let run = try start(edge, to: upstream.port)
            try await eventually("it is let in") { run.online == 1 }
            async let answer = untilLong(edge)
            try await eventually("the request has arrived") { arrived.value == 1 }
            run.runner.stop(drain: .seconds(600))
            // Whoever comes before the server knows is let in, and would wait like the first.
            try await eventually("the tunnel is given back") { gate.unbound.count == 1 }
            #expect(try await ask(edge) == "ERR_NGROK_6515")
            #expect(!run.hasEnded)
            mayAnswer.signal()
            let isWhole = try await answer == text
            #expect(isWhole)
            try await eventually("the run has ended") { run.hasEnded }
            #expect(await run.outcome() == nil)
        }
    }

    private func untilLong(_ edge: TestEdge) async throws -> String {
        let answer = Mutex("")
        try await eventually("a long answer") {
            let body = try await ask(edge)
            answer.withLock { $0 = body }
            return body.utf8.count > 100_000
        }
        return answer.withLock { $0 }
    }

    @Test func `a stop with a drain does not wait for streams that are kept for later`() async throws {
        let upstream = try RawServer { connection in
            while true {
                _ = try connection.receive(until: "\r\n\r\n")
                try connection.send("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nhere")
            }
        }
        try await withEdge { edge in
            let run = try start(edge, to: upstream.port)
            for _ in 0..<4 { try await eventually("it serves") { try await ask(edge) == "here" } }
            run.runner.stop(drain: .seconds(600))
            try await eventually("the run has ended") { run.hasEnded }
        }
    }

    @Test func `what has not finished by the drain's end is cut`() async throws {
        let arrived = Counter()
        let upstream = try RawServer { connection in
            _ = try connection.receive(until: "\r\n\r\n")
            arrived.raise()
            _ = try connection.receiveRest()
        }
        try await withEdge { edge in
            let run = try start(edge, to: upstream.port)
            try await eventually("it is let in") { run.online == 1 }
            // Until it serves on every loop, others are told that nobody does.
            let asking = Task {
                try await eventually("an upstream has it") {
                    _ = try await ask(edge)
                    return arrived.value > 0
                }
            }
            try await eventually("the request has arrived") { arrived.value == 1 }
            run.runner.stop(drain: .milliseconds(200))
            #expect(await run.outcome() == nil)
            #expect(run.hasEnded)
            try await asking.value
        }
    }
}
