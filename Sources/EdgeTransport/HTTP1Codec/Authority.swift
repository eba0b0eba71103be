import EdgeCore

/// The grammar of `host[:port]` (RFC 3986, 3.2.2, and stricter): letters, digits, `-`, `.`, `_`, `~`; or an IPv6 address in
/// brackets. No userinfo, no percent-encoding, no empty host, no empty port.
struct Authority: Equatable {
    /// Where the host lies; without the one dot a fully qualified name may end in. IPv6 keeps its brackets.
    var host: Range<Int>
    /// `nil` when none is given.
    var port: UInt16?

    static let maxHostBytes = 255

    /// Reads the authority that fills `range`; `nil` when malformed.
    init?(_ base: UnsafePointer<UInt8>, _ range: Range<Int>) {
        guard let first = range.first else { return nil }
        var end: Int
        if base[first] == UInt8(ascii: "[") {
            guard let closing = Authority.closingBracket(base, range) else { return nil }
            end = closing + 1
            host = first..<end
        } else {
            end = first
            while end < range.upperBound, Authority.isNameByte(base[end]) { end &+= 1 }
            host = first..<end
            if host.count > 1, base[end - 1] == UInt8(ascii: ".") { host = first..<end - 1 }
            guard host.count > 0, host.count <= Authority.maxHostBytes, base[first] != UInt8(ascii: ".") else {
                return nil
            }
        }
        guard end < range.upperBound else { return }
        let digits = end + 1..<range.upperBound
        guard base[end] == UInt8(ascii: ":"), digits.count <= 5,
            let value = ByteScan.decimal(base, digits.lowerBound, digits.count), value <= UInt64(UInt16.max)
        else { return nil }
        port = UInt16(value)
    }

    @inline(__always)
    private static func isNameByte(_ byte: UInt8) -> Bool {
        let letter = (byte | 0x20) &- 0x61
        return letter < 26 || byte &- 0x30 < 10 || byte == 0x2D || byte == 0x2E || byte == 0x5F || byte == 0x7E
    }

    private static func closingBracket(_ base: UnsafePointer<UInt8>, _ range: Range<Int>) -> Int? {
        // The longest address has 45 characters.
        var index = range.lowerBound + 1
        while index < range.upperBound, base[index] != UInt8(ascii: "]") {
            index += 1
            if index - range.lowerBound > 46 { return nil }
        }
        guard index < range.upperBound, isIPv6(base, range.lowerBound + 1..<index) else { return nil }
        return index
    }

    /// Whether the range is an IPv6 address in one of the forms of RFC 4291, 2.2; no zone.
    static func isIPv6(_ base: UnsafePointer<UInt8>, _ range: Range<Int>) -> Bool {
        var index = range.lowerBound
        var groups = 0
        var isShortened = false
        while index < range.upperBound {
            if base[index] == UInt8(ascii: ":") {
                let isDouble = index + 1 < range.upperBound && base[index + 1] == UInt8(ascii: ":")
                if isDouble {
                    guard !isShortened else { return false }
                    isShortened = true
                    index += 2
                    if index == range.upperBound { break }
                } else {
                    guard groups > 0 else { return false }
                    index += 1
                }
            } else if groups > 0 {
                return false
            }
            let start = index
            while index < range.upperBound, index - start < 4, ByteScan.hexValue(base[index]) != nil { index += 1 }
            if index < range.upperBound, base[index] == UInt8(ascii: ".") {
                groups += 2
                return isIPv4(base, start..<range.upperBound) && (isShortened ? groups <= 7 : groups == 8)
            }
            guard index > start else { return false }
            groups += 1
            guard groups <= 8 else { return false }
        }
        return isShortened ? groups <= 7 : groups == 8
    }

    private static func isIPv4(_ base: UnsafePointer<UInt8>, _ range: Range<Int>) -> Bool {
        var parts = 0
        var index = range.lowerBound
        while true {
            let start = index
            while index < range.upperBound, ByteScan.isDigit(base[index]) { index += 1 }
            guard index - start <= 3, let value = ByteScan.decimal(base, start, index - start), value <= 255 else {
                return false
            }
            parts += 1
            guard index < range.upperBound else { return parts == 4 }
            guard base[index] == UInt8(ascii: "."), parts < 4 else { return false }
            index += 1
        }
    }
}
