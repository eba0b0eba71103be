import Shared

/// The configuration listing, indexed, with the names that people use.
struct Inventory: Sendable {
    let revision: UInt64
    let modules: [ModuleListing]
    let objects: [StoredObject]
    private let places: [String: Int]

    /// An HTTPS edge's route with the edge that it belongs to.
    struct Route: Sendable, Hashable {
        var id: String
        var edgeID: String
        var matchType: String
        var match: String
        var document: JSON
        var revision: UInt64
        /// `shop.example/checkout`, from the edge's first host.
        var name: String
    }

    let edges: [StoredObject]
    /// In the order of matching: exact paths, then prefixes, the longer first.
    let routes: [Route]
    let backends: [StoredObject]

    init(_ listing: ConfigurationListing) {
        revision = listing.revision
        let hasTermination = listing.modules.contains { $0.name == Inventory.termination.name }
        modules = listing.modules + (hasTermination ? [] : [Inventory.termination])
        objects = listing.objects
        places = Dictionary(
            listing.objects.enumerated().map { ($1.id, $0) }, uniquingKeysWith: { first, _ in first })
        let edges = listing.objects.filter { $0.kind.hasSuffix("_edge") }
            .sorted { (Inventory.edgeName($0), $0.id) < (Inventory.edgeName($1), $1.id) }
        self.edges = edges
        backends = listing.objects.filter { $0.id.hasPrefix("bkd") }
            .sorted { (Inventory.backendName($0), $0.id) < (Inventory.backendName($1), $1.id) }
        routes = edges.flatMap { Inventory.routes(of: $0, among: listing.objects) }
    }

    /// Nothing at all, before the first listing.
    static let empty = Inventory(ConfigurationListing(revision: 0, objects: [], modules: []))

    /// Where a TLS edge's connections are opened. The server runs it before any module, so it does not list it as one;
    /// on the screen it is set and removed like them.
    static let termination = ModuleListing(
        name: "tls_termination", edgeKinds: [.tls], example: ["terminate_at": "edge", "min_version": nil])

    subscript(id: String) -> StoredObject? { places[id].map { objects[$0] } }

    func route(_ id: String) -> Route? { routes.first { $0.id == id } }
    func routes(of edgeID: String) -> [Route] { routes.filter { $0.edgeID == edgeID } }

    /// Domains by name, for forms and completion.
    var domains: [StoredObject] { objects.filter { $0.kind == "reserved_domain" } }

    private static func routes(of edge: StoredObject, among objects: [StoredObject]) -> [Route] {
        var documents = objects.filter { $0.document["edge_id"]?.stringValue == edge.id && $0.id != edge.id }
            .map { ($0.id, $0.document, $0.revision) }
        if documents.isEmpty {
            documents = (edge.document["routes"]?.arrayValue ?? []).compactMap { document in
                document["id"]?.stringValue.map { ($0, document, edge.revision) }
            }
        }
        let host = edgeName(edge)
        return documents.map { id, document, revision in
            let match = document["match"]?.stringValue ?? "/"
            return Route(
                id: id, edgeID: edge.id, matchType: document["match_type"]?.stringValue ?? "path_prefix", match: match,
                document: document, revision: revision, name: host + match)
        }
        .sorted { one, other in
            let exact = (one.matchType == "exact_path", other.matchType == "exact_path")
            if exact.0 != exact.1 { return exact.0 }
            if one.match.utf8.count != other.match.utf8.count { return one.match.utf8.count > other.match.utf8.count }
            return (one.match, one.id) < (other.match, other.id)
        }
    }

    // MARK: Names

    static func hostports(_ edge: StoredObject) -> [String] {
        edge.document["hostports"]?.arrayValue?.compactMap(\.stringValue) ?? []
    }

    /// The first host of an edge, without the port that everybody expects.
    static func edgeName(_ edge: StoredObject) -> String {
        guard let first = hostports(edge).first else {
            let description = edge.document["description"]?.stringValue ?? ""
            return description.isEmpty ? edge.id : description
        }
        return edge.kind != "tcp_edge" && first.hasSuffix(":443") ? String(first.dropLast(4)) : first
    }

    static func backendName(_ backend: StoredObject) -> String {
        let description = backend.document["description"]?.stringValue ?? ""
        if !description.isEmpty { return description }
        return backend.document["address"]?.stringValue ?? backend.id
    }

    /// How an object is called on the screen and in commands: its human name, or its identifier.
    func name(_ id: String) -> String {
        if let route = route(id) { return route.name }
        guard let object = self[id] else { return id }
        if object.kind.hasSuffix("_edge") { return Inventory.edgeName(object) }
        if object.id.hasPrefix("bkd") { return Inventory.backendName(object) }
        return object.document["domain"]?.stringValue ?? object.document["addr"]?.stringValue
            ?? object.document["description"]?.stringValue.flatMap { $0.isEmpty ? nil : $0 } ?? id
    }

    // MARK: Backends

    /// `static`, `weighted`, `failover`, `http_response`, `tunnel_group`: the last part of its collection's path.
    static func backendKind(_ id: String) -> String {
        switch id.prefix(while: { $0 != "_" }) {
        case "bkdsc": "static"
        case "bkdwd": "weighted"
        case "bkdfo": "failover"
        case "bkdhr": "http_response"
        case "bkdtg": "tunnel_group"
        default: "unknown"
        }
    }

    /// The backend that a route's or an edge's document refers to.
    static func backendID(_ document: JSON) -> String? {
        document["backend"]?["backend"]?["id"]?.stringValue ?? document["backend"]?["backend_id"]?.stringValue
    }

    /// Identifier and weight of each child of a weighted backend, by name.
    func shares(_ backend: StoredObject) -> [(id: String, weight: Int64)] {
        (backend.document["backends"]?.objectValue ?? [:])
            .compactMap { id, weight in weight.intValue.map { (id: id, weight: $0) } }
            .sorted { (name($0.id), $0.id) < (name($1.id), $1.id) }
    }

    /// A backend in a few words: `2 (84/16)`, `127.0.0.1:9001`.
    func summary(ofBackend id: String) -> String {
        guard let backend = self[id] else { return id }
        switch Inventory.backendKind(id) {
        case "weighted":
            let shares = shares(backend)
            let percents = Percent.whole(shares.map(\.weight))
            return "\(shares.count) (\(percents.map(String.init).joined(separator: "/")))"
        case "failover": return "failover of \(backend.document["backends"]?.arrayValue?.count ?? 0)"
        case "http_response": return "answers \(backend.document["status_code"]?.intValue ?? 200)"
        default: return Inventory.backendName(backend)
        }
    }

    // MARK: Modules

    /// Names of the modules that a document carries, in running order, and whether each is switched on.
    func chain(_ document: JSON) -> [(name: String, enabled: Bool)] {
        modules.compactMap { module in
            guard let settings = document[module.name], !settings.isNull else { return nil }
            return (module.name, settings["enabled"]?.boolValue != false)
        }
    }

    func edgeKind(_ edge: StoredObject) -> EdgeKind {
        EdgeKind(rawValue: String(edge.kind.prefix { $0 != "_" })) ?? .https
    }

    /// Path of an object in the public API.
    func path(_ id: String) -> String? {
        if let route = route(id) { return "/edges/https/\(route.edgeID)/routes/\(route.id)" }
        guard let object = self[id] else { return nil }
        if object.kind.hasSuffix("_edge") { return "/edges/\(edgeKind(object).rawValue)/\(id)" }
        if object.id.hasPrefix("bkd") { return "/backends/\(Inventory.backendKind(id))/\(id)" }
        switch object.kind {
        case "reserved_domain": return "/reserved_domains/\(id)"
        case "reserved_addr": return "/reserved_addrs/\(id)"
        case "tls_certificate": return "/tls_certificates/\(id)"
        case "ip_policy": return "/ip_policies/\(id)"
        case "ip_policy_rule": return "/ip_policy_rules/\(id)"
        default: return nil
        }
    }
}
