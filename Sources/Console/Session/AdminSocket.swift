import ConsoleKit
import Glibc

/// One HTTP exchange with the admin API over a Unix socket, without ever blocking.
final class AdminSocket {
    private enum State {
        /// The server's queue is full: to be tried again at this time.
        case waiting(until: Double)
        case connected
        case closed
    }

    /// How often a full queue is tried, in seconds.
    private static let queueRetry = 0.05

    private let path: String
    private var state = State.closed
    private var unsent: [UInt8]
    private var machine = HTTPClientMachine()
    private(set) var descriptor: Int32 = -1
    /// Whether any byte of the request has left: before that, it cannot have taken effect.
    private(set) var hasSent = false

    /// Connects, and sends `request` as soon as the server takes it.
    init(path: String, request: [UInt8], now: Double) throws(AdminFault) {
        self.path = path
        unsent = request
        descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue) | O_NONBLOCK | O_CLOEXEC, 0)
        guard descriptor >= 0 else { throw AdminFault(.unreachable, AdminSocket.reason(errno)) }
        do {
            try connect(now: now)
        } catch {
            close()
            throw error
        }
    }

    deinit { close() }

    func close() {
        if descriptor >= 0 { Glibc.close(descriptor) }
        descriptor = -1
        state = .closed
    }

    /// What to poll for; 0 while the server's queue is full.
    var interest: Int16 {
        guard case .connected = state else { return 0 }
        return Int16(unsent.isEmpty ? POLLIN : POLLIN | POLLOUT)
    }

    /// When `advance` has something to do.
    var deadline: Double? { if case .waiting(let until) = state { until } else { nil } }

    func advance(now: Double) throws(AdminFault) {
        if case .waiting(let until) = state, now >= until { try connect(now: now) }
    }

    /// Reads and writes what can be.
    func service() throws(AdminFault) -> [HTTPClientMachine.Event] {
        guard case .connected = state else { return [] }
        try send()
        var events: [HTTPClientMachine.Event] = []
        var bytes = [UInt8](repeating: 0, count: 65_536)
        // A bound, so that a server that never stops cannot keep the keys waiting.
        for _ in 0..<16 {
            let count = recv(descriptor, &bytes, bytes.count, 0)
            if count > 0 {
                events += try machine.receive(bytes[..<count])
                if count < bytes.count { break }
            } else if count == 0 {
                events += try machine.finish()
                close()
                break
            } else if errno == EAGAIN {
                break
            } else if errno != EINTR {
                throw AdminFault(.closed, AdminSocket.reason(errno))
            }
        }
        return events
    }

    /// The server has ended the connection.
    var isClosed: Bool { if case .closed = state { true } else { false } }

    private func connect(now: Double) throws(AdminFault) {
        guard var address = AdminSocket.address(path) else {
            throw AdminFault(.unreachable, "the socket's path is too long")
        }
        let result = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                Glibc.connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
        if result == 0 {
            state = .connected
        } else if errno == EAGAIN || errno == EINTR {
            state = .waiting(until: now + AdminSocket.queueRetry)
        } else {
            throw AdminFault(.unreachable, AdminSocket.reason(errno))
        }
    }

    private func send() throws(AdminFault) {
        while !unsent.isEmpty {
            let count = Glibc.send(descriptor, unsent, unsent.count, Int32(MSG_NOSIGNAL))
            if count > 0 {
                hasSent = true
                unsent.removeFirst(count)
            } else if errno == EAGAIN {
                return
            } else if errno != EINTR {
                // The server may have answered before it closed: what can be read still counts.
                unsent = []
                return
            }
        }
    }

    static func reason(_ number: Int32) -> String { String(cString: strerror(number)) }

    /// The address of `path`, or `nil` when it does not fit.
    static func address(_ path: String) -> sockaddr_un? {
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        let bytes = Array(path.utf8)
        let fits = withUnsafeMutableBytes(of: &address.sun_path) { room in
            guard bytes.count < room.count else { return false }
            room.copyBytes(from: bytes)
            return true
        }
        return fits ? address : nil
    }
}
