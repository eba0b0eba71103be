/// Times and durations as filters write them.
enum FilterTime {
    static let second: Int64 = 1_000_000
    /// Further away than this in either direction means nothing: a thousand years.
    private static let maximumSeconds: Int64 = 1000 * 366 * 86_400

    /// Microseconds since 1970 of a time as RFC 3339 writes it, or of a date alone, which is its first second in UTC;
    /// `nil` for any other text.
    static func microseconds(_ text: String) -> Int64? {
        var rest = Array(text.utf8)[...]
        guard rest.count <= 64, rest.count >= 10 else { return nil }
        let date = String(decoding: rest.prefix(10), as: UTF8.self)
        rest = rest.dropFirst(10)
        if rest.isEmpty || rest.elementsEqual("Z".utf8) { return seconds(date + "T00:00:00Z").map { $0 * second } }
        guard rest.count >= 10, rest.first.map({ $0 | 0x20 }) == UInt8(ascii: "t") else { return nil }
        let time = String(decoding: rest.dropFirst().prefix(8), as: UTF8.self)
        rest = rest.dropFirst(9)
        guard let base = seconds("\(date)T\(time)Z") else { return nil }
        var fraction: Int64 = 0
        if rest.first == UInt8(ascii: ".") {
            let digits = rest.dropFirst().prefix { (0x30...0x39).contains($0) }
            guard !digits.isEmpty else { return nil }
            var place = second / 10
            for digit in digits {
                fraction += Int64(digit - 0x30) * place
                place /= 10
            }
            rest = rest.dropFirst(1 + digits.count)
        }
        guard let offset = offset(Array(rest)) else { return nil }
        return (base - offset) * second + fraction
    }

    /// Only times that exist: a 31st of February is none.
    private static func seconds(_ text: String) -> Int64? {
        guard let time = WallTime(text: text), time.text == text else { return nil }
        return time.seconds
    }

    /// Seconds east of Greenwich.
    private static func offset(_ bytes: [UInt8]) -> Int64? {
        if bytes.count == 1, bytes[0] | 0x20 == UInt8(ascii: "z") { return 0 }
        let digits = [1, 2, 4, 5]
        guard bytes.count == 6, bytes[3] == UInt8(ascii: ":"), digits.allSatisfy({ (0x30...0x39).contains(bytes[$0]) }),
            bytes[0] == UInt8(ascii: "+") || bytes[0] == UInt8(ascii: "-")
        else { return nil }
        let value = digits.map { Int64(bytes[$0] - 0x30) }
        let hours = value[0] * 10 + value[1]
        let minutes = value[2] * 10 + value[3]
        guard hours < 24, minutes < 60 else { return nil }
        return (hours * 3600 + minutes * 60) * (bytes[0] == UInt8(ascii: "-") ? -1 : 1)
    }

    private static let units: [UInt8: Int64] = [
        UInt8(ascii: "s"): 1, UInt8(ascii: "m"): 60, UInt8(ascii: "h"): 3600, UInt8(ascii: "d"): 86_400,
        UInt8(ascii: "w"): 7 * 86_400,
    ]

    /// Microseconds of a duration such as `7d` or `1h30m`; `nil` when it is none, or longer than a thousand years.
    static func duration(_ text: String) -> Int64? {
        var total: Int64 = 0
        var number: Int64?
        for byte in text.utf8 {
            if (0x30...0x39).contains(byte) {
                number = (number ?? 0) * 10 + Int64(byte - 0x30)
                guard let number, number <= maximumSeconds else { return nil }
            } else {
                guard let unit = units[byte], let count = number else { return nil }
                total += count * unit
                number = nil
                guard total <= maximumSeconds else { return nil }
            }
        }
        return number == nil && !text.isEmpty ? total * second : nil
    }
}
