import Shared

/// Traffic per region, the total as a chart, what is wrong now, and what happened last.
struct OverviewScreen: TableScreen {
    enum Series: CaseIterable, Sendable { case requests, p95, errors }

    var state = TableState()
    private var series = Series.requests

    func scopes(_ model: ConsoleModel) -> [KeyScope] { [.overview, .rows, .letters, .everywhere] }

    func table(_ model: ConsoleModel) -> Table {
        let columns = [
            Table.Column("REGION", 10, flexible: true),
            Table.Column("REQ/S", 8, number: true),
            Table.Column("P50", 7, number: true, priority: 4),
            Table.Column("P95", 7, number: true, priority: 1),
            Table.Column("P99", 7, number: true, priority: 5),
            Table.Column("ERR", 6, number: true),
            Table.Column("MBIT/S", 7, number: true, priority: 3),
            Table.Column("OPEN", 6, number: true, priority: 6),
            Table.Column("LAST MIN", 20, priority: 2),
        ]
        let rows = (model.tick?.regions ?? []).map { row in
            Table.Row(
                id: row.id,
                cells: [
                    Table.Cell(row.id, .identifier),
                    Table.Cell(Figure.rate(row.requestsPerSecond), order: row.requestsPerSecond),
                    Table.Cell(Figure.milliseconds(row.p50), order: row.p50 ?? 0),
                    Table.Cell(Figure.milliseconds(row.p95), order: row.p95 ?? 0),
                    Table.Cell(Figure.milliseconds(row.p99), order: row.p99 ?? 0),
                    Self.errors(row),
                    Table.Cell(Figure.fixed(row.megabits, 1), order: row.megabits),
                    Table.Cell(Figure.grouped(Int(row.open)), order: Double(row.open)),
                    Table.Cell("", .chart),
                ])
        }
        var table = Table(columns: columns, rows: rows)
        table.emptyText = model.tick == nil ? "waiting for the first figures" : "no region reports yet"
        return table
    }

    /// The share of errors with a mark that says it without colour.
    static func errors(_ row: TrafficRow) -> Table.Cell {
        let share = row.errorRate
        let mark = share >= 0.02 ? "!" : ""
        let role: ColorRole = share >= 0.05 ? .crit : share >= 0.02 ? .warn : .text
        return Table.Cell(
            row.requestsPerSecond == 0 && share == 0 ? "-" : Figure.percent(share) + mark, role, order: share)
    }

    mutating func act(_ verb: VerbID, on id: String?, _ model: inout ConsoleModel) -> [Action] {
        switch verb {
        case .chartSeries:
            let all = Series.allCases
            series = all[((all.firstIndex(of: series) ?? 0) + 1) % all.count]
            return []
        case .enter:
            return id.map { [.show(RegionBox(region: $0))] } ?? []
        default: return []
        }
    }

    func command(_ model: ConsoleModel) -> String? { selected(model).map { "selvage get regions \($0)" } }

    // MARK: Drawing

    func draw(_ canvas: inout Canvas, _ rect: Rect, _ model: ConsoleModel) {
        var body = rect
        if rect.columns >= 150 {
            let side = body.takeRight(rect.columns / 3)
            drawAside(&canvas, side, model)
            _ = body.takeRight(1)
        }
        let table = self.table(model)
        let wanted = max(2, table.rows.count + 1)
        let tableRect = body.takeTop(min(wanted, max(3, body.rows - 2)))
        table.draw(&canvas, tableRect, state, stale: model.isStale)
        drawSparks(&canvas, tableRect, table, model)
        if rect.columns < 150 {
            drawLog(&canvas, body.takeBottom(min(max(0, body.rows - 4), body.rows > 14 ? 4 : 2)), model)
        }
        if rect.columns >= 150 && body.rows >= 20 && table.rows.count > 1 {
            drawMultiples(&canvas, body.takeBottom(body.rows / 2), model)
        }
        drawChart(&canvas, body, "all regions", model.history.total, model)
    }

    private func drawSparks(_ canvas: inout Canvas, _ rect: Rect, _ table: Table, _ model: ConsoleModel) {
        let layout = table.layout(rect.columns - 1)
        guard let spark = layout.last, spark.index == table.columns.count - 1 else { return }
        let column = rect.column + 2 + layout.dropLast().reduce(0) { $0 + $1.width + 1 }
        let rows = table.arranged(state)
        let room = rect.rows - 1
        let selected = rows.isEmpty ? 0 : state.index(in: rows.map(\.id))
        let offset = max(0, min(selected - room / 2, rows.count - room))
        for (line, row) in rows.dropFirst(offset).prefix(max(0, room)).enumerated() {
            let values = model.history.regions[row.id]?.requests.values.suffix(60) ?? []
            let scale = Chart.scale(values.max() ?? 0)
            let text = Chart.spark(Array(values), columns: min(spark.width, 60), scale: scale, glyphs: canvas.glyphs)
            canvas.put(
                text, row: rect.row + 1 + line, column: column, width: spark.width,
                role: model.isStale ? .stale : .chart, selected: offset + line == selected)
        }
    }

    private func drawChart(
        _ canvas: inout Canvas, _ rect: Rect, _ title: String, _ history: History.Region, _ model: ConsoleModel
    ) {
        guard rect.rows >= 3, rect.columns >= 12 else { return }
        let inner = rect.inset()
        let style = canvas.glyphs == .ascii ? ChartStyle.ascii : model.chart
        let capacity = Chart.capacity(inner.columns, style)
        let values = Array(values(history).suffix(capacity))
        let scale = Chart.scale(values.max() ?? 0)
        canvas.box(
            rect, title: "\(title)  \(figure(values.last ?? 0))",
            trailing: "scale \(Figure.grouped(Int(scale))), \(min(capacity, History.capacity)) s",
            role: .border)
        let chart = Chart(values: values, style: style)
        let lines = chart.lines(columns: inner.columns, rows: inner.rows, scale: scale, glyphs: canvas.glyphs)
        for (offset, line) in lines.enumerated() {
            canvas.put(
                line, row: inner.row + offset, column: inner.column, width: inner.columns,
                role: model.isStale ? .stale : series == .errors ? .crit : .chart)
        }
    }

    private func values(_ history: History.Region) -> [Double] {
        switch series {
        case .requests: history.requests.values
        case .p95: history.p95.values
        case .errors: history.errors.values
        }
    }

    private func figure(_ value: Double) -> String {
        switch series {
        case .requests: "\(Figure.rate(value)) req/s"
        case .p95: "p95 \(Figure.milliseconds(value)) ms"
        case .errors: "\(Figure.fixed(value, 1)) % errors"
        }
    }

    private func drawMultiples(_ canvas: inout Canvas, _ rect: Rect, _ model: ConsoleModel) {
        let regions = (model.tick?.regions ?? []).map(\.id).prefix(6)
        let across = regions.count > 2 ? 3 : regions.count
        let down = (regions.count + across - 1) / across
        let width = rect.columns / across
        let height = rect.rows / down
        for (index, region) in regions.enumerated() {
            let place = Rect(
                row: rect.row + index / across * height, column: rect.column + index % across * width, rows: height,
                columns: index % across == across - 1 ? rect.columns - width * (across - 1) : width)
            drawChart(&canvas, place, region, model.history.regions[region] ?? History.Region(), model)
        }
    }

    private func drawAside(_ canvas: inout Canvas, _ rect: Rect, _ model: ConsoleModel) {
        var body = rect
        let open = (model.tick?.breakers ?? []).filter { $0.state != .closed }
        let box = body.takeTop(min(max(3, open.count + 2), rect.rows / 3))
        canvas.box(box, title: "breakers not closed", trailing: "4")
        let inner = box.inset()
        if open.isEmpty { canvas.put("none", row: inner.row, column: inner.column + 1, role: .dim) }
        for (line, breaker) in open.prefix(inner.rows).enumerated() {
            let state = BreakersScreen.word(breaker.state, canvas.glyphs)
            canvas.put(
                "\(state.text)  \(model.inventory.name(breaker.routeID.rawValue))  \(breaker.reason ?? "")",
                row: inner.row + line, column: inner.column + 1, width: inner.columns - 2, role: state.role)
        }
        canvas.box(body, title: "events and changes", trailing: "6")
        drawLog(&canvas, body.inset(), model)
    }

    /// What is wrong now comes first, then the latest events.
    private func drawLog(_ canvas: inout Canvas, _ rect: Rect, _ model: ConsoleModel) {
        guard rect.rows > 0 else { return }
        var line = rect.row
        for breaker in (model.tick?.breakers ?? []).filter({ $0.state == .open }).prefix(max(1, rect.rows / 2))
        where rect.columns < 150 && line < rect.endRow {
            let name = model.inventory.name(breaker.routeID.rawValue)
            canvas.put(
                " crit  \(canvas.glyphs.open) breaker \(name) open: \(breaker.reason ?? "")", row: line,
                column: rect.column, width: rect.columns - 11, role: .crit)
            canvas.putRight("4 Breakers", row: line, end: rect.endColumn, width: 10, role: .key)
            line += 1
        }
        for entry in model.journal.entries.suffix(max(0, rect.endRow - line)).reversed() {
            let at = canvas.put(
                " " + entry.severity.padded(5) + " ", row: line, column: rect.column, width: rect.columns,
                role: entry.role)
            let who = entry.who.isEmpty ? "" : entry.who + "  "
            canvas.put(
                "\(entry.clock) \(who)\(model.sentence(entry))", row: line, column: at, width: rect.endColumn - at)
            line += 1
        }
        if model.journal.entries.isEmpty && line == rect.row {
            canvas.put(" nothing has happened yet", row: line, column: rect.column, width: rect.columns, role: .dim)
        }
    }
}

extension String {
    /// Filled up with spaces to `width` columns.
    func padded(_ width: Int) -> String { self + String(repeating: " ", count: max(0, width - Sanitiser.width(self))) }
}
