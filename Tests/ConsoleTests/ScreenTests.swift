import CVterm
import Foundation
import Testing

@testable import Console

/// The real program in a terminal emulator, in front of a scripted server.
@Suite(.serialized, .offThePool) struct `The console's screen` {
    @Test(arguments: [(80, 24), (200, 60)]) func `content appears at every size`(columns: Int, rows: Int) throws {
        let run = try ConsoleRun(columns: columns, rows: rows)
        try run.wait(for: "pop-7")
        try run.wait(for: "eu")
        #expect(run.terminal.isOnAlternateScreen)
        #expect(run.terminal.isCursorVisible, "screen readers follow the cursor")
        run.terminal.type("q")
        #expect(try run.exitCode() == 0)
        run.expectRestored()
        #expect(run.terminal.unreadInput == 0, "no answer of the terminal is left to be typed into the shell")
    }

    @Test func `keys act, and the cursor is on the focus`() throws {
        let run = try ConsoleRun()
        func isFocused(_ region: String) -> Bool { run.terminal.line(run.terminal.cursor.row).contains(" \(region) ") }
        try run.wait("the cursor on the first row") { isFocused("eu") }
        run.terminal.type("\u{1B}[B")
        try run.wait("the cursor on the second row") { isFocused("us") }
        run.terminal.type("2")
        try run.wait(for: "shop.example")
        run.terminal.type("q")
        #expect(try run.exitCode() == 0)
    }

    @Test func `after a resize the screen fills the new size and keys still act`() throws {
        let run = try ConsoleRun()
        try run.wait(for: "pop-7")
        run.terminal.resize(columns: 120, rows: 40)
        try run.wait("the last row in use") { !run.terminal.line(39).isEmpty }
        run.terminal.resize(columns: 100, rows: 30)
        try run.wait("the last row in use") { !run.terminal.line(29).isEmpty }
        // A screen that answers a resize with a resize dies at the next key.
        run.terminal.type("q")
        #expect(try run.exitCode() == 0)
        run.expectRestored()
    }

    @Test func `each frame is one synchronised update that ends in a question`() throws {
        let run = try ConsoleRun()
        try run.wait(for: "pop-7")
        run.drive(seconds: 2)
        let text = String(decoding: run.terminal.transcript, as: UTF8.self)
        let frames = text.components(separatedBy: "\u{1B}[?2026h").dropFirst()
        #expect(frames.count >= 2)
        for frame in frames { #expect(frame.hasSuffix("\u{1B}[?2026l\u{1B}[5n")) }
    }

    @Test func `an idle screen costs less than 3,000 bytes a second`() throws {
        let run = try ConsoleRun()
        try run.wait(for: "eu")
        run.drive(seconds: 2)
        let before = run.terminal.bytesReceived
        run.drive(seconds: 5)
        let rate = (run.terminal.bytesReceived - before) / 5
        #expect(rate > 0, "figures move")
        #expect(rate < 3000)
    }

    @Test func `a terminal that answers no question still gets frames`() throws {
        let run = try ConsoleRun(temper: .mute)
        try run.wait(for: "eu")
        let first = run.terminal.text
        try run.wait("new figures") { run.terminal.text.contains("eu") && run.terminal.text != first }
        run.terminal.type("q")
        #expect(try run.exitCode() == 0)
        run.expectRestored()
    }

    @Test func `on a slow line a key is answered at once, not after what is queued`() throws {
        let run = try ConsoleRun(columns: 200, rows: 60, temper: .slow(bytesPerSecond: 2000))
        try run.wait(for: "pop-7")
        // Long enough for a backlog, were there one.
        run.drive(seconds: 10)
        let pressed = VirtualTerminal.now
        run.terminal.type("q")
        try run.wait("the shell's screen") { !run.terminal.isOnAlternateScreen }
        #expect(VirtualTerminal.now - pressed < 4)
        #expect(try run.exitCode() == 0)
    }

    @Test func `a lost server shows, and the screen comes back with it`() throws {
        let run = try ConsoleRun()
        try run.wait(for: "eu")
        let live = run.terminal.line(0)
        run.server.stop()
        try run.wait("the header to change", seconds: 10) { run.terminal.line(0) != live }
        try run.server.listen()
        try run.wait("a stream again") { run.server.hasStream }
        try run.wait(for: "eu")
    }
}

/// Beside the others: each terminal waits for the figures to be old.
@Suite(.offThePool) struct `A repaint of the console` {
    @Test(arguments: ["xterm-256color", "xterm", "tmux-256color", "screen", "linux", "vt100", "vt220", "rxvt"])
    func `what the terminal shows is what a repaint shows`(term: String) throws {
        let run = try ConsoleRun(environment: ["TERM": term])
        // In the middle of an hour: a minute more must not change the unit.
        run.server.scene.since = 12_600
        // Ages and delays go on, so figures and their padding are left out of the comparison.
        func shape() -> [String] { run.terminal.lines.map { $0.filter { !$0.isNumber && $0 != " " } } }
        try run.wait(for: "eu")
        // However long the comparison takes, the figures are old throughout, and the link is not lost.
        run.server.isStandingStill = true
        try run.wait("old figures") { run.terminal.line(0).contains(" old") }
        // Into margins that are too narrow, if nobody widens them.
        run.terminal.resize(columns: 100, rows: 40)
        try run.wait("the last row in use") { !run.terminal.line(39).isEmpty }
        for (key, expected) in [
            ("3", "BACKEND"), ("2", "HOST"), ("4", "WHY"), ("5", "STREAMS"), ("1", "REGION"), ("j", "REGION"),
            ("3", "NEW"),
        ] {
            run.terminal.type(key)
            try run.wait(for: expected)
            try run.settle()
            let drawn = shape()
            let before = run.terminal.bytesReceived
            run.terminal.type("\u{0C}")
            try run.wait("a repaint") { run.terminal.bytesReceived > before + 500 }
            try run.settle()
            #expect(drawn == shape(), "after \(key)")
        }
    }
}

@Suite(.serialized, .offThePool) struct `The console's colours` {
    private func colours(_ environment: [String: String], arguments: [String] = []) throws -> [cv_cell] {
        let run = try ConsoleRun(arguments: arguments, environment: environment)
        try run.wait(for: "eu")
        defer { run.terminal.type("q") }
        return run.terminal.cells
    }

    @Test func `a terminal that announces 24-bit colour gets it`() throws {
        let cells = try colours(["COLORTERM": "truecolor"])
        #expect(cells.contains { $0.foreground >= 0x1000000 })
    }

    @Test func `256 colours come as indices of the palette`() throws {
        let cells = try colours([:])
        #expect(cells.contains { $0.foreground >= 16 })
        #expect(cells.allSatisfy { $0.foreground < 256 && $0.background < 256 })
    }

    @Test func `8 colours are enough`() throws {
        let cells = try colours(["TERM": "xterm"])
        #expect(cells.contains { $0.foreground >= 0 })
        #expect(cells.allSatisfy { $0.foreground < 16 && $0.background < 16 })
    }

    @Test(arguments: [["NO_COLOR": "1"], ["TERM": "vt100"], ["TERM": "xterm-mono"]])
    func `without colour the same content stands there`(environment: [String: String]) throws {
        let cells = try colours(environment)
        #expect(cells.allSatisfy { $0.foreground == -1 && $0.background == -1 })
        #expect(cells.contains { $0.reverse || $0.bold }, "shape tells what colour does not")
    }

    @Test(arguments: [["LC_ALL": "C"], ["TERM": "vt100"]]) func `outside UTF-8 every cell is ASCII`(
        environment: [String: String]
    ) throws {
        #expect(try colours(environment).allSatisfy { $0.characters.0 < 0x7F })
    }

    @Test func `without a locale a modern terminal gets its shapes all the same`() throws {
        #expect(try colours(["LANG": ""]).contains { $0.characters.0 == 0x2500 }, "a horizontal rule")
    }

    @Test func `a terminal without a cursor gets plain text and no control sequence`() throws {
        let run = try ConsoleRun(environment: ["TERM": "dumb"])
        #expect(try run.exitCode() == 0)
        #expect(run.terminal.transcript.contains(0x1B) == false)
        #expect(String(decoding: run.terminal.transcript, as: UTF8.self).contains("eu"))
    }
}
