/// Reads JSON from clients (RFC 8259): strict, bounded in depth, and with no member twice, because what two readers
/// could understand in two ways is refused.
public struct JSONReader {
    public enum Mistake: Error, Equatable {
        case malformed(offset: Int)
        case tooDeep
        case repeatedMember(String)
    }

    /// Deeper documents than this have no meaning in the API.
    public static let maximumDepth = 32

    private var bytes: UnsafeBufferPointer<UInt8>
    private let depthLimit: Int
    private var position = 0

    private init(bytes: UnsafeBufferPointer<UInt8>, depthLimit: Int) {
        self.bytes = bytes
        self.depthLimit = depthLimit
    }

    /// A document that the store wrote: what a client may nest lies deeper there.
    /// - Throws: `Mistake`.
    public static func readKept(_ text: String) throws(Mistake) -> JSON {
        try read(Array(text.utf8), depth: maximumDepth * 2)
    }

    /// - Parameter depth: the most levels; an element of the outermost is at level 1.
    /// - Throws: `Mistake`.
    public static func read(_ bytes: [UInt8], depth: Int = maximumDepth) throws(Mistake) -> JSON {
        // A typed error does not pass `withUnsafeBufferPointer`, so the outcome does.
        let outcome = bytes.withUnsafeBufferPointer { buffer -> Result<JSON, Mistake> in
            var reader = JSONReader(bytes: buffer, depthLimit: depth)
            do throws(Mistake) { return .success(try reader.document()) } catch { return .failure(error) }
        }
        return try outcome.get()
    }

    private mutating func document() throws(Mistake) -> JSON {
        let value = try self.value(depth: 0)
        skipSpace()
        guard position == bytes.count else { throw .malformed(offset: position) }
        return value
    }

    private var current: UInt8? { position < bytes.count ? bytes[position] : nil }

    private mutating func skipSpace() {
        while let byte = current, byte == 0x20 || byte == 0x0A || byte == 0x0D || byte == 0x09 { position += 1 }
    }

    private mutating func take(_ byte: UInt8) -> Bool {
        guard current == byte else { return false }
        position += 1
        return true
    }

    private mutating func value(depth: Int) throws(Mistake) -> JSON {
        guard depth <= depthLimit else { throw .tooDeep }
        skipSpace()
        switch current {
        case UInt8(ascii: "{"): return try object(depth: depth)
        case UInt8(ascii: "["): return try array(depth: depth)
        case UInt8(ascii: "\""): return .string(try string())
        case UInt8(ascii: "t"): return try word("true", .bool(true))
        case UInt8(ascii: "f"): return try word("false", .bool(false))
        case UInt8(ascii: "n"): return try word("null", .null)
        default: return try number()
        }
    }

    private mutating func word(_ text: StaticString, _ value: JSON) throws(Mistake) -> JSON {
        let count = text.utf8CodeUnitCount
        let matches =
            position + count <= bytes.count
            && (0..<count).allSatisfy { bytes[position + $0] == text.utf8Start[$0] }
        guard matches else { throw .malformed(offset: position) }
        position += count
        return value
    }

    private mutating func object(depth: Int) throws(Mistake) -> JSON {
        position += 1
        var members: [String: JSON] = [:]
        skipSpace()
        if take(UInt8(ascii: "}")) { return .object(members) }
        while true {
            skipSpace()
            guard current == UInt8(ascii: "\"") else { throw .malformed(offset: position) }
            let name = try string()
            skipSpace()
            guard take(UInt8(ascii: ":")) else { throw .malformed(offset: position) }
            guard members.updateValue(try value(depth: depth + 1), forKey: name) == nil else {
                throw .repeatedMember(name)
            }
            skipSpace()
            if take(UInt8(ascii: "}")) { return .object(members) }
            guard take(UInt8(ascii: ",")) else { throw .malformed(offset: position) }
        }
    }

    private mutating func array(depth: Int) throws(Mistake) -> JSON {
        position += 1
        var elements: [JSON] = []
        skipSpace()
        if take(UInt8(ascii: "]")) { return .array(elements) }
        while true {
            elements.append(try value(depth: depth + 1))
            skipSpace()
            if take(UInt8(ascii: "]")) { return .array(elements) }
            guard take(UInt8(ascii: ",")) else { throw .malformed(offset: position) }
        }
    }

    private mutating func number() throws(Mistake) -> JSON {
        let start = position
        var isWhole = true
        _ = take(UInt8(ascii: "-"))
        if !take(UInt8(ascii: "0")) { try digits() }
        if take(UInt8(ascii: ".")) {
            isWhole = false
            try digits()
        }
        if take(UInt8(ascii: "e")) || take(UInt8(ascii: "E")) {
            isWhole = false
            if !take(UInt8(ascii: "+")) { _ = take(UInt8(ascii: "-")) }
            try digits()
        }
        let text = String(decoding: UnsafeBufferPointer(rebasing: bytes[start..<position]), as: UTF8.self)
        if isWhole, let value = Int64(text) { return .int(value) }
        guard let value = Double(text), value.isFinite else { throw .malformed(offset: start) }
        return .double(value)
    }

    private mutating func digits() throws(Mistake) {
        let start = position
        while let byte = current, (0x30...0x39).contains(byte) { position += 1 }
        guard position > start else { throw .malformed(offset: position) }
    }

    private mutating func string() throws(Mistake) -> String {
        let start = position
        position += 1
        // Nearly every string holds no escape: it is taken in one piece.
        var end = position
        while end < bytes.count, JSONReader.isPlain(bytes[end]) { end += 1 }
        let plain = UnsafeBufferPointer(rebasing: bytes[position..<end])
        position = end
        if take(UInt8(ascii: "\"")) {
            guard let string = String(validating: plain, as: UTF8.self) else { throw .malformed(offset: start) }
            return string
        }
        var text = Array(plain)
        while let byte = current {
            position += 1
            switch byte {
            case UInt8(ascii: "\""):
                guard let string = String(validating: text, as: UTF8.self) else { throw .malformed(offset: start) }
                return string
            case UInt8(ascii: "\\"): try escape(into: &text)
            case 0..<0x20: throw .malformed(offset: position - 1)
            default: text.append(byte)
            }
        }
        throw .malformed(offset: start)
    }

    private static func isPlain(_ byte: UInt8) -> Bool {
        byte >= 0x20 && byte != UInt8(ascii: "\"") && byte != UInt8(ascii: "\\")
    }

    private mutating func escape(into text: inout [UInt8]) throws(Mistake) {
        guard let byte = current else { throw .malformed(offset: position) }
        position += 1
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): text.append(byte)
        case UInt8(ascii: "b"): text.append(0x08)
        case UInt8(ascii: "f"): text.append(0x0C)
        case UInt8(ascii: "n"): text.append(0x0A)
        case UInt8(ascii: "r"): text.append(0x0D)
        case UInt8(ascii: "t"): text.append(0x09)
        case UInt8(ascii: "u"): text.append(contentsOf: Array(String(try escapedScalar()).utf8))
        default: throw .malformed(offset: position - 1)
        }
    }

    private mutating func escapedScalar() throws(Mistake) -> Unicode.Scalar {
        let start = position
        let first = try hex4()
        var value = UInt32(first)
        if (0xD800...0xDBFF).contains(first) {
            guard take(UInt8(ascii: "\\")), take(UInt8(ascii: "u")) else { throw .malformed(offset: start) }
            let second = try hex4()
            guard (0xDC00...0xDFFF).contains(second) else { throw .malformed(offset: start) }
            value = 0x10000 + (UInt32(first) - 0xD800) << 10 + (UInt32(second) - 0xDC00)
        }
        guard let scalar = Unicode.Scalar(value) else { throw .malformed(offset: start) }
        return scalar
    }

    private mutating func hex4() throws(Mistake) -> UInt16 {
        guard position + 4 <= bytes.count else { throw .malformed(offset: position) }
        var value: UInt16 = 0
        for _ in 0..<4 {
            let byte = bytes[position]
            let digit: UInt8
            switch byte {
            case 0x30...0x39: digit = byte - 0x30
            case 0x41...0x46: digit = byte - 0x41 + 10
            case 0x61...0x66: digit = byte - 0x61 + 10
            default: throw .malformed(offset: position)
            }
            value = value << 4 | UInt16(digit)
            position += 1
        }
        return value
    }
}
