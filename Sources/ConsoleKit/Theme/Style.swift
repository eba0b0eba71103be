/// How deep the terminal's colours go.
public enum ColorDepth: String, Sendable, Hashable, CaseIterable { case mono, ansi, indexed, direct }

/// A colour that a terminal can be told.
public enum Color: Hashable, Sendable {
    /// The terminal's own.
    case standard
    /// 0…15 at depth `.ansi`, 16…255 at depth `.indexed`.
    case index(UInt8)
    case rgb(UInt8, UInt8, UInt8)

    /// The nearest colour of the 6×6×6 cube and the 24 greys that 256-colour terminals share.
    var indexed: Color {
        guard case .rgb(let red, let green, let blue) = self else { return self }
        let levels = [0, 95, 135, 175, 215, 255]
        let wanted = [Int(red), Int(green), Int(blue)]
        let steps = wanted.map { value in levels.indices.min { abs(levels[$0] - value) < abs(levels[$1] - value) } ?? 0
        }
        func distance(_ other: [Int]) -> Int { zip(wanted, other).reduce(0) { $0 + ($1.0 - $1.1) * ($1.0 - $1.1) } }
        let grey = max(0, min(23, (wanted.reduce(0, +) / 3 - 3) / 10))
        let greyLevel = 8 + 10 * grey
        if distance(steps.map { levels[$0] }) <= distance([greyLevel, greyLevel, greyLevel]) {
            return .index(UInt8(16 + 36 * steps[0] + 6 * steps[1] + steps[2]))
        }
        return .index(UInt8(232 + grey))
    }

    /// The 16 names of `[ansi]`.
    static let names: [String: Color] = {
        let plain = ["black", "red", "green", "yellow", "blue", "magenta", "cyan", "white"]
        var names: [String: Color] = ["default": .standard]
        for (index, name) in plain.enumerated() {
            names[name] = .index(UInt8(index))
            names["bright-" + name] = .index(UInt8(index + 8))
        }
        return names
    }()
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
