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
        for index in more.indices {
            let byte = more[index]
            if depth == 0 {
                switch byte {
                case 0x20, 0x09, 0x0A, 0x0D: continue
                case UInt8(ascii: "{"): break
                default: return .invalid
                }
            }
            guard bytes.count < limit else { return .invalid }
            bytes.append(byte)
            follow(byte)
            if depth == 0 { return parsed() }
        }
        return .needMore
    }

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
