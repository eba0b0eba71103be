import Shared

/// A few labelled fields. Tab and the arrows move, Enter sends.
struct FormBox: Overlay {
    struct Field: Sendable {
        var label: String
        var field: TextField
        /// Values to choose among with the arrows; empty for free text.
        var choices: [String] = []
        var help: String

        init(_ label: String, _ value: String = "", choices: [String] = [], help: String = "") {
            self.label = label
            field = TextField(value)
            self.choices = choices
            self.help = help
        }
    }

    enum Purpose: Sendable, Hashable {
        case createEdge
        case editEdge(String)
        case addRoute(String)
        case editRoute(String)
        case setBackend(String)
    }

    let title: String
    let purpose: Purpose
    var fields: [Field]
    private var focus = 0
    var fault: String?
    var hint: String {
        focus < fields.count - 1
            ? "Tab or Enter next field  Ctrl-U clears  Esc back" : "Enter send  Ctrl-U clears  Esc back"
    }

    init(_ title: String, _ purpose: Purpose, _ fields: [Field]) {
        self.title = title
        self.purpose = purpose
        self.fields = fields
    }

    static func createEdge() -> FormBox {
        FormBox(
            "edge create", .createEdge,
            [
                Field("kind", "https", choices: EdgeKind.allCases.map(\.rawValue), help: "chosen once, kept for ever"),
                Field("host", help: "e.g. shop.example or *.shop.example; tcp: empty reserves an address"),
                Field("backend", help: "an address such as 127.0.0.1:8080, or a backend's name or id"),
                Field("description"),
            ])
    }

    static func editEdge(_ edge: StoredObject) -> FormBox {
        FormBox(
            "edge edit \(Inventory.edgeName(edge))", .editEdge(edge.id),
            [
                Field("hosts", Inventory.hostports(edge).joined(separator: ", "), help: "host:port, host:port"),
                Field("description", edge.document["description"]?.stringValue ?? ""),
                Field("metadata", edge.document["metadata"]?.stringValue ?? ""),
            ])
    }

    static func addRoute(_ edge: String, _ inventory: Inventory) -> FormBox {
        FormBox(
            "route add to \(inventory.name(edge))", .addRoute(edge),
            [
                Field("path", "/", help: "begins with /"),
                Field("match", "path_prefix", choices: ["path_prefix", "exact_path"], help: "exact paths come first"),
                Field("backend", help: backendHelp(inventory)),
            ])
    }

    static func editRoute(_ route: Inventory.Route) -> FormBox {
        FormBox(
            "route edit \(route.name)", .editRoute(route.id),
            [
                Field("path", route.match, help: "begins with /"),
                Field("match", route.matchType, choices: ["path_prefix", "exact_path"]),
                Field("description", route.document["description"]?.stringValue ?? ""),
            ])
    }

    static func setBackend(_ owner: String, _ inventory: Inventory) -> FormBox {
        let present = inventory.document(owner).flatMap(Inventory.backendID).map(inventory.uniqueName) ?? ""
        return FormBox(
            "backend set \(inventory.name(owner))", .setBackend(owner),
            [Field("backend", present, help: backendHelp(inventory))])
    }

    private static func backendHelp(_ inventory: Inventory) -> String {
        let names = inventory.backends.prefix(4).map { Inventory.backendName($0) }.joined(separator: ", ")
        return names.isEmpty ? "an address such as 127.0.0.1:8080" : "an address, or one of \(names)"
    }

    mutating func handle(_ key: Key, _ model: ConsoleModel) -> [Action] {
        switch key {
        case .escape: return [.dismiss]
        case .tab, .down: focus = (focus + 1) % fields.count
        case .backTab, .up: focus = (focus + fields.count - 1) % fields.count
        case .enter:
            if focus < fields.count - 1 {
                focus += 1
                return []
            }
            return submit(model)
        case .left, .right, .character(" "):
            if fields[focus].choices.isEmpty {
                _ = fields[focus].field.handle(key)
            } else {
                turn(key == .left ? -1 : 1)
            }
        default:
            fault = nil
            if fields[focus].choices.isEmpty { _ = fields[focus].field.handle(key) }
        }
        return []
    }

    private mutating func turn(_ step: Int) {
        let choices = fields[focus].choices
        let index = choices.firstIndex(of: fields[focus].field.text) ?? 0
        fields[focus].field.replace(choices[(index + step + choices.count) % choices.count])
    }

    private func value(_ label: String) -> String { fields.first { $0.label == label }?.field.text.trimmed ?? "" }

    private mutating func submit(_ model: ConsoleModel) -> [Action] {
        do throws(CommandFault) {
            let plan = try plan(Planner(inventory: model.inventory), model.inventory)
            return [.run(plan)]
        } catch {
            fault = error.message
            return []
        }
    }

    private func plan(_ planner: Planner, _ inventory: Inventory) throws(CommandFault) -> RequestPlan {
        switch purpose {
        case .createEdge:
            var values = [(key: "backend", value: value("backend"))]
            if !value("description").isEmpty { values.append(("description", value("description"))) }
            guard !value("backend").isEmpty else {
                throw CommandFault(.usage, "backend: an address or a name is needed")
            }
            let host = value("host")
            return try planner.plan(
                Command(.edgeCreate, [value("kind")] + (host.isEmpty ? [] : [host]), values: values))
        case .editEdge(let id):
            let hosts = value("hosts").split(separator: ",").map { JSON.string(String($0).trimmed) }
            let body: JSON = [
                "hostports": .array(hosts), "description": .string(value("description")),
                "metadata": .string(value("metadata")),
            ]
            return try planner.patch(
                id, body, command: "edge set \(inventory.uniqueName(id)) hosts=\(value("hosts"))",
                success: "the edge is changed")
        case .addRoute(let edge):
            var values = [(key: "match", value: value("match"))]
            if !value("backend").isEmpty { values.append(("backend", value("backend"))) }
            return try planner.plan(Command(.routeAdd, [inventory.uniqueName(edge), value("path")], values: values))
        case .editRoute(let id):
            guard value("path").hasPrefix("/") else { throw CommandFault(.invalid, "a route's path begins with /") }
            let body: JSON = [
                "match": .string(value("path")), "match_type": .string(value("match")),
                "description": .string(value("description")),
            ]
            return try planner.patch(
                id, body, command: "route set \(inventory.uniqueName(id)) match=\(value("path"))",
                success: "the route is changed")
        case .setBackend(let owner):
            return try planner.plan(Command(.backendSet, [inventory.uniqueName(owner), value("backend")]))
        }
    }

    func draw(_ canvas: inout Canvas, _ model: ConsoleModel) {
        let inner = canvas.popup(title, columns: 72, rows: fields.count + 2, role: .accent)
        let label = (fields.map(\.label.count).max() ?? 0) + 2
        for (index, field) in fields.enumerated() where index < inner.rows {
            let row = inner.row + index
            let isFocus = index == focus
            canvas.put(isFocus ? canvas.glyphs.marker : " ", row: row, column: inner.column, role: .focus)
            canvas.put(field.label, row: row, column: inner.column + 2, width: label, role: isFocus ? .focus : .dim)
            let column = inner.column + 2 + label
            if field.choices.isEmpty {
                field.field.draw(&canvas, row: row, column: column, width: inner.endColumn - column, focused: isFocus)
            } else {
                canvas.put(
                    "< \(field.field.text) >", row: row, column: column, width: inner.endColumn - column,
                    role: isFocus ? .focus : .text)
                if isFocus { canvas.cursor = Position(row: row, column: column) }
            }
        }
        let text = fault ?? fields[focus].help
        for (offset, line) in Canvas.wrap(text, inner.columns).prefix(2).enumerated() where inner.rows > fields.count {
            canvas.put(
                line, row: min(inner.row + fields.count + offset, inner.endRow - 1), column: inner.column,
                width: inner.columns, role: fault == nil ? .dim : .crit)
        }
    }
}
