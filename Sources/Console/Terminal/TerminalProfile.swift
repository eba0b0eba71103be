import ConsoleKit

/// What the environment says of the terminal: a pure decision, made once at the start.
struct TerminalProfile: Equatable {
    /// Descriptions to try, best first: a name, and the depth of colour to use with it at most.
    struct Candidate: Equatable {
        var name: String
        var depth: ColorDepth
    }

    /// What the user said about colours on the command line.
    enum ColorWish: Equatable { case unsaid, never, always }

    var candidates: [Candidate]
    var glyphs: GlyphSet
    /// Seconds after which a lone ESC is the Escape key.
    var escapeDelay: Double

    /// Whether a terminal of this name can show a screen at all.
    static func isCapable(term: String?) -> Bool { !["", "dumb", "unknown"].contains(term ?? "") }

    /// - Parameters:
    ///   - environment: the process's; read are TERM, COLORTERM, NO_COLOR, TMUX and ESCDELAY.
    ///   - isUTF8: whether the locale in force writes UTF-8.
    ///   - hasDirectColorEntry: whether our own description for 24-bit colour could be compiled.
    init(environment: [String: String], isUTF8: Bool, ascii: Bool, colors: ColorWish, hasDirectColorEntry: Bool) {
        let term = environment["TERM"] ?? ""
        let saysNoColor = colors == .unsaid && !(environment["NO_COLOR"] ?? "").isEmpty
        let deepest: ColorDepth = colors == .never || saysNoColor ? .mono : .indexed
        var candidates = [Candidate(name: term, depth: deepest)]
        // A terminal that this machine has no description of: the nearest that it surely has.
        if !term.isEmpty { candidates += Self.relatives(of: term).map { Candidate(name: $0, depth: deepest) } }
        if deepest != .mono, hasDirectColorEntry, Self.hasDirectColor(environment) {
            let isMultiplexer = term.hasPrefix("tmux") || term.hasPrefix("screen")
            candidates.insert(
                Candidate(name: isMultiplexer ? "selvage-truecolor-tmux" : "selvage-truecolor", depth: .direct), at: 0)
        }
        self.candidates = candidates
        // Terminals of this age have no UTF-8, whatever the locale says.
        let isOld = term.hasPrefix("vt") || term.hasPrefix("ansi")
        glyphs = ascii || !isUTF8 || isOld ? .ascii : .unicode
        let milliseconds = environment["ESCDELAY"].flatMap(Int.init) ?? 50
        escapeDelay = Double(min(max(milliseconds, 0), 2000)) / 1000
    }

    /// COLORTERM speaks of the terminal outside; GNU screen, which shares its name with tmux's older entry, does not
    /// pass 24-bit colour on.
    static func hasDirectColor(_ environment: [String: String]) -> Bool {
        guard ["truecolor", "24bit"].contains(environment["COLORTERM"] ?? "") else { return false }
        let term = environment["TERM"] ?? ""
        if term.hasPrefix("screen") { return !(environment["TMUX"] ?? "").isEmpty }
        return !(term.hasPrefix("vt") || term.hasPrefix("linux") || term.hasPrefix("ansi"))
    }

    private static func relatives(of term: String) -> [String] {
        let likeXterm = [
            "xterm", "alacritty", "foot", "ghostty", "kitty", "wezterm", "rio", "contour", "konsole", "vte",
        ]
        if likeXterm.contains(where: term.hasPrefix) { return ["xterm-256color", "xterm", "vt100"] }
        if term.hasPrefix("tmux") || term.hasPrefix("screen") { return ["screen-256color", "screen", "vt100"] }
        // Not "ansi": its cursor is said to leave the last column at once, which no terminal's does.
        return ["vt100"]
    }
}
