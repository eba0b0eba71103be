/// The client's half of HTTP/1.1 (RFC 9112) without a socket: bytes in, heads and body parts out.
///
/// One answer follows the other on one connection. An answer whose length is told neither by `Content-Length` nor by
/// `chunked` lasts until the connection ends.
public struct HTTPClientMachine: Sendable {
    public enum Event: Hashable, Sendable {
        case head(status: Int, fields: [Field])
        case body([UInt8])
        case end
    }

    public struct Field: Hashable, Sendable {
        /// Lower case.
        public var name: String
        public var value: String
    }

    private enum Phase: Hashable {
        case head
        case length(Int)
        case chunkSize
        case chunk(Int)
        case chunkEnd
        case trailers
        case untilClose
        case failed
    }

    /// An answer's head, a chunk's size line and trailers may not be longer, in bytes.
    public static let maximumHead = 64 * 1024

    private var phase = Phase.head
    private var buffer: [UInt8] = []
    private var start = 0

    public init() {}

    /// The bytes of a request. Sends what the admin API asks of every client.
    public static func request(
        _ method: String, _ path: String, body: [UInt8]?, headers: [(String, String)] = []
    ) -> [UInt8] {
        var head = "\(method) \(path) HTTP/1.1\r\nHost: selvage\r\nngrok-version: 2\r\nAccept: application/json\r\n"
        for (name, value) in headers where HTTPClientMachine.isSafe(name) && HTTPClientMachine.isSafe(value) {
            head += "\(name): \(value)\r\n"
        }
        if let body { head += "Content-Type: application/json\r\nContent-Length: \(body.count)\r\n" }
        return Array((head + "\r\n").utf8) + (body ?? [])
    }

    private static func isSafe(_ text: String) -> Bool { text.utf8.allSatisfy { $0 >= 0x20 && $0 != 0x7F } }

    /// - Throws: `AdminFault` of code `.malformed`; the machine takes nothing more then.
    public mutating func receive(_ bytes: some Sequence<UInt8>) throws(AdminFault) -> [Event] {
        guard phase != .failed else { throw AdminFault(.malformed, "the answer was already refused") }
        buffer.append(contentsOf: bytes)
        var events: [Event] = []
        do {
            while try step(&events) {}
        } catch {
            phase = .failed
            throw error
        }
        if start > 0 {
            buffer.removeFirst(start)
            start = 0
        }
        return events
    }

    /// The connection has ended.
    /// - Throws: `AdminFault` of code `.closed` when an answer is cut off by it.
    public mutating func finish() throws(AdminFault) -> [Event] {
        defer { phase = .failed }
        if phase == .untilClose { return [.end] }
        guard phase == .head, buffer.isEmpty else { throw AdminFault(.closed, "the server closed in mid-answer") }
        return []
    }

    private mutating func step(_ events: inout [Event]) throws(AdminFault) -> Bool {
        switch phase {
        case .head: return try readHead(&events)
        case .length(let left):
            let taken = take(upTo: left)
            if !taken.isEmpty { events.append(.body(taken)) }
            guard taken.count == left else {
                phase = .length(left - taken.count)
                return false
            }
            return finishAnswer(&events)
        case .chunkSize: return try readChunkSize()
        case .chunk(let left):
            let taken = take(upTo: left)
            if !taken.isEmpty { events.append(.body(taken)) }
            phase = taken.count == left ? .chunkEnd : .chunk(left - taken.count)
            return taken.count == left
        case .chunkEnd:
            guard let line = try takeLine() else { return false }
            guard line.isEmpty else { throw AdminFault(.malformed, "a chunk is longer than it says") }
            phase = .chunkSize
            return true
        case .trailers:
            guard let line = try takeLine() else { return false }
            return line.isEmpty ? finishAnswer(&events) : true
        case .untilClose:
            let taken = take(upTo: .max)
            if !taken.isEmpty { events.append(.body(taken)) }
            return false
        case .failed: return false
        }
    }

    private mutating func finishAnswer(_ events: inout [Event]) -> Bool {
        events.append(.end)
        phase = .head
        return start < buffer.count
    }

    private mutating func readHead(_ events: inout [Event]) throws(AdminFault) -> Bool {
        guard let end = headEnd() else {
            guard buffer.count - start <= HTTPClientMachine.maximumHead else {
                throw AdminFault(.malformed, "the answer's head is too long")
            }
            return false
        }
        let text = String(decoding: buffer[start..<end], as: UTF8.self)
        start = end
        // CRLF is one character of a Swift string, so lines are cut by scalars.
        let lines = text.unicodeScalars.split(separator: "\n").map { line in
            String(line.last == "\r" ? line.dropLast() : line)
        }
        let words = (lines.first ?? "").split(separator: " ", maxSplits: 2)
        guard words.count >= 2, words[0].hasPrefix("HTTP/1."), words[1].utf8.count == 3, let status = Int(words[1])
        else { throw AdminFault(.malformed, "the answer is no HTTP/1.1") }
        let fields = lines.dropFirst().filter { !$0.isEmpty }.compactMap(HTTPClientMachine.field)
        if status < 200 { return start < buffer.count }
        events.append(.head(status: status, fields: fields))
        return try begin(status: status, fields: fields, &events)
    }

    private mutating func begin(status: Int, fields: [Field], _ events: inout [Event]) throws(AdminFault) -> Bool {
        if status == 204 || status == 304 { return finishAnswer(&events) }
        if fields.contains(where: { $0.name == "transfer-encoding" && $0.value.lowercased().hasSuffix("chunked") }) {
            phase = .chunkSize
            return true
        }
        if let length = fields.first(where: { $0.name == "content-length" }) {
            guard let count = Int(length.value), count >= 0 else {
                throw AdminFault(.malformed, "the answer's length is no number")
            }
            if count == 0 { return finishAnswer(&events) }
            phase = .length(count)
            return true
        }
        phase = .untilClose
        return true
    }

    private static func field(_ line: String) -> Field? {
        guard let colon = line.firstIndex(of: ":") else { return nil }
        let value = line[line.index(after: colon)...].drop { $0 == " " || $0 == "\t" }
        return Field(name: line[..<colon].lowercased(), value: String(value))
    }

    private mutating func readChunkSize() throws(AdminFault) -> Bool {
        guard let line = try takeLine() else { return false }
        let digits = line.prefix { $0 != UInt8(ascii: ";") && $0 != UInt8(ascii: " ") }
        guard !digits.isEmpty, digits.count <= 8, let size = Int(String(decoding: digits, as: UTF8.self), radix: 16),
            size >= 0
        else { throw AdminFault(.malformed, "a chunk's size is no number") }
        phase = size == 0 ? .trailers : .chunk(size)
        return true
    }

    private mutating func take(upTo count: Int) -> [UInt8] {
        let taken = Array(buffer[start..<min(buffer.count, count == .max ? buffer.count : start + count)])
        start += taken.count
        return taken
    }

    private mutating func takeLine() throws(AdminFault) -> ArraySlice<UInt8>? {
        guard let newline = buffer[start...].firstIndex(of: 0x0A) else {
            guard buffer.count - start <= HTTPClientMachine.maximumHead else {
                throw AdminFault(.malformed, "a line of the answer is too long")
            }
            return nil
        }
        var line = buffer[start..<newline]
        if line.last == 0x0D { line.removeLast() }
        start = newline + 1
        return line
    }

    /// The index after the empty line that ends the head.
    private func headEnd() -> Int? {
        var index = start
        while let newline = buffer[index...].firstIndex(of: 0x0A) {
            let next = newline + 1
            if next < buffer.count, buffer[next] == 0x0A { return next + 1 }
            if next + 1 < buffer.count, buffer[next] == 0x0D, buffer[next + 1] == 0x0A { return next + 2 }
            index = next
        }
        return nil
    }
}

/// Cuts a stream of bytes into lines.
public struct LineSplitter: Sendable {
    /// A longer line is dropped, in bytes.
    public static let maximumLine = 8 * 1024 * 1024

    private var rest: [UInt8] = []
    /// Half a line would be read as something that nobody said.
    private var isTooLong = false

    public init() {}

    /// The lines that `bytes` completes, without their newlines; empty ones are left out.
    public mutating func receive(_ bytes: some Sequence<UInt8>) -> [[UInt8]] {
        var lines: [[UInt8]] = []
        for byte in bytes {
            if byte == 0x0A {
                if !rest.isEmpty, !isTooLong { lines.append(rest) }
                rest.removeAll(keepingCapacity: true)
                isTooLong = false
            } else if rest.count < LineSplitter.maximumLine {
                rest.append(byte)
            } else {
                isTooLong = true
            }
        }
        return lines
    }
}
