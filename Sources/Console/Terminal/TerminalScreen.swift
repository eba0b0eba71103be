import CTerminal
import ConsoleKit
import Glibc

/// The terminal as a screen: entered, painted frame by frame, left, and given back as it was on every way out.
final class TerminalScreen {
    /// How long the terminal may take to accept the bytes that leave the screen, in seconds.
    private static let leaveDeadline = 1.0
    /// Longest wait for answers that are still on their way when the screen is left: they would be typed into the
    /// shell.
    private static let answerDeadline = 0.5

    /// Asks the terminal for a sign of life.
    private static let question = Array("\u{1B}[5n".utf8)
    /// Synchronised output: a terminal that knows it shows the frame in one go.
    private static let frameBegin = Array("\u{1B}[?2026h".utf8)
    private static let frameEnd = Array("\u{1B}[?2026l".utf8)
    private static let pasteOn = Array("\u{1B}[?2004h".utf8)
    private static let pasteOff = Array("\u{1B}[?2004l".utf8)

    let device: TerminalDevice
    let glyphs: GlyphSet
    private let painter: Painter
    private var decoder: KeyDecoder
    private var captured: CapturedErrors?
    private var isEntered = false
    private(set) var pacer = FramePacer()

    /// - Throws: `TerminalFault` when there is no terminal, or none that can show a screen.
    init(profile: TerminalProfile, theme: Theme) throws(TerminalFault) {
        device = try TerminalDevice()
        let copy = fcntl(device.descriptor, F_DUPFD_CLOEXEC, 3)
        guard copy >= 0, let input = fdopen(copy, "r") else { throw TerminalFault(message: "no terminal to read") }
        var found: Painter?
        for candidate in profile.candidates where found == nil {
            found = Painter(candidate, theme: theme, size: device.size, input: input)
        }
        guard let found else {
            throw TerminalFault(message: "no description of the terminal \(profile.candidates.first?.name ?? "")")
        }
        painter = found
        glyphs = profile.glyphs
        decoder = KeyDecoder(capabilities: found.keyCapabilities, escapeDelay: profile.escapeDelay)
    }

    var depth: ColorDepth { painter.depth }
    var size: Size { device.size }

    /// Takes the terminal over. From here on a crash gives it back, too.
    func enter(now: Double) {
        guard !isEntered else { return }
        isEntered = true
        let captured = CapturedErrors.begin()
        self.captured = captured
        let restore = painter.crashRestore.map { CChar(bitPattern: $0) }
        var modes = device.savedModes
        terminal_arm_crash_restore(
            device.descriptor, &modes, restore, restore.count, captured?.memory ?? -1, captured?.original ?? -1)
        device.makeRaw()
        painter.resize(to: device.size)
        pacer = FramePacer()
        // Ahead of the first frame, so that its answer does not wait for the frame's bytes.
        device.send(Self.question + Self.pasteOn)
        pacer.didAsk(now: now)
    }

    /// Gives the terminal back as it was.
    func leave() {
        guard isEntered else { return }
        isEntered = false
        device.sendLast(Self.frameEnd + Self.pasteOff + painter.leave(), deadline: Self.leaveDeadline)
        collectAnswers()
        device.restoreModes()
        terminal_disarm_crash_restore()
        captured?.end()
        captured = nil
    }

    /// Stops the process group, and takes the terminal over again when it goes on.
    func suspend() {
        leave()
        terminal_stop_group()
        enter(now: MonotonicClock.now)
    }

    /// Somebody else has stopped and continued us: the modes and the screen are theirs.
    func recover() {
        guard isEntered else { return }
        device.makeRaw()
        device.send(Self.pasteOn)
        followSize()
    }

    func followSize() { painter.resize(to: device.size) }
    func repaint() { painter.invalidate() }
    func use(_ theme: Theme) { painter.use(theme) }

    /// Sends what has changed, in one piece.
    func show(_ canvas: Canvas, now: Double) {
        let bytes = painter.paint(canvas)
        guard !bytes.isEmpty else { return }
        device.send(Self.frameBegin + bytes + Self.frameEnd + Self.question)
        pacer.didSendFrame(now: now)
    }

    func ring() { device.send([0x07]) }

    /// Puts text into the terminal's clipboard (OSC 52). Terminals take about 74,000 bytes; longer text is left out.
    func copy(_ text: String) {
        let encoded = Base64.encode(Array(text.utf8))
        guard encoded.count <= 74_000 else { return }
        device.send(Array("\u{1B}]52;c;".utf8) + encoded + [0x07])
    }

    /// What has been typed since the last call.
    func keys(now: Double) -> [Key] {
        take(decoder.feed(device.read(), now: now), now: now)
    }

    /// Lets time pass: an Escape key that no sequence followed, and a terminal that does not answer.
    func advance(now: Double) -> [Key] {
        if pacer.advance(now: now) {
            device.send(Self.question)
            pacer.didAsk(now: now)
        }
        return take(decoder.expire(now: now), now: now)
    }

    /// When `advance` has something to decide.
    var deadline: Double { min(decoder.deadline ?? .infinity, pacer.deadline ?? .infinity) }

    private func take(_ inputs: [KeyDecoder.Input], now: Double) -> [Key] {
        var keys: [Key] = []
        for input in inputs {
            switch input {
            case .key(let key): keys.append(key)
            case .terminalAnswer: pacer.didReceiveAnswer(now: now)
            }
        }
        return keys
    }

    private func collectAnswers() {
        guard pacer.pace == .acknowledged else { return }
        let start = MonotonicClock.now
        let deadline = start + min(max(0.1, 2 * (pacer.roundTrip ?? 0)), Self.answerDeadline)
        while !pacer.asked.isEmpty && !device.isGone {
            let now = MonotonicClock.now
            guard now < deadline else { return }
            var entry = pollfd(fd: device.descriptor, events: Int16(POLLIN), revents: 0)
            poll(&entry, 1, Int32((deadline - now) * 1000) + 1)
            _ = keys(now: MonotonicClock.now)
        }
    }
}

/// Base64 (RFC 4648, section 4).
enum Base64 {
    private static let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)

    static func encode(_ bytes: [UInt8]) -> [UInt8] {
        var result: [UInt8] = []
        for start in stride(from: 0, to: bytes.count, by: 3) {
            let group = bytes[start..<min(start + 3, bytes.count)]
            let value = group.reduce(0) { $0 << 8 | Int($1) } << (8 * (3 - group.count))
            for place in 0..<4 {
                let isFilled = place <= group.count
                result.append(isFilled ? alphabet[value >> (18 - 6 * place) & 63] : UInt8(ascii: "="))
            }
        }
        return result
    }
}
