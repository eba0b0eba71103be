import Foundation

/// Text that operators will see, made harmless: it may have come from a document, a certificate or a peer.
enum DisplayText {
    /// Most characters of an event's text.
    static let limit = 500

    /// `text` without control, format and line-separating characters, each run of them one space, cut at `limit`
    /// characters. A terminal must find neither an escape sequence nor a change of writing direction in it.
    static func clean(_ text: String, limit: Int = limit) -> String {
        var result = String.UnicodeScalarView()
        var gap = false
        // A grapheme may have any number of scalars: bound those first, so that no text costs more than it may show.
        for scalar in text.unicodeScalars.prefix(limit * 4) {
            if isHarmful(scalar) {
                gap = !result.isEmpty
                continue
            }
            if gap { result.append(" ") }
            gap = false
            result.append(scalar)
        }
        let cleaned = String(result)
        return cleaned.count <= limit ? cleaned : cleaned.prefix(limit - 1) + "…"
    }

    private static func isHarmful(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.properties.generalCategory {
        case .control, .format, .lineSeparator, .paragraphSeparator, .surrogate, .privateUse: true
        default: false
        }
    }
}

/// RFC 3339 times with milliseconds, UTC: for display only.
enum DisplayTime {
    static func text(_ date: Date) -> String {
        date.formatted(Date.ISO8601FormatStyle(includingFractionalSeconds: true))
    }
}
