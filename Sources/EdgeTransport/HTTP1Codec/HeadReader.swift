import EdgeCore

/// Reads the lines of a head, byte after byte, once. What is wrong is found in the order of the bytes, so that a head
/// is judged alike whether it comes whole or in pieces.
struct HeadReader {
    let base: UnsafePointer<UInt8>
    /// What may be read: never beyond the limit of a head.
    let end: Int
    var index = 0
    var facts = FieldFacts()

    init(_ base: UnsafePointer<UInt8>, end: Int) {
        self.base = base
        self.end = end
    }

    /// The start line of a request, its parts as ranges.
    struct RequestLine {
        var method = 0..<0
        var target = 0..<0
        var isHTTP10 = false
    }

    static let maxMethodBytes = 32

    /// `method SP target SP HTTP/1.x CRLF`, after at most one empty line (RFC 9112, 2.2 and 3).
    mutating func requestLine(maxTargetBytes: Int, into line: inout RequestLine) -> HeadOutcome {
        if index < end, base[index] == ByteScan.carriageReturn {
            guard index + 1 < end else { return .incomplete }
            guard base[index + 1] == ByteScan.lineFeed else { return .malformed }
            index += 2
        }
        let start = index
        let methodEnd = ByteScan.tokenEnd(base, from: start, end: min(end, start + HeadReader.maxMethodBytes + 1))
        guard methodEnd - start <= HeadReader.maxMethodBytes else { return .malformed }
        guard methodEnd < end else { return .incomplete }
        guard methodEnd > start, base[methodEnd] == ByteScan.space else { return .malformed }
        line.method = start..<methodEnd

        let targetStart = methodEnd + 1
        let targetEnd = ByteScan.targetEnd(base, from: targetStart, end: min(end, targetStart + maxTargetBytes + 1))
        guard targetEnd - targetStart <= maxTargetBytes else { return .targetTooLong }
        guard targetEnd < end else { return .incomplete }
        guard targetEnd > targetStart, base[targetEnd] == ByteScan.space else { return .malformed }
        line.target = targetStart..<targetEnd

        index = targetEnd + 1
        let outcome = version(into: &line.isHTTP10)
        guard outcome == .complete else { return outcome }
        return lineEnd()
    }

    /// `HTTP/1.1` or `HTTP/1.0`.
    mutating func version(into isHTTP10: inout Bool) -> HeadOutcome {
        let pattern: StaticString = "HTTP/d.d"
        for offset in 0..<8 {
            guard index + offset < end else { return .incomplete }
            let byte = base[index + offset]
            let expected = pattern.utf8Start[offset]
            guard expected == UInt8(ascii: "d") ? ByteScan.isDigit(byte) : byte == expected else { return .malformed }
        }
        let (major, minor) = (base[index + 5], base[index + 7])
        guard major == UInt8(ascii: "1"), minor == UInt8(ascii: "1") || minor == UInt8(ascii: "0") else {
            return .unknownVersion
        }
        isHTTP10 = minor == UInt8(ascii: "0")
        index += 8
        return .complete
    }

    mutating func lineEnd() -> HeadOutcome {
        guard index < end else { return .incomplete }
        guard base[index] == ByteScan.carriageReturn else { return .malformed }
        guard index + 1 < end else { return .incomplete }
        guard base[index + 1] == ByteScan.lineFeed else { return .malformed }
        index += 2
        return .complete
    }

    /// Every field line up to and with the empty line (RFC 9112, 5).
    ///
    /// - Parameters:
    ///   - dropped: left out of `fields`.
    ///   - minding: whether the fields are about this message's framing and connection; those of a trailer are not.
    mutating func fields(
        into fields: inout [MessageHead.Field], maxFields: Int, dropping dropped: FieldName = .other,
        minding: Bool = true
    ) -> HeadOutcome {
        while true {
            guard index < end else { return .incomplete }
            let nameStart = index
            let nameEnd = ByteScan.tokenEnd(base, from: nameStart, end: end)
            guard nameEnd > nameStart else { return lineEnd() }
            guard nameEnd < end else { return .incomplete }
            guard base[nameEnd] == UInt8(ascii: ":") else { return .malformed }
            let id = FieldName.scan(base, nameStart, nameEnd &- nameStart, end: end)

            index = nameEnd &+ 1
            while index < end, base[index] == ByteScan.space || base[index] == ByteScan.tab { index &+= 1 }
            let valueStart = index
            index = ByteScan.textEnd(base, from: index, end: end)
            while index < end, base[index] == ByteScan.tab {
                index = ByteScan.textEnd(base, from: index &+ 1, end: end)
            }
            var valueEnd = index
            let outcome = lineEnd()
            guard outcome == .complete else { return outcome }
            while valueEnd > valueStart,
                base[valueEnd &- 1] == ByteScan.space || base[valueEnd &- 1] == ByteScan.tab
            { valueEnd &-= 1 }

            guard fields.count < maxFields else { return .tooManyFields }
            if id != .other, minding {
                let outcome = facts.note(id, base, valueStart, valueEnd &- valueStart)
                guard outcome == .complete else { return outcome }
                if id == dropped { continue }
            }
            fields.append(
                MessageHead.Field(
                    name: MessageHead.Slice(start: nameStart, count: nameEnd &- nameStart),
                    value: MessageHead.Slice(start: valueStart, count: valueEnd &- valueStart), id: id))
        }
    }
}
