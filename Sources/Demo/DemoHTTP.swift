import Glibc

/// The head of a request or an answer.
struct DemoHead {
    var startLine: String
    var fields: [(name: String, value: String)]

    /// The first field of that (lower-case) name.
    func field(_ name: String) -> String? { fields.first { $0.name == name }?.value }

    /// - Parameter text: without the empty line at its end.
    init(_ text: String) {
        let lines = text.split(separator: "\r\n", omittingEmptySubsequences: true)
        startLine = lines.first.map(String.init) ?? ""
        fields = lines.dropFirst().map { line in
            let parts = line.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
            let value = parts.count > 1 ? parts[1].drop { $0 == " " } : ""
            return (parts[0].lowercased(), String(value))
        }
    }
}

/// Reads heads and sized bodies from anything that gives bytes.
struct HeadBuffer {
    /// Larger heads are not read.
    private static let maximumHead = 64 << 10
    private var bytes: [UInt8] = []

    /// - Parameter more: reads into the buffer it is given, and tells how many bytes; 0 or less at the end.
    mutating func readHead(_ more: (UnsafeMutableRawBufferPointer) -> Int) -> DemoHead? {
        var searched = 0
        while true {
            if let end = endOfHead(from: max(0, searched - 3)) {
                let head = DemoHead(String(decoding: bytes[..<end], as: UTF8.self))
                bytes.removeFirst(end)
                return head
            }
            searched = bytes.count
            guard bytes.count < HeadBuffer.maximumHead, fill(more) else { return nil }
        }
    }

    /// - Returns: whether all of the body arrived.
    mutating func skip(_ count: Int, _ more: (UnsafeMutableRawBufferPointer) -> Int) -> Bool {
        var left = count
        while left > 0 {
            if bytes.isEmpty, !fill(more) { return false }
            let step = min(left, bytes.count)
            bytes.removeFirst(step)
            left -= step
        }
        return true
    }

    private func endOfHead(from start: Int) -> Int? {
        var index = start
        while index + 3 < bytes.count {
            if bytes[index] == 13, bytes[index + 1] == 10, bytes[index + 2] == 13, bytes[index + 3] == 10 {
                return index + 4
            }
            index += 1
        }
        return nil
    }

    private mutating func fill(_ more: (UnsafeMutableRawBufferPointer) -> Int) -> Bool {
        var chunk = [UInt8](repeating: 0, count: 16 << 10)
        let count = chunk.withUnsafeMutableBytes(more)
        guard count > 0 else { return false }
        bytes.append(contentsOf: chunk.prefix(count))
        return true
    }
}

/// Requests from one connection.
struct ConnectionReader {
    private let connection: Int32
    private var buffer = HeadBuffer()

    init(_ connection: Int32) { self.connection = connection }

    mutating func readHead() -> DemoHead? {
        buffer.readHead { read(connection, $0.baseAddress, $0.count) }
    }

    /// - Returns: `false` when the body did not arrive, or its length is not known.
    mutating func skipBody(of head: DemoHead) -> Bool {
        guard head.field("transfer-encoding") == nil else { return false }
        guard let length = head.field("content-length") else { return true }
        guard let length = Int(length), length >= 0 else { return false }
        if head.field("expect") != nil, !Loopback.send(connection, Array("HTTP/1.1 100 Continue\r\n\r\n".utf8)) {
            return false
        }
        return buffer.skip(length) { read(connection, $0.baseAddress, $0.count) }
    }
}

/// TCP sockets of this machine.
enum Loopback {
    static func address(port: UInt16) -> sockaddr_in {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = INADDR_LOOPBACK.bigEndian
        return address
    }

    private static func withAddress<Result>(
        port: UInt16, _ body: (UnsafePointer<sockaddr>, socklen_t) -> Result
    ) -> Result {
        var address = address(port: port)
        return withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                body($0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
    }

    private static func open() -> Int32 { socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0) }

    /// - Parameter port: 0 for one that is free.
    static func listen(port: UInt16) -> (descriptor: Int32, port: UInt16)? {
        let descriptor = open()
        guard descriptor >= 0 else { return nil }
        var yes: Int32 = 1
        setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &yes, socklen_t(MemoryLayout<Int32>.size))
        guard withAddress(port: port, { bind(descriptor, $0, $1) }) == 0, Glibc.listen(descriptor, 512) == 0 else {
            close(descriptor)
            return nil
        }
        var bound = sockaddr_in()
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        withUnsafeMutablePointer(to: &bound) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { _ = getsockname(descriptor, $0, &length) }
        }
        return (descriptor, UInt16(bigEndian: bound.sin_port))
    }

    static func connect(port: UInt16) -> Int32? {
        let descriptor = open()
        guard descriptor >= 0 else { return nil }
        setDeadlines(descriptor, seconds: 10)
        guard withAddress(port: port, { Glibc.connect(descriptor, $0, $1) }) == 0 else {
            close(descriptor)
            return nil
        }
        return descriptor
    }

    /// A wanted port if nobody has it, else one that is free.
    static func freePort(_ wanted: UInt16) -> UInt16 {
        guard let (descriptor, port) = listen(port: wanted) ?? listen(port: 0) else { return wanted }
        close(descriptor)
        return port
    }

    static func setDeadlines(_ descriptor: Int32, seconds: Int) {
        var limit = timeval(tv_sec: seconds, tv_usec: 0)
        let size = socklen_t(MemoryLayout<timeval>.size)
        setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, size)
        setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &limit, size)
        var yes: Int32 = 1
        setsockopt(descriptor, Int32(IPPROTO_TCP), TCP_NODELAY, &yes, socklen_t(MemoryLayout<Int32>.size))
    }

    static func send(_ descriptor: Int32, _ bytes: [UInt8]) -> Bool {
        var sent = 0
        while sent < bytes.count {
            let count = bytes.withUnsafeBytes { write(descriptor, $0.baseAddress?.advanced(by: sent), $0.count - sent) }
            guard count > 0 else { return false }
            sent += count
        }
        return true
    }
}
