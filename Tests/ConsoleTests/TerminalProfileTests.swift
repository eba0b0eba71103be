import ConsoleKit
import Testing

@testable import Console

@Suite struct `What the environment says of the terminal` {
    private func profile(
        _ environment: [String: String], isUTF8: Bool = true, ascii: Bool = false,
        colors: TerminalProfile.ColorWish = .unsaid, direct: Bool = true
    ) -> TerminalProfile {
        TerminalProfile(
            environment: environment, isUTF8: isUTF8, ascii: ascii, colors: colors, hasDirectColorEntry: direct)
    }

    @Test(arguments: [
        ("xterm-256color", "truecolor", "", "selvage-truecolor"), ("alacritty", "24bit", "", "selvage-truecolor"),
        ("tmux-256color", "truecolor", "x", "selvage-truecolor-tmux"),
        ("screen-256color", "truecolor", "x", "selvage-truecolor-tmux"),
        ("screen-256color", "truecolor", "", "screen-256color"), ("xterm-256color", "", "", "xterm-256color"),
        ("xterm-256color", "yes", "", "xterm-256color"), ("linux", "truecolor", "", "linux"),
    ])
    func `24-bit colour is used where the terminal announces it and passes it on`(
        term: String, colorTerm: String, tmux: String, expected: String
    ) {
        let found = profile(["TERM": term, "COLORTERM": colorTerm, "TMUX": tmux])
        #expect(found.candidates.first?.name == expected)
        #expect((found.candidates.first?.depth == .direct) == expected.hasPrefix("selvage"))
    }

    @Test func `without our own description 24-bit colour falls back to the terminal's own`() {
        let found = profile(["TERM": "xterm-256color", "COLORTERM": "truecolor"], direct: false)
        #expect(found.candidates.first == .init(name: "xterm-256color", depth: .indexed))
    }

    @Test func `NO_COLOR and --no-color leave no colour, and --color overrules NO_COLOR`() {
        let environment = ["TERM": "xterm-256color", "COLORTERM": "truecolor", "NO_COLOR": "1"]
        #expect(profile(environment).candidates.allSatisfy { $0.depth == .mono })
        #expect(profile(environment, colors: .always).candidates.first?.depth == .direct)
        #expect(profile(["TERM": "xterm"], colors: .never).candidates.allSatisfy { $0.depth == .mono })
        #expect(profile(["TERM": "xterm", "NO_COLOR": ""]).candidates.first?.depth == .indexed, "empty is unset")
    }

    @Test(arguments: [
        ([], TerminalProfile.ColorWish.unsaid), (["--no-color"], .never), (["--color", "never"], .never),
        (["--color=always"], .always), (["--no-color", "--color=always"], .always), (["--color", "auto"], .unsaid),
        (["--color"], .unsaid),
    ])
    func `the command line's last word on colour counts`(arguments: [String], expected: TerminalProfile.ColorWish) {
        #expect(Program.colorWish(arguments) == expected)
    }

    @Test func `glyphs are ASCII when asked, outside UTF-8, and on a vt100`() {
        #expect(profile(["TERM": "xterm"]).glyphs == .unicode)
        #expect(profile(["TERM": "xterm"], ascii: true).glyphs == .ascii)
        #expect(profile(["TERM": "xterm"], isUTF8: false).glyphs == .ascii)
        #expect(profile(["TERM": "vt100"]).glyphs == .ascii)
    }

    @Test func `a terminal unknown to this machine gets the nearest relative`() {
        #expect(profile(["TERM": "xterm-kitty"]).candidates.map(\.name).contains("xterm-256color"))
        #expect(profile(["TERM": "wyse60"]).candidates.map(\.name) == ["wyse60", "vt100"])
    }

    @Test func `ESCDELAY is honoured within reason`() {
        #expect(profile(["TERM": "xterm"]).escapeDelay == 0.05)
        #expect(profile(["TERM": "xterm", "ESCDELAY": "200"]).escapeDelay == 0.2)
        #expect(profile(["TERM": "xterm", "ESCDELAY": "-5"]).escapeDelay == 0)
        #expect(profile(["TERM": "xterm", "ESCDELAY": "99999999"]).escapeDelay == 2)
    }

    @Test(arguments: ["dumb", "", "unknown"]) func `a terminal that cannot place its cursor gets no screen`(
        term: String
    ) {
        #expect(!TerminalProfile.isCapable(term: term))
        #expect(!TerminalProfile.isCapable(term: nil))
        #expect(TerminalProfile.isCapable(term: "vt100"))
    }

    @Test(arguments: [
        ("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foobar", "Zm9vYmFy"), ("ÿþ", "w7/Dvg=="),
    ])
    func `base64 is that of RFC 4648`(text: String, expected: String) {
        #expect(String(decoding: Base64.encode(Array(text.utf8)), as: UTF8.self) == expected)
    }

    @Test func `waiting times in a capability are not sent to the terminal`() {
        #expect(
            Painter.withoutPadding(Array("\u{1B}[?5h$<100/>\u{1B}[?5l$5".utf8)) == Array("\u{1B}[?5h\u{1B}[?5l$5".utf8))
    }
}
