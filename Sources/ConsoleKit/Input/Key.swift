/// A key as the console knows it, whatever the terminal sent.
public enum Key: Hashable, Sendable {
    /// A printable character, as typed: `A` is `⇧a`.
    case character(Character)
    /// Ctrl with a lower-case letter.
    case ctrl(Character)
    case enter, escape, tab, backTab, backspace, delete
    case up, down, left, right
    case shiftUp, shiftDown, shiftLeft, shiftRight
    case pageUp, pageDown, home, end
    case function(Int)
    /// Text of a bracketed paste.
    case paste(String)
    /// The window has a new size; the next `render` is told which.
    case resize

    /// How the key is named on the screen.
    public func label(_ glyphs: GlyphSet) -> String {
        switch self {
        case .character(" "): "Space"
        case .character(let character): String(character)
        case .ctrl(let character): "^" + character.uppercased()
        case .enter: "Enter"
        case .escape: "Esc"
        case .tab: "Tab"
        case .backTab: "S-Tab"
        case .backspace: "Bksp"
        case .delete: "Del"
        case .up: glyphs == .unicode ? "↑" : "Up"
        case .down: glyphs == .unicode ? "↓" : "Down"
        case .left: glyphs == .unicode ? "←" : "Left"
        case .right: glyphs == .unicode ? "→" : "Right"
        case .shiftUp: glyphs == .unicode ? "⇧↑" : "S-Up"
        case .shiftDown: glyphs == .unicode ? "⇧↓" : "S-Down"
        case .shiftLeft: glyphs == .unicode ? "⇧←" : "S-Left"
        case .shiftRight: glyphs == .unicode ? "⇧→" : "S-Right"
        case .pageUp: "PgUp"
        case .pageDown: "PgDn"
        case .home: "Home"
        case .end: "End"
        case .function(let number): "F\(number)"
        case .paste, .resize: ""
        }
    }
}
