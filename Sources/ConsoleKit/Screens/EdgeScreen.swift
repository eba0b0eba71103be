import Shared

/// One edge: its routes in the order of matching, the chain of each, and where their traffic goes.
struct EdgeScreen: TableScreen {
    let edgeID: String
    var state = TableState()

    init(edgeID: String) { self.edgeID = edgeID }

    /// What a row stands for.
    enum Part: Hashable {
        case owner(String)
        case module(owner: String, name: String)
        case backend(owner: String)

        var owner: String {
            switch self {
            case .owner(let id), .module(let id, _), .backend(let id): id
            }
        }

        var id: String {
            switch self {
            case .owner(let id): id
            case .module(let id, let name): "\(id)#\(name)"
            case .backend(let id): "\(id)#"
            }
        }

        init(_ id: String) {
            let parts = id.split(separator: "#", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
            if parts.count < 2 {
                self = .owner(id)
            } else {
                self = parts[1].isEmpty ? .backend(owner: parts[0]) : .module(owner: parts[0], name: parts[1])
            }
        }
    }

    func scopes(_ model: ConsoleModel) -> [KeyScope] { [.edge, .rows, .letters, .everywhere] }

    func crumb(_ model: ConsoleModel) -> String {
        "Edges > \(model.inventory.name(edgeID))" + (filter.isEmpty ? "" : "  filter: \(filter)")
    }

    func table(_ model: ConsoleModel) -> Table { table(model, .unicode) }

    private func table(_ model: ConsoleModel, _ glyphs: GlyphSet) -> Table {
        let columns = [
            Table.Column("ROUTE", 20, flexible: true),
            Table.Column("CHAIN AND SETTINGS", 24, flexible: true),
            Table.Column("BACKEND", 14, priority: 1),
            Table.Column("REQ/S", 7, number: true, priority: 2),
            Table.Column("P95", 7, number: true, priority: 3),
            Table.Column("ERR", 6, number: true, priority: 2),
        ]
        var rows: [Table.Row] = []
        if let edge = model.inventory[edgeID] {
            let isHTTPS = edge.kind == "https_edge"
            if !isHTTPS || !model.inventory.chain(edge.document).isEmpty {
                rows += parts(
                    edgeID, edge.document, isHTTPS ? "the edge" : Inventory.edgeName(edge), model,
                    model.traffic(edge: edgeID), glyphs, hasBackend: !isHTTPS)
            }
            for route in model.inventory.routes(of: edgeID) {
                let title = route.match + (route.matchType == "exact_path" ? " (exact)" : "")
                rows += parts(
                    route.id, route.document, title, model, model.traffic(route: route.id), glyphs, hasBackend: true)
            }
        }
        var table = Table(columns: columns, rows: rows)
        table.emptyText = model.inventory[edgeID] == nil ? "this edge is gone" : "no route yet: press a to add one"
        return table
    }

    private func parts(
        _ id: String, _ document: JSON, _ title: String, _ model: ConsoleModel, _ traffic: TrafficRow?,
        _ glyphs: GlyphSet, hasBackend: Bool
    ) -> [Table.Row] {
        let chain = model.inventory.chain(document)
        let pipeline = chain.map { name, enabled -> String in
            guard enabled else { return name + glyphs.cross }
            guard name == "circuit_breaker", let state = model.breaker(id)?.state else { return name + glyphs.check }
            return name + (state == .closed ? glyphs.closed : state == .open ? glyphs.open : glyphs.halfOpen)
        }
        .joined(separator: " \(glyphs.chain) ")
        let backend = Inventory.backendID(document)
        var rows = [
            Table.Row(
                id: Part.owner(id).id,
                cells: [
                    Table.Cell(title, .identifier),
                    Table.Cell(pipeline.isEmpty ? "no modules" : pipeline, pipeline.isEmpty ? .dim : .text),
                    Table.Cell(
                        backend.map(model.inventory.summary(ofBackend:)) ?? (hasBackend ? "none" : ""),
                        backend == nil ? .warn : .text),
                    Table.Cell(traffic.map { Figure.rate($0.requestsPerSecond) } ?? "-"),
                    Table.Cell(Figure.milliseconds(traffic?.p95)),
                    traffic.map(OverviewScreen.errors) ?? Table.Cell("-"),
                ])
        ]
        for (name, enabled) in chain {
            rows.append(
                Table.Row(
                    id: Part.module(owner: id, name: name).id,
                    cells: [
                        Table.Cell("  " + name, .accent),
                        Table.Cell(
                            [enabled ? "" : "off", Self.summary(document[name] ?? .null, model.inventory)]
                                .filter { !$0.isEmpty }.joined(separator: "  "), .dim),
                        Table.Cell(""), Table.Cell(""), Table.Cell(""), Table.Cell(""),
                    ], runsOn: true))
        }
        if hasBackend {
            rows.append(
                Table.Row(
                    id: Part.backend(owner: id).id,
                    cells: [
                        Table.Cell("  backend", .accent),
                        Table.Cell(backend.map { Self.describe($0, model.inventory) } ?? "none: press b", .dim),
                        Table.Cell(""), Table.Cell(""), Table.Cell(""), Table.Cell(""),
                    ], runsOn: true))
        }
        return rows
    }

    /// `rolling_window 10, tripped_duration 10`; headers as `x-one=1`, references by their names.
    static func summary(_ document: JSON, _ inventory: Inventory) -> String {
        guard let members = document.objectValue else { return document.text }
        let said = members.filter { $0.key != "enabled" && !$0.value.isNull }.sorted { $0.key < $1.key }
            .compactMap { key, value -> String? in
                let text = words(value, inventory)
                return text.isEmpty ? nil : "\(key) \(text)"
            }
        let isOff = members["enabled"]?.boolValue == false
        return said.isEmpty && !isOff ? "on" : said.joined(separator: ", ")
    }

    private static func words(_ value: JSON, _ inventory: Inventory) -> String {
        switch value {
        case .string(let text): return text
        case .array(let items):
            return items.map { $0["id"]?.stringValue.map(inventory.name) ?? $0.stringValue ?? $0.text }
                .joined(separator: " ")
        case .object(let members):
            return members.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value.stringValue ?? $0.value.text)" }
                .joined(separator: " ")
        default: return value.text
        }
    }

    private static func describe(_ id: String, _ inventory: Inventory) -> String {
        guard let backend = inventory[id], id.hasPrefix("bkdwd") else { return inventory.summary(ofBackend: id) }
        let shares = inventory.shares(backend)
        return zip(shares, Percent.whole(shares.map(\.weight)))
            .map { "\(inventory.name($0.id)) \($1)%" }.joined(separator: ", ")
    }

    func draw(_ canvas: inout Canvas, _ rect: Rect, _ model: ConsoleModel) {
        var body = rect
        if let edge = model.inventory[edgeID], body.rows > 6 {
            let head = body.takeTop(1)
            let at = canvas.put(
                " \(Inventory.edgeName(edge))", row: head.row, column: head.column, role: .heading, bold: true)
            let hosts = Inventory.hostports(edge).joined(separator: ", ")
            let description = edge.document["description"]?.stringValue ?? ""
            let certificate = EdgesScreen.certificate(edge, model)
            let kind =
                model.inventory.edgeKind(edge).rawValue
                + (model.inventory.passesThrough(edge) ? ", passed through untouched" : "")
            let next = canvas.put(
                "  \(kind)" + (certificate.text == "-" ? "" : "  certificate \(certificate.text)"), row: head.row,
                column: at, width: max(0, head.endColumn - at), role: certificate.role)
            canvas.put(
                "  \(hosts)  \(description)  changed by \(edge.changedBy)", row: head.row, column: next,
                width: max(0, head.endColumn - next), role: .dim)
        }
        table(model, canvas.glyphs).draw(&canvas, body, state, stale: model.isStale)
    }

    mutating func perform(_ verb: VerbID, _ model: inout ConsoleModel) -> [Action] {
        let ids = table(model).arranged(state).map(\.id)
        if state.move(verb, in: ids) { return [] }
        return act(verb, on: selected(model), &model)
    }

    mutating func act(_ verb: VerbID, on id: String?, _ model: inout ConsoleModel) -> [Action] {
        let inventory = model.inventory
        if verb == .back { return [.leaveDetail] }
        if verb == .sort { return [.say("routes stay in the order of matching, each with its modules", .dim)] }
        if verb == .routeAdd {
            guard inventory[edgeID]?.kind == "https_edge" else {
                return [.say("only HTTPS edges have routes: press b for this edge's backend", .warn)]
            }
            return [.show(FormBox.addRoute(edgeID, inventory))]
        }
        guard let part = id.map(Part.init) else { return [] }
        let owner = inventory.uniqueName(part.owner)
        switch verb {
        case .enter, .routeEdit, .moduleEdit: return edit(part, inventory)
        case .moduleAdd: return addModule(part.owner, inventory)
        case .backendSet: return [.show(FormBox.setBackend(part.owner, inventory))]
        case .routeWeights:
            guard let backend = inventory.document(part.owner).flatMap(Inventory.backendID), backend.hasPrefix("bkdwd")
            else { return [.say("its backend is not weighted", .warn)] }
            return [.openWeights(backend)]
        case .detailRemove:
            switch part {
            case .module(_, let name): return [.command(Command(.moduleRemove, [owner, name]))]
            case .owner(let id) where inventory.route(id) != nil: return [.command(Command(.routeRemove, [owner]))]
            default: return [.say("a backend is changed with b; an edge is deleted on the screen before", .warn)]
            }
        default: return []
        }
    }

    private func edit(_ part: Part, _ inventory: Inventory) -> [Action] {
        switch part {
        case .module(let owner, let name): return [.show(ModuleBox(owner: owner, module: name, inventory))]
        case .backend(let owner): return [.show(FormBox.setBackend(owner, inventory))]
        case .owner(let id):
            if let route = inventory.route(id) { return [.show(FormBox.editRoute(route))] }
            return inventory[id].map { [.show(FormBox.editEdge($0))] } ?? []
        }
    }

    /// The modules that the owner may carry and does not carry yet.
    private func addModule(_ owner: String, _ inventory: Inventory) -> [Action] {
        guard let edge = inventory[edgeID], let document = inventory.document(owner) else { return [] }
        let kind = inventory.edgeKind(edge)
        let members = document.objectValue ?? [:]
        let isRoute = inventory.route(owner) != nil
        let free = inventory.modules.filter { module in
            guard module.edgeKinds.contains(kind), members[module.name].map(\.isNull) != false else { return false }
            // The API shows every field that an object may have, and nothing else.
            return members[module.name] != nil || isRoute && edge.document[module.name] == nil || kind != .https
        }
        guard !free.isEmpty else { return [.say("it carries every module that there is", .warn)] }
        return [.show(ModulePicker(owner: owner, names: free.map(\.name), title: inventory.name(owner)))]
    }

    func command(_ model: ConsoleModel) -> String? {
        guard let part = selected(model).map(Part.init) else { return nil }
        let owner = model.inventory.uniqueName(part.owner)
        guard case .module(_, let name) = part, let document = model.inventory.document(part.owner)?[name] else {
            return "selvage describe \(Command.quoted(owner))"
        }
        let example = model.inventory.modules.first { $0.name == name }?.example ?? [:]
        let values = DocumentForm(example: example, document: document).fields.map { ($0.label, $0.field.text) }
        return "selvage " + Command(.moduleSet, [owner, name], values: values.map { (key: $0.0, value: $0.1) }).text
    }
}
