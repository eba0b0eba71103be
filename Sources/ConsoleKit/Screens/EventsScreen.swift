import Shared

/// Events and the audit trail in one list, the latest first. Away from the top it stands still and counts what is new.
struct EventsScreen: TableScreen {
    var state = TableState()
    private var severity: String?
    private var who: String?
    /// `Journal.taken` when the operator left the top.
    private var pausedAt: Int?

    func scopes(_ model: ConsoleModel) -> [KeyScope] { [.events, .rows, .letters, .everywhere] }

    func crumb(_ model: ConsoleModel) -> String {
        var parts: [String] = []
        if let severity { parts.append("only \(severity)") }
        if let who { parts.append("only \(who)") }
        if !filter.isEmpty { parts.append("filter: \(filter)") }
        if let pausedAt { parts.append("paused, \(model.journal.taken - pausedAt) new: g follows") }
        return parts.joined(separator: "  ")
    }

    private func entries(_ model: ConsoleModel) -> [Journal.Entry] {
        let newer = pausedAt.map { max(0, model.journal.taken - $0) } ?? 0
        return model.journal.entries.dropLast(newer).reversed().filter { entry in
            (severity == nil || entry.severity == severity) && (who == nil || entry.who == who)
        }
    }

    func table(_ model: ConsoleModel) -> Table {
        let columns = [
            Table.Column("TIME", 8),
            Table.Column("SEV", 5),
            Table.Column("WHO", 14, priority: 2),
            Table.Column("KIND", 21, priority: 3),
            Table.Column("WHAT", 20, flexible: true),
        ]
        let rows = entries(model).map { entry in
            Table.Row(
                id: entry.id,
                cells: [
                    Table.Cell(entry.clock, .dim), Table.Cell(entry.severity, entry.role), Table.Cell(entry.who),
                    Table.Cell(entry.label, .dim),
                    Table.Cell(model.sentence(entry), entry.severity == "crit" ? .crit : .text),
                ])
        }
        var table = Table(columns: columns, rows: rows)
        table.emptyText = "nothing has happened yet"
        return table
    }

    func draw(_ canvas: inout Canvas, _ rect: Rect, _ model: ConsoleModel) {
        table(model).draw(&canvas, rect, state, stale: false)
    }

    mutating func perform(_ verb: VerbID, _ model: inout ConsoleModel) -> [Action] {
        let ids = table(model).arranged(state).map(\.id)
        if state.move(verb, in: ids) {
            let isTop = state.index(in: ids) == 0
            if isTop {
                pausedAt = nil
                state.selected = nil
            } else if pausedAt == nil {
                pausedAt = model.journal.taken
            }
            return []
        }
        return act(verb, on: selected(model), &model)
    }

    mutating func act(_ verb: VerbID, on id: String?, _ model: inout ConsoleModel) -> [Action] {
        switch verb {
        case .enter:
            guard let entry = model.journal.entries.first(where: { $0.id == id }) else { return [] }
            return [.show(EntryBox(entry: entry))]
        case .eventSeverity: severity = Self.next(severity, in: ["crit", "warn", "info", "audit"])
        case .eventWho:
            who = Self.next(who, in: Array(Set(model.journal.entries.map(\.who).filter { !$0.isEmpty })).sorted())
        case .back:
            severity = nil
            who = nil
        case .sort: return [.say("events stay in the order of time", .dim)]
        default: return []
        }
        return []
    }

    private static func next(_ value: String?, in values: [String]) -> String? {
        guard let value else { return values.first }
        guard let index = values.firstIndex(of: value), index + 1 < values.count else { return nil }
        return values[index + 1]
    }

    func command(_ model: ConsoleModel) -> String? {
        guard let id = selected(model), let entry = model.journal.entries.first(where: { $0.id == id }) else {
            return nil
        }
        if case .audit(let record) = entry.kind, !record.isRefused { return "selvage undo \(record.id)" }
        return "selvage events"
    }
}
