import Glibc

/// Makes our own terminal descriptions known to curses, which finds descriptions in compiled form only.
enum DescriptionCompiler {
    /// How long `tic` may take, in seconds.
    static let patience = 3.0
    private static let names = ["selvage-truecolor", "selvage-truecolor-tmux"]

    /// Compiles `source` into the user's cache folder unless that has been done, and puts the folder into
    /// `TERMINFO_DIRS` of this process.
    /// - Returns: whether the descriptions can be used.
    static func install(source: String?, environment: [String: String]) -> Bool {
        guard let source, let folder = cacheFolder(environment) else { return false }
        if !isCurrent(folder, source: source) {
            guard compile(source, into: folder), isCurrent(folder, source: source) else { return false }
        }
        // An empty element stands for the system's own folders.
        let others = environment["TERMINFO_DIRS"] ?? ""
        setenv("TERMINFO_DIRS", "\(folder):\(others)", 1)
        return true
    }

    private static func cacheFolder(_ environment: [String: String]) -> String? {
        func absolute(_ name: String) -> String? { environment[name].flatMap { $0.hasPrefix("/") ? $0 : nil } }
        guard let cache = absolute("XDG_CACHE_HOME") ?? absolute("HOME").map({ "\($0)/.cache" }) else { return nil }
        var path = ""
        for part in "\(cache)/selvage/terminfo".split(separator: "/") {
            path += "/\(part)"
            if mkdir(path, 0o700) != 0 && errno != EEXIST { return nil }
        }
        return access(path, W_OK) == 0 ? path : nil
    }

    private static func isCurrent(_ folder: String, source: String) -> Bool {
        guard let wanted = modified(source) else { return false }
        return names.allSatisfy { name in
            // Compiled descriptions lie in a folder named by their first letter.
            guard let made = modified("\(folder)/s/\(name)") else { return false }
            return made >= wanted
        }
    }

    private static func modified(_ path: String) -> Double? {
        var status = stat()
        guard stat(path, &status) == 0 else { return nil }
        return Double(status.st_mtim.tv_sec) + Double(status.st_mtim.tv_nsec) / 1e9
    }

    private static func compile(_ source: String, into folder: String) -> Bool {
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        for descriptor in [STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO] {
            posix_spawn_file_actions_addopen(&actions, descriptor, "/dev/null", O_RDWR, 0)
        }
        // Our signals are blocked, and a child would inherit that.
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        var none = sigset_t()
        sigemptyset(&none)
        posix_spawnattr_setsigmask(&attributes, &none)
        posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK))
        let words: [UnsafeMutablePointer<CChar>?] = ["tic", "-x", "-o", folder, source].map { strdup("\($0)") }
        defer { words.forEach { free($0) } }
        var process: pid_t = 0
        guard posix_spawnp(&process, "tic", &actions, &attributes, words + [nil], environ) == 0 else { return false }
        return wait(for: process)
    }

    private static func wait(for process: pid_t) -> Bool {
        let deadline = MonotonicClock.now + patience
        var status: Int32 = 0
        while true {
            let ended = waitpid(process, &status, WNOHANG)
            if ended == process { return status == 0 }
            guard ended == 0, MonotonicClock.now < deadline else { break }
            poll(nil, 0, 5)
        }
        kill(process, SIGKILL)
        waitpid(process, &status, 0)
        return false
    }
}
