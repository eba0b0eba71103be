import Shared

/// Collects one JSON object that comes without a length and without an end of its stream: it ends where its last brace
/// closes (agent-protocol.md 6.1).
struct MessageReader {
    enum Step {
        case needMore
        case complete(JSON)
        case invalid
    }

    private var bytes: [UInt8] = []
    private var depth = 0
    private var isInString = false
    private var isEscaped = false
    private let limit: Int

    /// - Parameter limit: bytes of a message.
    init(limit: Int = 4 << 20) { self.limit = limit }

    /// Bytes kept so far.
    var count: Int { bytes.count }

    mutating func receive(_ more: UnsafeRawBufferPointer) -> Step {
        var index = 0
        if depth == 0 {
            while index < more.count, Self.isSpace(more[index]) { index += 1 }
            guard index < more.count else { return .needMore }
            guard more[index] == UInt8(ascii: "{") else { return .invalid }
        }
        let start = index
        repeat {
            guard index < more.count else { break }
            follow(more[index])
            index += 1
        } while depth > 0
        guard bytes.count + index - start <= limit else {
            bytes = []
            return .invalid
        }
        bytes.append(contentsOf: UnsafeRawBufferPointer(rebasing: more[start..<index]))
        return depth == 0 ? parsed() : .needMore
    }

    private static func isSpace(_ byte: UInt8) -> Bool { byte == 0x20 || byte == 0x09 || byte == 0x0A || byte == 0x0D }

    private mutating func follow(_ byte: UInt8) {
        if isInString {
            if isEscaped {
                isEscaped = false
            } else if byte == UInt8(ascii: "\\") {
                isEscaped = true
            } else if byte == UInt8(ascii: "\"") {
                isInString = false
            }
            return
        }
        switch byte {
        case UInt8(ascii: "\""): isInString = true
        case UInt8(ascii: "{"), UInt8(ascii: "["): depth += 1
        case UInt8(ascii: "}"), UInt8(ascii: "]"): depth -= 1
        default: break
        }
    }

    private mutating func parsed() -> Step {
        defer { bytes = [] }
        guard let document = try? JSONReader.read(bytes) else { return .invalid }
        return .complete(document)
    }
}
