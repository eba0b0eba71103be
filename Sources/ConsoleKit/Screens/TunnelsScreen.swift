import Shared

/// Connected agents with what they carry, and the tunnels of the selected one.
struct TunnelsScreen: TableScreen {
    var state = TableState()

    /// Without the letters that move: `k` means something else here.
    func scopes(_ model: ConsoleModel) -> [KeyScope] { [.tunnels, .rows, .everywhere] }

    /// What connects a first agent.
    static let example = "selvage-agent tunnel 80 --label app=web"

    static let columns = [
        Table.Column("STATE", 10),
        Table.Column("AGENT", 15, flexible: true, comfort: 9),
        Table.Column("TUNNELS", 14, priority: 2, flexible: true, comfort: 9),
        Table.Column("STREAMS", 10, number: true),
        Table.Column("IN/S", 6, number: true, priority: 1),
        Table.Column("OUT/S", 6, number: true, priority: 1),
        Table.Column("RTT", 6, number: true, priority: 3),
        Table.Column("UP", 6, number: true, priority: 4),
        Table.Column("REGION", 6, priority: 5),
        Table.Column("RECONN", 6, number: true, priority: 6),
        Table.Column("VERSION", 8, priority: 7),
        Table.Column("IN", 6, number: true, priority: 8),
        Table.Column("OUT", 6, number: true, priority: 8),
    ]

    /// State as glyph, word and colour.
    static func word(_ state: AgentStatus.State, _ glyphs: GlyphSet) -> (text: String, role: ColorRole) {
        switch state {
        case .online: ("\(glyphs.closed) online", .ok)
        case .draining: ("\(glyphs.halfOpen) draining", .warn)
        }
    }

    func table(_ model: ConsoleModel) -> Table { table(model, .unicode) }

    private func table(_ model: ConsoleModel, _ glyphs: GlyphSet) -> Table {
        let agents = AgentStatus.sorted(model.tick?.agents ?? [])
        var table = Table(columns: Self.columns, rows: agents.map { row($0, model.history.agents[$0.id], glyphs) })
        table.emptyText =
            model.tick == nil ? "waiting for the first figures" : "no agent is connected. To connect one:"
        return table
    }

    private func row(_ agent: AgentStatus, _ traffic: AgentTraffic?, _ glyphs: GlyphSet) -> Table.Row {
        let word = Self.word(agent.state, glyphs)
        let share = Double(agent.streams) / Double(max(1, agent.streamLimit))
        let cells = [
            Table.Cell(word.text, word.role),
            Table.Cell(agent.name, .identifier),
            Table.Cell(agent.tunnelSummary, agent.tunnels.isEmpty ? .dim : .text),
            Table.Cell(
                agent.load + (agent.isNearlyFull ? "!" : ""),
                agent.isFull ? .crit : agent.isNearlyFull ? .warn : .text,
                order: agent.streamLimit > 0 ? share : Double(agent.streams)),
            Table.Cell(Figure.bytes(traffic?.inPerSecond), order: traffic?.inPerSecond ?? 0),
            Table.Cell(Figure.bytes(traffic?.outPerSecond), order: traffic?.outPerSecond ?? 0),
            Table.Cell(Figure.milliseconds(agent.rtt), order: agent.rtt ?? 0),
            Table.Cell(Figure.duration(agent.uptime), order: agent.uptime),
            Table.Cell(agent.region, .dim),
            Table.Cell(
                Figure.grouped(Int(clamping: agent.reconnects)), agent.reconnects > 0 ? .text : .dim,
                order: Double(agent.reconnects)),
            Table.Cell(agent.version, .dim),
            Table.Cell(Figure.bytes(Double(agent.bytesIn)), order: Double(agent.bytesIn)),
            Table.Cell(Figure.bytes(Double(agent.bytesOut)), order: Double(agent.bytesOut)),
        ]
        return Table.Row(id: agent.id, cells: cells)
    }

    func draw(_ canvas: inout Canvas, _ rect: Rect, _ model: ConsoleModel) {
        var body = rect
        let detail =
            body.rows > 12 ? body.takeBottom(min(16, body.rows / 2 + 1)) : Rect(row: 0, column: 0, rows: 0, columns: 0)
        table(model, canvas.glyphs).draw(&canvas, body, state, stale: model.isStale)
        if let tick = model.tick, tick.agents.isEmpty, body.rows > 2 {
            // Where it only just fits, it may be neither cut nor broken: it is there to be copied.
            let indent = body.columns > Self.example.count + 2 ? 2 : 1
            canvas.put(
                Self.example, row: body.row + 2, column: body.column + indent, width: body.columns - indent, role: .key)
        }
        guard !detail.isEmpty, let agent = selectedAgent(model) else { return }
        drawDetail(&canvas, detail, agent, model)
    }

    private func selectedAgent(_ model: ConsoleModel) -> AgentStatus? {
        let id = selected(model)
        return model.tick?.agents.first { $0.id == id }
    }

    private func drawDetail(_ canvas: inout Canvas, _ rect: Rect, _ agent: AgentStatus, _ model: ConsoleModel) {
        canvas.box(rect, title: agent.name, trailing: agent.id)
        var inner = rect.inset()
        inner.column += 1
        inner.columns -= 2
        let word = Self.word(agent.state, canvas.glyphs)
        let lines: [(text: String, role: ColorRole)] = [
            ("\(word.text) \(Self.stay(agent))", model.isStale ? .stale : word.role),
            (Self.origin(agent), .text),
            (agent.credentialID.isEmpty ? "" : "credential \(agent.credentialID)", .text),
            (Self.figures(agent), model.isStale ? .stale : .text),
        ]
        for line in lines where !line.text.isEmpty && inner.rows > 0 {
            let row = inner.takeTop(1)
            canvas.put(line.text, row: row.row, column: row.column, width: row.columns, role: line.role)
        }
        drawStrip(&canvas, inner.takeTop(1), model.history.agents[agent.id]?.lastMinute ?? [], model)
        drawTunnels(&canvas, inner, agent.tunnels)
    }

    private func drawStrip(_ canvas: inout Canvas, _ rect: Rect, _ values: [Double], _ model: ConsoleModel) {
        var at = canvas.put("last min ", row: rect.row, column: rect.column, width: rect.columns, role: .dim)
        guard let largest = values.max() else {
            canvas.put("no figures yet", row: rect.row, column: at, width: max(0, rect.endColumn - at), role: .dim)
            return
        }
        let peak = Figure.bytes(largest)
        // The minute is worth more than words: where both do not fit, the figure alone stands behind it.
        let text = Chart.spark(
            values, columns: max(0, min(values.count, rect.endColumn - at - peak.count - 1)),
            scale: Chart.scale(largest), glyphs: canvas.glyphs)
        at = canvas.put(text, row: rect.row, column: at, role: model.isStale ? .stale : .chart)
        let sentence = "  at most \(peak) a second"
        canvas.put(
            sentence.count <= rect.endColumn - at ? sentence : " \(peak)", row: rect.row, column: at,
            width: max(0, rect.endColumn - at), role: .dim)
    }

    private func drawTunnels(_ canvas: inout Canvas, _ rect: Rect, _ tunnels: [AgentStatus.Tunnel]) {
        guard rect.rows > 0 else { return }
        if tunnels.isEmpty {
            canvas.put("no tunnel", row: rect.row, column: rect.column, width: rect.columns, role: .dim)
        }
        let shown = tunnels.count > rect.rows ? rect.rows - 1 : tunnels.count
        for (line, tunnel) in tunnels.prefix(shown).enumerated() {
            let row = rect.row + line
            let at = canvas.put(tunnel.name, row: row, column: rect.column, width: rect.columns, role: .identifier)
            guard !tunnel.forwardsTo.isEmpty, at + 3 < rect.endColumn else { continue }
            canvas.put(
                " \(canvas.glyphs.arrow) \(tunnel.forwardsTo)", row: row, column: at, width: rect.endColumn - at,
                role: .dim)
        }
        if shown < tunnels.count {
            canvas.put(
                "and \(tunnels.count - shown) more: Enter shows all", row: rect.endRow - 1, column: rect.column,
                width: rect.columns, role: .dim)
        }
    }

    // MARK: Sentences

    private static func stay(_ agent: AgentStatus) -> String {
        let rtt = agent.rtt.map { ", RTT \(Figure.milliseconds($0)) ms" } ?? ""
        let count = agent.reconnects
        let again = count == 0 ? "" : count == 1 ? ", reconnected once" : ", reconnected \(count) times"
        return "for \(Figure.duration(agent.uptime))\(again)\(rtt)"
    }

    private static func origin(_ agent: AgentStatus) -> String {
        let place = [agent.ip, agent.region].filter { !$0.isEmpty }.joined(separator: " in ")
        return agent.program + (place.isEmpty ? "" : ", from \(place)")
    }

    private static func figures(_ agent: AgentStatus) -> String {
        let open = Figure.grouped(max(0, agent.streams))
        let limit = agent.streamLimit > 0 ? " of \(Figure.grouped(agent.streamLimit))" : ""
        return "\(open)\(limit) streams open, \(Figure.grouped(Int(clamping: agent.opened))) opened so far; "
            + "\(Figure.bytes(Double(agent.bytesIn))) in, \(Figure.bytes(Double(agent.bytesOut))) out"
    }

    /// All there is to say, for windows without room for the pane and agents with many tunnels.
    static func lines(_ agent: AgentStatus) -> [TextBox.Line] {
        let state = word(agent.state, .unicode)
        var lines = [
            TextBox.Line("\(agent.state.rawValue) \(stay(agent))", state.role), TextBox.Line(origin(agent)),
            TextBox.Line(figures(agent)), TextBox.Line("id  \(agent.id)", .identifier),
        ]
        if !agent.credentialID.isEmpty { lines.append(TextBox.Line("credential  \(agent.credentialID)")) }
        if !agent.metadata.isEmpty { lines.append(TextBox.Line("metadata  \(agent.metadata)")) }
        lines.append(TextBox.Line(""))
        lines += agent.tunnels.map { TextBox.Line($0.name + ($0.forwardsTo.isEmpty ? "" : " → \($0.forwardsTo)")) }
        if agent.tunnels.isEmpty { lines.append(TextBox.Line("no tunnel", .dim)) }
        return lines
    }

    // MARK: Acts

    mutating func act(_ verb: VerbID, on id: String?, _ model: inout ConsoleModel) -> [Action] {
        guard let id else { return verb == .enter ? [] : [.say("no agent is selected", .dim)] }
        switch verb {
        case .agentDisconnect, .agentDrain: return [.command(Command(verb, [id]))]
        case .enter:
            guard let agent = model.tick?.agents.first(where: { $0.id == id }) else { return [] }
            return [.show(TextBox(agent.name, Self.lines(agent)))]
        default: return []
        }
    }

    func command(_ model: ConsoleModel) -> String? {
        selected(model).map { "selvage get agents \(Command.quoted($0))" }
    }
}
