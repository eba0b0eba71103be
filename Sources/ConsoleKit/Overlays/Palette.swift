import Shared

/// Any command: matched by the letters in their order, with live names completed, and with its key shown, so that it
/// teaches them.
struct Palette: Overlay {
    struct Suggestion: Sendable, Hashable {
        /// What Tab puts into the line.
        var line: String
        var help: String
        var key: String
        /// Enter may run it as it stands.
        var isComplete: Bool
    }

    private(set) var field: TextField
    private var index = 0
    let recent: [String]
    var fault: String?
    let hint = "Tab complete  Enter run  Esc back"

    init(_ text: String = "", recent: [String] = []) {
        field = TextField(text)
        self.recent = recent
    }

    func suggestions(_ model: ConsoleModel) -> [Suggestion] {
        let text = field.text
        let words = Command.words(text)
        if let command = try? Command.parse(words, on: .palette) {
            let verb = VerbTable[command.verb]
            let isTyping = text.hasSuffix(" ") || !command.names.isEmpty || !command.values.isEmpty
            if isTyping && !verb.arguments.isEmpty { return completions(verb, words, text.hasSuffix(" "), model) }
        }
        var found: [(score: Int, suggestion: Suggestion)] = []
        for verb in VerbTable.verbs where verb.surfaces.contains(.palette) {
            guard let score = Fuzzy.score(text, in: verb.name) ?? Fuzzy.score(text, in: verb.help).map({ $0 - 20 })
            else { continue }
            let used = recent.firstIndex(of: verb.name).map { 40 - $0 } ?? 0
            found.append(
                (
                    score + (text.isEmpty ? used : 0),
                    Suggestion(
                        line: verb.name, help: "\(verb.arguments.isEmpty ? "" : verb.arguments + "  ")\(verb.help)",
                        key: verb.keys.first?.label(.ascii) ?? "", isComplete: verb.arguments.isEmpty)
                ))
        }
        return found.sorted { ($0.score, $1.suggestion.line) > ($1.score, $0.suggestion.line) }.map(\.suggestion)
    }

    /// Names that fit the word being typed.
    private func completions(
        _ verb: Verb, _ words: [String], _ isNewWord: Bool, _ model: ConsoleModel
    ) -> [Suggestion] {
        let last = isNewWord ? "" : words.last ?? ""
        let head = isNewWord ? words : Array(words.dropLast())
        var names: [(String, String)] = []
        let kinds: [(String, Resolver.Kind)] = [
            ("ROUTE", .route), ("EDGE", .edge), ("BACKEND", .backend), ("POLICY", .policy),
        ]
        let place = head.count - verb.name.split(separator: " ").count
        let shapes = verb.arguments.split(separator: " ").map(String.init)
        let isRepeated = shapes.last?.contains("…") == true
        let shape = shapes.indices.contains(place) ? shapes[place] : isRepeated ? shapes.last ?? "" : ""
        let resolver = Resolver(inventory: model.inventory)
        for (word, kind) in kinds where shape.contains(word) || shape == "NAME" && verb.id == .go && kind != .policy {
            names += resolver.all.filter { $0.kind == kind }.map { (model.inventory.uniqueName($0.id), kind.rawValue) }
        }
        let backends = resolver.all.filter { $0.kind == .backend }.map { model.inventory.uniqueName($0.id) }
        if verb.id == .backendCreate, place >= 1 {
            let ending = head[2] == "weighted" ? "=" : ""
            names += backends.map { ($0 + ending, ending.isEmpty ? "backend" : "weight") }
        }
        if last.hasPrefix("backend=") || shape.hasPrefix("backend=") {
            names += backends.map { ("backend=" + $0, "backend") }
        }
        if shape == "MODULE" { names += model.inventory.modules.map { ($0.name, "module") } }
        if shape == "ID" { names += Self.identifiers(verb, model) }
        if shape.contains("CHILD"), head.count > 2,
            let target = try? WeightPlanner(inventory: model.inventory).target(head[2]),
            let edit = WeightPlanner(inventory: model.inventory).edit(target.backendID)
        {
            names += edit.children.map { (model.inventory.name($0) + "=", "percent") }
        }
        if shape.contains("|"), shape == shape.lowercased() {
            names += shape.split(separator: "|").map { (String($0), "") }
        }
        let line = head.map(Command.quoted).joined(separator: " ")
        let found = names.compactMap { name, help -> (Int, Suggestion)? in
            guard let score = Fuzzy.score(last, in: name) else { return nil }
            return (score, Suggestion(line: "\(line) \(Command.quoted(name))", help: help, key: "", isComplete: false))
        }
        .sorted { $0.0 > $1.0 }.map(\.1)
        let asTyped = Suggestion(
            line: field.text, help: "\(verb.arguments)  \(verb.help)", key: verb.keys.first?.label(.ascii) ?? "",
            isComplete: true)
        return [asTyped] + found.filter { $0.line != field.text }
    }

    /// Of what is no object: agents and guards, each with what tells them apart.
    private static func identifiers(_ verb: Verb, _ model: ConsoleModel) -> [(String, String)] {
        verb.scope == .tunnels
            ? AgentStatus.sorted(model.tick?.agents ?? []).map { ($0.id, $0.name) }
            : model.runningGuards.map { ($0.id, $0.command) }
    }

    mutating func handle(_ key: Key, _ model: ConsoleModel) -> [Action] {
        let suggestions = suggestions(model)
        switch key {
        case .escape, .ctrl("p"): return [.dismiss]
        case .down: index = min(max(0, suggestions.count - 1), index + 1)
        case .up: index = max(0, index - 1)
        case .tab:
            let chosen = suggestions.indices.contains(index) ? suggestions[index] : nil
            let completed = chosen?.line == field.text ? suggestions.dropFirst().first : chosen
            if let completed { field.replace(completed.line + (completed.line.hasSuffix("=") ? "" : " ")) }
            index = 0
        case .enter: return run(suggestions, model)
        default:
            fault = nil
            index = 0
            _ = field.handle(key)
        }
        return []
    }

    private mutating func run(_ suggestions: [Suggestion], _ model: ConsoleModel) -> [Action] {
        guard suggestions.indices.contains(index) else {
            fault = "no command fits"
            return []
        }
        let chosen = suggestions[index]
        guard chosen.isComplete else {
            field.replace(chosen.line + (chosen.line.hasSuffix("=") ? "" : " "))
            index = 0
            return []
        }
        do throws(CommandFault) {
            let command = try Command.parse(Command.words(chosen.line), on: .palette)
            try check(command, model)
            return [.dismiss, .command(command)]
        } catch {
            fault = error.message
            return []
        }
    }

    /// What cannot be is said while the line can still be mended.
    private func check(_ command: Command, _ model: ConsoleModel) throws(CommandFault) {
        do throws(CommandFault) {
            _ = try model.planner.plan(command)
        } catch {
            // Those with keys may go without arguments, and ask for them on their screen.
            let verb = VerbTable[command.verb]
            let isWhole = verb.scope == .everywhere && verb.keys.isEmpty && verb.surfaces.contains(.shell)
            if error.code == .invalid || isWhole { throw error }
        }
    }

    func draw(_ canvas: inout Canvas, _ model: ConsoleModel) {
        let suggestions = suggestions(model)
        let rows = min(12, max(3, suggestions.count)) + 2
        let inner = canvas.popup("command", columns: min(100, canvas.size.columns - 2), rows: rows, role: .accent)
        let at = canvas.put(": ", row: inner.row, column: inner.column, role: .key)
        let room = inner.rows - 2
        let offset = max(0, min(index - room / 2, suggestions.count - room))
        for (line, suggestion) in suggestions.dropFirst(offset).prefix(max(0, room)).enumerated() {
            let row = inner.row + 1 + line
            let end = canvas.put(
                "\(offset + line == index ? canvas.glyphs.marker : " ") \(suggestion.line)", row: row,
                column: inner.column,
                width: inner.columns)
            canvas.put(
                "  \(suggestion.help)", row: row, column: end, width: max(0, inner.endColumn - end - 8), role: .dim)
            canvas.putRight(suggestion.key, row: row, end: inner.endColumn, width: 7, role: .key)
            if offset + line == index {
                canvas.select(Rect(row: row, column: inner.column, rows: 1, columns: inner.columns))
            }
        }
        if let text = fault ?? preview(suggestions, model) {
            canvas.put(
                text, row: inner.endRow - 1, column: inner.column, width: inner.columns,
                role: fault == nil ? .dim : .crit)
        }
        field.draw(&canvas, row: inner.row, column: at, width: inner.endColumn - at, focused: true)
    }

    /// What Enter would send.
    private func preview(_ suggestions: [Suggestion], _ model: ConsoleModel) -> String? {
        guard suggestions.indices.contains(index), suggestions[index].isComplete,
            let command = try? Command.parse(Command.words(suggestions[index].line), on: .palette)
        else { return nil }
        if VerbTable[command.verb].role > model.role { return model.refusal() }
        do throws(CommandFault) {
            let plan = try model.planner.plan(command)
            return "sends: " + plan.steps.map { "\($0.request.method) \($0.request.path)" }.joined(separator: ", ")
        } catch {
            return error.code == .invalid ? error.message : nil
        }
    }
}

/// The keys of a screen; type to filter, Enter does what is selected.
struct HelpBox: Overlay {
    let scopes: [KeyScope]
    private var field = TextField()
    private var index = 0
    var fault: String?
    let hint = "type to filter  Enter do it  Esc back"

    init(scopes: [KeyScope]) { self.scopes = scopes }

    private var verbs: [Verb] {
        let all = scopes.flatMap { scope in VerbTable.verbs.filter { $0.scope == scope && !$0.keys.isEmpty } }
        return field.text.isEmpty ? all : all.filter { Fuzzy.score(field.text, in: $0.name + " " + $0.help) != nil }
    }

    mutating func handle(_ key: Key, _ model: ConsoleModel) -> [Action] {
        let verbs = self.verbs
        switch key {
        case .escape: return [.dismiss]
        case .down: index = min(max(0, verbs.count - 1), index + 1)
        case .up: index = max(0, index - 1)
        case .pageDown: index = min(max(0, verbs.count - 1), index + 10)
        case .pageUp: index = max(0, index - 10)
        case .enter:
            guard verbs.indices.contains(index) else { return [.dismiss] }
            return [.dismiss, .command(Command(verbs[index].id))]
        default:
            index = 0
            _ = field.handle(key)
        }
        return []
    }

    func draw(_ canvas: inout Canvas, _ model: ConsoleModel) {
        let verbs = self.verbs
        let inner = canvas.popup(
            "keys", columns: min(84, canvas.size.columns - 2), rows: verbs.count + 1, role: .accent)
        let at = canvas.put("filter: ", row: inner.row, column: inner.column, role: .dim)
        let room = inner.rows - 1
        let offset = max(0, min(index - room / 2, verbs.count - room))
        for (line, verb) in verbs.dropFirst(offset).prefix(max(0, room)).enumerated() {
            let row = inner.row + 1 + line
            let keys = verb.keys.map { $0.label(canvas.glyphs) }.joined(separator: " ")
            canvas.put(keys, row: row, column: inner.column + 1, width: 9, role: .key)
            let refusal = verb.role > model.role ? "  (\(model.refusal() ?? ""))" : ""
            let end = canvas.put(
                verb.help, row: row, column: inner.column + 11, width: max(0, inner.columns - 11),
                role: refusal.isEmpty ? .text : .dim)
            canvas.put(
                "  \(verb.scope.title.lowercased())\(refusal)", row: row, column: end,
                width: max(0, inner.endColumn - end), role: .dim)
            if offset + line == index {
                canvas.select(Rect(row: row, column: inner.column, rows: 1, columns: inner.columns))
            }
        }
        field.draw(&canvas, row: inner.row, column: at, width: inner.endColumn - at, focused: true)
    }
}
