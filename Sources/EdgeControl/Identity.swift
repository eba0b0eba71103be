/// Makes and checks the identifiers of the public API: a prefix, `_`, and a KSUID.
///
/// A KSUID is 20 bytes, big endian: seconds since 2014-05-13T16:53:20Z (4 bytes) and 128 random bits, written as 27
/// base62 digits (0-9, A-Z, a-z), so that identifiers sort by the second in which they were made.
public enum Identity {
    /// Unix time of second 0 of a KSUID.
    public static let epoch: Int64 = 1_400_000_000
    static let digits = Array("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz".utf8)

    /// - Parameters:
    ///   - time: seconds since 1970; times outside a KSUID's range (2014…2150) are brought to its nearer end.
    ///   - random: 128 bits from a good source.
    public static func ksuid(time: WallTime, random: (UInt64, UInt64)) -> String {
        let seconds = UInt32(clamping: time.seconds - epoch)
        var words: [UInt32] = [
            seconds, UInt32(truncatingIfNeeded: random.0 >> 32), UInt32(truncatingIfNeeded: random.0),
            UInt32(truncatingIfNeeded: random.1 >> 32), UInt32(truncatingIfNeeded: random.1),
        ]
        var text = [UInt8](repeating: digits[0], count: 27)
        for place in text.indices.reversed() {
            var remainder: UInt64 = 0
            for index in words.indices {
                let value = remainder << 32 | UInt64(words[index])
                words[index] = UInt32(value / 62)
                remainder = value % 62
            }
            text[place] = digits[Int(remainder)]
        }
        return String(decoding: text, as: UTF8.self)
    }

    /// A new identifier, for instance `edghts_2aBc…`.
    public static func make(_ prefix: String, time: WallTime) -> String {
        var source = SystemRandomNumberGenerator()
        return prefix + "_" + ksuid(time: time, random: (source.next(), source.next()))
    }

    /// The second in which an identifier was made; `nil` for what is none.
    static func time(of id: String) -> WallTime? {
        guard let prefix = prefix(of: id) else { return nil }
        var words: [UInt64] = [0, 0, 0, 0, 0]
        for digit in id.utf8.dropFirst(prefix.utf8.count + 1) {
            guard var carry = digits.firstIndex(of: digit).map(UInt64.init) else { return nil }
            for index in words.indices.reversed() {
                let value = words[index] * 62 + carry
                words[index] = value & 0xFFFF_FFFF
                carry = value >> 32
            }
        }
        return WallTime(seconds: Int64(words[0]) + epoch)
    }

    /// The prefix of a well-formed identifier, or `nil`.
    public static func prefix(of id: String) -> Substring? {
        guard let mark = id.utf8.firstIndex(of: UInt8(ascii: "_")) else { return nil }
        let rest = id.utf8[id.utf8.index(after: mark)...]
        guard rest.count == 27, rest.allSatisfy(isDigit) else { return nil }
        return id[..<mark]
    }

    /// Asked 27 times for each object that is looked up.
    private static func isDigit(_ byte: UInt8) -> Bool {
        switch byte {
        case 0x30...0x39, 0x41...0x5A, 0x61...0x7A: true
        default: false
        }
    }
}
