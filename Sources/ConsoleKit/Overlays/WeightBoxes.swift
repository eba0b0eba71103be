import Shared

/// Types one share exactly.
struct ExactBox: Overlay {
    let backendID: String
    let child: Int
    let name: String
    private var field: TextField
    var fault: String?
    let hint = "Enter stage  Esc back"

    init(backendID: String, child: Int, edit: WeightEdit, _ inventory: Inventory) {
        self.backendID = backendID
        self.child = child
        name = inventory.name(edit.children[child])
        field = TextField(String(Percent.text(edit.shares[child]).dropLast()))
    }

    mutating func handle(_ key: Key, _ model: ConsoleModel) -> [Action] {
        switch key {
        case .escape: return [.dismiss]
        case .enter:
            guard Percent.units(field.text.trimmed) != nil else {
                fault = "a percentage of 0 to 100, e.g. 12.5"
                return []
            }
            return [.dismiss, .command(Command(.weightSet, [backendID], values: [(name, field.text.trimmed)]))]
        default:
            fault = nil
            _ = field.handle(key)
        }
        return []
    }

    func draw(_ canvas: inout Canvas, _ model: ConsoleModel) {
        let inner = canvas.popup("share of \(name)", columns: 44, rows: 2, role: .staged)
        let at = canvas.put("percent: ", row: inner.row, column: inner.column, role: .heading)
        field.draw(&canvas, row: inner.row, column: at, width: inner.endColumn - at, focused: true)
        canvas.put(
            fault ?? "the others that are not locked give way", row: inner.row + 1, column: inner.column,
            width: inner.columns, role: fault == nil ? .dim : .crit)
    }
}

/// What would change, and what it would do, before it is applied.
struct PreviewBox: Overlay {
    let target: WeightPlanner.Target
    private var field = TextField()
    private var hold = 0
    var fault: String?

    /// Seconds that the server watches; the last one is no guard.
    static let holds: [Double?] = [30, 60, 120, 300, nil]

    init(target: WeightPlanner.Target) { self.target = target }

    var hint: String { "Enter apply  Tab guard time  Esc back" }

    private func risks(_ model: ConsoleModel) -> [String] {
        model.edits[target.backendID].map { WeightForecast($0, target: target, model: model).risks } ?? []
    }

    mutating func handle(_ key: Key, _ model: ConsoleModel) -> [Action] {
        switch key {
        case .escape: return [.dismiss]
        case .tab: hold = (hold + 1) % Self.holds.count
        case .backTab: hold = (hold + Self.holds.count - 1) % Self.holds.count
        case .enter:
            if let refusal = model.refusal() {
                fault = refusal
                return []
            }
            guard risks(model).isEmpty || field.text == target.name else {
                fault = "type \(target.name) first"
                return []
            }
            return [.dismiss, .applyWeights(target.backendID, guardSeconds: Self.holds[hold])]
        default:
            fault = nil
            if !risks(model).isEmpty { _ = field.handle(key) }
        }
        return []
    }

    func draw(_ canvas: inout Canvas, _ model: ConsoleModel) {
        guard let edit = model.edits[target.backendID] else { return }
        let forecast = WeightForecast(edit, target: target, model: model)
        let risky = !forecast.risks.isEmpty
        let command = WeightPlanner(inventory: model.inventory).command(edit, target: target).text
        let inner = canvas.popup(command, columns: 80, rows: edit.children.count + 4, role: risky ? .warn : .staged)
        canvas.put("BACKEND", row: inner.row, column: inner.column, role: .heading)
        canvas.put("NOW", row: inner.row, column: inner.column + 19, width: inner.columns - 19, role: .heading)
        canvas.put("NEW", row: inner.row, column: inner.column + 31, width: inner.columns - 31, role: .heading)
        canvas.put("REQ/S", row: inner.row, column: inner.column + 40, width: inner.columns - 40, role: .heading)
        for index in edit.children.indices.prefix(max(0, inner.rows - 4)) {
            drawChild(&canvas, inner, inner.row + 1 + index, index, edit, forecast, model)
        }
        let line = inner.endRow - 3
        let limits = GuardLimits(target: target, edit: edit, model: model)
        let hold =
            Self.holds[hold].map {
                "guard \(Int($0)) s: back if err > \(Figure.percent(limits.errorRate))"
                    + (limits.p95.map { ", p95 > \(Figure.milliseconds($0))" } ?? "") + ", or not kept"
            }
            ?? "no guard: the change stays"
        canvas.put(
            "if-match w/\(edit.revision)  \(hold)", row: line, column: inner.column, width: inner.columns,
            role: .guarded)
        if risky {
            canvas.put(
                "risky: " + forecast.risks.joined(separator: "; "), row: line + 1, column: inner.column,
                width: inner.columns, role: .warn)
            let at = canvas.put(
                "type \(target.name) to apply: ", row: line + 2, column: inner.column, width: inner.columns - 4)
            field.draw(&canvas, row: line + 2, column: at, width: inner.endColumn - at, focused: true)
        } else {
            canvas.put("Enter applies it", row: line + 2, column: inner.column, width: inner.columns, role: .key)
            canvas.cursor = Position(row: line + 2, column: inner.column)
        }
        if let fault { canvas.put(fault, row: line + 1, column: inner.column, width: inner.columns, role: .crit) }
    }

    private func drawChild(
        _ canvas: inout Canvas, _ inner: Rect, _ row: Int, _ index: Int, _ edit: WeightEdit,
        _ forecast: WeightForecast, _ model: ConsoleModel
    ) {
        let changed = edit.shares[index] != edit.baseShares[index]
        let role: ColorRole = changed ? .staged : .text
        func put(_ text: String, _ offset: Int, _ role: ColorRole, width: Int = .max) {
            canvas.put(
                text, row: row, column: inner.column + offset, width: max(0, min(width, inner.columns - offset)),
                role: role)
        }
        put(model.inventory.name(edit.children[index]), 0, .identifier, width: 17)
        put(Percent.text(edit.baseShares[index]).leftPadded(6), 17, .text)
        put(changed ? canvas.glyphs.longArrow : "", 24, role)
        put(Percent.text(edit.shares[index]).leftPadded(6), 29, role)
        let rate = forecast.rates[index]
        put("\(rate.now.map(Figure.rate) ?? "-") \(canvas.glyphs.arrow) \(Figure.rate(rate.then))", 40, role, width: 16)
        put(forecast.notes[index], 57, forecast.notes[index].hasPrefix("!") ? .warn : .dim)
    }
}

/// The limits that the console asks the server to hold a change to: twice the usual, and never tighter than noise.
struct GuardLimits {
    var errorRate: Double
    var p95: Double?

    init(target: WeightPlanner.Target, edit: WeightEdit, model: ConsoleModel) {
        let row = target.ownerID.flatMap { model.traffic(route: $0) ?? model.traffic(edge: $0) }
        errorRate = min(1, max(0.02, (row?.errorRate ?? 0) * 2))
        p95 = row?.p95.map { Chart.scale(max(100, $0 * 3)) }
    }
}

/// Somebody else was faster: their weights beside mine.
struct ConflictBox: Overlay {
    let target: WeightPlanner.Target
    /// What I changed, from what.
    let mine: WeightEdit
    /// What is in force now.
    let theirs: [(id: String, weight: Int64)]
    let revision: UInt64
    let who: String
    var fault: String?
    let hint = "r rebase mine and review  d drop mine  Esc later"

    mutating func handle(_ key: Key, _ model: ConsoleModel) -> [Action] {
        switch key {
        case "r": return [.dismiss, .command(Command(.apply, [mine.backendID], values: [("resolve", "rebase")]))]
        case "d": return [.dismiss, .command(Command(.apply, [mine.backendID], values: [("resolve", "drop")]))]
        case .escape: return [.dismiss]
        default: return []
        }
    }

    func draw(_ canvas: inout Canvas, _ model: ConsoleModel) {
        let inner = canvas.popup(
            "Not applied: \(who) changed \(target.name) (w/\(mine.revision) \(canvas.glyphs.arrow) w/\(revision))",
            columns: 80, rows: mine.children.count + 4, role: .crit)
        let heads = ["BACKEND", "BASE w/\(mine.revision)", "THEIRS w/\(revision)", "MINE"]
        let places = [0, 20, 36, 52]
        for (head, place) in zip(heads, places) {
            canvas.put(head, row: inner.row, column: inner.column + place, width: inner.columns - place, role: .heading)
        }
        let shares = Percent.whole(theirs.map(\.weight))
        for index in mine.children.indices.prefix(max(0, inner.rows - 3)) {
            let id = mine.children[index]
            let other = theirs.firstIndex { $0.id == id }.map { "\(shares[$0])%" } ?? "gone"
            let cells = [
                (model.inventory.name(id), ColorRole.identifier), (Percent.text(mine.baseShares[index]), .text),
                (other, .warn), (Percent.text(mine.shares[index]), .staged),
            ]
            for ((text, role), place) in zip(cells, places) {
                canvas.put(
                    text, row: inner.row + 1 + index, column: inner.column + place,
                    width: min(15, inner.columns - place), role: role)
            }
        }
        canvas.put(
            "Nothing was changed. r rebases mine on theirs to review, d drops mine.", row: inner.endRow - 1,
            column: inner.column, width: inner.columns, role: .key)
        canvas.cursor = Position(row: inner.endRow - 1, column: inner.column)
    }
}

extension String {
    func leftPadded(_ width: Int) -> String {
        String(repeating: " ", count: max(0, width - Sanitiser.width(self))) + self
    }
}
