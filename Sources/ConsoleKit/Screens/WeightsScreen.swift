import Shared

/// Staged sliders over one route's backends: nothing changes before it is applied.
struct WeightsScreen: Screen {
    var filter = ""
    /// The backend whose weights are shown; the first when `nil` or gone.
    private(set) var backendID: String?
    private(set) var child = 0

    func target(_ model: ConsoleModel) -> WeightPlanner.Target? {
        let targets = self.targets(model)
        return targets.first { $0.backendID == backendID } ?? targets.first
    }

    private func targets(_ model: ConsoleModel) -> [WeightPlanner.Target] {
        let all = WeightPlanner(inventory: model.inventory).targets
        let filter = RowFilter(filter)
        let shown = all.filter { filter.matches([("route", $0.name)]) }
        return shown.isEmpty ? all : shown
    }

    mutating func show(_ backendID: String) {
        self.backendID = backendID
        child = 0
    }

    func guardStatus(_ model: ConsoleModel) -> GuardStatus? {
        target(model).flatMap { model.runningGuard(for: $0.backendID) }
    }

    func scopes(_ model: ConsoleModel) -> [KeyScope] {
        guardStatus(model) != nil
            ? [.guarded, .rows, .everywhere] : [.weights, .rows, .letters, .everywhere]
    }

    func edit(_ model: ConsoleModel) -> WeightEdit? {
        guard let target = target(model) else { return nil }
        return model.edits[target.backendID] ?? WeightPlanner(inventory: model.inventory).edit(target.backendID)
    }

    mutating func perform(_ verb: VerbID, _ model: inout ConsoleModel) -> [Action] {
        guard let target = target(model), var edit = edit(model) else { return [] }
        if let actions = navigate(verb, edit, model) { return actions }
        if let status = guardStatus(model) {
            if [.guardKeep, .guardRollback, .guardExtend].contains(verb) {
                return [.command(Command(verb, [status.id]))]
            }
            return [.say("a guard runs: k keeps, u rolls back", .warn)]
        }
        child = min(child, edit.children.count - 1)
        var moved = true
        switch verb {
        case .weightLess: moved = edit.move(child, by: -100)
        case .weightMore: moved = edit.move(child, by: 100)
        case .weightLessFive: moved = edit.move(child, by: -500)
        case .weightMoreFive: moved = edit.move(child, by: 500)
        case .weightNormalise: edit.normalise()
        case .weightLock: edit.toggleLock(child)
        case .weightExact, .enter:
            return [.show(ExactBox(backendID: target.backendID, child: child, edit: edit, model.inventory))]
        case .apply:
            guard edit.isChanged else { return [.say("nothing is staged here", .dim)] }
            return [.show(PreviewBox(target: target))]
        case .discard:
            let was = model.edits.removeValue(forKey: target.backendID)
            return was?.isChanged == true ? [.say("the edit is forgotten", .dim)] : []
        case .weightUndo: return undo(&edit, target, &model)
        default: return []
        }
        guard moved else {
            return [
                .say(edit.locked.contains(child) ? "it is locked: L unlocks" : "no other backend can give way", .warn)
            ]
        }
        store(edit, &model)
        return []
    }

    private func store(_ edit: WeightEdit, _ model: inout ConsoleModel) {
        model.edits[edit.backendID] = edit.isChanged || !edit.locked.isEmpty ? edit : nil
    }

    private mutating func navigate(_ verb: VerbID, _ edit: WeightEdit, _ model: ConsoleModel) -> [Action]? {
        let last = edit.children.count - 1
        switch verb {
        case .up, .letterUp: child = max(0, min(child, last) - 1)
        case .down, .letterDown: child = min(last, child + 1)
        case .first, .letterFirst: child = 0
        case .last, .letterLast: child = last
        case .weightPrevious, .pageUp: step(-1, model)
        case .weightNext, .pageDown: step(1, model)
        case .sort: return [.say("backends stay in the order of their ids", .dim)]
        default: return nil
        }
        return []
    }

    private mutating func step(_ offset: Int, _ model: ConsoleModel) {
        let targets = targets(model)
        guard let target = target(model), let index = targets.firstIndex(of: target) else { return }
        show(targets[(index + offset + targets.count) % targets.count].backendID)
    }

    private func undo(
        _ edit: inout WeightEdit, _ target: WeightPlanner.Target, _ model: inout ConsoleModel
    ) -> [Action] {
        guard let (record, change) = model.journal.lastChange(of: target.backendID),
            let before = change.before?["backends"]?.objectValue
        else { return [.say("the audit trail shows no earlier weights", .warn)] }
        edit.stage(before.compactMapValues(\.intValue))
        store(edit, &model)
        guard edit.isChanged else { return [.say("these are the weights of before already", .dim)] }
        return [.say("staged the weights from before \(record.principal)'s change; a previews", .staged)]
    }

    func command(_ model: ConsoleModel) -> String? {
        guard let target = target(model), let edit = edit(model) else { return nil }
        return "selvage " + WeightPlanner(inventory: model.inventory).command(edit, target: target).text
    }

    // MARK: Drawing

    func draw(_ canvas: inout Canvas, _ rect: Rect, _ model: ConsoleModel) {
        guard let target = target(model), let edit = edit(model) else {
            let text =
                model.hasListing
                ? "no weighted backend yet: an edge's route needs one (selvage describe, docs)"
                : "waiting for the configuration"
            canvas.put(text, row: rect.row, column: rect.column + 2, width: max(0, rect.columns - 2), role: .dim)
            return
        }
        var body = rect
        if body.rows > edit.children.count + 2 { drawTitle(&canvas, body.takeTop(1), target, edit, model) }
        if body.rows > edit.children.count + 3 { drawChain(&canvas, body.takeTop(1), target, model) }
        drawHead(&canvas, body.takeTop(1))
        let selected = min(child, edit.children.count - 1)
        let room = min(edit.children.count, body.rows)
        let rows = body.takeTop(room)
        let offset = max(0, min(selected - rows.rows / 2, edit.children.count - rows.rows))
        let forecast = WeightForecast(edit, target: target, model: model)
        for line in 0..<rows.rows {
            let place = Rect(row: rows.row + line, column: rows.column, rows: 1, columns: rows.columns)
            drawChild(&canvas, place, offset + line, offset + line == selected, edit, forecast, model)
        }
        if let status = guardStatus(model) {
            WeightsScreen.drawGuard(&canvas, &body, status, model)
        } else if edit.isChanged, body.rows > 0 {
            drawStaged(&canvas, body.takeTop(min(2, body.rows)), edit, forecast, model)
        }
        drawCharts(&canvas, body, edit, model)
    }

    private func drawTitle(
        _ canvas: inout Canvas, _ rect: Rect, _ target: WeightPlanner.Target, _ edit: WeightEdit, _ model: ConsoleModel
    ) {
        let targets = targets(model)
        let index = (targets.firstIndex(of: target) ?? 0) + 1
        let at = canvas.put("  \(target.name)", row: rect.row, column: rect.column, role: .heading, bold: true)
        let sharers = WeightPlanner(inventory: model.inventory).sharers(target)
        let shared = sharers.isEmpty ? "" : " also \(sharers[0])" + (sharers.count > 1 ? " +\(sharers.count - 1)" : "")
        let by = model.inventory[target.backendID].map { " by \($0.changedBy) at \(Journal.clock($0.changedAt))" } ?? ""
        let middle = canvas.put(
            shared, row: rect.row, column: at, width: max(0, rect.columns - at), role: .warn)
        let end = canvas.put(
            " (\(index)/\(targets.count))  w/\(edit.revision)\(by)", row: rect.row, column: middle,
            width: max(0, rect.columns - middle), role: .dim)
        if let present = model.inventory[target.backendID]?.revision, present != edit.revision {
            canvas.put(
                "  changed meanwhile: w/\(present)", row: rect.row, column: end, width: max(0, rect.columns - end),
                role: .warn)
        } else if edit.isChanged {
            canvas.put("  [staged]", row: rect.row, column: end, width: max(0, rect.columns - end), role: .staged)
        }
    }

    private func drawChain(
        _ canvas: inout Canvas, _ rect: Rect, _ target: WeightPlanner.Target, _ model: ConsoleModel
    ) {
        let document = target.ownerID.flatMap(model.inventory.document) ?? .null
        let chain = model.inventory.chain(document).map(\.name)
        let names = chain.joined(separator: " \(canvas.glyphs.chain) ")
        let at = canvas.put(
            "  " + (chain.isEmpty ? "no modules" : names), row: rect.row, column: rect.column, width: rect.columns,
            role: .dim)
        guard let owner = target.ownerID, let breaker = model.breaker(owner) else { return }
        let word = BreakersScreen.word(breaker.state, canvas.glyphs)
        canvas.put(
            "  breaker \(word.text)", row: rect.row, column: at, width: max(0, rect.columns - at),
            role: model.isStale ? .stale : word.role)
    }

    private func drawStaged(
        _ canvas: inout Canvas, _ rect: Rect, _ edit: WeightEdit, _ forecast: WeightForecast, _ model: ConsoleModel
    ) {
        let refusal = model.refusal()
        canvas.put(
            "  staged, not applied: a previews, x discards" + (refusal.map { "  (\($0))" } ?? ""), row: rect.row,
            column: rect.column, width: rect.columns, role: .staged)
        if rect.rows > 1, !forecast.risks.isEmpty {
            canvas.put(
                "  mind: " + forecast.risks.joined(separator: "; "), row: rect.row + 1, column: rect.column,
                width: rect.columns, role: .warn)
        }
    }

    private func drawCharts(_ canvas: inout Canvas, _ rect: Rect, _ edit: WeightEdit, _ model: ConsoleModel) {
        guard rect.rows >= 5, !edit.children.isEmpty else { return }
        let across = min(edit.children.count, max(1, rect.columns / 30))
        let width = rect.columns / across
        for index in 0..<across {
            let place = Rect(
                row: rect.row, column: rect.column + index * width, rows: rect.rows,
                columns: index == across - 1 ? rect.columns - width * index : width)
            let id = edit.children[index]
            let values = model.history.backends[id]?.requests.values ?? []
            let inner = place.inset()
            let style = canvas.glyphs == .ascii ? ChartStyle.ascii : model.chart
            let shown = Array(values.suffix(Chart.capacity(inner.columns, style)))
            let scale = Chart.scale(shown.max() ?? 0)
            canvas.box(place, title: model.inventory.name(id), trailing: "\(Figure.grouped(Int(scale))) req/s")
            let lines = Chart(values: shown, style: style)
                .lines(columns: inner.columns, rows: inner.rows, scale: scale, glyphs: canvas.glyphs)
            for (line, text) in lines.enumerated() {
                canvas.put(text, row: inner.row + line, column: inner.column, role: model.isStale ? .stale : .chart)
            }
        }
    }
}
