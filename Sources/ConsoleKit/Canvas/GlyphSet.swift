/// The shapes that the console draws with.
public enum GlyphSet: String, Sendable, Hashable, CaseIterable {
    case unicode
    /// One byte per cell: for vt100, serial lines, and locales without UTF-8.
    case ascii

    public var horizontal: String { self == .unicode ? "─" : "-" }
    public var vertical: String { self == .unicode ? "│" : "|" }
    public var topLeft: String { self == .unicode ? "┌" : "+" }
    public var topRight: String { self == .unicode ? "┐" : "+" }
    public var bottomLeft: String { self == .unicode ? "└" : "+" }
    public var bottomRight: String { self == .unicode ? "┘" : "+" }
    public var marker: String { self == .unicode ? "▸" : ">" }
    public var closed: String { self == .unicode ? "●" : "*" }
    public var halfOpen: String { self == .unicode ? "◐" : "%" }
    public var open: String { self == .unicode ? "○" : "o" }
    public var full: String { self == .unicode ? "█" : "#" }
    public var adding: String { self == .unicode ? "▒" : ":" }
    public var removing: String { self == .unicode ? "░" : "-" }
    public var track: String { self == .unicode ? "·" : "." }
    public var arrow: String { self == .unicode ? "→" : ">" }
    public var longArrow: String { self == .unicode ? "───▶" : "--->" }
    public var chain: String { self == .unicode ? "›" : ">" }
    public var ellipsis: String { self == .unicode ? "…" : "~" }
    public var replacement: String { self == .unicode ? "�" : "?" }
    public var check: String { self == .unicode ? "✓" : "+" }
    public var cross: String { self == .unicode ? "✗" : "x" }
    public var up: String { self == .unicode ? "▲" : "^" }
    public var down: String { self == .unicode ? "▼" : "v" }
    public var lock: String { self == .unicode ? "■" : "L" }
    /// Eighths of a cell, from empty to 7/8: full blocks would fuse with the row above.
    public var levels: [String] {
        self == .unicode ? [" ", "▁", "▂", "▃", "▄", "▅", "▆", "▇"] : [" ", ".", ".", ":", ":", "|", "|", "#"]
    }
}
