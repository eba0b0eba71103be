import Shared

/// Chooses one of the modules that an edge or route does not carry yet.
struct ModulePicker: Overlay {
    let owner: String
    let names: [String]
    let title: String
    private var index = 0
    var fault: String?
    let hint = "Enter choose  Esc back"

    init(owner: String, names: [String], title: String) {
        self.owner = owner
        self.names = names
        self.title = title
    }

    mutating func handle(_ key: Key, _ model: ConsoleModel) -> [Action] {
        switch key {
        case .escape, "q": return [.dismiss]
        case .down, "j", .tab: index = min(names.count - 1, index + 1)
        case .up, "k", .backTab: index = max(0, index - 1)
        case .enter: return [.dismiss, .show(ModuleBox(owner: owner, module: names[index], model.inventory))]
        default: break
        }
        return []
    }

    func draw(_ canvas: inout Canvas, _ model: ConsoleModel) {
        let inner = canvas.popup("module add to \(title)", columns: 60, rows: names.count, role: .accent)
        let offset = max(0, min(index - inner.rows / 2, names.count - inner.rows))
        for (line, name) in names.dropFirst(offset).prefix(inner.rows).enumerated() {
            let isSelected = offset + line == index
            let row = inner.row + line
            canvas.put(
                "\(isSelected ? canvas.glyphs.marker : " ") \(name)", row: row, column: inner.column,
                width: inner.columns)
            if isSelected {
                canvas.select(Rect(row: row, column: inner.column, rows: 1, columns: inner.columns))
                canvas.cursor = Position(row: row, column: inner.column)
            }
        }
    }
}

/// A module's settings as a form that is made out of its document.
struct ModuleBox: Overlay {
    let owner: String
    let module: String
    private var form: DocumentForm
    private var focus = 0
    var fault: String?
    let hint = "Tab next field  Space yes/no  Ctrl-U clears  Enter send  Esc back"

    init(owner: String, module: String, _ inventory: Inventory) {
        self.owner = owner
        self.module = module
        let example = inventory.modules.first { $0.name == module }?.example ?? [:]
        let document = inventory.document(owner)?[module] ?? .null
        form = DocumentForm(example: example, document: document.isNull ? nil : document)
    }

    mutating func handle(_ key: Key, _ model: ConsoleModel) -> [Action] {
        let count = form.fields.count
        switch key {
        case .escape: return [.dismiss]
        case .tab, .down: focus = count > 0 ? (focus + 1) % count : 0
        case .backTab, .up: focus = count > 0 ? (focus + count - 1) % count : 0
        case .enter: return submit(model)
        default:
            fault = nil
            _ = form.edit(focus, key)
        }
        return []
    }

    private mutating func submit(_ model: ConsoleModel) -> [Action] {
        do throws(CommandFault) {
            let settings = try form.result().get()
            let values = form.fields.filter { $0.kind != .document }.map { (key: $0.label, value: $0.field.text) }
            let command = Command(.moduleSet, [model.inventory.uniqueName(owner), module], values: values)
            return [.run(try Planner(inventory: model.inventory).putModule(owner, module, settings, command: command))]
        } catch {
            fault = error.message
            return []
        }
    }

    func draw(_ canvas: inout Canvas, _ model: ConsoleModel) {
        let fields = form.fields
        let inner = canvas.popup(
            "\(module) of \(model.inventory.name(owner))", columns: 72, rows: max(1, fields.count) + 1, role: .accent)
        let label = min((fields.map(\.label.count).max() ?? 0) + 2, inner.columns / 2)
        let room = inner.rows - 1
        let offset = max(0, min(focus - room / 2, fields.count - room))
        for (line, field) in fields.dropFirst(offset).prefix(max(0, room)).enumerated() {
            let isFocus = offset + line == focus
            let row = inner.row + line
            canvas.put(isFocus ? canvas.glyphs.marker : " ", row: row, column: inner.column, role: .focus)
            canvas.put(field.label, row: row, column: inner.column + 2, width: label - 1, role: isFocus ? .focus : .dim)
            let column = inner.column + 2 + label
            if field.kind == .toggle {
                let mark = field.isOn ? "[\(canvas.glyphs.check)] yes" : "[ ] no"
                canvas.put(
                    mark, row: row, column: column, width: inner.endColumn - column, role: isFocus ? .focus : .text)
                if isFocus { canvas.cursor = Position(row: row, column: column) }
            } else {
                field.field.draw(&canvas, row: row, column: column, width: inner.endColumn - column, focused: isFocus)
            }
        }
        let help = fields.indices.contains(focus) ? Self.help(fields[focus], model.inventory) : "no settings"
        canvas.put(
            fault ?? help, row: inner.endRow - 1, column: inner.column, width: inner.columns,
            role: fault == nil ? .dim : .crit)
    }

    private static func help(_ field: DocumentForm.Field, _ inventory: Inventory) -> String {
        let example = field.example.isEmpty ? "" : "   e.g. \(field.example)"
        switch field.kind {
        case .text where field.label == "terminate_at":
            return "edge: opened here with our certificate; upstream: passed through untouched"
        case .text where field.label == "min_version": return "1.2 or 1.3; empty for the server's own"
        case .text: return "text"
        case .whole: return "a whole number"
        case .number: return "a number"
        case .toggle: return "Space switches"
        case .list where field.label == "ip_policy_ids":
            let names = inventory.policies.prefix(4).map { inventory.name($0.id) }.joined(separator: ", ")
            return names.isEmpty
                ? "no IP policy yet: Esc, then :policy create NAME allow=CIDR,CIDR" : "IP policies: \(names)"
        case .list: return "a, b" + example
        case .map: return "name=value, name=\"with, comma\"" + example
        case .document: return "JSON" + example
        }
    }
}
