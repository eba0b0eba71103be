import CTerminal
import Glibc

/// A terminal that shows one screen of lines, and is given back as it was on every way out.
final class StatusTerminal {
    private static let enterBytes = "\u{1B}[?1049h\u{1B}[?25l"
    /// Colours off, cursor on, the ordinary screen.
    private static let leaveBytes = "\u{1B}[0m\u{1B}[?25h\u{1B}[?1049l"
    /// How long the terminal may take nothing before a frame is given up, in milliseconds.
    private static let patience: Int32 = 100

    var unicode = true
    var color = true
    private let descriptor: Int32
    private let savedModes: termios
    private var isEntered = false
    /// What stands on the screen; `nil` when that is not known.
    private var shown: [String]?

    /// Opens the terminal anew, so that making it non-blocking does not touch what the shell shares.
    /// - Returns: `nil` when it is none.
    init?(path: String) {
        let descriptor = open(path, O_RDWR | O_NONBLOCK | O_NOCTTY | O_CLOEXEC)
        guard descriptor >= 0 else { return nil }
        var modes = termios()
        guard tcgetattr(descriptor, &modes) == 0 else {
            close(descriptor)
            return nil
        }
        self.descriptor = descriptor
        savedModes = modes
    }

    deinit {
        leave()
        close(descriptor)
    }

    /// Whether the locale draws more than ASCII, by the variables of POSIX in their order.
    static func isUnicode(_ environment: [String: String]) -> Bool {
        let locale = ["LC_ALL", "LC_CTYPE", "LANG"].lazy.compactMap { environment[$0] }.first { !$0.isEmpty } ?? ""
        let name = locale.lowercased()
        return name.contains("utf-8") || name.contains("utf8")
    }

    /// The window's size. Absurd values, as serial lines give, become 80x24.
    var size: (columns: Int, rows: Int) {
        var window = winsize()
        guard ioctl(descriptor, UInt(TIOCGWINSZ), &window) == 0, window.ws_col > 0, window.ws_row > 0 else {
            return (80, 24)
        }
        return (Int(window.ws_col), Int(window.ws_row))
    }

    /// Takes the terminal over. From here on a crash gives it back, too.
    func enter() {
        guard !isEntered else { return }
        isEntered = true
        var modes = savedModes
        let restore = Array(StatusTerminal.leaveBytes.utf8).map { CChar(bitPattern: $0) }
        terminal_arm_crash_restore(descriptor, &modes, restore, restore.count, -1, -1)
        quieten()
        shown = nil
        _ = send(StatusTerminal.enterBytes)
    }

    func leave() {
        guard isEntered else { return }
        isEntered = false
        // CAN ends a sequence that was cut in the middle of a frame (ECMA-48, 8.3.6).
        _ = send((shown == nil ? "\u{18}" : "") + StatusTerminal.leaveBytes)
        var modes = savedModes
        // What was typed meanwhile is no command for the shell.
        tcflush(descriptor, TCIFLUSH)
        tcsetattr(descriptor, TCSANOW, &modes)
        terminal_disarm_crash_restore()
    }

    /// Somebody else has stopped and continued us: modes and screen are theirs.
    func recover() {
        guard isEntered else { return }
        quieten()
        _ = send(StatusTerminal.enterBytes)
        shown = nil
    }

    func repaint() { shown = nil }

    /// Draws what has changed.
    func show(_ lines: [String]) {
        guard isEntered else { return }
        // Synchronised output: a terminal that knows it shows the frame in one go.
        var bytes = "\u{1B}[?2026h"
        let old = shown ?? []
        if shown == nil { bytes += "\u{18}\u{1B}[0m\u{1B}[2J" }
        var isChanged = shown == nil
        for row in 0..<max(lines.count, old.count) {
            let line = row < lines.count ? lines[row] : ""
            guard row >= old.count || old[row] != line else { continue }
            isChanged = true
            // Erased before it is drawn: after a full line the cursor's place differs between terminals.
            bytes += "\u{1B}[\(row + 1);1H\u{1B}[2K\(line)"
        }
        guard isChanged else { return }
        shown = send(bytes + "\u{1B}[?2026l") ? lines : nil
    }

    /// Keys are not echoed into the screen; those that send signals go on doing so.
    private func quieten() {
        var modes = savedModes
        modes.c_lflag &= ~tcflag_t(ECHO | ICANON)
        tcsetattr(descriptor, TCSANOW, &modes)
    }

    /// - Returns: `false` when the terminal did not take all of it in time.
    private func send(_ text: String) -> Bool {
        var bytes = Array(text.utf8)[...]
        while !bytes.isEmpty {
            let count = bytes.withUnsafeBytes { write(descriptor, $0.baseAddress, $0.count) }
            if count > 0 {
                bytes = bytes.dropFirst(count)
            } else if errno == EAGAIN {
                var entry = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
                guard poll(&entry, 1, StatusTerminal.patience) > 0, entry.revents & Int16(POLLOUT) != 0 else {
                    return false
                }
            } else if errno != EINTR {
                return false
            }
        }
        return true
    }
}
