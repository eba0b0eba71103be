import Foundation
import Glibc

/// A program that the demo has started, and that does not outlive it.
struct ChildProcess {
    let name: String
    let pid: pid_t

    /// Where the programs of this build are.
    static var binaries: String {
        let path = try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")
        return path.map { ($0 as NSString).deletingLastPathComponent } ?? "."
    }

    /// Starts a program in a process group of its own, so that keys at the terminal do not reach it.
    ///
    /// Called on the main thread: the kernel ends the child when the *thread* that started it ends.
    init(_ name: String, _ arguments: [String], log: String) throws(DemoFailure) {
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
        posix_spawn_file_actions_addopen(&actions, 1, log, O_WRONLY | O_CREAT | O_APPEND, 0o600)
        posix_spawn_file_actions_adddup2(&actions, 1, 2)
        let trampoline = ChildProcess.binaries + "/selvage-demo"
        let argv = [trampoline, "child", "\(getpid())"] + arguments
        pid = try ChildProcess.spawn(argv, actions: &actions, group: 0)
        self.name = name
    }

    /// Starts a program on this terminal, in this process group.
    init(onTerminal name: String, _ arguments: [String]) throws(DemoFailure) {
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        pid = try ChildProcess.spawn(arguments, actions: &actions, group: nil)
        self.name = name
    }

    private static func spawn(
        _ arguments: [String], actions: inout posix_spawn_file_actions_t, group: pid_t?
    ) throws(DemoFailure) -> pid_t {
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        // The demo blocks the signals that it waits for: a child must not inherit that.
        var none = sigset_t()
        sigemptyset(&none)
        posix_spawnattr_setsigmask(&attributes, &none)
        var defaults = sigset_t()
        sigemptyset(&defaults)
        sigaddset(&defaults, SIGPIPE)
        posix_spawnattr_setsigdefault(&attributes, &defaults)
        var flags = Int32(POSIX_SPAWN_SETSIGMASK) | Int32(POSIX_SPAWN_SETSIGDEF)
        if let group {
            posix_spawnattr_setpgroup(&attributes, group)
            flags |= Int32(POSIX_SPAWN_SETPGROUP)
        }
        posix_spawnattr_setflags(&attributes, Int16(flags))
        var argv: [UnsafeMutablePointer<CChar>?] = arguments.map { strdup($0) } + [nil]
        defer { argv.forEach { free($0) } }
        var pid: pid_t = 0
        let status = posix_spawn(&pid, arguments[0], &actions, &attributes, &argv, environ)
        guard status == 0 else {
            throw DemoFailure("cannot start \(arguments[0]): \(String(cString: strerror(status)))")
        }
        return pid
    }

    /// `selvage-demo child PARENT PROGRAM ARGUMENTS…`: asks the kernel for SIGTERM when the parent ends, which a
    /// spawned program cannot be given otherwise, and becomes the program.
    static func become(_ arguments: [String]) throws(DemoFailure) -> Never {
        guard arguments.count >= 2, let parent = pid_t(arguments[0]) else { throw DemoFailure("child: for `up` only") }
        endWithParent()
        // The parent may have ended before the line above.
        guard getppid() == parent else { exit(0) }
        signal(SIGPIPE, SIG_DFL)
        var argv: [UnsafeMutablePointer<CChar>?] = arguments.dropFirst().map { strdup($0) } + [nil]
        execv(arguments[1], &argv)
        throw DemoFailure("cannot start \(arguments[1]): \(String(cString: strerror(errno)))")
    }

    /// prctl(PR_SET_PDEATHSIG, SIGTERM): Swift's Glibc does not show <sys/prctl.h>.
    private static func endWithParent() {
        typealias Prctl = @convention(c) (Int32, UInt, UInt, UInt, UInt) -> Int32
        guard let symbol = dlsym(nil, "prctl") else { return }
        _ = unsafeBitCast(symbol, to: Prctl.self)(1, UInt(SIGTERM), 0, 0, 0)
    }

    /// Asks it to end, and makes it after `patience` seconds.
    func stop(patience: Double) {
        kill(pid, SIGTERM)
        let deadline = Date().addingTimeInterval(patience)
        while Date() < deadline {
            if hasEnded() { return }
            usleep(20_000)
        }
        kill(pid, SIGKILL)
        _ = waitpid(pid, nil, 0)
    }

    /// Whether it has ended; its status is taken with the first `true`.
    func hasEnded() -> Bool {
        var status: Int32 = 0
        return waitpid(pid, &status, WNOHANG) != 0
    }
}
