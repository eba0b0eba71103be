import ConsoleKit
import Glibc

/// The terminal as a file: a description of our own, so that making it non-blocking does not touch the one that the
/// shell shares, and a queue for what it has not taken yet.
final class TerminalDevice {
    let descriptor: Int32
    /// The modes it had before us.
    let savedModes: termios

    private var queue: [UInt8] = []
    /// Bytes written since the start.
    private(set) var bytesWritten = 0
    /// The terminal is gone: EIO or end of file.
    private(set) var isGone = false

    /// - Throws: `TerminalFault` when there is no terminal.
    init() throws(TerminalFault) {
        let flags = O_RDWR | O_NONBLOCK | O_NOCTTY | O_CLOEXEC
        var descriptor = open("/dev/tty", flags)
        // Without a controlling terminal the one on standard output serves.
        if descriptor < 0, let name = ttyname(STDOUT_FILENO) { descriptor = open(name, flags) }
        guard descriptor >= 0 else { throw TerminalFault(message: "no terminal: \(String(cString: strerror(errno)))") }
        var modes = termios()
        guard tcgetattr(descriptor, &modes) == 0 else {
            close(descriptor)
            throw TerminalFault(message: "this is no terminal")
        }
        self.descriptor = descriptor
        savedModes = modes
    }

    deinit { close(descriptor) }

    /// Keys one by one, unechoed; ^C, ^S, ^Z and ^\ are keys like any other.
    func makeRaw() {
        var modes = savedModes
        cfmakeraw(&modes)
        tcsetattr(descriptor, TCSANOW, &modes)
    }

    /// Puts the modes back. Input that nobody has read is thrown away: answers of the terminal are no commands.
    func restoreModes() {
        var modes = savedModes
        // Not TCSAFLUSH, which waits for the output: a terminal that takes nothing would keep us for ever.
        tcflush(descriptor, TCIFLUSH)
        tcsetattr(descriptor, TCSANOW, &modes)
    }

    /// The window's size. Absurd values, as serial lines give, become 80x24.
    var size: Size {
        var window = winsize()
        guard ioctl(descriptor, UInt(TIOCGWINSZ), &window) == 0, window.ws_col > 0, window.ws_row > 0 else {
            return Size(columns: 80, rows: 24)
        }
        return Size(columns: min(Int(window.ws_col), 1000), rows: min(Int(window.ws_row), 500))
    }

    var hasQueue: Bool { !queue.isEmpty }

    func send(_ bytes: some Sequence<UInt8>) {
        queue.append(contentsOf: bytes)
        flush()
    }

    /// Gives the terminal what it will take now.
    func flush() {
        while !queue.isEmpty && !isGone {
            let count = write(descriptor, queue, queue.count)
            if count > 0 {
                bytesWritten += count
                queue.removeFirst(count)
            } else if errno == EAGAIN {
                return
            } else if errno != EINTR {
                isGone = true
            }
        }
    }

    /// What has been typed; empty when nothing has.
    func read() -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: 4096)
        let count = Glibc.read(descriptor, &bytes, bytes.count)
        if count == 0 || (count < 0 && errno != EAGAIN && errno != EINTR) { isGone = true }
        return Array(bytes.prefix(max(0, count)))
    }

    /// Sends the last bytes of the screen. What still waits of a frame is dropped, its torn sequence cancelled; a
    /// terminal that takes nothing is given up after `deadline` seconds.
    func sendLast(_ bytes: [UInt8], deadline seconds: Double) {
        // CAN ends a control sequence that was cut in the middle.
        queue = queue.isEmpty ? bytes : [0x18] + bytes
        let deadline = MonotonicClock.now + seconds
        flush()
        while !queue.isEmpty && !isGone {
            let left = deadline - MonotonicClock.now
            guard left > 0 else { break }
            var entry = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
            poll(&entry, 1, Int32(left * 1000) + 1)
            flush()
        }
        queue = []
    }
}

/// Why there is no screen.
struct TerminalFault: Error, CustomStringConvertible {
    var message: String
    var description: String { message }
}

/// Seconds on a clock that only moves forward and goes on while the machine sleeps.
enum MonotonicClock {
    static var now: Double {
        var time = timespec()
        clock_gettime(CLOCK_BOOTTIME, &time)
        return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
    }
}
