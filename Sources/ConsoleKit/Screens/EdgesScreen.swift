import Shared

/// All edges with their traffic; create, edit and delete them.
struct EdgesScreen: TableScreen {
    var state = TableState()

    func scopes(_ model: ConsoleModel) -> [KeyScope] { [.edges, .rows, .letters, .everywhere] }

    func table(_ model: ConsoleModel) -> Table { table(model, .unicode) }

    private func table(_ model: ConsoleModel, _ glyphs: GlyphSet) -> Table {
        let columns = [
            Table.Column("STATE", 9),
            Table.Column("KIND", 5, priority: 2),
            Table.Column("HOST", 12, flexible: true, comfort: 16),
            Table.Column("ROUTES", 6, number: true, priority: 3),
            Table.Column("REQ/S", 7, number: true),
            Table.Column("P95", 7, number: true, priority: 1),
            Table.Column("ERR", 6, number: true),
            Table.Column("OPEN", 6, number: true, priority: 4),
            Table.Column("CERT", 7, number: true, priority: 3),
            Table.Column("CHANGED", 8, priority: 5),
            Table.Column("BY", 14, priority: 6),
        ]
        let rows = model.inventory.edges.map { edge -> Table.Row in
            let routes = model.inventory.routes(of: edge.id)
            let traffic = model.traffic(edge: edge.id)
            let state = Self.state(edge, routes, model, glyphs)
            return Table.Row(
                id: edge.id,
                cells: [
                    state, Table.Cell(model.inventory.edgeKind(edge).rawValue, .dim),
                    // TCP edges of a server often differ by nothing but their ports.
                    Table.Cell(Inventory.edgeName(edge), .identifier, tail: edge.kind == "tcp_edge" ? 6 : 0),
                    Table.Cell(edge.kind == "https_edge" ? "\(routes.count)" : "-", order: Double(routes.count)),
                    Table.Cell(
                        traffic.map { Figure.rate($0.requestsPerSecond) } ?? "-", order: traffic?.requestsPerSecond ?? 0
                    ),
                    Table.Cell(Figure.milliseconds(traffic?.p95), order: traffic?.p95 ?? 0),
                    traffic.map(OverviewScreen.errors) ?? Table.Cell("-", order: 0),
                    Table.Cell(traffic.map { Figure.grouped(Int($0.open)) } ?? "-", order: Double(traffic?.open ?? 0)),
                    Self.certificate(edge, model), Table.Cell(Journal.clock(edge.changedAt), .dim),
                    Table.Cell(edge.changedBy, .dim),
                ])
        }
        var table = Table(columns: columns, rows: rows)
        table.emptyText = model.hasListing ? "no edge yet: press c to create one" : "waiting for the configuration"
        return table
    }

    /// Days that the certificate is good for.
    static func certificate(_ edge: StoredObject, _ model: ConsoleModel) -> Table.Cell {
        guard let certificate = model.inventory.certificate(ofEdge: edge), let now = model.tick?.at,
            let days = Inventory.days(from: now, to: Inventory.notAfter(certificate))
        else { return Table.Cell("-", .dim, order: .infinity) }
        let text = days < 0 ? "expired" : "\(days) d"
        return Table.Cell(text, days < 7 ? .crit : days < 21 ? .warn : .dim, order: Double(days))
    }

    /// Serving, or what keeps it from serving.
    private static func state(
        _ edge: StoredObject, _ routes: [Inventory.Route], _ model: ConsoleModel, _ glyphs: GlyphSet
    ) -> Table.Cell {
        let documents = edge.kind == "https_edge" ? routes.map(\.document) : [edge.document]
        if Inventory.hostports(edge).isEmpty { return Table.Cell("\(glyphs.open) no host", .warn) }
        if documents.allSatisfy({ Inventory.backendID($0) == nil }) {
            return Table.Cell("\(glyphs.open) no bkd", .warn)
        }
        if routes.contains(where: { model.breaker($0.id)?.state == .open }) {
            return Table.Cell("\(glyphs.halfOpen) breaker", .crit)
        }
        return Table.Cell("\(glyphs.closed) serving", .ok)
    }

    func draw(_ canvas: inout Canvas, _ rect: Rect, _ model: ConsoleModel) {
        table(model, canvas.glyphs).draw(&canvas, rect, state, stale: model.isStale)
    }

    mutating func act(_ verb: VerbID, on id: String?, _ model: inout ConsoleModel) -> [Action] {
        switch verb {
        case .edgeCreate: return [.show(FormBox.createEdge())]
        case .edgeEdit: return id.flatMap { model.inventory[$0] }.map { [.show(FormBox.editEdge($0))] } ?? []
        case .edgeDelete: return id.map { [.command(Command(.edgeDelete, [model.inventory.uniqueName($0)]))] } ?? []
        case .enter: return id.map { [.openEdge($0)] } ?? []
        default: return []
        }
    }

    func command(_ model: ConsoleModel) -> String? {
        selected(model).map { "selvage get edges \(Command.quoted(model.inventory.uniqueName($0)))" }
    }
}

extension Inventory {
    /// The human name when it means only this object, else the identifier.
    func uniqueName(_ id: String) -> String {
        let name = name(id)
        let resolver = Resolver(inventory: self)
        let kinds = id.hasPrefix("ipp_") ? [.policy] : Resolver.Kind.served
        return (try? resolver.find(name, kinds))?.id == id ? name : id
    }
}
