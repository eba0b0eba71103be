import Shared
import Testing

@testable import ConsoleKit

private let sizes = [Size(columns: 80, rows: 24), Size(columns: 200, rows: 60), Size(columns: 40, rows: 12)]

struct GoldenTests {
    @Test(arguments: sizes, ["1", "2", "3", "4", "5", "6"] as [Key])
    func `every screen looks as its golden file says`(size: Size, key: Key) throws {
        var app = Sample.app()
        app.press(key)
        try Golden.check(app.render(size: size, glyphs: .unicode), "screen-\(key.label(.ascii))")
    }

    @Test(arguments: sizes)
    func `C17 an edge shows its routes in matching order with the chain of each`(size: Size) throws {
        var app = Sample.app()
        app.press("2", .down, .enter)
        let canvas = app.render(size: size, glyphs: .unicode)
        try Golden.check(canvas, "edge")
    }

    @Test(arguments: sizes)
    func `a running guard shows its countdown and what it watches`(size: Size) throws {
        var app = Sample.app(guards: [Sample.guardStatus()])
        app.press("3")
        try Golden.check(app.render(size: size, glyphs: .unicode), "guard")
    }

    @Test(arguments: sizes)
    func `a risky step asks for the route's name in the preview`(size: Size) throws {
        var app = Sample.app()
        app.press("3", .down)
        for _ in 0..<7 { app.press(.shiftRight) }
        app.press("a")
        app.type("shop")
        try Golden.check(app.render(size: size, glyphs: .unicode), "preview")
    }

    @Test func `ASCII canvases hold nothing but ASCII, and say the same`() throws {
        var app = Sample.app()
        for key in ["1", "2", "3", "4", "5", "6"] as [Key] {
            app.press(key)
            let canvas = app.render(size: sizes[0], glyphs: .ascii)
            #expect(canvas.cells.allSatisfy { $0.base.isASCII && $0.base.value >= 0x20 && $0.firstMark == nil })
            try Golden.check(canvas, "ascii-\(key.label(.ascii))")
        }
    }

    @Test func `old figures are greyed and say how old they are`() throws {
        var app = Sample.app()
        _ = app.receive(.linkLost("the server closed"), now: 101)
        _ = app.advance(now: 112)
        let canvas = app.render(size: sizes[0], glyphs: .unicode)
        #expect(canvas.line(0).contains("12 s old"))
        let figures = canvas.row(3).filter { $0.role == .stale }
        #expect(!figures.isEmpty)
        try Golden.check(canvas, "stale")
    }

    @Test func `palette and help look as their golden files say`() throws {
        var app = Sample.app()
        app.press(":")
        app.type("brk")
        try Golden.check(app.render(size: sizes[0], glyphs: .unicode), "palette")
        app.press(.escape, "?")
        try Golden.check(app.render(size: sizes[0], glyphs: .unicode), "help")
        app.press(.escape, "2", .down, .enter, .down, .enter)
        try Golden.check(app.render(size: sizes[0], glyphs: .unicode), "module-form")
    }

    @Test func `a window that is too small gets a notice instead of a torn screen`() {
        let canvas = Sample.app().render(size: Size(columns: 30, rows: 8), glyphs: .unicode)
        #expect(canvas.line(0).contains("selvage needs 40x12"))
    }

    @Test func `every row fills exactly its columns at any width`() {
        var app = Sample.app(guards: [Sample.guardStatus()])
        for key in ["1", "2", "3", "4", "5", "6"] as [Key] {
            app.press(key)
            for columns in 40...220 {
                let canvas = app.render(size: Size(columns: columns, rows: 24), glyphs: .unicode)
                for row in 0..<24 { #expect(canvas.row(row).reduce(0) { $0 + Int($1.width) } == columns) }
            }
        }
    }

    @Test func `the cursor rests on the selected row`() {
        var app = Sample.app()
        app.press(.down)
        let canvas = app.render(size: sizes[0], glyphs: .unicode)
        #expect(canvas[canvas.cursor.row, canvas.cursor.column].text == "▸")
    }
}
