/// Numbers as operators read them: few digits, the same width.
enum Figure {
    /// `820`, `1,460`, `0.4`.
    static func rate(_ value: Double) -> String {
        guard value.isFinite else { return "-" }
        if value > 0 && value < 9.95 { return fixed(value, 1) }
        return grouped(Int(min(max(0, value.rounded()), 9e15)))
    }

    static func milliseconds(_ value: Double?) -> String {
        guard let value, value.isFinite else { return "-" }
        return value < 1_000 ? fixed(value, value < 9.95 ? 2 : 1) : grouped(Int(min(value.rounded(), 9e15)))
    }

    /// A share of 0…1 as `2.4%`.
    static func percent(_ share: Double) -> String {
        guard share.isFinite else { return "-" }
        return share >= 0.9995 ? "100%" : fixed(share * 100, 1) + "%"
    }

    static func grouped(_ value: Int) -> String {
        let digits = Array(String(abs(value)))
        var text = ""
        for (index, digit) in digits.enumerated() {
            if index > 0 && (digits.count - index) % 3 == 0 { text.append(",") }
            text.append(digit)
        }
        return value < 0 ? "-" + text : text
    }

    static func fixed(_ value: Double, _ places: Int) -> String {
        guard value.isFinite, abs(value) < 1e12 else { return "-" }
        let factor = places == 1 ? 10.0 : places == 2 ? 100.0 : 1.0
        let scaled = Int((abs(value) * factor).rounded())
        let sign = value < 0 && scaled > 0 ? "-" : ""
        guard places > 0 else { return sign + String(scaled) }
        let whole = scaled / Int(factor)
        let rest = String(scaled % Int(factor))
        return "\(sign)\(whole)." + String(repeating: "0", count: places - rest.count) + rest
    }

    /// `0 B`, `4.1 kB`, `310 MB`: thousands, not 1,024s.
    static func bytes(_ value: Double?) -> String {
        guard let value, value.isFinite, value >= 0 else { return "-" }
        var rest = value
        let units = ["B", "kB", "MB", "GB", "TB", "PB", "EB"]
        var index = 0
        while rest >= 999.5 && index < units.count - 1 {
            rest /= 1_000
            index += 1
        }
        return fixed(rest, index > 0 && rest < 9.95 ? 1 : 0) + " " + units[index]
    }

    /// `12 s`, `3 min`, `2 h`, `5 d`.
    static func duration(_ seconds: Double) -> String {
        guard seconds.isFinite, seconds >= 0 else { return "-" }
        let whole = Int(min(seconds, 1e9))
        if whole < 100 { return "\(whole) s" }
        if whole < 6_000 { return "\(whole / 60) min" }
        return whole < 172_800 ? "\(whole / 3600) h" : "\(whole / 86_400) d"
    }
}
