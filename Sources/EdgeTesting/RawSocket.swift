import CLinux
import Glibc
import Synchronization

/// A blocking TCP connection whose every wait ends after a minute: for tests that care about single bytes.
public final class RawSocket: Sendable {
    public struct Failure: Error, CustomStringConvertible {
        public let description: String
    }

    private let descriptor: Int32
    private let buffer = Mutex<[UInt8]>([])

    init(descriptor: Int32) {
        self.descriptor = descriptor
        var limit = timeval(tv_sec: 60, tv_usec: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
        setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
    }

    /// Connects to a port on 127.0.0.1, or on ::1.
    public convenience init(port: UInt16, v6: Bool = false) throws {
        let descriptor = socket(v6 ? AF_INET6 : AF_INET, Int32(SOCK_STREAM.rawValue) | O_CLOEXEC, 0)
        let result: Int32
        if v6 {
            var address = sockaddr_in6()
            address.sin6_family = sa_family_t(AF_INET6)
            address.sin6_port = port.bigEndian
            address.sin6_addr = in6addr_loopback
            result = withUnsafePointer(to: &address) {
                $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in6>.size))
                }
            }
        } else {
            var address = sockaddr_in()
            address.sin_family = sa_family_t(AF_INET)
            address.sin_port = port.bigEndian
            address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
            result = withUnsafePointer(to: &address) {
                $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
                }
            }
        }
        guard result == 0 else {
            let failure = Failure(description: "connect: \(String(cString: strerror(errno)))")
            close(descriptor)
            throw failure
        }
        self.init(descriptor: descriptor)
    }

    deinit { close(descriptor) }

    public func send(_ text: String) throws { try send(Array(text.utf8)) }

    public func send(_ bytes: [UInt8]) throws {
        var sent = 0
        while sent < bytes.count {
            let count = bytes.withUnsafeBytes {
                Glibc.send(descriptor, $0.baseAddress! + sent, bytes.count - sent, Int32(MSG_NOSIGNAL))
            }
            guard count > 0 else { throw Failure(description: "send: \(String(cString: strerror(errno)))") }
            sent += count
        }
    }

    /// More bytes into the buffer; `false` at the end.
    private func more() throws -> Bool {
        var chunk = [UInt8](repeating: 0, count: 64 << 10)
        let count = recv(descriptor, &chunk, chunk.count, 0)
        guard count >= 0 else {
            let held = buffer.withLock { String(decoding: $0.prefix(200), as: UTF8.self) }
            throw Failure(description: "recv: \(String(cString: strerror(errno))), after \(held.debugDescription)")
        }
        buffer.withLock { $0.append(contentsOf: chunk[0..<count]) }
        return count > 0
    }

    /// Everything up to and including `mark`.
    public func receive(until mark: String) throws -> String {
        let mark = Array(mark.utf8)
        while true {
            let found = buffer.withLock { buffer -> String? in
                guard let range = buffer.firstRange(of: mark) else { return nil }
                defer { buffer.removeFirst(range.upperBound) }
                return String(decoding: buffer[..<range.upperBound], as: UTF8.self)
            }
            if let found { return found }
            guard try more() else {
                throw Failure(
                    description: "the connection ended before \(String(decoding: mark, as: UTF8.self).debugDescription)"
                )
            }
        }
    }

    public func receive(count: Int) throws -> [UInt8] {
        while buffer.withLock({ $0.count < count }) {
            guard try more() else { throw Failure(description: "the connection ended early") }
        }
        return buffer.withLock { buffer in
            defer { buffer.removeFirst(count) }
            return Array(buffer[0..<count])
        }
    }

    /// Everything until the peer ends its half.
    public func receiveAll() throws -> String { String(decoding: try receiveRest(), as: UTF8.self) }

    /// The same, where bytes are no text.
    public func receiveRest() throws -> [UInt8] {
        while try more() {}
        return buffer.withLock { buffer in
            defer { buffer = [] }
            return buffer
        }
    }

    /// One answer with a content-length (or none): head and body.
    public func receiveAnswer() throws -> (head: String, body: String) {
        let head = try receive(until: "\r\n\r\n")
        let length =
            head.lowercased().split(separator: "\r\n").first { $0.hasPrefix("content-length:") }
            .flatMap { Int($0.dropFirst("content-length:".count).drop { $0 == " " }) } ?? 0
        return (head, String(decoding: try receive(count: length), as: UTF8.self))
    }

    /// Has the peer see a reset, and no end, when the last who holds this lets go.
    public func resetOnClose() {
        var linger = linger(l_onoff: 1, l_linger: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_LINGER, &linger, socklen_t(MemoryLayout<linger>.size))
    }

    public func endWriting() { shutdown(descriptor, Int32(SHUT_WR)) }

    /// Whether the peer ends the connection, within that minute.
    public func isEnded() -> Bool {
        do { return try !more() } catch { return "\(error)".contains("reset") }
    }
}

/// A TCP server on 127.0.0.1 that does to each connection what a test says, each on a thread of its own.
public final class RawServer: Sendable {
    private let listener: OpenDescriptor
    public let port: UInt16
    public let connections = Counter()

    /// - Parameter port: 0 for one that the system chooses.
    public init(port: UInt16 = 0, _ serve: @escaping @Sendable (RawSocket) throws -> Void) throws {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | O_CLOEXEC, 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        address.sin_port = port.bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let result = withUnsafeMutablePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(descriptor, $0, length) | listen(descriptor, 64) | getsockname(descriptor, $0, &length)
            }
        }
        guard result == 0 else {
            close(descriptor)
            throw RawSocket.Failure(description: "listen")
        }
        let listener = OpenDescriptor(descriptor)
        self.listener = listener
        self.port = UInt16(bigEndian: address.sin_port)
        let counter = connections
        try startThread {
            while true {
                // Closed on exec from the first moment: a program that another test starts must not keep the end of
                // this connection from being seen.
                let connection = accept4(listener.number, nil, nil, O_CLOEXEC)
                guard connection >= 0 else { return }
                counter.raise()
                let socket = RawSocket(descriptor: connection)
                do { try startThread { try? serve(socket) } } catch { return }
            }
        }
    }

    public func stop() { shutdown(listener.number, Int32(SHUT_RDWR)) }

    deinit { stop() }
}

/// A descriptor that is closed when the last who uses it lets go. A thread that accepts has a share in its listener:
/// were the number closed under it, it would take the connections of whoever is given the number next.
public final class OpenDescriptor: Sendable {
    public let number: Int32

    public init(_ number: Int32) { self.number = number }

    deinit { close(number) }
}
