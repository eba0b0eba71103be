import CVterm
import Foundation
import Testing

/// The real program in a virtual terminal, in front of a scripted server. Everything happens on the test's thread:
/// waiting is driving the terminal and the server until a condition holds.
final class ConsoleRun {
    let terminal: VirtualTerminal
    let server: ScriptedServer
    let process: pid_t
    /// The line's modes before the program ran.
    let modesBefore: [UInt32]
    private let folder: String
    private var status: Int32?

    /// - Parameters:
    ///   - environment: beside a plain one (TERM=xterm-256color, LANG=C.UTF-8); an empty value takes a name away.
    ///   - command: what to run instead of the program itself.
    init(
        columns: Int = 80, rows: Int = 24, temper: VirtualTerminal.Temper = .prompt, arguments: [String] = [],
        environment: [String: String] = [:], command: [String]? = nil
    ) throws {
        folder = NSTemporaryDirectory() + "selvage-" + UUID().uuidString.prefix(8)
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        server = try ScriptedServer(path: "\(folder)/admin.sock")
        terminal = try VirtualTerminal(columns: columns, rows: rows, temper: temper)
        modesBefore = terminal.modes
        var variables = [
            "TERM": "xterm-256color", "LANG": "C.UTF-8", "PATH": "/usr/bin:/bin", "HOME": folder,
            "SWIFT_BACKTRACE": "enable=no",
        ]
        variables.merge(environment) { $1 }
        let words = try command ?? [Self.program(), "--socket", server.path] + arguments
        let argv: [UnsafeMutablePointer<CChar>?] = words.map { strdup($0) } + [nil]
        let envp: [UnsafeMutablePointer<CChar>?] =
            variables.filter { !$0.value.isEmpty }.map { strdup("\($0.key)=\($0.value)") } + [nil]
        defer { (argv + envp).forEach { free($0) } }
        process = cv_spawn(words[0], argv, envp, terminal.line)
        guard process > 0 else { throw Failure("cannot run \(words[0])") }
    }

    deinit {
        if status == nil {
            kill(process, SIGKILL)
            waitpid(process, &childStatus, 0)
        }
        try? FileManager.default.removeItem(atPath: folder)
    }

    private var childStatus: Int32 = 0

    /// The program as this build made it: beside the tests' own bundle.
    static func program() throws -> String {
        var directory = URL(fileURLWithPath: CommandLine.arguments[0]).deletingLastPathComponent()
        for _ in 0..<6 {
            let path = directory.appendingPathComponent("selvage").path
            if FileManager.default.isExecutableFile(atPath: path) { return path }
            let debug = directory.appendingPathComponent(".build/debug/selvage").path
            if FileManager.default.isExecutableFile(atPath: debug) { return debug }
            directory = directory.deletingLastPathComponent()
        }
        throw Failure("the program selvage is not built")
    }

    /// Drives everything until `condition` holds.
    /// - Throws: `Failure` with the screen when it does not within `seconds`.
    func wait(_ what: String, seconds: Double = 60, until condition: () -> Bool) throws {
        let deadline = VirtualTerminal.now + seconds
        while true {
            step()
            if condition() { return }
            guard VirtualTerminal.now < deadline else {
                throw Failure("waited \(seconds) s for \(what); the screen:\n\(terminal.text)")
            }
        }
    }

    /// Drives everything for a time that is measured, not hoped for: for counting bytes.
    func drive(seconds: Double) {
        let end = VirtualTerminal.now + seconds
        while VirtualTerminal.now < end { step() }
    }

    /// Waits until the program has read what was typed and drawn what follows from it: it sleeps, and has written
    /// nothing for longer than it takes to pace its frames. One that the machine gives no time to does not sleep.
    func settle(seconds: Double = 60) throws {
        var since = VirtualTerminal.now
        var drawn = terminal.bytesReceived
        try wait("the program to rest", seconds: seconds) {
            if terminal.bytesReceived != drawn || terminal.unreadInput > 0 || !isAsleep {
                since = VirtualTerminal.now
                drawn = terminal.bytesReceived
            }
            return VirtualTerminal.now - since >= 0.08
        }
    }

    /// proc(5): the state follows the name, which stands in parentheses.
    private var isAsleep: Bool {
        let facts = try? String(contentsOfFile: "/proc/\(process)/stat", encoding: .utf8)
        return facts?.split(separator: ")").last?.hasPrefix(" S") == true
    }

    func wait(for text: String, seconds: Double = 60) throws {
        try wait("“\(text)”", seconds: seconds) { terminal.text.contains(text) }
    }

    /// Waits for the program to end.
    /// - Returns: its exit code, or 128 and the signal that ended it.
    func exitCode(seconds: Double = 60) throws -> Int32 {
        try wait("the program's end", seconds: seconds) {
            if status == nil, waitpid(process, &childStatus, WNOHANG) == process { status = childStatus }
            return status != nil
        }
        // What it said last is still in the line.
        step()
        let ended = status ?? 0
        return ended & 0x7F == 0 ? (ended >> 8) & 0xFF : 128 + (ended & 0x7F)
    }

    /// The terminal is as the program found it.
    func expectRestored(_ location: SourceLocation = #_sourceLocation) {
        #expect(terminal.modes == modesBefore, "modes", sourceLocation: location)
        #expect(!terminal.isOnAlternateScreen, "alternate screen", sourceLocation: location)
        #expect(terminal.isCursorVisible, "cursor", sourceLocation: location)
    }

    private func step() {
        var entries = server.pollEntries + [pollfd(fd: terminal.controller, events: Int16(POLLIN), revents: 0)]
        // A hang-up of the line would be reported for ever; then only time drives.
        if poll(&entries, nfds_t(entries.count), 10) > 0, entries.last?.revents == Int16(POLLHUP) { usleep(5000) }
        // What a slow line does not take yet would be reported at once, again and again.
        if case .slow = terminal.temper { usleep(2000) }
        server.service()
        terminal.service()
    }
}
