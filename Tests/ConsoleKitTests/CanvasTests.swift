import Shared
import Testing

@testable import ConsoleKit

struct CanvasTests {
    @Test func `no control, direction or joining character reaches a cell, whatever bytes come`() {
        var dice = Dice(state: 1)
        for round in 0..<2_000 {
            let bytes = (0..<64).map { _ in UInt8.random(in: .min ... .max, using: &dice) }
            let scalars = (0..<32).compactMap { _ in Unicode.Scalar(UInt32.random(in: 0...0x2_FFFF, using: &dice)) }
            var canvas = Canvas(size: Size(columns: 40, rows: 2), glyphs: round % 2 == 0 ? .unicode : .ascii)
            canvas.put(String(decoding: bytes, as: UTF8.self), row: 0, column: round % 45 - 2)
            canvas.put(String(String.UnicodeScalarView(scalars)), row: 1, column: round % 40)
            for cell in canvas.cells {
                for scalar in [cell.base, cell.firstMark, cell.secondMark].compactMap({ $0 }) {
                    let category = scalar.properties.generalCategory
                    #expect(category != .control && category != .format && category != .privateUse)
                    #expect(category != .lineSeparator && category != .paragraphSeparator && category != .unassigned)
                }
            }
            #expect(canvas.row(0).reduce(0) { $0 + Int($1.width) } == 40)
            #expect(canvas.row(1).reduce(0) { $0 + Int($1.width) } == 40)
        }
    }

    @Test func `an escape sequence is shown, not obeyed`() {
        var canvas = Canvas(size: Size(columns: 20, rows: 1))
        canvas.put("a\u{1B}[31mb\u{9B}c\u{202E}d\u{200D}e\u{FE0F}", row: 0, column: 0)
        #expect(canvas.line(0).hasPrefix("a\u{FFFD}[31mb\u{FFFD}cde"))
    }

    @Test func `overwriting half of a wide character leaves no half behind`() {
        var canvas = Canvas(size: Size(columns: 6, rows: 1))
        canvas.put("漢字", row: 0, column: 0)
        canvas.put("x", row: 0, column: 1)
        #expect(canvas.line(0) == " x字  ")
    }

    @Test func `a wide character that does not fit is not cut in two`() {
        var canvas = Canvas(size: Size(columns: 4, rows: 1))
        canvas.put("漢字漢", row: 0, column: 0)
        #expect(canvas.line(0) == "漢… ")
    }

    @Test func `combining marks stay with their letter, two at most`() {
        let glyphs = Sanitiser().glyphs("e\u{301}\u{302}\u{303}\u{304}x")
        #expect(glyphs.count == 2)
        #expect(glyphs[0].marks.count == 2)
    }

    @Test func `drawing outside changes nothing and traps nothing`() {
        var canvas = Canvas(size: Size(columns: 5, rows: 2))
        let before = canvas
        canvas.put("hello", row: -1, column: 0)
        canvas.put("hello", row: 2, column: 0)
        canvas.put("hello", row: 0, column: 5)
        canvas.box(Rect(row: 0, column: 0, rows: 1, columns: 1))
        #expect(canvas == before)
    }
}

struct ChartTests {
    @Test(arguments: [(0.0, 1.0), (1, 1), (3, 5), (7, 10), (12, 20), (3_030, 5_000), (5_000.1, 10_000)])
    func `a chart's scale is the next of 1, 2, 5, 10`(largest: Double, scale: Double) {
        #expect(Chart.scale(largest) == scale)
    }

    @Test func `values that are no numbers draw nothing`() {
        #expect(Chart.scale(.nan) == 1)
        #expect(Chart.scale(.infinity) == 1)
        let chart = Chart(values: [.nan, .infinity, -1], style: .braille)
        #expect(chart.lines(columns: 2, rows: 1, scale: 1, glyphs: .unicode) == ["  "])
    }

    @Test(arguments: ChartStyle.allCases, 1...30)
    func `every line of a chart has the width that was asked for`(style: ChartStyle, columns: Int) {
        let chart = Chart(values: (0..<100).map(Double.init), style: style)
        for line in chart.lines(columns: columns, rows: 3, scale: 100, glyphs: .unicode) {
            #expect(line.count == columns)
        }
    }
}
