/// Numbers as people read them: few digits, and a unit.
enum Figures {
    /// `820 B`, `1.5 KiB`, `45 MiB`.
    static func bytes(_ count: Double) -> String {
        var value = max(0, count.isFinite ? count : 0)
        for unit in ["B", "KiB", "MiB", "GiB", "TiB"] {
            // What would be written as 1024 of a unit is 1 of the next.
            if value.rounded() < 1024 || unit == "TiB" {
                return unit == "B" ? "\(Int(value.rounded())) B" : "\(short(value)) \(unit)"
            }
            value /= 1024
        }
        return ""
    }

    /// `0.2 ms`, `12 ms`, `1.5 s`, `3 min`, `2 h`, `5 d`; `-` for none.
    static func time(_ seconds: Double?) -> String {
        guard let seconds, seconds.isFinite, seconds >= 0 else { return "-" }
        if seconds < 0.9995 { return "\(short(seconds * 1000)) ms" }
        if seconds < 99.5 { return "\(short(seconds)) s" }
        let whole = Int(min(seconds, 1e9).rounded())
        if whole < 6000 { return "\(whole / 60) min" }
        return whole < 172_800 ? "\(whole / 3600) h" : "\(whole / 86_400) d"
    }

    /// One decimal below 10, none above.
    static func short(_ value: Double) -> String {
        let tenths = Int((min(value, 1e15) * 10).rounded())
        if tenths < 100 && tenths % 10 != 0 { return "\(tenths / 10).\(tenths % 10)" }
        return tenths < 100 ? "\(tenths / 10)" : "\(Int(min(value, 1e15).rounded()))"
    }
}
