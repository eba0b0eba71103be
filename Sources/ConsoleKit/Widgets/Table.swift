import Shared

/// A table of rows: columns that do not fit are left out, the least important first, and never a row's meaning.
struct Table: Sendable {
    struct Column: Sendable {
        var title: String
        /// Columns it needs; a flexible one takes what is left as well.
        var width: Int
        var isNumber = false
        /// 0 always stays; the highest goes first.
        var priority = 0
        var isFlexible = false
        /// Columns beyond `width` for which those of a priority above `expendable` give way.
        var comfort = 0

        static let expendable = 3

        init(
            _ title: String, _ width: Int, number: Bool = false, priority: Int = 0, flexible: Bool = false,
            comfort: Int = 0
        ) {
            self.title = title
            self.width = width
            isNumber = number
            self.priority = priority
            self.comfort = comfort
            isFlexible = flexible
        }
    }

    struct Cell: Sendable, Hashable {
        var text: String
        var role: ColorRole
        /// What sorting goes by, instead of the text.
        var order: Double?
        /// Characters at the end that stay when the middle must go, such as a port.
        var tail = 0

        init(_ text: String, _ role: ColorRole = .text, order: Double? = nil, tail: Int = 0) {
            self.text = text
            self.role = role
            self.order = order
            self.tail = tail
        }
    }

    struct Row: Sendable, Hashable {
        var id: String
        var cells: [Cell]
        /// The last cell that says something runs on over the empty ones after it.
        var runsOn = false
    }

    var columns: [Column]
    var rows: [Row]
    /// Said instead of rows when there are none.
    var emptyText = "nothing here"

    /// The columns that fit into `width`, with the width that each one gets.
    func layout(_ width: Int) -> [(index: Int, width: Int)] {
        var kept = Array(columns.indices)
        func needed() -> Int { kept.reduce(1) { $0 + columns[$1].width + 1 } }
        // A name in full is worth more than the columns of least importance.
        func wanted() -> Int { needed() + kept.reduce(0) { $0 + columns[$1].comfort } }
        while wanted() > width, let worst = kept.max(by: { columns[$0].priority < columns[$1].priority }),
            columns[worst].priority > Column.expendable
        {
            kept.removeAll { $0 == worst }
        }
        while needed() > width, let worst = kept.max(by: { columns[$0].priority < columns[$1].priority }),
            columns[worst].priority > 0
        {
            kept.removeAll { $0 == worst }
        }
        let flexible = kept.filter { columns[$0].isFlexible }
        var spare = max(0, width - needed())
        return kept.map { index in
            guard flexible.contains(index) else { return (index, columns[index].width) }
            let share = flexible.last == index ? spare : spare / flexible.count
            spare -= share
            return (index, columns[index].width + share)
        }
    }

    /// The rows that pass the filter, in the order asked for.
    func arranged(_ state: TableState) -> [Row] {
        let filter = RowFilter(state.filter)
        var result = rows.filter { row in
            filter.matches(Array(zip(columns.map { $0.title.lowercased() }, row.cells.map(\.text))))
        }
        guard let column = state.sortColumn, columns.indices.contains(column) else { return result }
        result.sort { one, other in
            let left = one.cells[column]
            let right = other.cells[column]
            if let first = left.order, let second = right.order, first != second { return first > second }
            if left.text != right.text && left.order == nil { return left.text < right.text }
            return one.id < other.id
        }
        return result
    }

    /// Draws head and rows, and puts the cursor on the selected one.
    func draw(_ canvas: inout Canvas, _ rect: Rect, _ state: TableState, stale: Bool, showsHead: Bool = true) {
        guard rect.rows > 0, rect.columns > 3 else { return }
        let layout = layout(rect.columns - 1)
        var body = rect
        if showsHead { drawHead(&canvas, body.takeTop(1), layout, state) }
        let rows = arranged(state)
        guard !rows.isEmpty else {
            let text = self.rows.isEmpty ? emptyText : "no row passes the filter \(state.filter)"
            canvas.put(text, row: body.row, column: body.column + 2, width: max(0, body.columns - 2), role: .dim)
            return
        }
        let selected = state.index(in: rows.map(\.id))
        let offset = max(0, min(selected - body.rows / 2, rows.count - body.rows))
        for (line, row) in rows.dropFirst(offset).prefix(body.rows).enumerated() {
            let isSelected = offset + line == selected
            drawRow(&canvas, row, at: body.row + line, body, layout, selected: isSelected, stale: stale)
        }
        if rows.count > body.rows, body.rows > 0 {
            let more = rows.count - offset - body.rows
            if more > 0 {
                canvas.putRight(
                    " +\(more) ", row: body.endRow - 1, end: body.endColumn, width: 8, role: .dim)
            }
        }
    }

    private func drawHead(
        _ canvas: inout Canvas, _ rect: Rect, _ layout: [(index: Int, width: Int)], _ state: TableState
    ) {
        var column = rect.column + 2
        for (index, width) in layout {
            let title = columns[index].title + (state.sortColumn == index ? canvas.glyphs.down : "")
            if columns[index].isNumber {
                canvas.putRight(title, row: rect.row, end: column + width, width: width, role: .heading)
            } else {
                canvas.put(title, row: rect.row, column: column, width: width, role: .heading)
            }
            column += width + 1
        }
    }

    private func drawRow(
        _ canvas: inout Canvas, _ row: Row, at line: Int, _ rect: Rect, _ layout: [(index: Int, width: Int)],
        selected: Bool, stale: Bool
    ) {
        if selected {
            canvas.put(canvas.glyphs.marker, row: line, column: rect.column, role: .focus)
            canvas.cursor = Position(row: line, column: rect.column)
        }
        var column = rect.column + 2
        let last = row.runsOn ? row.cells.lastIndex { !$0.text.isEmpty } : nil
        for (index, width) in layout where index < row.cells.count {
            if index == last {
                canvas.put(
                    row.cells[index].text, row: line, column: column, width: rect.endColumn - column,
                    role: row.cells[index].role)
                break
            }
            let cell = row.cells[index]
            let role = stale && columns[index].isNumber ? .stale : cell.role
            if columns[index].isNumber {
                canvas.putRight(cell.text, row: line, end: column + width, width: width, role: role)
            } else if cell.tail > 0, Sanitiser.width(cell.text) > width, width > cell.tail + 2 {
                let head = width - cell.tail
                canvas.put(
                    String(cell.text.dropLast(cell.tail)) + "  ", row: line, column: column, width: head, role: role)
                canvas.put(
                    String(cell.text.suffix(cell.tail)), row: line, column: column + head, width: cell.tail, role: role)
            } else {
                canvas.put(cell.text, row: line, column: column, width: width, role: role)
            }
            column += width + 1
        }
        if selected {
            canvas.select(Rect(row: line, column: rect.column, rows: 1, columns: rect.columns))
        }
    }
}

/// Which row is selected, what passes the filter, and what the order is.
struct TableState: Sendable, Hashable {
    var selected: String?
    /// Where the selected row stood, for when it is gone.
    private var place = 0
    var filter = ""
    var sortColumn: Int?

    /// The selected row's index; the next best when it is gone.
    func index(in ids: [String]) -> Int {
        if let selected, let found = ids.firstIndex(of: selected) { return found }
        return max(0, min(place, ids.count - 1))
    }

    mutating func select(_ index: Int, in ids: [String]) {
        guard !ids.isEmpty else {
            selected = nil
            place = 0
            return
        }
        place = max(0, min(index, ids.count - 1))
        selected = ids[place]
    }

    /// Obeys the verbs of movement.
    /// - Returns: `false` when the verb is another one.
    mutating func move(_ verb: VerbID, in ids: [String], page: Int = 10) -> Bool {
        let now = index(in: ids)
        switch verb {
        case .up, .letterUp: select(now - 1, in: ids)
        case .down, .letterDown: select(now + 1, in: ids)
        case .pageUp: select(now - page, in: ids)
        case .pageDown: select(now + page, in: ids)
        case .first, .letterFirst: select(0, in: ids)
        case .last, .letterLast: select(ids.count - 1, in: ids)
        default: return false
        }
        return true
    }
}

/// What passes: every word must. `!x` must not occur, `~x` occurs as a subsequence, `key:value` looks at one column.
struct RowFilter {
    private let terms: [Substring]

    init(_ text: String) { terms = text.split(separator: " ") }

    func matches(_ cells: [(title: String, text: String)]) -> Bool {
        terms.allSatisfy { term in matches(term, cells) }
    }

    private func matches(_ term: Substring, _ cells: [(title: String, text: String)]) -> Bool {
        if term.hasPrefix("!") { return term.count == 1 || !matches(term.dropFirst(), cells) }
        if term.hasPrefix("~") {
            return cells.contains { Fuzzy.score(String(term.dropFirst()), in: $0.text) != nil }
        }
        if let colon = term.firstIndex(of: ":"), colon != term.startIndex {
            let key = term[..<colon].lowercased()
            let value = term[term.index(after: colon)...].lowercased()
            let named = cells.filter { $0.title.hasPrefix(key) }
            if !named.isEmpty { return named.contains { $0.text.lowercased().contains(value) } }
        }
        let wanted = term.lowercased()
        return cells.contains { $0.text.lowercased().contains(wanted) }
    }
}
