import Foundation
import Shared

/// Objects with their figures, as a table for people and as JSON for programs.
struct Report {
    enum Subject: String, CaseIterable {
        case edges, routes, backends, regions, breakers, agents, policies, domains, certificates

        /// Takes what the screen is called, too.
        init?(noun: String) { self.init(rawValue: noun == "tunnels" ? "agents" : noun) }
    }

    struct Row {
        var id: String
        var name: String
        var cells: [String]
        var document: JSON
    }

    let heads: [String]
    private(set) var rows: [Row]

    init(subject: Subject, inventory: Inventory, tick: StatisticsTick?) {
        switch subject {
        case .edges: (heads, rows) = Self.edges(inventory, tick)
        case .routes: (heads, rows) = Self.routes(inventory, tick)
        case .backends: (heads, rows) = Self.backends(inventory, tick)
        case .regions: (heads, rows) = Self.regions(tick)
        case .breakers: (heads, rows) = Self.breakers(inventory, tick)
        case .agents: (heads, rows) = Self.agents(tick?.agents ?? [])
        case .policies: (heads, rows) = Self.policies(inventory)
        case .domains: (heads, rows) = Self.domains(inventory, tick)
        case .certificates: (heads, rows) = Self.certificates(inventory, tick)
        }
    }

    init(heads: [String], rows: [Row]) {
        self.heads = heads
        self.rows = rows
    }

    /// - Throws: `CommandFault` when no row is called so.
    mutating func narrow(to name: String) throws(CommandFault) {
        let found = rows.filter { $0.id == name || $0.name == name }
        guard !found.isEmpty else { throw CommandFault(.invalid, "nothing is called \(name)") }
        rows = found
    }

    func lines(_ format: CommandLineOptions.Format) -> [String] {
        switch format {
        case .json: return [Self.pretty(.array(rows.map(\.document)))]
        case .jsonl: return rows.map(\.document.text)
        case .tsv: return rows.map { $0.cells.map(Self.clean).joined(separator: "\t") }
        case .table:
            let all = [heads] + rows.map { $0.cells.map(Self.clean) }
            let widths = heads.indices.map { column in all.map { Sanitiser.width($0[column]) }.max() ?? 0 }
            return all.map { cells in
                cells.enumerated().map { $0 == cells.count - 1 ? $1 : $1.padded(widths[$0]) }.joined(separator: "  ")
            }
        }
    }

    /// Text that a terminal may be given.
    static func clean(_ text: String) -> String {
        Sanitiser().glyphs(text).reduce(into: "") { result, glyph in
            result.unicodeScalars.append(glyph.base)
            glyph.marks.forEach { result.unicodeScalars.append($0) }
        }
    }

    static func pretty(_ document: JSON) -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        return (try? encoder.encode(document)).map { String(decoding: $0, as: UTF8.self) } ?? document.text
    }

    static func line(_ entry: Journal.Entry, _ format: CommandLineOptions.Format) -> String {
        switch (format, entry.kind) {
        case (.json, .event(let record)), (.jsonl, .event(let record)): return JSON(encoding: record).text
        case (.json, .audit(let record)), (.jsonl, .audit(let record)): return JSON(encoding: record).text
        default:
            let cells = [entry.at, entry.severity, entry.label, entry.who, entry.text].map(clean)
            return cells.filter { format == .tsv || !$0.isEmpty }.joined(separator: format == .tsv ? "\t" : "  ")
        }
    }

    // MARK: Subjects

    private static func figures(_ row: TrafficRow?) -> [String] {
        guard let row else { return ["-", "-", "-"] }
        return [Figure.rate(row.requestsPerSecond), Figure.milliseconds(row.p95), Figure.percent(row.errorRate)]
    }

    private static func traffic(_ row: TrafficRow?) -> JSON { row.map { JSON(encoding: $0) } ?? .null }

    private static func edges(_ inventory: Inventory, _ tick: StatisticsTick?) -> ([String], [Row]) {
        let rows = inventory.edges.map { edge -> Row in
            let row = tick?.edges.first { $0.id == edge.id }
            let name = Inventory.edgeName(edge)
            let kind = inventory.edgeKind(edge).rawValue
            return Row(
                id: edge.id, name: name,
                cells: [name, kind, "\(inventory.routes(of: edge.id).count)"] + figures(row) + [edge.id],
                document: [
                    "id": .string(edge.id), "name": .string(name), "kind": .string(kind),
                    "revision": .int(Int64(clamping: edge.revision)), "document": edge.document,
                    "traffic": traffic(row),
                ])
        }
        return (["HOST", "KIND", "ROUTES", "REQ/S", "P95", "ERR", "ID"], rows)
    }

    private static func routes(_ inventory: Inventory, _ tick: StatisticsTick?) -> ([String], [Row]) {
        let rows = inventory.routes.map { route -> Row in
            let row = tick?.routes.first { $0.id == route.id }
            let chain = inventory.chain(route.document).map { $0.enabled ? $0.name : $0.name + "(off)" }
            let backend = Inventory.backendID(route.document)
            return Row(
                id: route.id, name: route.name,
                cells: [
                    route.name, route.matchType, chain.joined(separator: " > "),
                    backend.map(inventory.summary(ofBackend:)) ?? "-",
                ]
                    + figures(row) + [route.id],
                document: [
                    "id": .string(route.id), "name": .string(route.name), "edge_id": .string(route.edgeID),
                    "revision": .int(Int64(clamping: route.revision)), "document": route.document,
                    "traffic": traffic(row),
                ])
        }
        return (["ROUTE", "MATCH", "CHAIN", "BACKEND", "REQ/S", "P95", "ERR", "ID"], rows)
    }

    private static func backends(_ inventory: Inventory, _ tick: StatisticsTick?) -> ([String], [Row]) {
        let rows = inventory.backends.map { backend -> Row in
            let row = tick?.backends.first { $0.id == backend.id }
            let name = Inventory.backendName(backend)
            let kind = Inventory.backendKind(backend.id)
            return Row(
                id: backend.id, name: name,
                cells: [
                    name, kind, backend.document["address"]?.stringValue ?? inventory.summary(ofBackend: backend.id),
                    "\(backend.revision)",
                ] + figures(row) + [
                    backend.id
                ],
                document: [
                    "id": .string(backend.id), "name": .string(name), "kind": .string(kind),
                    "revision": .int(Int64(clamping: backend.revision)), "document": backend.document,
                    "traffic": traffic(row),
                ])
        }
        return (["BACKEND", "KIND", "WHAT", "REV", "REQ/S", "P95", "ERR", "ID"], rows)
    }

    private static func regions(_ tick: StatisticsTick?) -> ([String], [Row]) {
        let rows = (tick?.regions ?? []).map { row in
            Row(
                id: row.id, name: row.id,
                cells: [row.id] + figures(row) + [Figure.fixed(row.megabits, 1), "\(row.open)"],
                document: JSON(encoding: row))
        }
        return (["REGION", "REQ/S", "P95", "ERR", "MBIT/S", "OPEN"], rows)
    }

    private static func breakers(_ inventory: Inventory, _ tick: StatisticsTick?) -> ([String], [Row]) {
        let rows = BreakersScreen.sorted(tick?.breakers ?? [], inventory).map { breaker -> Row in
            let name = inventory.name(breaker.routeID.rawValue)
            var document = JSON(encoding: breaker)
            document["name"] = .string(name)
            return Row(
                id: breaker.routeID.rawValue, name: name,
                cells: [
                    breaker.state.rawValue, name, "\(breaker.errors)/\(breaker.total)",
                    Figure.percent(breaker.errorThreshold),
                    breaker.nextProbe.map { "\(Int($0.rounded(.up))) s" } ?? "-", "\(breaker.trips)",
                    breaker.reason ?? "",
                ], document: document)
        }
        return (["STATE", "ROUTE", "WINDOW", "TRIPS AT", "PROBE", "TRIPS", "WHY"], rows)
    }
}
