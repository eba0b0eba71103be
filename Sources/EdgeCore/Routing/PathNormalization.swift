/// Makes paths that mean the same equal, so that `/x/../admin` and `/%61dmin` meet the route of `/admin`.
///
/// Percent-encoded unreserved characters are decoded once (RFC 3986, 6.2.2.2), other escapes keep upper-case digits
/// (6.2.2.1), and dot segments are removed (5.2.4). `%2F` stays, because it is no separator, and empty segments stay,
/// because `/a//b` and `/a/b` are different resources. Only matching sees this form: what goes upstream is what came.
enum PathNormalization {
    /// Whether the byte, after the one before it, may begin something that is not in normal form. It says yes too
    /// often (`/.well-known`), never too seldom.
    @inline(__always)
    static func isSuspicious(_ byte: UInt8, after previous: UInt8) -> Bool {
        byte == UInt8(ascii: "%") || (byte == UInt8(ascii: ".") && previous == UInt8(ascii: "/"))
    }

    /// Writes the normal form.
    /// - Parameters:
    ///   - path: begins with `/`.
    ///   - output: at least as long as `path`.
    ///   - keepsLast: leaves the last segment as it is: a configured prefix such as `/files/.` ends within a segment.
    /// - Returns: the number of bytes written.
    static func write(
        _ path: UnsafeBufferPointer<UInt8>, to output: UnsafeMutableBufferPointer<UInt8>, keepsLast: Bool = false
    ) -> Int {
        var count = 0
        var index = 0
        while index < path.count {
            let start = count
            output[count] = UInt8(ascii: "/")
            count += 1
            index += 1
            while index < path.count, path[index] != UInt8(ascii: "/") {
                index += copyCharacter(path, at: index, to: output, at: &count)
            }
            let isLast = index >= path.count
            if isLast && keepsLast { break }
            switch dots(output, start + 1, count) {
            case 1: count = start
            case 2: count = parent(output, start)
            default: continue
            }
            // `/a/..` names the directory: `/`.
            if isLast {
                output[count] = UInt8(ascii: "/")
                count += 1
            }
        }
        return count
    }

    /// The normal form of a configured match.
    static func normalised(_ text: String, keepsLast: Bool) -> [UInt8] {
        let bytes = Array(text.utf8)
        guard bytes.first == UInt8(ascii: "/") else { return bytes }
        return [UInt8](unsafeUninitializedCapacity: bytes.count) { output, count in
            count = bytes.withUnsafeBufferPointer { write($0, to: output, keepsLast: keepsLast) }
        }
    }

    /// 1 for the segment `.`, 2 for `..`, else 0.
    private static func dots(_ output: UnsafeMutableBufferPointer<UInt8>, _ start: Int, _ end: Int) -> Int {
        guard (1...2).contains(end - start) else { return 0 }
        for index in start..<end where output[index] != UInt8(ascii: ".") { return 0 }
        return end - start
    }

    /// Where the segment before `start` begins.
    private static func parent(_ output: UnsafeMutableBufferPointer<UInt8>, _ start: Int) -> Int {
        var index = start
        while index > 0 {
            index -= 1
            if output[index] == UInt8(ascii: "/") { break }
        }
        return index
    }

    /// Copies one character or escape; gives how many bytes of the path it took.
    @inline(__always)
    private static func copyCharacter(
        _ path: UnsafeBufferPointer<UInt8>, at index: Int, to output: UnsafeMutableBufferPointer<UInt8>,
        at count: inout Int
    ) -> Int {
        guard path[index] == UInt8(ascii: "%"), index + 2 < path.count, let high = digit(path[index + 1]),
            let low = digit(path[index + 2])
        else {
            output[count] = path[index]
            count += 1
            return 1
        }
        let value = high << 4 | low
        if isUnreserved(value) {
            output[count] = value
            count += 1
        } else {
            output[count] = UInt8(ascii: "%")
            output[count + 1] = upper(path[index + 1])
            output[count + 2] = upper(path[index + 2])
            count += 3
        }
        return 3
    }

    private static func digit(_ byte: UInt8) -> UInt8? {
        switch byte {
        case 0x30...0x39: byte - 0x30
        case 0x41...0x46: byte - 0x41 + 10
        case 0x61...0x66: byte - 0x61 + 10
        default: nil
        }
    }

    private static func upper(_ byte: UInt8) -> UInt8 { byte >= 0x61 ? byte & 0xDF : byte }

    /// RFC 3986, 2.3.
    private static func isUnreserved(_ byte: UInt8) -> Bool {
        switch byte {
        case 0x30...0x39, 0x41...0x5A, 0x61...0x7A: true
        case UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: "~"): true
        default: false
        }
    }
}
