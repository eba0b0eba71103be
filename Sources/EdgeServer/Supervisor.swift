import Glibc

/// What systemd tells a service through its environment: sockets already bound (sd_listen_fds(3)), and where to say
/// that the service is ready (sd_notify(3)). Without systemd there is none of either.
struct Supervisor: Sendable {
    /// Listening sockets by the name that `FileDescriptorName=` gave them; several may share a name.
    let sockets: [String: [Int32]]
    private let notifyPath: String?

    /// Reads the variables and removes them, so that no child takes them for its own. Called before threads begin.
    static func takeFromEnvironment() -> Supervisor {
        let taken = { (name: String) -> String? in
            defer { unsetenv(name) }
            return getenv(name).map { String(cString: $0) }
        }
        let pid = taken("LISTEN_PID").flatMap { Int32($0) }
        let count = taken("LISTEN_FDS").flatMap { Int32($0) } ?? 0
        let names = taken("LISTEN_FDNAMES")?.split(separator: ":", omittingEmptySubsequences: false).map(String.init)
        var sockets: [String: [Int32]] = [:]
        if pid == getpid(), (1...1024).contains(count) {
            for index in 0..<count {
                // SD_LISTEN_FDS_START: the first passed descriptor is 3.
                let descriptor = 3 + index
                _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
                let name = names.flatMap { Int(index) < $0.count ? $0[Int(index)] : nil } ?? "unknown"
                sockets[name, default: []].append(descriptor)
            }
        }
        return Supervisor(sockets: sockets, notifyPath: taken("NOTIFY_SOCKET"))
    }

    /// Sends a state like `READY=1`. Nobody needs to hear it, so that failure is no error.
    func notify(_ state: String) {
        guard let notifyPath, let first = notifyPath.utf8.first, first == 0x2F || first == 0x40 else { return }
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        var path = Array(notifyPath.utf8)
        // A leading @ stands for the abstract name space, whose names begin with a zero byte: unix(7).
        if first == 0x40 { path[0] = 0 }
        let capacity = MemoryLayout.size(ofValue: address.sun_path)
        guard path.count < capacity else { return }
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path) }
        let length = socklen_t(MemoryLayout<sockaddr_un>.size - capacity + path.count)
        let descriptor = socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { return }
        defer { close(descriptor) }
        let message = Array(state.utf8)
        withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                _ = sendto(descriptor, message, message.count, Int32(MSG_NOSIGNAL), $0, length)
            }
        }
    }
}
