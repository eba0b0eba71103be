import EdgeCore

/// Finds the first byte that does not belong, eight bytes at a time where the class allows it.
///
/// Every function looks at `from..<end` only, and answers `end` when all of it belongs. The word tricks flag a byte in
/// its highest bit; a flag may be false only above a true one, so the lowest flag is always right.
enum ByteScan {
    static let tab: UInt8 = 0x09
    static let lineFeed: UInt8 = 0x0A
    static let carriageReturn: UInt8 = 0x0D
    static let space: UInt8 = 0x20

    private static let ones: UInt64 = 0x0101_0101_0101_0101
    private static let highs: UInt64 = 0x8080_8080_8080_8080

    /// Eight bytes, the first in the lowest place. The caller has checked that `at + 8` lies within.
    @inline(__always)
    static func word(_ base: UnsafePointer<UInt8>, _ at: Int) -> UInt64 {
        UInt64(littleEndian: UnsafeRawPointer(base + at).loadUnaligned(as: UInt64.self))
    }

    @inline(__always)
    private static func below(_ word: UInt64, _ bound: UInt8) -> UInt64 {
        (word &- ones &* UInt64(bound)) & ~word & highs
    }

    @inline(__always)
    private static func equal(_ word: UInt64, _ byte: UInt8) -> UInt64 {
        let difference = word ^ (ones &* UInt64(byte))
        return (difference &- ones) & ~difference & highs
    }

    /// The first control character (tab among them) or DEL. Bytes from 0x80 on are text (RFC 9110, 5.5: obs-text).
    @inline(__always)
    static func textEnd(_ base: UnsafePointer<UInt8>, from start: Int, end: Int) -> Int {
        var index = start
        while index &+ 8 <= end {
            let word = word(base, index)
            let hits = below(word, 0x20) | equal(word, 0x7F)
            if hits != 0 { return index &+ hits.trailingZeroBitCount >> 3 }
            index &+= 8
        }
        while index < end, base[index] >= 0x20, base[index] != 0x7F { index &+= 1 }
        return index
    }

    /// The first byte a request target cannot hold: controls, space, `#`, DEL, and everything beyond ASCII.
    @inline(__always)
    static func targetEnd(_ base: UnsafePointer<UInt8>, from start: Int, end: Int) -> Int {
        var index = start
        while index &+ 8 <= end {
            let word = word(base, index)
            let hits = below(word, 0x21) | equal(word, 0x7F) | equal(word, UInt8(ascii: "#")) | (word & highs)
            if hits != 0 { return index &+ hits.trailingZeroBitCount >> 3 }
            index &+= 8
        }
        while index < end, base[index] > 0x20, base[index] < 0x7F, base[index] != UInt8(ascii: "#") { index &+= 1 }
        return index
    }

    /// The first byte that is no token character (RFC 9110, 5.6.2). Letters and `-`, of which names consist, go by
    /// words; the rest by the table.
    @inline(__always)
    static func tokenEnd(_ base: UnsafePointer<UInt8>, from start: Int, end: Int) -> Int {
        let table = tokenTable.utf8Start
        var index = start
        while index &+ 8 <= end {
            let others = neitherLetterNorDash(word(base, index))
            if others == 0 {
                index &+= 8
                continue
            }
            index &+= others.trailingZeroBitCount >> 3
            if table[Int(base[index])] != UInt8(ascii: "t") { return index }
            index &+= 1
        }
        while index < end, table[Int(base[index])] == UInt8(ascii: "t") { index &+= 1 }
        return index
    }

    /// Flags every byte but letters and `-`. No sum here carries into the next byte, so that every flag is exact.
    @inline(__always)
    private static func neitherLetterNorDash(_ word: UInt64) -> UInt64 {
        let lowered = (word | ones &* 0x20) & ~highs
        let fromA = lowered &+ ones &* UInt64(0x80 - 0x61)
        let beyondZ = lowered &+ ones &* UInt64(0x80 - 0x7B)
        let isLetter = fromA & ~beyondZ & ~word
        let difference = word ^ (ones &* UInt64(UInt8(ascii: "-")))
        let isDash = ~(((difference & ~highs) &+ ~highs) | difference)
        return ~(isLetter | isDash) & highs
    }

    @inline(__always)
    static func isToken(_ byte: UInt8) -> Bool { tokenTable.utf8Start[Int(byte)] == UInt8(ascii: "t") }

    static func isWholeToken(_ bytes: UnsafeBufferPointer<UInt8>) -> Bool {
        guard let base = bytes.baseAddress, bytes.count > 0 else { return false }
        return tokenEnd(base, from: 0, end: bytes.count) == bytes.count
    }

    /// Whether a line feed lies in the range.
    static func holdsLineFeed(_ base: UnsafePointer<UInt8>, from start: Int, end: Int) -> Bool {
        var index = start
        while index &+ 8 <= end {
            if equal(word(base, index), lineFeed) != 0 { return true }
            index &+= 8
        }
        while index < end {
            if base[index] == lineFeed { return true }
            index &+= 1
        }
        return false
    }

    /// Whether the range equals `text`, which is in lower case, letter case aside.
    @inline(__always)
    static func equals(_ base: UnsafePointer<UInt8>, _ start: Int, _ count: Int, _ text: StaticString) -> Bool {
        guard count == text.utf8CodeUnitCount else { return false }
        let expected = text.utf8Start
        for index in 0..<count where lowered(base[start &+ index]) != expected[index] { return false }
        return true
    }

    @inline(__always)
    static func equalsExactly(_ base: UnsafePointer<UInt8>, _ range: Range<Int>, _ text: StaticString) -> Bool {
        guard range.count == text.utf8CodeUnitCount else { return false }
        for index in 0..<range.count where base[range.lowerBound &+ index] != text.utf8Start[index] { return false }
        return true
    }

    @inline(__always)
    static func lowered(_ byte: UInt8) -> UInt8 { byte &- 0x41 < 26 ? byte | 0x20 : byte }

    @inline(__always)
    static func isDigit(_ byte: UInt8) -> Bool { byte &- 0x30 < 10 }

    /// The value of a hexadecimal digit; `nil` for anything else.
    @inline(__always)
    static func hexValue(_ byte: UInt8) -> UInt8? {
        if byte &- 0x30 < 10 { return byte &- 0x30 }
        let letter = (byte | 0x20) &- 0x61
        return letter < 6 ? letter &+ 10 : nil
    }

    /// 1*DIGIT up to `Int64.max` (RFC 9112, 6.3, and 19 digits at most); `nil` for anything else.
    static func decimal(_ base: UnsafePointer<UInt8>, _ start: Int, _ count: Int) -> UInt64? {
        guard count > 0, count <= 19 else { return nil }
        var value: UInt64 = 0
        for index in start..<start &+ count {
            guard isDigit(base[index]) else { return nil }
            value = value &* 10 &+ UInt64(base[index] &- 0x30)
        }
        return value <= UInt64(Int64.max) ? value : nil
    }

    /// One letter per byte value, sixteen to a row: `t` for token characters.
    private static let tokenTable: StaticString = """
        ................\
        ................\
        .t.ttttt..tt.tt.\
        tttttttttt......\
        .ttttttttttttttt\
        ttttttttttt...tt\
        tttttttttttttttt\
        ttttttttttt.t.t.\
        ................\
        ................\
        ................\
        ................\
        ................\
        ................\
        ................\
        ................
        """
}
