/// A window's or a pane's extent in cells.
public struct Size: Hashable, Sendable {
    public var columns: Int
    public var rows: Int

    public init(columns: Int, rows: Int) {
        self.columns = columns
        self.rows = rows
    }
}

/// A cell's place, counted from the top left, from 0.
public struct Position: Hashable, Sendable {
    public var row: Int
    public var column: Int

    public init(row: Int, column: Int) {
        self.row = row
        self.column = column
    }
}

/// A rectangle of cells.
public struct Rect: Hashable, Sendable {
    public var row: Int
    public var column: Int
    public var rows: Int
    public var columns: Int

    public init(row: Int, column: Int, rows: Int, columns: Int) {
        self.row = row
        self.column = column
        self.rows = max(0, rows)
        self.columns = max(0, columns)
    }

    public var endRow: Int { row + rows }
    public var endColumn: Int { column + columns }
    public var isEmpty: Bool { rows == 0 || columns == 0 }

    /// The rectangle without a border of `margin` cells.
    public func inset(_ margin: Int = 1) -> Rect {
        Rect(row: row + margin, column: column + margin, rows: rows - 2 * margin, columns: columns - 2 * margin)
    }

    /// Cuts `count` rows off the top.
    mutating func takeTop(_ count: Int) -> Rect {
        let taken = min(max(0, count), rows)
        defer {
            row += taken
            rows -= taken
        }
        return Rect(row: row, column: column, rows: taken, columns: columns)
    }

    /// Cuts `count` rows off the bottom.
    mutating func takeBottom(_ count: Int) -> Rect {
        let taken = min(max(0, count), rows)
        rows -= taken
        return Rect(row: row + rows, column: column, rows: taken, columns: columns)
    }

    /// Cuts `count` columns off the right side.
    mutating func takeRight(_ count: Int) -> Rect {
        let taken = min(max(0, count), columns)
        columns -= taken
        return Rect(row: row, column: column + columns, rows: rows, columns: taken)
    }
}
