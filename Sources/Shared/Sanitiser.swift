/// The one function in front of the cell grid.
///
/// Host names, paths, user agents and error texts come from strangers, and a terminal obeys what it is sent. So
/// control characters become a visible mark, and everything that changes the direction, the order or the shape of
/// its neighbours is left out.
public struct Sanitiser: Hashable, Sendable {
    /// A character that may be drawn.
    public struct Glyph: Hashable, Sendable {
        public var base: Unicode.Scalar
        public var marks: [Unicode.Scalar]
        /// 1 or 2.
        public var width: Int
    }

    /// Only ASCII leaves, everything else becomes `?`.
    public let asciiOnly: Bool

    public init(asciiOnly: Bool = false) { self.asciiOnly = asciiOnly }

    public func glyphs(_ text: String) -> [Glyph] {
        var result: [Glyph] = []
        result.reserveCapacity(text.utf8.count)
        for scalar in text.unicodeScalars {
            switch Sanitiser.judge(scalar) {
            case .drop: continue
            case .space: result.append(Glyph(base: " ", marks: [], width: 1))
            case .replace: result.append(replacement)
            case .mark:
                guard !asciiOnly, let last = result.indices.last, result[last].marks.count < 2 else { continue }
                result[last].marks.append(scalar)
            case .keep(let width):
                if asciiOnly && !scalar.isASCII {
                    result.append(asciiForm(scalar, width: width))
                } else {
                    result.append(Glyph(base: scalar, marks: [], width: width))
                }
            }
        }
        return result
    }

    /// Columns that `text` takes when drawn.
    public static func width(_ text: String) -> Int {
        text.utf8.allSatisfy { $0 >= 0x20 && $0 < 0x7F }
            ? text.utf8.count : Sanitiser().glyphs(text).reduce(0) { $0 + $1.width }
    }

    private var replacement: Glyph { Glyph(base: asciiOnly ? "?" : "\u{FFFD}", marks: [], width: 1) }

    private func asciiForm(_ scalar: Unicode.Scalar, width: Int) -> Glyph {
        let known: [Unicode.Scalar: Unicode.Scalar] = [
            "·": ".", "–": "-", "—": "-", "…": "~", "→": ">", "›": ">", "≥": ">", "≤": "<", "×": "x",
        ]
        return Glyph(base: known[scalar] ?? "?", marks: [], width: 1)
    }

    private enum Judgement {
        case keep(width: Int)
        case mark, space, replace, drop
    }

    private static func judge(_ scalar: Unicode.Scalar) -> Judgement {
        let value = scalar.value
        if value >= 0x20 && value < 0x7F { return .keep(width: 1) }
        if value == 0x09 || value == 0x0A || value == 0x0D { return .space }
        // Variation selectors, the Hangul fillers that look like nothing, and conjoining vowels and finals.
        if (0xFE00...0xFE0F).contains(value) || (0xE0100...0xE01EF).contains(value) { return .drop }
        if value == 0x3164 || value == 0xFFA0 || value == 0x115F || value == 0x034F { return .drop }
        if (0x1160...0x11FF).contains(value) || (0xD7B0...0xD7FF).contains(value) { return .mark }
        switch scalar.properties.generalCategory {
        case .control, .privateUse, .surrogate, .unassigned: return .replace
        // Bidirectional controls, joiners, tags, soft hyphens and byte-order marks.
        case .format: return .drop
        case .lineSeparator, .paragraphSeparator, .spaceSeparator: return .space
        case .nonspacingMark, .enclosingMark: return .mark
        default: return .keep(width: isWide(value) ? 2 : 1)
        }
    }

    /// East Asian Width `W` and `F` (Unicode Standard Annex 11), in the blocks that terminals agree on.
    private static func isWide(_ value: UInt32) -> Bool {
        guard value >= 0x1100 else { return false }
        for range in wideRanges where range.contains(value) { return true }
        return false
    }

    private static let wideRanges: [ClosedRange<UInt32>] = [
        0x1100...0x115F, 0x231A...0x231B, 0x2329...0x232A, 0x23E9...0x23EC, 0x23F0...0x23F0, 0x23F3...0x23F3,
        0x25FD...0x25FE, 0x2614...0x2615, 0x2648...0x2653, 0x267F...0x267F, 0x2693...0x2693, 0x26A1...0x26A1,
        0x26AA...0x26AB, 0x26BD...0x26BE, 0x26C4...0x26C5, 0x26CE...0x26CE, 0x26D4...0x26D4, 0x26EA...0x26EA,
        0x26F2...0x26F3, 0x26F5...0x26F5, 0x26FA...0x26FA, 0x26FD...0x26FD, 0x2705...0x2705, 0x270A...0x270B,
        0x2728...0x2728, 0x274C...0x274C, 0x274E...0x274E, 0x2753...0x2755, 0x2757...0x2757, 0x2795...0x2797,
        0x27B0...0x27B0, 0x27BF...0x27BF, 0x2B1B...0x2B1C, 0x2B50...0x2B50, 0x2B55...0x2B55, 0x2E80...0x303E,
        0x3041...0x33FF, 0x3400...0x4DBF, 0x4E00...0x9FFF, 0xA000...0xA4CF, 0xA960...0xA97F, 0xAC00...0xD7A3,
        0xF900...0xFAFF, 0xFE10...0xFE19, 0xFE30...0xFE6F, 0xFF01...0xFF60, 0xFFE0...0xFFE6, 0x16FE0...0x18DFF,
        0x1AFF0...0x1B2FF, 0x1F004...0x1F004, 0x1F0CF...0x1F0CF, 0x1F18E...0x1F18E, 0x1F191...0x1F19A,
        0x1F200...0x1F2FF, 0x1F300...0x1F320, 0x1F32D...0x1F335, 0x1F337...0x1F37C, 0x1F37E...0x1F393,
        0x1F3A0...0x1F3CA, 0x1F3CF...0x1F3D3, 0x1F3E0...0x1F3F0, 0x1F3F4...0x1F3F4, 0x1F3F8...0x1F43E,
        0x1F440...0x1F440, 0x1F442...0x1F4FC, 0x1F4FF...0x1F53D, 0x1F54B...0x1F54E, 0x1F550...0x1F567,
        0x1F57A...0x1F57A, 0x1F595...0x1F596, 0x1F5A4...0x1F5A4, 0x1F5FB...0x1F64F, 0x1F680...0x1F6C5,
        0x1F6CC...0x1F6CC, 0x1F6D0...0x1F6D2, 0x1F6D5...0x1F6D7, 0x1F6DC...0x1F6DF, 0x1F6EB...0x1F6EC,
        0x1F6F4...0x1F6FC, 0x1F7E0...0x1F7EB, 0x1F7F0...0x1F7F0, 0x1F90C...0x1F93A, 0x1F93C...0x1F945,
        0x1F947...0x1F9FF, 0x1FA70...0x1FAFF, 0x20000...0x3FFFD,
    ]
}
