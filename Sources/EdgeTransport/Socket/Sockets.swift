import CLinux
import EdgeCore
import Glibc

/// The system calls on sockets. Every descriptor is non-blocking and closed on exec.
enum Sockets {
    private static let stream = Int32(SOCK_STREAM.rawValue) | O_NONBLOCK | O_CLOEXEC

    /// A listening TCP socket; several may share an address (`SO_REUSEPORT`), and the kernel spreads connections.
    static func listen(_ address: SocketAddress, backlog: Int32 = 4096) throws(SystemError) -> Int32 {
        let family = address.address.isV4 ? AF_INET : AF_INET6
        let descriptor = socket(family, stream, 0)
        guard descriptor >= 0 else { throw SystemError("socket") }
        setOption(descriptor, SOL_SOCKET, SO_REUSEADDR, 1)
        setOption(descriptor, SOL_SOCKET, SO_REUSEPORT, 1)
        if family == AF_INET6 { setOption(descriptor, Int32(IPPROTO_IPV6), IPV6_V6ONLY, 1) }
        guard address.withSockaddr({ bind(descriptor, $0, $1) }) == 0, Glibc.listen(descriptor, backlog) == 0 else {
            let error = SystemError("bind \(address)")
            close(descriptor)
            throw error
        }
        return descriptor
    }

    /// A listening Unix socket. A file left over by a dead server is replaced, one that is answered is not.
    static func listen(unixPath path: String, mode: mode_t) throws(SystemError) -> Int32 {
        let descriptor = socket(AF_UNIX, stream, 0)
        guard descriptor >= 0 else { throw SystemError("socket") }
        if connectUnix(descriptor, path) == 0 {
            close(descriptor)
            throw SystemError("bind \(path)", code: EADDRINUSE)
        }
        unlink(path)
        // The mode holds from the first moment: the file is made with what the umask leaves.
        let mask = umask(0o777 & ~mode)
        defer { umask(mask) }
        let bound = withUnixAddress(path) { bind(descriptor, $0, $1) } ?? -1
        guard bound == 0, Glibc.listen(descriptor, 128) == 0 else {
            let error = SystemError("bind \(path)")
            close(descriptor)
            throw error
        }
        return descriptor
    }

    /// The same to a Unix socket.
    static func connect(unixPath path: String) throws(SystemError) -> Int32 {
        let descriptor = socket(AF_UNIX, stream, 0)
        guard descriptor >= 0 else { throw SystemError("socket") }
        guard connectUnix(descriptor, path) == 0 || errno == EINPROGRESS else {
            let error = SystemError("connect \(path)")
            close(descriptor)
            throw error
        }
        return descriptor
    }

    private static func connectUnix(_ descriptor: Int32, _ path: String) -> Int32 {
        withUnixAddress(path) { Glibc.connect(descriptor, $0, $1) } ?? -1
    }

    private static func withUnixAddress(_ path: String, _ body: (UnsafePointer<sockaddr>, socklen_t) -> Int32) -> Int32?
    {
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        let bytes = Array(path.utf8)
        guard bytes.count < MemoryLayout.size(ofValue: address.sun_path) else {
            errno = ENAMETOOLONG
            return nil
        }
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: bytes) }
        return withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { body($0, socklen_t(MemoryLayout<sockaddr_un>.size)) }
        }
    }

    enum Accepted {
        case connection(Int32)
        case none
        case failed(Int32)
    }

    static func accept(_ listener: Int32) -> Accepted {
        while true {
            let descriptor = accept4(listener, nil, nil, O_NONBLOCK | O_CLOEXEC)
            if descriptor >= 0 { return .connection(descriptor) }
            switch errno {
            case EINTR, ECONNABORTED, EPROTO: continue
            case EAGAIN: return .none
            default: return .failed(errno)
            }
        }
    }

    /// Begins to connect. The descriptor becomes writable when it is done; see `connectionError`.
    static func connect(_ address: SocketAddress) throws(SystemError) -> Int32 {
        let descriptor = socket(address.address.isV4 ? AF_INET : AF_INET6, stream, 0)
        guard descriptor >= 0 else { throw SystemError("socket") }
        setNoDelay(descriptor)
        let result = address.withSockaddr { Glibc.connect(descriptor, $0, $1) }
        guard result == 0 || errno == EINPROGRESS else {
            let error = SystemError("connect")
            close(descriptor)
            throw error
        }
        return descriptor
    }

    /// The outcome of `connect`, 0 when it worked.
    static func connectionError(_ descriptor: Int32) -> Int32 {
        var error: Int32 = 0
        var length = socklen_t(MemoryLayout<Int32>.size)
        guard getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &error, &length) == 0 else { return errno }
        return error
    }

    static func setNoDelay(_ descriptor: Int32) {
        setOption(descriptor, Int32(IPPROTO_TCP), TCP_NODELAY, 1)
    }

    /// Has what arrived acknowledged now. Not kept by the kernel: tcp(7).
    @inline(__always)
    static func setQuickAcknowledge(_ descriptor: Int32) {
        setOption(descriptor, Int32(IPPROTO_TCP), TCP_QUICKACK, 1)
    }

    private static func setOption(_ descriptor: Int32, _ level: Int32, _ name: Int32, _ value: Int32) {
        var value = value
        setsockopt(descriptor, level, name, &value, socklen_t(MemoryLayout<Int32>.size))
    }

    static func setResetOnClose(_ descriptor: Int32) {
        var value = linger(l_onoff: 1, l_linger: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_LINGER, &value, socklen_t(MemoryLayout<linger>.size))
    }

    static func localAddress(_ descriptor: Int32) -> SocketAddress? { address(descriptor, getsockname) }
    static func peerAddress(_ descriptor: Int32) -> SocketAddress? { address(descriptor, getpeername) }

    private typealias NameCall = (Int32, UnsafeMutablePointer<sockaddr>, UnsafeMutablePointer<socklen_t>) -> Int32

    private static func address(_ descriptor: Int32, _ call: NameCall) -> SocketAddress? {
        var storage = sockaddr_storage()
        var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
        let result = withUnsafeMutablePointer(to: &storage) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { call(descriptor, $0, &length) }
        }
        return result == 0 ? SocketAddress(&storage) : nil
    }

    /// Who is at the other end of a Unix socket.
    static func peerIdentity(_ descriptor: Int32) -> PeerIdentity? {
        var credentials = selvage_peer()
        var length = socklen_t(MemoryLayout<selvage_peer>.size)
        guard getsockopt(descriptor, SOL_SOCKET, SO_PEERCRED, &credentials, &length) == 0 else { return nil }
        return PeerIdentity(uid: credentials.uid, pid: credentials.pid)
    }
}
