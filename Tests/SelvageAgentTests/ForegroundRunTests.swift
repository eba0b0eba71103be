import CVterm
import EdgeTesting
import Foundation
import Glibc
import SelvageAgent
import Synchronization
import Testing

@testable import Agent

/// A transport that tells what it is told to tell, and ends when it is stopped.
private final class ScriptedRunner: AgentRunner {
    let stops = Mutex<[Duration]>([])
    private let events: [AgentEvent]
    private let failure: AgentFailure?
    private let ended = AsyncStream.makeStream(of: Void.self)

    init(_ events: [AgentEvent], failure: AgentFailure? = nil) {
        self.events = events
        self.failure = failure
    }

    func run(
        _ settings: AgentSettings, _ tunnels: [TunnelSpec], events tell: @escaping @Sendable (AgentEvent) -> Void
    ) async throws(AgentFailure) {
        for event in events { tell(event) }
        if let failure { throw failure }
        for await _ in ended.stream {}
        tell(.stopped)
    }

    func stop(drain: Duration) {
        stops.withLock { $0.append(drain) }
        // One that drains for ever is what a second signal is for.
        if !events.contains(.draining(open: 1)) { ended.continuation.finish() }
    }
}

/// Signals as the program reads them, without sending any to the tests.
private final class SignalPipe: Sendable {
    let readEnd: Int32
    private let writeEnd: Int32

    init() throws {
        var ends: [Int32] = [0, 0]
        try #require(pipe(&ends) == 0)
        for end in ends { _ = fcntl(end, F_SETFL, O_NONBLOCK) }
        readEnd = ends[0]
        writeEnd = ends[1]
    }

    deinit {
        close(readEnd)
        close(writeEnd)
    }

    /// signalfd(2): a record of 128 bytes that begins with the number.
    func send(_ number: Int32) {
        var record = [UInt8](repeating: 0, count: 128)
        record[0] = UInt8(number)
        write(writeEnd, record, record.count)
    }
}

/// A terminal's two ends.
private final class PseudoTerminal: Sendable {
    let controller: Int32
    let path: String
    private let line: Int32
    private let bytes = Mutex<[UInt8]>([])

    init(columns: UInt16, rows: UInt16) throws {
        var controller: Int32 = -1
        var line: Int32 = -1
        try #require(cv_open(Int32(rows), Int32(columns), &controller, &line) == 0)
        _ = fcntl(controller, F_SETFL, O_NONBLOCK)
        self.controller = controller
        self.line = line
        path = String(cString: try #require(ttyname(line)))
    }

    deinit {
        close(controller)
        close(line)
    }

    func resize(columns: UInt16, rows: UInt16) {
        var window = winsize(ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0)
        _ = ioctl(line, UInt(TIOCSWINSZ), &window)
    }

    var localModes: tcflag_t {
        var modes = termios()
        tcgetattr(line, &modes)
        return modes.c_lflag
    }

    /// Everything that was drawn so far.
    var transcript: String {
        var chunk = [UInt8](repeating: 0, count: 65_536)
        return bytes.withLock { bytes in
            while true {
                let count = read(controller, &chunk, chunk.count)
                guard count > 0 else { break }
                bytes += chunk.prefix(count)
            }
            return String(decoding: bytes, as: UTF8.self)
        }
    }
}

/// The program's run on a thread of its own, and what it said.
private final class StartedRun: Sendable {
    private let said = Mutex<(lines: [String], errors: [String], ending: ForegroundRun.Ending?)>(([], [], nil))

    init(
        _ runner: ScriptedRunner, _ signals: SignalPipe, terminal: PseudoTerminal? = nil, json: Bool = false,
        detailed: Bool = false
    ) throws {
        let settings = AgentSettings(server: try ServerAddress("edge.example"), authtoken: try Authtoken("t0ken"))
        let spec = TunnelSpec(name: "web", kind: .labelled(["a": "b"]), upstream: try UpstreamAddress("80"))
        let path = terminal?.path
        try startThread { [self] in
            let screen = path.flatMap { StatusTerminal(path: $0) }
            let output = Output(
                line: { line in self.said.withLock { $0.lines.append(line) } },
                error: { line in self.said.withLock { $0.errors.append(line) } })
            let run = ForegroundRun(
                runner, settings, [spec], display: screen.map { .screen($0) } ?? (json ? .json : .plain),
                detailed: detailed, signals: signals.readEnd, output: output)
            let ending = run.run()
            said.withLock { $0.ending = ending }
        }
    }

    var lines: [String] { said.withLock { $0.lines } }
    var errors: [String] { said.withLock { $0.errors } }
    var ending: ForegroundRun.Ending? { said.withLock { $0.ending } }

    func end() async throws -> ForegroundRun.Ending {
        try await eventually("the run ends") { self.ending != nil }
        return try #require(ending)
    }
}

@Suite struct ForegroundRunTests {
    private static let online = AgentEvent.tunnelOnline(
        session: 0, name: "web", place: .url("https://w.example"), id: "tn_1")

    @Test func `without a terminal every event is a line, and details only when asked for`() async throws {
        let events: [AgentEvent] = [Self.online, .connectionOpened(tunnel: "web", client: "c")]
        for detailed in [false, true] {
            let signals = try SignalPipe()
            let run = try StartedRun(ScriptedRunner(events), signals, detailed: detailed)
            try await eventually("the lines come") { run.lines.count >= (detailed ? 2 : 1) }
            signals.send(SIGTERM)
            #expect(try await run.end() == .status(.stopped))
            let names = run.lines.map { $0.split(separator: " ")[1] }
            #expect(
                names == (detailed ? ["tunnel_online", "connection_opened", "stopped"] : ["tunnel_online", "stopped"]))
            #expect(run.lines.allSatisfy { !$0.contains("\u{1B}") })
        }
    }

    @Test func `as JSON every line is an object`() async throws {
        let signals = try SignalPipe()
        let run = try StartedRun(ScriptedRunner([Self.online]), signals, json: true)
        signals.send(SIGINT)
        _ = try await run.end()
        #expect(run.lines.count == 2)
        #expect(run.lines.allSatisfy { $0.hasPrefix("{") && $0.hasSuffix("}") })
    }

    @Test func `the first signal drains, the second ends at once`() async throws {
        let signals = try SignalPipe()
        let runner = ScriptedRunner([.draining(open: 1)])
        let run = try StartedRun(runner, signals)
        signals.send(SIGTERM)
        try await eventually("the drain begins") { runner.stops.withLock { $0 } == [ForegroundRun.drain] }
        #expect(run.ending == nil)
        signals.send(SIGINT)
        #expect(try await run.end() == .cut(SIGINT))
        #expect(runner.stops.withLock { $0.count } == 1)
        #expect(run.errors == ["selvage-agent: stopped at once"])
    }

    @Test func `a refused authtoken ends with its own status, and says why`() async throws {
        let refusal = AgentFailure.refused(code: "ERR_NGROK_107", text: "not valid")
        let run = try StartedRun(ScriptedRunner([], failure: refusal), try SignalPipe())
        #expect(try await run.end() == .status(.refused))
        #expect(run.errors == ["selvage-agent: not valid (ERR_NGROK_107)"])
        let other = try StartedRun(ScriptedRunner([], failure: .cannotRun("no loop")), try SignalPipe())
        #expect(try await other.end() == .status(.failed))
    }

    @Test func `the terminal is taken over, follows its size, and is given back as it was`() async throws {
        let terminal = try PseudoTerminal(columns: 80, rows: 24)
        let before = terminal.localModes
        let signals = try SignalPipe()
        let run = try StartedRun(ScriptedRunner([Self.online]), signals, terminal: terminal)
        try await eventually("the screen is drawn") { terminal.transcript.contains("https://w.example") }
        #expect(terminal.transcript.hasPrefix("\u{1B}[?1049h\u{1B}[?25l"))
        #expect(terminal.localModes & tcflag_t(ECHO | ICANON) == 0)
        #expect(terminal.localModes & tcflag_t(ISIG) != 0)
        let drawn = terminal.transcript.count
        terminal.resize(columns: 40, rows: 12)
        signals.send(SIGWINCH)
        try await eventually("the screen is drawn anew") {
            terminal.transcript.dropFirst(drawn).contains("\u{1B}[2J")
        }
        signals.send(SIGTERM)
        #expect(try await run.end() == .status(.stopped))
        #expect(terminal.transcript.hasSuffix("\u{1B}[0m\u{1B}[?25h\u{1B}[?1049l"))
        #expect(terminal.localModes == before)
        #expect(run.lines.isEmpty)
    }

    @Test func `the terminal is given back before a failure is told`() async throws {
        let terminal = try PseudoTerminal(columns: 80, rows: 24)
        let run = try StartedRun(
            ScriptedRunner([], failure: .refused(code: "", text: "no")), try SignalPipe(), terminal: terminal)
        #expect(try await run.end() == .status(.refused))
        #expect(terminal.transcript.hasSuffix("\u{1B}[?1049l"))
        #expect(run.errors == ["selvage-agent: no"])
    }

    @Test func `lines that nobody takes are bounded, and those that are lost are counted`() throws {
        let settings = AgentSettings(server: try ServerAddress("edge.example"), authtoken: try Authtoken("t0ken"))
        let inbox = EventInbox(AgentModel(settings: settings, tunnels: [], now: 0)) { _ in true }
        for _ in 0..<EventInbox.capacity + 7 { inbox.put(.retrying(session: 0, seconds: 1)) }
        let (entries, dropped, _) = inbox.take()
        #expect(entries.count == EventInbox.capacity)
        #expect(dropped == 7)
        #expect(inbox.take().entries.isEmpty)
    }
}
