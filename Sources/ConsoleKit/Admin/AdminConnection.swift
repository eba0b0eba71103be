import Glibc
public import Shared

/// One connection to the admin API's Unix socket, for callers that may wait: the headless commands and the demo.
/// The console itself drives `HTTPClientMachine` from its poll loop.
public final class AdminConnection {
    /// Seconds to wait for the connection, and for each next byte of an answer.
    public var deadline: Double
    private let socketPath: String
    private var descriptor: Int32
    private var machine = HTTPClientMachine()

    /// - Throws: `AdminFault` of code `.unreachable`.
    public init(socketPath: String, deadline: Double = 10) throws {
        self.socketPath = socketPath
        self.deadline = deadline
        descriptor = try AdminConnection.connect(socketPath)
    }

    deinit { close(descriptor) }

    /// Sends a request and waits for the whole answer.
    /// - Throws: `AdminFault`; after `.timeout` and `.closed` a write may have taken effect.
    public func request(
        _ method: String, _ path: String, body: JSON? = nil, headers: [(String, String)] = []
    ) throws -> (status: Int, fields: [(name: String, value: String)], body: [UInt8]) {
        try send(HTTPClientMachine.request(method, path, body: body.map(\.bytes), headers: headers))
        var status = 0
        var fields: [(name: String, value: String)] = []
        var content: [UInt8] = []
        while true {
            for event in try read(deadline) {
                switch event {
                case .head(let code, let list):
                    status = code
                    fields = list.map { ($0.name, $0.value) }
                case .body(let part):
                    guard content.count + part.count <= 64 << 20 else {
                        throw AdminFault(.malformed, "the answer is larger than 64 MiB")
                    }
                    content += part
                case .end: return (status, fields, content)
                }
            }
        }
    }

    /// Reads a long answer line by line until `onLine` says `false` or the server ends it.
    /// - Throws: `AdminFault`; an answer other than 200 is `.malformed` with its status.
    public func lines(_ path: String, onLine: ([UInt8]) -> Bool) throws {
        try send(HTTPClientMachine.request("GET", path, body: nil))
        var splitter = LineSplitter()
        while true {
            for event in try read(deadline) {
                switch event {
                case .head(let status, _):
                    guard status == 200 else { throw AdminFault(.malformed, "\(path) answered \(status)") }
                case .body(let part):
                    for line in splitter.receive(part) where !onLine(line) {
                        // The rest of the answer is not read, so the connection can serve nothing more.
                        shutdown(descriptor, Int32(SHUT_RDWR))
                        return
                    }
                case .end: return
                }
            }
        }
    }

    private func send(_ bytes: [UInt8]) throws {
        var sent = 0
        while sent < bytes.count {
            let count = bytes[sent...].withUnsafeBytes {
                Glibc.send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
            }
            if count > 0 {
                sent += count
            } else if errno == EAGAIN {
                try wait(for: Int16(POLLOUT), seconds: deadline)
            } else if errno != EINTR {
                throw AdminFault(.closed, "the server at \(socketPath) closed the connection")
            }
        }
    }

    private func read(_ seconds: Double) throws -> [HTTPClientMachine.Event] {
        var scratch = [UInt8](repeating: 0, count: 64 * 1024)
        while true {
            let count = scratch.withUnsafeMutableBytes { recv(descriptor, $0.baseAddress, $0.count, 0) }
            if count > 0 { return try machine.receive(scratch[..<count]) }
            if count == 0 {
                let events = try machine.finish()
                guard !events.isEmpty else {
                    throw AdminFault(.closed, "the server at \(socketPath) closed the connection")
                }
                return events
            }
            if errno == EAGAIN {
                try wait(for: Int16(POLLIN), seconds: seconds)
            } else if errno != EINTR {
                throw AdminFault(.closed, "the connection to \(socketPath) broke")
            }
        }
    }

    private func wait(for events: Int16, seconds: Double) throws {
        var entry = pollfd(fd: descriptor, events: events, revents: 0)
        let result = poll(&entry, 1, Int32(seconds * 1000))
        if result == 0 { throw AdminFault(.timeout, "no answer from \(socketPath) within \(Int(seconds)) s") }
    }

    /// Connects without blocking afterwards. A Unix socket connects at once or not at all.
    private static func connect(_ path: String) throws -> Int32 {
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        let bytes = Array(path.utf8)
        guard !bytes.isEmpty, bytes.count < MemoryLayout.size(ofValue: address.sun_path) else {
            throw AdminFault(.unreachable, "\(path) is no usable socket path")
        }
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: bytes) }
        let kind = Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue)
        let descriptor = socket(AF_UNIX, kind, 0)
        guard descriptor >= 0 else { throw AdminFault(.unreachable, "no socket: \(String(cString: strerror(errno)))") }
        let result = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                Glibc.connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
        guard result == 0 else {
            let cause = String(cString: strerror(errno))
            close(descriptor)
            throw AdminFault(.unreachable, "no server at \(path): \(cause)")
        }
        return descriptor
    }
}
