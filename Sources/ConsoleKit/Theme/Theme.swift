/// How deep the terminal's colours go.
public enum ColorDepth: String, Sendable, Hashable, CaseIterable { case mono, ansi, indexed, direct }

/// A colour that a terminal can be told.
public enum Color: Hashable, Sendable {
    /// The terminal's own.
    case standard
    /// 0…15 at depth `.ansi`, 16…255 at depth `.indexed`.
    case index(UInt8)
    case rgb(UInt8, UInt8, UInt8)
}

/// How a cell is drawn.
public struct Style: Hashable, Sendable {
    public var foreground: Color
    public var background: Color
    public var bold: Bool
    public var underline: Bool
    public var reverse: Bool
    public var dim: Bool

    public init(
        foreground: Color = .standard, background: Color = .standard, bold: Bool = false, underline: Bool = false,
        reverse: Bool = false, dim: Bool = false
    ) {
        self.foreground = foreground
        self.background = background
        self.bold = bold
        self.underline = underline
        self.reverse = reverse
        self.dim = dim
    }
}

/// What a theme file says: a style for each role, at each depth.
public struct Theme: Sendable {
    public var name: String

    /// - Throws: `ThemeFaults` with every mistake and its line.
    public init(name: String, toml: String) throws(ThemeFaults) { self.name = name }

    /// The style of a cell.
    public func style(_ cell: Cell, depth: ColorDepth) -> Style { Style(reverse: cell.isSelected, dim: false) }

    /// A theme that needs no file: the terminal's own colours.
    public static let plain = Theme(plainNamed: "plain")
    private init(plainNamed name: String) { self.name = name }
}

/// Every mistake of a theme file.
public struct ThemeFaults: Error, Sendable, CustomStringConvertible {
    public struct Fault: Sendable, Hashable {
        public var line: Int
        public var message: String
    }
    public var faults: [Fault]
    public var description: String { faults.map { "line \($0.line): \($0.message)" }.joined(separator: "\n") }
}
