import Shared

/// A grid of cells that a screen draws on. Whatever is drawn outside is cut off; every row has exactly
/// `size.columns` columns.
public struct Canvas: Hashable, Sendable {
    public let size: Size
    public let glyphs: GlyphSet
    public private(set) var cells: [Cell]
    /// Where the terminal's own cursor belongs: on the focus, because screen readers follow it.
    public var cursor: Position

    private let sanitiser: Sanitiser

    public init(size: Size, glyphs: GlyphSet = .unicode) {
        self.size = Size(columns: max(1, size.columns), rows: max(1, size.rows))
        self.glyphs = glyphs
        cells = Array(repeating: .blank(), count: self.size.columns * self.size.rows)
        cursor = Position(row: 0, column: 0)
        sanitiser = Sanitiser(asciiOnly: glyphs == .ascii)
    }

    public var bounds: Rect { Rect(row: 0, column: 0, rows: size.rows, columns: size.columns) }

    public subscript(row: Int, column: Int) -> Cell { cells[row * size.columns + column] }

    /// The cells of one row, left to right.
    public func row(_ row: Int) -> ArraySlice<Cell> { cells[row * size.columns..<(row + 1) * size.columns] }

    /// The row as text, trailing spaces kept.
    public func line(_ row: Int) -> String { self.row(row).map(\.text).joined() }

    /// Writes `text` from `column` on, no further than `width` columns, cut with an ellipsis when it is longer.
    ///
    /// - Returns: the column after the last one written.
    @discardableResult
    public mutating func put(
        _ text: String, row: Int, column: Int, width: Int = .max, role: ColorRole = .text, selected: Bool = false,
        bold: Bool = false
    ) -> Int {
        let room = min(width, size.columns - column)
        guard row >= 0, row < size.rows, room > 0 else { return column }
        var glyphs = sanitiser.glyphs(text)
        let needed = glyphs.reduce(0) { $0 + $1.width }
        if needed > room { glyphs = shortened(glyphs, to: room) }
        var at = column
        for glyph in glyphs {
            write(glyph, row: row, column: at, role: role, selected: selected, bold: bold)
            at += glyph.width
        }
        return at
    }

    /// Writes `text` so that it ends before `end`, in a field of `width` columns.
    public mutating func putRight(
        _ text: String, row: Int, end: Int, width: Int, role: ColorRole = .text, selected: Bool = false
    ) {
        let length = min(Sanitiser.width(text), width)
        put(text, row: row, column: end - length, width: length, role: role, selected: selected)
    }

    /// Sets the role of cells that are already written, e.g. to grey out figures.
    public mutating func recolour(_ rect: Rect, role: ColorRole) {
        eachCell(of: rect) { $0.role = role }
    }

    /// Marks cells as selected: drawn in reverse.
    public mutating func select(_ rect: Rect) {
        eachCell(of: rect) { $0.isSelected = true }
    }

    public mutating func clear(_ rect: Rect, role: ColorRole = .text) {
        for row in max(0, rect.row)..<max(0, rect.row, min(rect.endRow, size.rows)) {
            for column in max(0, rect.column)..<max(0, rect.column, min(rect.endColumn, size.columns)) {
                detach(row: row, column: column)
                cells[row * size.columns + column] = .blank(role)
            }
        }
    }

    public mutating func rule(row: Int, column: Int = 0, columns: Int = .max, role: ColorRole = .border) {
        let count = min(columns, size.columns - column)
        guard count > 0 else { return }
        put(String(repeating: glyphs.horizontal, count: count), row: row, column: column, role: role)
    }

    /// Draws a frame, with a caption in its upper edge and another at its right end.
    public mutating func box(_ rect: Rect, title: String = "", trailing: String = "", role: ColorRole = .border) {
        guard rect.rows >= 2, rect.columns >= 2 else { return }
        let inner = rect.columns - 2
        let line = String(repeating: glyphs.horizontal, count: inner)
        put(glyphs.topLeft + line + glyphs.topRight, row: rect.row, column: rect.column, role: role)
        for row in rect.row + 1..<rect.endRow - 1 {
            put(glyphs.vertical, row: row, column: rect.column, role: role)
            put(glyphs.vertical, row: row, column: rect.endColumn - 1, role: role)
        }
        put(glyphs.bottomLeft + line + glyphs.bottomRight, row: rect.endRow - 1, column: rect.column, role: role)
        let trailingWidth = trailing.isEmpty ? 0 : Sanitiser.width(trailing) + 3
        if !title.isEmpty {
            put(
                " \(title) ", row: rect.row, column: rect.column + 2, width: max(0, inner - 2 - trailingWidth),
                role: .heading)
        }
        if trailingWidth > 0 && trailingWidth < inner {
            put(" \(trailing) ", row: rect.row, column: rect.endColumn - 1 - trailingWidth, role: .dim)
        }
    }

    private func shortened(_ glyphs: [Sanitiser.Glyph], to room: Int) -> [Sanitiser.Glyph] {
        var kept: [Sanitiser.Glyph] = []
        var used = 0
        for glyph in glyphs {
            guard used + glyph.width <= room - 1 else { break }
            kept.append(glyph)
            used += glyph.width
        }
        return kept + sanitiser.glyphs(self.glyphs.ellipsis)
    }

    private mutating func write(
        _ glyph: Sanitiser.Glyph, row: Int, column: Int, role: ColorRole, selected: Bool, bold: Bool
    ) {
        guard column >= 0, column + glyph.width <= size.columns else { return }
        for offset in 0..<glyph.width { detach(row: row, column: column + offset) }
        let index = row * size.columns + column
        cells[index] = Cell(
            base: glyph.base, firstMark: glyph.marks.first, secondMark: glyph.marks.dropFirst().first,
            width: UInt8(glyph.width), role: role, isSelected: selected, isBold: bold)
        if glyph.width == 2 {
            cells[index + 1] = cells[index]
            cells[index + 1].firstMark = nil
            cells[index + 1].secondMark = nil
            cells[index + 1].base = " "
            cells[index + 1].width = 0
        }
    }

    /// Half of a wide character must not stay behind when the other half is overwritten.
    private mutating func detach(row: Int, column: Int) {
        let index = row * size.columns + column
        if cells[index].width == 2, column + 1 < size.columns {
            cells[index + 1] = .blank(cells[index].role)
        } else if cells[index].width == 0, column > 0 {
            cells[index - 1] = .blank(cells[index].role)
        }
    }

    private mutating func eachCell(of rect: Rect, _ change: (inout Cell) -> Void) {
        for row in max(0, rect.row)..<max(0, rect.row, min(rect.endRow, size.rows)) {
            for column in max(0, rect.column)..<max(0, rect.column, min(rect.endColumn, size.columns)) {
                change(&cells[row * size.columns + column])
            }
        }
    }
}
