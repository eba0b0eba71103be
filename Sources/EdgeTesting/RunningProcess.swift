import CLinux
import Foundation
public import Glibc
import Synchronization

/// A program that runs beside the test, in a process group of its own that is killed with this value.
///
/// Spawned without Foundation's `Process`, which crashes in a program that has many descriptors open, passes on the
/// signals that its thread blocks, and takes a program for running as long as a child of it lives.
public final class RunningProcess: Sendable {
    public let pid: pid_t
    private let folder: ScratchFolder
    /// What `waitpid` said; `nil` while it runs.
    private let ended = Mutex<Int32?>(nil)

    /// - Parameters:
    ///   - arguments: the program, looked for in `PATH`, and what it is told.
    ///   - input: what it can read; nothing by default.
    public init(_ arguments: [String], input: String? = nil) throws {
        folder = try ScratchFolder()
        if let input { try Data(input.utf8).write(to: URL(fileURLWithPath: folder.path + "/in")) }
        pid = try RunningProcess.spawn(arguments, input == nil ? "/dev/null" : folder.path + "/in", folder.path)
    }

    private static func spawn(_ arguments: [String], _ input: String, _ folder: String) throws -> pid_t {
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_addopen(&actions, 0, input, O_RDONLY, 0)
        // Into files rather than pipes, which would have to be emptied while the program runs.
        posix_spawn_file_actions_addopen(&actions, 1, folder + "/out", O_WRONLY | O_CREAT | O_APPEND, 0o600)
        posix_spawn_file_actions_addopen(&actions, 2, folder + "/err", O_WRONLY | O_CREAT | O_APPEND, 0o600)
        // What other tests have open at this moment must not stay open because this program lives.
        posix_spawn_file_actions_addclosefrom_np(&actions, 3)
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
        guard status == 0 else { throw CommandFailure("\(arguments[0]): \(String(cString: strerror(status)))") }
        return child
    }

    deinit { kill() }

    public var isRunning: Bool { take(WNOHANG) == nil }
    /// Of an ended program; the signal's number if it died of one; -1 while it runs.
    public var status: Int32 { take(WNOHANG).map { $0 & 0x7F == 0 ? $0 >> 8 & 0xFF : $0 & 0x7F } ?? -1 }
    public var output: String { text("out") }
    public var errors: String { text("err") }

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
    public func kill() {
        let isRunning = isRunning
        Glibc.kill(-pid, SIGKILL)
        if isRunning { _ = take(0) }
    }

    public func signal(_ number: Int32) { if isRunning { Glibc.kill(pid, number) } }
}

/// A folder that is gone after the test.
public final class ScratchFolder: Sendable {
    public let path: String

    public init() throws {
        // Short, because a Unix socket's path holds 107 bytes.
        path = "/tmp/selvage-e2e-\(UUID().uuidString.prefix(8))"
        try FileManager.default.createDirectory(
            atPath: path, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }
}
