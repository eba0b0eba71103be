import CTerminal
import ConsoleKit
import Glibc

/// The screen's life: one thread that waits for keys, signals, the server and the time, tells the `App`, and does
/// what it answers.
final class ConsoleSession {
    /// How the session ended.
    enum Ending: Equatable {
        case quit
        /// To be died by, once the terminal is restored.
        case signal(Int32)
    }

    /// Frames for data come at most this often, in seconds; after a key at once.
    private static let dataSpacing = 0.25
    /// How often the App is told the time, in seconds.
    private static let beat = 0.25

    private var app: App
    private let screen: TerminalScreen
    private let link: AdminLink
    private let themes: ThemeLibrary
    private let signals: Int32

    private var ending: Ending?
    private var isDirty = true
    private var isUrgent = true
    private var lastFrame = -Double.infinity
    private var nextBeat = 0.0
    private var toldDelay: Double?

    init(app: App, screen: TerminalScreen, link: AdminLink, themes: ThemeLibrary, signals: Int32) {
        self.app = app
        self.screen = screen
        self.link = link
        self.themes = themes
        self.signals = signals
    }

    /// A theme that could not be read before the session began.
    func report(themeFault: String) { perform(app.receive(.themeFault(themeFault), now: MonotonicClock.now)) }

    /// Runs until the operator leaves or a signal ends it; the terminal is restored then.
    func run() -> Ending {
        let start = MonotonicClock.now
        screen.enter(now: start)
        defer { screen.leave() }
        perform(app.start(now: start))
        while true {
            if let ending { return ending }
            let now = MonotonicClock.now
            paintIfDue(now: now)
            #if DEBUG
                PlantedCrash.strike(after: lastFrame)
            #endif
            let readiness = wait(now: now)
            react(readiness, now: MonotonicClock.now)
        }
    }

    // MARK: Waiting

    private struct Readiness {
        var keyboard: Int16
        var signals: Int16
    }

    private func wait(now: Double) -> Readiness {
        var deadline = min(screen.deadline, link.deadline, nextBeat)
        if isDirty && !screen.device.hasQueue { deadline = min(deadline, frameTime) }
        let keyboardInterest = Int16(screen.device.hasQueue ? POLLIN | POLLOUT : POLLIN)
        var entries = [
            pollfd(fd: screen.device.descriptor, events: keyboardInterest, revents: 0),
            pollfd(fd: signals, events: Int16(POLLIN), revents: 0),
        ]
        entries += link.pollEntries
        // Rounded up, so that the loop does not spin through the last millisecond; at most a second.
        let milliseconds = min(max(((deadline - now) * 1000).rounded(.up), 0), 1000)
        poll(&entries, nfds_t(entries.count), Int32(milliseconds))
        return Readiness(keyboard: entries[0].revents, signals: entries[1].revents)
    }

    private func react(_ readiness: Readiness, now: Double) {
        if readiness.signals != 0 { readSignals() }
        if readiness.keyboard & Int16(POLLOUT) != 0 { screen.device.flush() }
        if readiness.keyboard & Int16(POLLIN | POLLHUP | POLLERR) != 0 { press(screen.keys(now: now), now: now) }
        // The terminal is gone, as after SIGHUP: nobody is there to restore it for.
        if screen.device.isGone { ending = ending ?? .signal(SIGHUP) }
        press(screen.advance(now: now), now: now)
        for message in link.advance(now: now) { tell(message, now: now) }
        tellDelay(now: now)
        if now >= nextBeat {
            nextBeat = now + Self.beat
            perform(app.advance(now: now))
            isDirty = true
        }
    }

    private func readSignals() {
        while ending == nil {
            switch terminal_next_signal(signals) {
            case 0: return
            case SIGWINCH:
                screen.followSize()
                press([.resize], now: MonotonicClock.now)
            case SIGCONT: recover()
            case SIGTSTP: suspend()
            case let number: ending = .signal(number)
            }
        }
    }

    // MARK: Telling the App

    private func press(_ keys: [Key], now: Double) {
        for key in keys where ending == nil {
            isDirty = true
            isUrgent = true
            perform(app.handle(key, now: now))
        }
    }

    private func tell(_ message: Message, now: Double) {
        isDirty = true
        if case .linkLost = message { isUrgent = true }
        perform(app.receive(message, now: now))
    }

    private func tellDelay(now: Double) {
        // Told in steps of 10 ms, so that the figure does not flicker.
        let delay = screen.pacer.roundTrip.map { ($0 * 100).rounded(.up) / 100 }
        guard toldDelay != delay else { return }
        toldDelay = delay
        perform(app.receive(.terminalDelay(screen.pacer.roundTrip), now: now))
        isDirty = true
    }

    // MARK: Doing what it says

    private func perform(_ effects: [Effect]) {
        for effect in effects {
            let now = MonotonicClock.now
            switch effect {
            case .send(let request, let tag): link.send(request, tag: tag, now: now)
            case .openStream: link.openStream(now: now)
            case .copy(let text): screen.copy(text)
            case .bell: screen.ring()
            case .suspend: suspend()
            case .repaint: repaint()
            case .setTheme(let name): setTheme(name)
            case .quit: ending = ending ?? .quit
            }
        }
    }

    private func suspend() {
        screen.suspend()
        // The continuation that ended the stop is not to be taken for somebody else's.
        while case let number = terminal_next_signal(signals), number != 0 {
            if number != SIGCONT && number != SIGTSTP && number != SIGWINCH { ending = .signal(number) }
        }
        repaint()
    }

    private func recover() {
        screen.recover()
        repaint()
    }

    private func repaint() {
        screen.repaint()
        isDirty = true
        isUrgent = true
    }

    private func setTheme(_ name: String) {
        do {
            screen.use(try themes.theme(named: name))
            repaint()
        } catch {
            perform(app.receive(.themeFault("\(name): \(error)"), now: MonotonicClock.now))
        }
    }

    // MARK: Painting

    /// When the next frame is due: after the one before it has arrived, and not too often.
    private var frameTime: Double {
        max(screen.pacer.earliestFrame, isUrgent ? -.infinity : lastFrame + Self.dataSpacing)
    }

    private func paintIfDue(now: Double) {
        guard isDirty, !screen.device.hasQueue, frameTime <= now else { return }
        isDirty = false
        isUrgent = false
        lastFrame = now
        screen.show(app.render(size: screen.size, glyphs: screen.glyphs), now: now)
    }
}

#if DEBUG
    /// A trap on demand, for the test that a crash gives the terminal back with the message readable.
    private enum PlantedCrash {
        private static let isWanted = getenv("SELVAGE_TEST_CRASH").map { String(cString: $0) } == "trap"

        static func strike(after lastFrame: Double) {
            guard isWanted, lastFrame > 0 else { return }
            let nothing: [Int] = []
            _ = nothing[isWanted ? 1 : 0]
        }
    }
#endif
