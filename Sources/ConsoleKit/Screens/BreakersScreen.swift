import Shared

/// Circuit breakers: the open ones first, with why, and when the next probe goes out.
struct BreakersScreen: TableScreen {
    var state = TableState()

    func scopes(_ model: ConsoleModel) -> [KeyScope] { [.breakers, .rows, .letters, .everywhere] }

    /// State as glyph, word and colour.
    static func word(_ state: BreakerState, _ glyphs: GlyphSet) -> (text: String, role: ColorRole) {
        switch state {
        case .closed: ("\(glyphs.closed) closed", .ok)
        case .halfOpen: ("\(glyphs.halfOpen) half-open", .warn)
        case .open: ("\(glyphs.open) open", .crit)
        }
    }

    static func sorted(_ breakers: [BreakerStatus], _ inventory: Inventory) -> [BreakerStatus] {
        let rank: [BreakerState: Int] = [.open: 0, .halfOpen: 1, .closed: 2]
        return breakers.sorted { one, other in
            let left = rank[one.state] ?? 3
            let right = rank[other.state] ?? 3
            if left != right { return left < right }
            return (inventory.name(one.routeID.rawValue), one.routeID)
                < (inventory.name(other.routeID.rawValue), other.routeID)
        }
    }

    func table(_ model: ConsoleModel) -> Table { table(model, .unicode) }

    private func table(_ model: ConsoleModel, _ glyphs: GlyphSet) -> Table {
        let columns = [
            Table.Column("STATE", 11),
            Table.Column("ROUTE", 22, flexible: true),
            Table.Column("WINDOW", 13, number: true, priority: 1),
            Table.Column("ERR", 6, number: true),
            Table.Column("TRIPS AT", 9, number: true, priority: 5),
            Table.Column("SINCE", 7, number: true, priority: 3),
            Table.Column("PROBE", 6, number: true, priority: 1),
            Table.Column("TRIPS", 5, number: true, priority: 4),
            Table.Column("REJECTED", 8, number: true, priority: 6),
            Table.Column("WHY", 20, priority: 2, flexible: true),
        ]
        let rows = Self.sorted(model.tick?.breakers ?? [], model.inventory).map { breaker -> Table.Row in
            let word = Self.word(breaker.state, glyphs)
            let share = breaker.total > 0 ? Double(breaker.errors) / Double(breaker.total) : 0
            let probe = breaker.nextProbe.map { max(0, $0 - model.age) }
            return Table.Row(
                id: breaker.routeID.rawValue,
                cells: [
                    Table.Cell(word.text, word.role),
                    Table.Cell(model.inventory.name(breaker.routeID.rawValue), .identifier),
                    Table.Cell(
                        "\(breaker.errors)/\(breaker.total) \(Int(min(breaker.rollingWindow, 1e9)))s",
                        order: Double(breaker.total)),
                    Table.Cell(breaker.total > 0 ? Figure.percent(share) : "-", order: share),
                    Table.Cell("\(Figure.percent(breaker.errorThreshold))", order: breaker.errorThreshold),
                    Table.Cell(Figure.duration(breaker.since + model.age), order: breaker.since),
                    Table.Cell(probe.map { "\(Int($0.rounded(.up))) s" } ?? "-", order: probe ?? 0),
                    Table.Cell(Figure.grouped(Int(clamping: breaker.trips)), order: Double(breaker.trips)),
                    Table.Cell(Figure.grouped(Int(clamping: breaker.rejected)), order: Double(breaker.rejected)),
                    Table.Cell(breaker.reason ?? "", breaker.state == .closed ? .dim : word.role),
                ])
        }
        var table = Table(columns: columns, rows: rows)
        table.emptyText = "no route has a circuit breaker: 2 Edges, Enter, m adds one"
        return table
    }

    func draw(_ canvas: inout Canvas, _ rect: Rect, _ model: ConsoleModel) {
        var body = rect
        let detail = body.rows > 12 ? body.takeBottom(7) : Rect(row: 0, column: 0, rows: 0, columns: 0)
        table(model, canvas.glyphs).draw(&canvas, body, state, stale: model.isStale)
        guard !detail.isEmpty, let id = selected(model), let breaker = model.breaker(id) else { return }
        drawDetail(&canvas, detail, breaker, model)
    }

    private func drawDetail(_ canvas: inout Canvas, _ rect: Rect, _ breaker: BreakerStatus, _ model: ConsoleModel) {
        canvas.box(rect, title: model.inventory.name(breaker.routeID.rawValue))
        let inner = rect.inset()
        let column = inner.column + 1
        let width = inner.columns - 2
        let word = Self.word(breaker.state, canvas.glyphs)
        canvas.put(
            "\(word.text) for \(Figure.duration(breaker.since + model.age)), opened \(breaker.trips) times, answered "
                + "\(Figure.grouped(Int(clamping: breaker.rejected))) requests itself", row: inner.row, column: column,
            width: width, role: model.isStale ? .stale : word.role)
        canvas.put(
            "opens at \(Figure.percent(breaker.errorThreshold)) errors of at least \(breaker.volumeThreshold) requests "
                + "in \(Figure.duration(breaker.rollingWindow)); probes \(Figure.duration(breaker.trippedDuration)) later",
            row: inner.row + 1, column: column, width: width)
        canvas.put(
            breaker.reason.map { "last tripped: \($0)" } ?? "has not tripped since the server started",
            row: inner.row + 2, column: column, width: width, role: breaker.reason == nil ? .dim : .text)
        if let probe = breaker.nextProbe {
            canvas.put(
                "next probe in \(Int(max(0, probe - model.age).rounded(.up))) s", row: inner.row + 3, column: column,
                width: width, role: .warn)
        }
        drawStrip(
            &canvas, row: inner.endRow - 1, column: column, width: width,
            model.history.breakers[breaker.routeID.rawValue] ?? [])
    }

    /// The last 60 s: height and colour tell the state.
    private func drawStrip(_ canvas: inout Canvas, row: Int, column: Int, width: Int, _ states: [BreakerState]) {
        let levels = canvas.glyphs.levels
        var at = canvas.put("last min ", row: row, column: column, width: width, role: .dim)
        for state in states.suffix(max(0, min(60, column + width - at))) {
            let level = state == .closed ? 1 : state == .halfOpen ? 4 : 7
            at = canvas.put(levels[level], row: row, column: at, role: Self.word(state, canvas.glyphs).role)
        }
    }

    mutating func act(_ verb: VerbID, on id: String?, _ model: inout ConsoleModel) -> [Action] {
        guard let id else { return [] }
        switch verb {
        case .breakerOpen, .breakerClose, .breakerReset:
            return [.command(Command(verb, [model.inventory.name(id)]))]
        case .enter:
            guard let route = model.inventory.route(id) else { return [] }
            return [.openEdge(route.edgeID)]
        default: return []
        }
    }

    func command(_ model: ConsoleModel) -> String? {
        selected(model).map { "selvage get breakers \(Command.quoted(model.inventory.name($0)))" }
    }
}
