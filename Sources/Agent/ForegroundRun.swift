import CTerminal
import Glibc
import SelvageAgent

/// The running program: the transport on its own threads, and here one thread that waits for signals and events, and
/// shows what happens.
final class ForegroundRun {
    enum Display {
        case screen(StatusTerminal)
        case plain
        case json
    }

    enum Ending: Equatable {
        case status(ExitStatus)
        /// By a second signal of that number: the transport has not ended.
        case cut(Int32)
    }

    /// How long open connections may take to finish.
    static let drain = Duration.seconds(30)
    /// Between two frames of the screen, in milliseconds.
    private static let frame: Int32 = 250

    private let runner: any AgentRunner
    private let settings: AgentSettings
    private let tunnels: [TunnelSpec]
    private let display: Display
    private let signals: Int32
    private let output: Output
    private let inbox: EventInbox
    private var isStopping = false

    /// - Parameters:
    ///   - detailed: whether each connection gets a line.
    ///   - signals: of `terminal_signal_descriptor`.
    init(
        _ runner: any AgentRunner, _ settings: AgentSettings, _ tunnels: [TunnelSpec], display: Display,
        detailed: Bool, signals: Int32, output: Output = Output()
    ) {
        self.runner = runner
        self.settings = settings
        self.tunnels = tunnels
        self.display = display
        self.signals = signals
        self.output = output
        let hasLines = if case .screen = display { false } else { true }
        inbox = EventInbox(AgentModel(settings: settings, tunnels: tunnels, now: Clock.now)) { event in
            hasLines && (detailed || !LogLine.isDetail(event))
        }
    }

    /// Until the transport has ended. The terminal is given back before anything else is said.
    func run() -> Ending {
        Task.detached { [runner, settings, tunnels, inbox] in
            do throws(AgentFailure) {
                try await runner.run(settings, tunnels) { inbox.put($0) }
                inbox.finish(.success(()))
            } catch {
                inbox.finish(.failure(error))
            }
        }
        if case .screen(let terminal) = display { terminal.enter() }
        let ending = follow()
        if case .screen(let terminal) = display { terminal.leave() }
        guard let outcome = ending.outcome else {
            output.error("\(AgentVersion.name): stopped at once")
            return .cut(ending.signal)
        }
        switch outcome {
        case .success: return .status(.stopped)
        case .failure(let failure):
            output.error("\(AgentVersion.name): \(failure.description)")
            if case .refused = failure { return .status(.refused) }
            return .status(.failed)
        }
    }

    /// - Returns: how the transport ended, or the signal that did not wait for it.
    private func follow() -> (outcome: Result<Void, AgentFailure>?, signal: Int32) {
        while true {
            var entries = [
                pollfd(fd: signals, events: Int16(POLLIN), revents: 0),
                pollfd(fd: inbox.descriptor, events: Int16(POLLIN), revents: 0),
            ]
            let isScreen = if case .screen = display { true } else { false }
            poll(&entries, nfds_t(entries.count), isScreen ? ForegroundRun.frame : -1)
            while true {
                let number = terminal_next_signal(signals)
                guard number > 0 else { break }
                if take(signal: number) { return (nil, number) }
            }
            let (lines, dropped, outcome) = inbox.take()
            show(lines, dropped)
            if let outcome { return (outcome, 0) }
        }
    }

    private func show(_ entries: [EventInbox.Entry], _ dropped: Int) {
        switch display {
        case .screen(let terminal):
            let size = terminal.size
            let screen = StatusScreen(
                columns: size.columns, rows: size.rows, unicode: terminal.unicode, color: terminal.color)
            terminal.show(screen.lines(inbox.model, now: Clock.now))
        case .plain: for entry in entries { output.line(LogLine.plain(entry.event, time: entry.time)) }
        case .json: for entry in entries { output.line(LogLine.json(entry.event, time: entry.time)) }
        }
        if dropped > 0 { output.error("\(AgentVersion.name): \(dropped) lines were dropped: nobody read them") }
    }

    /// - Returns: whether to end at once.
    private func take(signal number: Int32) -> Bool {
        switch number {
        case SIGWINCH: if case .screen(let terminal) = display { terminal.repaint() }
        case SIGCONT: if case .screen(let terminal) = display { terminal.recover() }
        case SIGTSTP:
            if case .screen(let terminal) = display { terminal.leave() }
            terminal_stop_group()
            if case .screen(let terminal) = display { terminal.enter() }
        default:
            // Once lets open connections finish; a second time does not.
            if isStopping { return true }
            isStopping = true
            runner.stop(drain: ForegroundRun.drain)
        }
        return false
    }
}
