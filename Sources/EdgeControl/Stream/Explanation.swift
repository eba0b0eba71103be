import EdgeCore
import Shared

/// What would become of a request or connection: which edge and route take it, the modules that it meets in running
/// order, and last the backends among which the destination is chosen (claim C19).
///
/// Nothing is sent and nothing is counted.
struct Explanation {
    /// How many backends a trace shows: a tree whose branches share backends may have very many.
    static let maximumBackends = 500

    let host: String
    /// Of a TCP edge, or as in a `Host` field.
    let port: UInt16?
    let path: String
    let client: IPAddress?
    let snapshot: Snapshot
    let configuration: Configuration

    var document: JSON {
        var document: JSON = [
            "host": .string(host), "path": .string(path), "client": client.map { .string($0.description) } ?? .null,
            "revision": .int(Int64(clamping: snapshot.revision)), "edge": .null, "route": .null, "modules": [],
            "backend": .null, "answer": .null, "faults": [:],
        ]
        guard let edge = snapshot.hosts.lookup(host) ?? port.flatMap({ snapshot.ports[$0] }) else {
            document["answer"] = Explanation.answer(.endpointNotFound)
            return document
        }
        document["edge"] = [
            "id": .string(edge.id.rawValue), "kind": .string(edge.kind.rawValue),
            "hostports": .array(edge.hostports.map { .string($0) }),
        ]
        var modules = entry + self.modules(edge.chain, owner: edge.id.rawValue, edge)
        var reference = configuration.edges[edge.id]?.backend
        var concerned = [edge.id.rawValue]
        if edge.kind == .https {
            guard let route = edge.routes.lookup(path) else {
                document["modules"] = .array(modules)
                document["answer"] = Explanation.answer(.endpointNotFound)
                return document
            }
            document["route"] = describe(route)
            let own = Chain(Array(route.chain.modules.dropFirst(edge.chain.modules.count)))
            modules += self.modules(own, owner: route.id.rawValue, edge)
            reference = configured(route)?.backend
            concerned.append(route.id.rawValue)
        }
        document["modules"] = .array(modules)
        if let reference, reference.enabled {
            var room = Explanation.maximumBackends
            document["backend"] = tree(reference.id, share: 1, depth: 1, room: &room)
            concerned.append(reference.id.rawValue)
        } else {
            document["answer"] = Explanation.answer(.noBackend)
        }
        document["faults"] = .object(
            Dictionary(
                concerned.compactMap { id in snapshot.faults[id].map { (id, .string($0.message)) } },
                uniquingKeysWith: { first, _ in first }))
        return document
    }

    private func configured(_ route: CompiledRoute) -> RouteConfiguration? {
        configuration.edges[route.edgeID]?.routes.first { $0.id == route.id }
    }

    private func describe(_ route: CompiledRoute) -> JSON {
        let settings = configured(route)
        return [
            "id": .string(route.id.rawValue), "match_type": settings.map { .string($0.matchType.rawValue) } ?? .null,
            "match": settings.map { .string($0.match) } ?? .null,
        ]
    }

    /// The account's restriction, which acts before all modules.
    private var entry: [JSON] {
        guard let entry = snapshot.entry, entry.isEnforced else { return [] }
        return [
            [
                "name": "ip_restriction", "owner": .string(entry.id),
                "admits": client.map { .bool(entry.allows($0)) } ?? .null,
            ]
        ]
    }

    /// The chain's modules; with a client's address also whether each that looks at addresses lets it in.
    private func modules(_ chain: Chain, owner: String, _ edge: CompiledEdge) -> [JSON] {
        let facts = client.map { address in
            ConnectionFacts(
                clientAddress: address, clientPort: 0, serverAddress: .unspecified, serverPort: port ?? 0,
                serverName: host, region: Region(""), start: MonotonicTime(nanoseconds: 0))
        }
        return chain.modules.map { module in
            let kind = type(of: module)
            let admits: JSON =
                if let facts, kind.phases.contains(.connection) { .bool(module.admits(facts)) } else { .null }
            return ["name": .string(kind.name), "owner": .string(owner), "admits": admits]
        }
    }

    /// A backend and its children with the part of the traffic that each gets by configuration, 0…1. Children of
    /// backends without weights have none of their own: they are tried in order.
    private func tree(_ id: BackendID, share: Double?, depth: Int, room: inout Int) -> JSON {
        room -= 1
        guard let backend = configuration.backends[id] else {
            return ["id": .string(id.rawValue), "missing": true]
        }
        var node: JSON = [
            "id": .string(id.rawValue), "kind": .string(backend.kind),
            "share": share.map { .double($0) } ?? .null,
        ]
        if let address = backend.settings["address"] { node["address"] = address }
        let children = Backends.kind(named: backend.kind)?.references(backend.settings) ?? []
        guard !children.isEmpty, depth < Backends.maximumDepth else { return node }
        let weights = LiveConfiguration.shares(backend.settings)
        let sum = weights.reduce(0.0) { $0 + Double($1.weight) }
        var nodes: [JSON] = []
        for child in children {
            guard room > 0 else {
                node["truncated"] = true
                break
            }
            let weight = weights.first { $0.backendID == child }?.weight
            let part = weight.flatMap { sum > 0 ? Double($0) / sum * (share ?? 1) : 0 }
            var entry = tree(child, share: part, depth: depth + 1, room: &room)
            if let weight { entry["weight"] = .int(weight) }
            nodes.append(entry)
        }
        node["children"] = .array(nodes)
        return node
    }

    private static func answer(_ error: EdgeError) -> JSON {
        [
            "status": .int(Int64(error.status)), "error_code": error.code.map { .string($0) } ?? .null,
            "text": .string(error.title),
        ]
    }
}

extension LiveService {
    var explainOperations: [Operation] {
        [
            Operation(
                "GET", "/selvage/explain", role: .viewer,
                OperationDescription(
                    "Says what would become of a request; nothing is sent.",
                    query: [
                        Shape.Field("host", .text(maximum: 300), required: true, "host or host:port"),
                        Shape.Field("path", .text(maximum: 1024), "/ unless given"),
                        Shape.Field("client", .text, "an IP address"),
                    ], gives: .object(LiveShapes.explanation))
            ) { [self] call in
                HandlerResponse.json(try explanation(call).document)
            }
        ]
    }

    /// - Throws: 400 for a query without host, or with an address or path that is none.
    private func explanation(_ call: OperationCall) throws(Fault) -> Explanation {
        guard let text = try call.single("host"), !text.isEmpty, text.utf8.count <= 300 else {
            throw Fault(nil, "The query parameter host is needed.")
        }
        let path = try call.single("path") ?? "/"
        guard path.hasPrefix("/"), path.utf8.count <= 1024 else {
            throw Fault(nil, "The path must begin with / and have at most 1,024 bytes.")
        }
        var client: IPAddress?
        if let address = try call.single("client"), !address.isEmpty {
            guard let parsed = IPAddress(address) else { throw Fault(nil, "The client must be an IP address.") }
            client = parsed
        }
        let (host, port) = Explanation.split(text)
        return Explanation(
            host: host, port: port, path: String(path.prefix { $0 != "?" }), client: client,
            snapshot: sources.snapshot(), configuration: sources.configuration())
    }
}

extension Explanation {
    /// `host` or `host:port`; an IPv6 address may be in brackets.
    static func split(_ text: String) -> (host: String, port: UInt16?) {
        guard let colon = text.lastIndex(of: ":"), let port = UInt16(text[text.index(after: colon)...]),
            text.hasPrefix("[") || text.firstIndex(of: ":") == colon
        else { return (text.lowercased(), nil) }
        return (text[..<colon].lowercased(), port)
    }
}
