/// What a theme file says: a style for each role, at each depth.
public struct Theme: Sendable, Hashable {
    public let name: String
    /// By `ColorRole.rawValue`.
    private var direct: [Style]
    private var ansi: [Style]
    private var mono: [Style]

    init(name: String, direct: [Style], ansi: [Style], mono: [Style]) {
        self.name = name
        self.direct = direct
        self.ansi = ansi
        self.mono = mono
    }

    /// Reads a theme file.
    /// - Throws: `ThemeFaults` with every mistake and its line.
    public init(name: String, toml: String) throws(ThemeFaults) {
        var reader = ThemeReader(toml)
        self = try reader.theme(named: name)
    }

    /// The style of a role, before selection.
    public func style(_ role: ColorRole, depth: ColorDepth) -> Style {
        let index = Int(role.rawValue)
        switch depth {
        case .direct: return direct[index]
        case .indexed:
            var style = direct[index]
            style.foreground = style.foreground.indexed
            style.background = style.background.indexed
            return style
        case .ansi: return ansi[index]
        case .mono: return mono[index]
        }
    }

    /// The style of a cell.
    public func style(_ cell: Cell, depth: ColorDepth) -> Style {
        var style = style(cell.role, depth: depth)
        if cell.isSelected { style.reverse.toggle() }
        if cell.isBold { style.bold = true }
        return style
    }

    /// A theme that needs no file: the terminal's own colours.
    public static let plain: Theme = {
        let styles = ColorRole.allCases.map(Theme.fallback)
        let mono = ColorRole.allCases.map { role in
            var style = Theme.fallback(role)
            style.foreground = .standard
            return style
        }
        return Theme(name: "plain", direct: styles, ansi: styles, mono: mono)
    }()

    /// With 8 colours: cyan is accent, yellow bold warns, red bold is critical, magenta bold is staged.
    static func fallback(_ role: ColorRole) -> Style {
        switch role {
        case .accent, .ok, .chart, .bar, .key: Style(foreground: .index(6))
        case .focus, .heading: Style(bold: true)
        case .warn, .chartSecond: Style(foreground: .index(3), bold: true)
        case .crit, .removed: Style(foreground: .index(1), bold: true)
        case .staged, .guarded: Style(foreground: .index(5), bold: true)
        case .added: Style(foreground: .index(2), bold: true)
        case .stale, .track: Style(dim: true)
        case .text, .dim, .border, .identifier, .header, .tab: Style()
        }
    }
}

/// Every mistake of a theme file.
public struct ThemeFaults: Error, Sendable, Hashable, CustomStringConvertible {
    public struct Fault: Sendable, Hashable {
        public var line: Int
        public var message: String
    }

    public var faults: [Fault]

    public var description: String { faults.map { "line \($0.line): \($0.message)" }.joined(separator: "\n") }
}
