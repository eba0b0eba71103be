import Foundation
import Glibc
import Synchronization

/// A program run to its end.
struct Command {
    var status: Int32
    var output: String
    var errors: String

    /// - Parameter seconds: after this long it is killed, and the test fails.
    @discardableResult
    static func run(_ arguments: [String], seconds: Double = 30) throws -> Command {
        let process = try RunningProcess(arguments)
        try EndToEnd.wait(seconds, for: arguments.joined(separator: " ") + " to end") { !process.isRunning }
        return Command(status: process.status, output: process.output, errors: process.errors)
    }
}

/// A program that runs beside the test, in a process group of its own that is killed with this value.
///
/// Spawned without Foundation's `Process`, which passes on the signals that its thread blocks, and takes a program for
/// running as long as a child of it lives.
final class RunningProcess: Sendable {
    let pid: pid_t
    private let folder: ScratchFolder
    /// What `waitpid` said; `nil` while it runs.
    private let ended = Mutex<Int32?>(nil)

    init(_ arguments: [String]) throws {
        folder = try ScratchFolder()
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
        // Into files rather than pipes, which would have to be emptied while the program runs.
        posix_spawn_file_actions_addopen(&actions, 1, folder.path + "/out", O_WRONLY | O_CREAT | O_APPEND, 0o600)
        posix_spawn_file_actions_addopen(&actions, 2, folder.path + "/err", O_WRONLY | O_CREAT | O_APPEND, 0o600)
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        var none = sigset_t()
        sigemptyset(&none)
        posix_spawnattr_setsigmask(&attributes, &none)
        posix_spawnattr_setpgroup(&attributes, 0)
        posix_spawnattr_setflags(&attributes, Int16(Int32(POSIX_SPAWN_SETSIGMASK) | Int32(POSIX_SPAWN_SETPGROUP)))
        var argv: [UnsafeMutablePointer<CChar>?] = arguments.map { strdup($0) } + [nil]
        defer { argv.forEach { free($0) } }
        let inherited = ProcessInfo.processInfo.environment.filter { $0.key != "SWIFT_BACKTRACE" }
        let environment = inherited.map { "\($0.key)=\($0.value)" } + ["SWIFT_BACKTRACE=enable=no"]
        var envp: [UnsafeMutablePointer<CChar>?] = environment.map { strdup($0) } + [nil]
        defer { envp.forEach { free($0) } }
        var child: pid_t = 0
        let status = posix_spawnp(&child, arguments[0], &actions, &attributes, &argv, &envp)
        guard status == 0 else { throw EndToEndFailure("\(arguments[0]): \(String(cString: strerror(status)))") }
        pid = child
    }

    deinit { kill() }

    var isRunning: Bool { take(WNOHANG) == nil }
    /// Of an ended program; the signal's number if it died of one.
    var status: Int32 { take(WNOHANG).map { $0 & 0x7F == 0 ? $0 >> 8 & 0xFF : $0 & 0x7F } ?? -1 }
    var output: String { text("out") }
    var errors: String { text("err") }

    private func take(_ options: Int32) -> Int32? {
        ended.withLock { ended in
            if ended == nil {
                var status: Int32 = 0
                if waitpid(pid, &status, options) == pid { ended = status }
            }
            return ended
        }
    }

    private func text(_ name: String) -> String {
        String(decoding: FileManager.default.contents(atPath: folder.path + "/" + name) ?? Data(), as: UTF8.self)
    }

    /// At once, as when the power fails; with its children.
    func kill() {
        let isRunning = isRunning
        Glibc.kill(-pid, SIGKILL)
        if isRunning { _ = take(0) }
    }

    func signal(_ number: Int32) { if isRunning { Glibc.kill(pid, number) } }
}
