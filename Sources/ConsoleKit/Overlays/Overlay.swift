import Shared

/// A box over the screen that takes all keys while it is open.
protocol Overlay: Sendable {
    /// Keys that work, for the footer.
    var hint: String { get }
    /// What the server said against it; shown in the box.
    var fault: String? { get set }
    mutating func handle(_ key: Key, _ model: ConsoleModel) -> [Action]
    func draw(_ canvas: inout Canvas, _ model: ConsoleModel)
}

extension Canvas {
    /// Clears a rectangle in the middle of the body, frames it, and gives the part inside.
    mutating func popup(_ title: String, columns: Int, rows: Int, role: ColorRole = .border) -> Rect {
        let width = max(4, min(columns, size.columns))
        let height = max(3, min(rows + 2, size.rows - 2))
        let rect = Rect(
            row: max(1, (size.rows - height) / 2), column: (size.columns - width) / 2, rows: height, columns: width)
        clear(rect)
        box(rect, title: title, role: role)
        return Rect(row: rect.row + 1, column: rect.column + 2, rows: rect.rows - 2, columns: rect.columns - 4)
    }

    /// Breaks text into lines at spaces.
    static func wrap(_ text: String, _ width: Int) -> [String] {
        guard width > 0 else { return [] }
        var lines: [String] = []
        for paragraph in text.split(separator: "\n", omittingEmptySubsequences: false) {
            if Sanitiser.width(String(paragraph)) <= width {
                lines.append(String(paragraph))
                continue
            }
            var line = ""
            for word in paragraph.split(separator: " ") {
                var word = word[...]
                if !line.isEmpty && Sanitiser.width(line) + 1 + Sanitiser.width(String(word)) > width {
                    lines.append(line)
                    line = ""
                }
                while line.isEmpty && word.count > width {
                    lines.append(String(word.prefix(width)))
                    word = word.dropFirst(width)
                }
                line += (line.isEmpty ? "" : " ") + word
            }
            lines.append(line)
        }
        return lines
    }
}

/// Text to read, with a title: scrolled with the arrows, closed with any of Esc, q and Enter.
struct TextBox: Overlay {
    struct Line: Sendable {
        var text: String
        var role: ColorRole
        init(_ text: String, _ role: ColorRole = .text) {
            self.text = text
            self.role = role
        }
    }

    var title: String
    var lines: [Line]
    var offset = 0
    var fault: String?
    let hint = "Esc back  ↑↓ scroll"

    init(_ title: String, _ lines: [Line]) {
        self.title = title
        self.lines = lines
    }

    mutating func handle(_ key: Key, _ model: ConsoleModel) -> [Action] {
        switch key {
        case .escape, .enter, "q", .backspace: return [.dismiss]
        case .down, "j": offset = min(offset + 1, max(0, lines.count - 1))
        case .up, "k": offset = max(0, offset - 1)
        case .pageDown: offset = min(offset + 10, max(0, lines.count - 1))
        case .pageUp: offset = max(0, offset - 10)
        case .home, "g": offset = 0
        case .end, "G": offset = max(0, lines.count - 1)
        default: break
        }
        return []
    }

    func draw(_ canvas: inout Canvas, _ model: ConsoleModel) {
        let longest = lines.map { Sanitiser.width($0.text) }.max() ?? 0
        let width = min(canvas.size.columns - 2, max(40, longest + 4, Sanitiser.width(title) + 6))
        var wrapped: [Line] = []
        for line in lines {
            wrapped += Canvas.wrap(line.text, width - 4).map { Line($0, line.role) }
        }
        let inner = canvas.popup(title, columns: width, rows: wrapped.count)
        let start = max(0, min(offset, wrapped.count - inner.rows))
        for (row, line) in wrapped.dropFirst(start).prefix(inner.rows).enumerated() {
            canvas.put(line.text, row: inner.row + row, column: inner.column, width: inner.columns, role: line.role)
        }
        canvas.cursor = Position(row: inner.row, column: inner.column)
    }
}

/// One event or audit record in full, a write with what it changed.
struct EntryBox: Overlay {
    let entry: Journal.Entry
    private var box: TextBox
    var fault: String?
    var hint: String { isAudit ? "u undo this change  Esc back" : box.hint }

    init(entry: Journal.Entry) {
        self.entry = entry
        box = TextBox(Self.title(entry), Self.lines(entry))
    }

    /// Whether it is a change that can be undone.
    private var isAudit: Bool { if case .audit(let record) = entry.kind { !record.isRefused } else { false } }

    private static func title(_ entry: Journal.Entry) -> String {
        switch entry.kind {
        case .event(let record): "event \(record.id)"
        case .audit(let record): "change \(record.id)"
        }
    }

    static func lines(_ entry: Journal.Entry) -> [TextBox.Line] {
        switch entry.kind {
        case .event(let record):
            return [
                TextBox.Line(record.text, entry.role), TextBox.Line(""), TextBox.Line("when    \(record.at)"),
                TextBox.Line("kind    \(record.kind)"), TextBox.Line("about   \(record.object)"),
            ]
        case .audit(let record):
            var lines = [
                TextBox.Line(record.command, .heading), TextBox.Line(""), TextBox.Line("when      \(record.at)"),
                TextBox.Line("who       \(record.principal) by \(record.origin)"),
                TextBox.Line("revision  \(record.revision)"),
            ]
            if let refusal = record.refusal {
                lines.append(TextBox.Line("answer    \(refusal)", .warn))
                lines.append(TextBox.Line("last at   \(record.lastAt ?? record.at)"))
            }
            for change in record.changes {
                lines.append(TextBox.Line(""))
                let verb = change.before == nil ? "made" : change.after == nil ? "deleted" : "changed"
                lines.append(TextBox.Line("\(change.kind) \(change.id) \(verb)", .identifier))
                lines += DocumentDiff.lines(change.before, change.after)
            }
            if let omitted = record.omitted { lines.append(TextBox.Line("and \(omitted) more: selvage history")) }
            return lines
        }
    }

    mutating func handle(_ key: Key, _ model: ConsoleModel) -> [Action] {
        if key == "u", isAudit, case .audit(let record) = entry.kind {
            return [.dismiss, .command(Command(.undo, [String(record.id)]))]
        }
        return box.handle(key, model)
    }

    func draw(_ canvas: inout Canvas, _ model: ConsoleModel) { box.draw(&canvas, model) }
}

/// Two documents member by member: only what differs.
enum DocumentDiff {
    static func lines(_ before: JSON?, _ after: JSON?) -> [TextBox.Line] {
        let left = flat(before ?? .null, "")
        let right = flat(after ?? .null, "")
        var lines: [TextBox.Line] = []
        for key in Set(left.keys).union(right.keys).sorted() where left[key] != right[key] {
            if let old = left[key] { lines.append(TextBox.Line("- \(key) \(old)", .removed)) }
            if let new = right[key] { lines.append(TextBox.Line("+ \(key) \(new)", .added)) }
        }
        return lines.isEmpty ? [TextBox.Line("  nothing that is shown here", .dim)] : lines
    }

    private static func flat(_ document: JSON, _ path: String) -> [String: String] {
        switch document {
        case .object(let members) where !members.isEmpty:
            return members.reduce(into: [:]) { result, member in
                let key = path.isEmpty ? member.key : "\(path).\(member.key)"
                result.merge(flat(member.value, key)) { first, _ in first }
            }
        case .null: return [:]
        default: return [path: document.stringValue ?? document.text]
        }
    }
}

/// A region's figures in full.
struct RegionBox: Overlay {
    let region: String
    var fault: String?
    let hint = "Esc back"

    mutating func handle(_ key: Key, _ model: ConsoleModel) -> [Action] { [.dismiss] }

    func draw(_ canvas: inout Canvas, _ model: ConsoleModel) {
        let city = Region(region).city.map { " (\($0))" } ?? ""
        let inner = canvas.popup("region \(region)\(city)", columns: 56, rows: 8)
        canvas.cursor = Position(row: inner.row, column: inner.column)
        guard let row = model.traffic(region: region) else {
            canvas.put("no figures", row: inner.row, column: inner.column, role: .dim)
            return
        }
        let classes = zip(["1xx", "2xx", "3xx", "4xx", "5xx"], row.statuses)
            .map { "\($0) \(Figure.grouped(Int(clamping: $1)))" }.joined(separator: "  ")
        let lines = [
            "requests   \(Figure.grouped(Int(clamping: row.requests))) since the server started",
            "now        \(Figure.rate(row.requestsPerSecond)) req/s, \(Figure.percent(row.errorRate)) errors",
            "latency    p50 \(Figure.milliseconds(row.p50))  p95 \(Figure.milliseconds(row.p95))  "
                + "p99 \(Figure.milliseconds(row.p99)) ms",
            "traffic    \(Figure.fixed(row.megabits, 1)) Mbit/s to clients", "open       \(row.open) connections",
            classes,
        ]
        for (index, line) in lines.prefix(inner.rows).enumerated() {
            canvas.put(line, row: inner.row + index, column: inner.column, width: inner.columns)
        }
    }
}
