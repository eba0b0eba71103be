import EdgeCore

/// The machine for the chunked coding (RFC 9112, 7.1). Extensions are read strictly and dropped; their length is bounded
/// per chunk and per body, as nobody uses them for anything but hiding.
struct ChunkReader {
    enum Step {
        case data(Range<Int>)
        case needMore, end, malformed
    }

    /// What the next byte must be.
    private enum State {
        case sizeStart, size
        case extensionName, extensionNameRest, extensionValue, extensionToken
        case extensionQuoted, extensionEscaped, extensionQuoteEnd
        case sizeLineFeed
        case contents, contentsReturn, contentsLineFeed
        case trailerStart, trailerLine, trailerLineFeed, lastLineFeed
        case end
    }

    static let maxSizeDigits = 16
    static let maxExtensionBytes = 256
    static let maxExtensionBytesOfBody = 16 << 10

    private(set) var trailers: MessageHead?

    private let maxFields: Int
    private var state = State.sizeStart
    /// The size as far as read; then what is left of the chunk.
    private var left: UInt64 = 0
    private var digits = 0
    private var extensionBytes = 0
    private var extensionBytesOfBody = 0
    /// The lines after the last chunk, kept until the empty line.
    private var section: [UInt8] = []

    init(maxFields: Int) { self.maxFields = maxFields }

    mutating func next(_ base: UnsafePointer<UInt8>, end: Int, index: inout Int) -> Step {
        while index < end {
            if state == .contents {
                let available = UInt64(end - index)
                let start = index
                index += Int(min(left, available))
                left -= UInt64(index - start)
                if left == 0 { state = .contentsReturn }
                return .data(start..<index)
            }
            let byte = base[index]
            guard take(byte) else { return .malformed }
            index += 1
            if state == .end { return .end }
        }
        return state == .end ? .end : .needMore
    }

    /// Takes one byte of framing; `false` when it has no place there.
    private mutating func take(_ byte: UInt8) -> Bool {
        switch state {
        case .sizeStart, .size: takeSize(byte)
        case .extensionName, .extensionNameRest, .extensionValue, .extensionToken, .extensionQuoted,
            .extensionEscaped, .extensionQuoteEnd:
            takeExtension(byte)
        case .sizeLineFeed: takeSizeEnd(byte)
        case .contentsReturn: move(to: .contentsLineFeed, if: byte == ByteScan.carriageReturn)
        case .contentsLineFeed: move(to: .sizeStart, if: byte == ByteScan.lineFeed)
        case .trailerStart, .trailerLine, .trailerLineFeed, .lastLineFeed: takeTrailer(byte)
        case .contents, .end: false
        }
    }

    @inline(__always)
    private mutating func move(to next: State, if condition: Bool) -> Bool {
        if condition { state = next }
        return condition
    }

    private mutating func takeSize(_ byte: UInt8) -> Bool {
        if let value = ByteScan.hexValue(byte) {
            if state == .sizeStart { (left, digits, extensionBytes) = (0, 0, 0) }
            digits += 1
            left = left << 4 | UInt64(value)
            state = .size
            return digits <= ChunkReader.maxSizeDigits
        }
        guard state == .size, left <= UInt64(Int64.max) else { return false }
        return takeDelimiter(byte)
    }

    /// What may follow a size or an extension: another extension, or the end of the line.
    private mutating func takeDelimiter(_ byte: UInt8) -> Bool {
        if byte == ByteScan.carriageReturn { return move(to: .sizeLineFeed, if: true) }
        return byte == UInt8(ascii: ";") && countExtensionByte() && move(to: .extensionName, if: true)
    }

    private mutating func countExtensionByte() -> Bool {
        extensionBytes += 1
        extensionBytesOfBody += 1
        return extensionBytes <= ChunkReader.maxExtensionBytes
            && extensionBytesOfBody <= ChunkReader.maxExtensionBytesOfBody
    }

    /// `*( ";" token [ "=" ( token / quoted-string ) ] )`, without the white space that the grammar calls bad.
    private mutating func takeExtension(_ byte: UInt8) -> Bool {
        let isToken = ByteScan.isToken(byte)
        switch state {
        case .extensionName: return isToken && countExtensionByte() && move(to: .extensionNameRest, if: true)
        case .extensionNameRest:
            if isToken { return countExtensionByte() }
            if byte == UInt8(ascii: "=") { return countExtensionByte() && move(to: .extensionValue, if: true) }
            return takeDelimiter(byte)
        case .extensionValue:
            guard countExtensionByte() else { return false }
            if byte == UInt8(ascii: "\"") { return move(to: .extensionQuoted, if: true) }
            return move(to: .extensionToken, if: isToken)
        case .extensionToken: return isToken ? countExtensionByte() : takeDelimiter(byte)
        case .extensionQuoted:
            guard countExtensionByte(), byte >= 0x20, byte < 0x7F else { return false }
            if byte == UInt8(ascii: "\"") { state = .extensionQuoteEnd }
            if byte == UInt8(ascii: "\\") { state = .extensionEscaped }
            return true
        case .extensionEscaped:
            return countExtensionByte() && move(to: .extensionQuoted, if: byte >= 0x20 && byte < 0x7F)
        default: return takeDelimiter(byte)
        }
    }

    private mutating func takeSizeEnd(_ byte: UInt8) -> Bool {
        move(to: left == 0 ? .trailerStart : .contents, if: byte == ByteScan.lineFeed)
    }

    /// Collects the trailer section with its empty line, then reads it as fields are read.
    private mutating func takeTrailer(_ byte: UInt8) -> Bool {
        guard section.count < HeadLimits.maxTrailerBytes else { return false }
        switch state {
        case .trailerStart:
            if byte == ByteScan.carriageReturn {
                state = .lastLineFeed
                // Nothing to keep when there are no trailers: the usual case.
                if section.isEmpty { return true }
            } else {
                guard ByteScan.isToken(byte) else { return false }
                state = .trailerLine
            }
        case .trailerLine:
            guard byte != ByteScan.lineFeed else { return false }
            if byte == ByteScan.carriageReturn { state = .trailerLineFeed }
        case .trailerLineFeed:
            guard byte == ByteScan.lineFeed else { return false }
            state = .trailerStart
        default:
            guard byte == ByteScan.lineFeed else { return false }
            state = .end
            if section.isEmpty { return true }
            section.append(byte)
            return readTrailers()
        }
        section.append(byte)
        return true
    }

    private mutating func readTrailers() -> Bool {
        let head = MessageHead()
        var fields: [MessageHead.Field] = []
        let maxFields = maxFields
        let isRead = section.withUnsafeBufferPointer { section in
            guard let base = section.baseAddress else { return false }
            var scan = HeadReader(base, end: section.count)
            guard scan.fields(into: &fields, maxFields: maxFields, minding: false) == .complete,
                scan.index == section.count
            else { return false }
            head.fill(block: section, fields: &fields)
            return true
        }
        section = []
        guard isRead else { return false }
        head.removeFields { ForbiddenTrailers.forbids($0, in: head) }
        if !head.fields.isEmpty { trailers = head }
        return true
    }
}

/// What may not come in a trailer: framing, routing, modifiers, rights, and what decides how the body is understood
/// (RFC 9110, 6.5.1). Dropped rather than refused, as the section's sender may not know.
enum ForbiddenTrailers {
    static func forbids(_ field: MessageHead.Field, in head: MessageHead) -> Bool {
        // Of the fields known by number only the entity tag is harmless there.
        if field.id != .other { return field.id != .etag }
        return names.contains { head.equals(field.name, $0) }
            || prefixes.contains { prefix in
                field.name.count >= prefix.utf8.count
                    && head.equals(MessageHead.Slice(start: Int(field.name.start), count: prefix.utf8.count), prefix)
            }
    }

    private static let names = [
        "authorization", "set-cookie", "www-authenticate", "authentication-info", "forwarded", "via", "x-real-ip",
        "max-forwards", "pragma", "range", "content-range", "age", "expires", "location", "retry-after", "warning",
        "origin", "accept", "alt-svc", "strict-transport-security", "refresh", "allow",
    ]
    private static let prefixes = ["x-forwarded-", "ngrok-", "sec-", "if-", "access-control-", "proxy-"]
}
