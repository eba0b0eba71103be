import Glibc

/// The time of day, in whole seconds, for what people and certificates read. Intervals are measured elsewhere.
public struct WallTime: Comparable, Hashable, Sendable {
    /// Seconds since 1970-01-01T00:00:00Z, leap seconds left out.
    public var seconds: Int64

    public init(seconds: Int64) { self.seconds = seconds }

    public static func < (one: Self, other: Self) -> Bool { one.seconds < other.seconds }

    /// The system's time now.
    public static func now() -> WallTime {
        WallTime(seconds: Int64(time(nil)))
    }

    /// Year, month and day in the Gregorian calendar, and the seconds within the day.
    private var parts: (year: Int64, month: Int64, day: Int64, second: Int64) {
        let days = seconds >= 0 ? seconds / 86_400 : (seconds - 86_399) / 86_400
        // Days are counted from 0000-03-01, so that a leap day is the last of its year.
        let shifted = days + 719_468
        let era = (shifted >= 0 ? shifted : shifted - 146_096) / 146_097
        let dayOfEra = shifted - era * 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let index = (5 * dayOfYear + 2) / 153
        let month = index < 10 ? index + 3 : index - 9
        return (
            yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month, dayOfYear - (153 * index + 2) / 5 + 1,
            seconds - days * 86_400
        )
    }

    /// RFC 3339 in UTC with a resolution of one second, e.g. `2026-11-21T01:15:00Z`.
    public var text: String {
        let (year, month, day, second) = parts
        let pad = { (value: Int64, width: Int) in
            let digits = String(value)
            return String(repeating: "0", count: max(0, width - digits.count)) + digits
        }
        return "\(pad(year, 4))-\(pad(month, 2))-\(pad(day, 2))"
            + "T\(pad(second / 3600, 2)):\(pad(second / 60 % 60, 2)):\(pad(second % 60, 2))Z"
    }
}

extension WallTime {
    /// Reads the form that `text` writes; `nil` for any other.
    init?(text: String) {
        let bytes = Array(text.utf8)
        let separators: [(Int, Unicode.Scalar)] = [(4, "-"), (7, "-"), (10, "T"), (13, ":"), (16, ":"), (19, "Z")]
        guard bytes.count == 20, separators.allSatisfy({ bytes[$0.0] == UInt8(ascii: $0.1) }) else { return nil }
        let number = { (range: Range<Int>) in Int64(String(decoding: bytes[range], as: UTF8.self)) }
        guard let year = number(0..<4), let month = number(5..<7), let day = number(8..<10), let hour = number(11..<13),
            let minute = number(14..<16), let second = number(17..<19), (1...12).contains(month),
            (1...31).contains(day),
            (0..<24).contains(hour), (0..<60).contains(minute), (0..<61).contains(second), year >= 0
        else { return nil }
        // The inverse of `parts`.
        let shiftedYear = month <= 2 ? year - 1 : year
        let era = shiftedYear >= 0 ? shiftedYear / 400 : (shiftedYear - 399) / 400
        let yearOfEra = shiftedYear - era * 400
        let dayOfYear = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1
        let dayOfEra = yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear
        self.init(seconds: (era * 146_097 + dayOfEra - 719_468) * 86_400 + hour * 3600 + minute * 60 + second)
    }
}
