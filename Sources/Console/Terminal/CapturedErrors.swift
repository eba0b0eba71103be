import CTerminal
import Glibc

/// Standard error while the screen is up: what is written there would tear it, so it goes to memory and is replayed
/// when the screen is left.
struct CapturedErrors {
    /// Where the text is kept, and where standard error went before; both close-on-exec.
    let memory: Int32
    let original: Int32

    /// Longest text that is replayed, in bytes, counted from its end.
    static let longestReplay = 65_536

    /// Begins to capture. Does nothing, and returns `nil`, when standard error is no terminal: then it goes to a file
    /// or a pipe, and belongs there.
    static func begin() -> CapturedErrors? {
        guard isatty(STDERR_FILENO) == 1 else { return nil }
        let memory = terminal_memory_file("selvage-stderr")
        guard memory >= 0 else { return nil }
        let original = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3)
        guard original >= 0, dup2(memory, STDERR_FILENO) >= 0 else {
            close(memory)
            return nil
        }
        return CapturedErrors(memory: memory, original: original)
    }

    /// Ends the capture and writes what was said meanwhile to where it belongs.
    func end() {
        dup2(original, STDERR_FILENO)
        let length = Int(lseek(memory, 0, SEEK_CUR))
        var text = [UInt8](repeating: 0, count: min(max(length, 0), Self.longestReplay))
        let count = pread(memory, &text, text.count, off_t(max(0, length - text.count)))
        if count > 0 { _ = write(STDERR_FILENO, text, count) }
        close(memory)
        close(original)
    }
}
