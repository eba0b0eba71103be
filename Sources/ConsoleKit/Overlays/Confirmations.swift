import Shared

/// Asks before something that interrupts traffic: `Y`, which is never the key that led here, and never Enter.
struct ConfirmBox: Overlay {
    let plan: RequestPlan
    let subject: String
    /// Who is hit, e.g. `1.2k req/s`.
    let victims: String
    var fault: String?
    let hint = "Y do it  Esc cancel"

    mutating func handle(_ key: Key, _ model: ConsoleModel) -> [Action] {
        switch key {
        case "Y": [.dismiss, .run(plan)]
        case .escape, "n", "N", .enter, "q": [.dismiss, .say("nothing was changed", .dim)]
        default: []
        }
    }

    func draw(_ canvas: inout Canvas, _ model: ConsoleModel) {
        let inner = canvas.popup(plan.command, columns: 68, rows: 5, role: .warn)
        canvas.put("This touches \(subject).", row: inner.row, column: inner.column, width: inner.columns)
        canvas.put(victims, row: inner.row + 1, column: inner.column, width: inner.columns, role: .warn)
        if let fault {
            canvas.put(fault, row: inner.row + 2, column: inner.column, width: inner.columns, role: .crit)
        }
        let at = canvas.put("Y", row: inner.row + 3, column: inner.column, role: .key, bold: true)
        canvas.put("  do it", row: inner.row + 3, column: at, width: 20)
        canvas.put("Esc", row: inner.row + 4, column: inner.column, role: .key, bold: true)
        canvas.put("cancel", row: inner.row + 4, column: inner.column + 5, width: 10)
        canvas.cursor = Position(row: inner.row + 4, column: inner.column)
    }
}

/// Asks for the name of what will be gone.
struct TypeNameBox: Overlay {
    let plan: RequestPlan
    let subject: String
    let victims: String
    private var field = TextField()
    var fault: String?
    let hint = "type the name, Enter  Esc cancel"

    init(plan: RequestPlan, subject: String, victims: String) {
        self.plan = plan
        self.subject = subject
        self.victims = victims
    }

    mutating func handle(_ key: Key, _ model: ConsoleModel) -> [Action] {
        switch key {
        case .escape: return [.dismiss, .say("nothing was changed", .dim)]
        case .enter:
            if field.text == subject { return [.dismiss, .run(plan)] }
            fault = "this is not its name"
        default:
            fault = nil
            _ = field.handle(key)
        }
        return []
    }

    func draw(_ canvas: inout Canvas, _ model: ConsoleModel) {
        let question = "type \(subject) to go on: "
        // A long name leaves no room behind it: it is shown in full, and typed below.
        let lines = Canvas.wrap(question, min(64, canvas.size.columns - 4))
        let isLong = Sanitiser.width(subject) * 2 > 36
        let inner = canvas.popup(plan.command, columns: 68, rows: isLong ? 5 + lines.count : 5, role: .crit)
        canvas.put(
            "This cannot be seen by its users as anything but gone.", row: inner.row, column: inner.column,
            width: inner.columns)
        canvas.put(victims, row: inner.row + 1, column: inner.column, width: inner.columns, role: .warn)
        if isLong {
            for (offset, line) in lines.enumerated() where inner.row + 2 + offset < inner.endRow - 2 {
                canvas.put(line, row: inner.row + 2 + offset, column: inner.column, width: inner.columns)
            }
            field.draw(&canvas, row: inner.endRow - 2, column: inner.column, width: inner.columns, focused: true)
        } else {
            let at = canvas.put(question, row: inner.row + 3, column: inner.column, width: inner.columns - 4)
            field.draw(&canvas, row: inner.row + 3, column: at, width: inner.endColumn - at, focused: true)
        }
        if let fault {
            canvas.put(fault, row: inner.endRow - 1, column: inner.column, width: inner.columns, role: .crit)
        }
    }
}

/// Leaving while something would be lost.
struct QuitBox: Overlay {
    let reasons: [String]
    var fault: String?
    let hint = "q or Y leave  Esc stay"

    mutating func handle(_ key: Key, _ model: ConsoleModel) -> [Action] {
        switch key {
        case "q", "Y": [.quit]
        case .escape, "n", "N", .enter: [.dismiss]
        default: []
        }
    }

    func draw(_ canvas: inout Canvas, _ model: ConsoleModel) {
        let inner = canvas.popup("leave?", columns: 68, rows: reasons.count + 2, role: .warn)
        for (row, reason) in reasons.prefix(inner.rows).enumerated() {
            canvas.put(reason, row: inner.row + row, column: inner.column, width: inner.columns, role: .warn)
        }
        canvas.put(
            "q or Y leave, Esc stay", row: inner.endRow - 1, column: inner.column, width: inner.columns, role: .key)
        canvas.cursor = Position(row: inner.endRow - 1, column: inner.column)
    }
}
