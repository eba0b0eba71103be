import EdgeCore
import Shared

extension ObjectKind {
    public static let endpoint = ObjectKind(rawValue: "endpoint")
}

/// Endpoints: the cloud endpoints, which are made here, and those of edges, which come and go with their hostports.
///
/// A cloud endpoint is served by its traffic policy alone: it becomes an edge of its own, with that module on its one
/// route. On a host and port there is one edge, or one cloud endpoint, or several cloud endpoints of one URL that
/// are all pooled; of those the first stands for all.
enum Endpoints: Resource {
    static let kind = ObjectKind.endpoint
    static let prefixes = ["ep"]
    static let texts = TextFields(descriptionCode: 18012, metadataCode: 18013)
    static let bindings = ["public", "internal", "kubernetes"]
    private static let module = "traffic_policy"

    private static let update = Shape(
        "EndpointUpdate",
        TextFields.fields + [
            Shape.Field("url", .text(maximum: 1024), "https://, http://, tls:// or tcp://"),
            Shape.Field("traffic_policy", .text, "JSON or YAML"),
            Shape.Field("bindings", .list(.choice(bindings), maximum: 3), "public unless given"),
            Shape.Field("pooling_enabled", .flag, "false unless given"),
        ])
    private static let request = Shape(
        "EndpointCreate",
        update.fields.map { field in
            let isRequired = ["url", module].contains(field.name)
            return Shape.Field(field.name, field.schema, required: isRequired, field.note)
        } + [Shape.Field("type", .choice(["cloud"]), required: true)])
    private static let reference = Schema.nullable(.object(.reference))
    static let answer = Shape(
        "Endpoint",
        [
            Shape.Field("id", .text), Shape.Field("uri", .text), Shape.Field("created_at", .time),
            Shape.Field("updated_at", .time), Shape.Field("description", .text), Shape.Field("metadata", .text),
            Shape.Field("region", .text), Shape.Field("type", .choice(["cloud", "edge", "ephemeral"])),
            Shape.Field("url", .text), Shape.Field("public_url", .text), Shape.Field("proto", .text),
            Shape.Field("scheme", .text), Shape.Field("hostport", .text), Shape.Field("host", .text),
            Shape.Field("port", .integer(1...65535)), Shape.Field("domain", reference),
            Shape.Field("tcp_addr", reference), Shape.Field("edge", reference), Shape.Field("tunnel", reference),
            Shape.Field("tunnel_session", reference), Shape.Field("principal", reference),
            Shape.Field("upstream_url", .text), Shape.Field("upstream_protocol", .text), Shape.Field("name", .text),
            Shape.Field(module, .text), Shape.Field("bindings", .texts), Shape.Field("pooling_enabled", .flag),
        ])

    // MARK: What `Resource` asks

    static func path(of object: ConfigurationObject) -> String { "/endpoints/\(object.id)" }

    static func names(of object: ConfigurationObject) -> [ObjectName] {
        guard let url = EndpointURL(kept: object) else { return [] }
        // Only what clients can reach here shares hosts and ports with edges.
        let text = isPublic(object) ? "hostport/\(url.hostport)" : "private/\(url.text)"
        return [
            isPooled(object)
                ? ObjectName(text: text, isShared: true, taken: EndpointConflict.unpooled)
                : ObjectName(text: text, taken: EndpointConflict.occupied)
        ]
    }

    static func references(of object: ConfigurationObject, in state: ConfigurationState) -> [ObjectReference] {
        guard let id = object.document["reservation_id"]?.stringValue else { return [] }
        return [ObjectReference(id: id, missing: EndpointConflict.notReserved)]
    }

    static func check(_ object: ConfigurationObject, in state: ConfigurationState) throws(Fault) {
        try EndpointConflict.check(object, in: state)
    }

    static func render(_ object: ConfigurationObject, in view: ConfigurationView) -> JSON {
        EndpointEntry.all(of: object).first.map { render($0, in: view) } ?? view.frame(object, [:])
    }

    static func render(_ entry: EndpointEntry, in view: ConfigurationView) -> JSON {
        let url = entry.url
        let object = entry.object
        let reservation =
            entry.isCloud
            ? object.document["reservation_id"]?.stringValue
            : Hostports.owner(of: url.hostport, on: url.scheme.edgeKind, in: view.state)
        let place = reservation.map(view.reference) ?? .null
        let kept = { (name: String) in entry.isCloud ? object.document[name] : nil }
        return [
            "id": .string(entry.id), "uri": .string("\(view.baseURL)/endpoints/\(entry.id)"),
            "created_at": .string(object.createdAt), "updated_at": .string(object.changedAt),
            "description": kept("description") ?? "", "metadata": kept("metadata") ?? "", "region": "",
            "type": entry.isCloud ? "cloud" : "edge", "url": .string(url.text), "public_url": .string(url.text),
            "proto": .string(url.scheme.rawValue), "scheme": .string(url.scheme.rawValue),
            "hostport": .string(url.hostport), "host": .string(url.host), "port": .int(Int64(url.port)),
            "domain": url.scheme == .tcp ? nil : place, "tcp_addr": url.scheme == .tcp ? place : nil,
            "edge": entry.isCloud ? nil : view.reference(object.id), "tunnel": nil, "tunnel_session": nil,
            "principal": nil, "upstream_url": "", "upstream_protocol": "", "name": "",
            "traffic_policy": kept(module)?["value"] ?? "", "bindings": kept("bindings") ?? ["public"],
            "pooling_enabled": kept("pooling_enabled") ?? false,
        ]
    }

    static func configure(_ id: String, in state: ConfigurationState, _ configuration: inout Configuration) {
        configuration.edges[EdgeID(id)] = state[id].flatMap { edge(of: $0, in: state) }
    }

    /// What a cloud endpoint means for traffic; `nil` when it means nothing, or another one stands for it.
    private static func edge(of object: ConfigurationObject, in state: ConfigurationState) -> EdgeConfiguration? {
        guard isPublic(object), let url = EndpointURL(kept: object), let policy = object.document[module],
            state.holders(of: "hostport/\(url.hostport)").first == object.id
        else { return nil }
        // Plain HTTP is always sent on to HTTPS, so its endpoint is served there, unless there is one already.
        if url.scheme == .http, !state.holders(of: "hostport/\(url.host):443").isEmpty { return nil }
        let kind = url.scheme.edgeKind
        let hostport = kind == .https ? "\(url.host):443" : url.hostport
        guard kind == .https else {
            return EdgeConfiguration(
                id: EdgeID(object.id), kind: kind, hostports: [hostport], modules: [module: policy])
        }
        let route = RouteConfiguration(
            id: RouteID(object.id), matchType: .pathPrefix, match: "/", modules: [module: policy])
        return EdgeConfiguration(id: EdgeID(object.id), kind: kind, hostports: [hostport], routes: [route])
    }

    /// Cloud endpoints that mean something else for traffic because an edge or endpoint on the same host was changed.
    static func neighbours(of change: ObjectChange, in state: ConfigurationState) -> [String] {
        guard let kind = change.kind, kind == .endpoint || kind.edgeKind != nil else { return [] }
        var affected: [String] = []
        for object in [change.before, change.after] {
            guard let object else { continue }
            for hostport in EndpointURL(kept: object).map({ [$0.hostport] }) ?? Hostports.of(object) {
                affected += state.holders(of: "hostport/\(hostport)")
                guard hostport.hasSuffix(":443") else { continue }
                affected += state.holders(of: "hostport/\(hostport.dropLast(3))80")
            }
        }
        return affected.filter { state[$0]?.kind == .endpoint }
    }

    static func lists(_ catalogue: Catalogue) -> [ListOperation] {
        let choices = [Shape.Field("id", .texts, "only these"), Shape.Field("url", .texts, "only those at these")]
        return [
            ListOperation("/endpoints", key: "endpoints", of: answer, takesFilter: true, choices: choices) {
                view, scope in
                let bound = view.state.catalogue.tunnels.endpoints(scope).map { endpoint in
                    ListElement(id: endpoint.id) { endpoint.render(in: view) }
                }
                // Those that agents have bound come first: they are not among the objects that have an order.
                let entries = view.state.endpoints(scope).lazy.map { entry in
                    ListElement(id: entry.id) { render(entry, in: view) }
                }
                return bound.isEmpty
                    ? AnySequence(entries) : AnySequence([AnySequence(bound), AnySequence(entries)].joined())
            }
        ]
    }

    static func reads(_ catalogue: Catalogue) -> [ReadOperation] {
        [
            ReadOperation(path: "/endpoints/{id}", about: .read("Reads one endpoint.", gives: answer)) { view, call in
                let id = call.parameter("id")
                guard let entry = view.state.endpoint(id) else {
                    guard let bound = view.state.catalogue.tunnels.endpoints().first(where: { $0.id == id }) else {
                        throw APIErrorBody.notFound
                    }
                    return (bound.render(in: view), "")
                }
                return (render(entry, in: view), entry.isCloud ? entry.id : "")
            }
        ]
    }

    static func edits(_ catalogue: Catalogue) -> [Edit] {
        [
            Edit("POST", "/endpoints", .create("Makes a cloud endpoint.", takes: request, gives: answer), body: create),
            Edit(
                "PATCH", "/endpoints/{id}", .update("Changes a cloud endpoint.", takes: update, gives: answer),
                body: change),
            Edit("DELETE", "/endpoints/{id}", .delete("Deletes a cloud endpoint.")) { draft, call in
                draft.remove(try require(&draft, call, verb: "deleted").id)
                return .none()
            },
        ]
    }

    // MARK: Writing

    /// - Throws: 400 for an endpoint that is not an object of its own, else what every kind throws.
    private static func require(
        _ draft: inout ConfigurationDraft, _ call: EditCall, verb: String
    ) throws -> ConfigurationObject {
        let id = call.parameter("id")
        if draft.state[id] == nil, let entry = draft.state.endpoint(id) {
            throw Fault(
                nil,
                "The endpoint \(id) belongs to the edge \(entry.object.id) and cannot be \(verb) itself: change the "
                    + "hostports of the edge instead.")
        }
        return try draft.require(kind, id, call)
    }

    @Sendable
    private static func create(_ draft: inout ConfigurationDraft, _ call: EditCall) throws -> EditAnswer {
        let fields = try Fields(call.body, request)
        let type = try fields.string("type") ?? ""
        guard type == "cloud" else {
            throw Fault(
                248,
                "The endpoint create request passed an invalid type of '\(type.prefix(32))'. Currently we only support "
                    + "creation of cloud endpoints on this route.")
        }
        var document = JSON.object(try texts.create(fields))
        document["bindings"] = ["public"]
        document["pooling_enabled"] = false
        try take(fields, into: &document, draft.state, isNew: true)
        let object = try EndpointConflict.explained(document, nil, draft.state) { () throws(Fault) in
            try draft.create(kind, prefix: prefixes[0], document: document)
        }
        return .object(object.id, status: 201, draft, call)
    }

    @Sendable
    private static func change(_ draft: inout ConfigurationDraft, _ call: EditCall) throws -> EditAnswer {
        let object = try require(&draft, call, verb: "changed")
        let fields = try Fields(call.body, update)
        var document = object.document
        try texts.update(&document, fields)
        try take(fields, into: &document, draft.state, isNew: false)
        _ = try EndpointConflict.explained(document, object.id, draft.state) { () throws(Fault) in
            try draft.update(object.id, document: document)
        }
        return .object(object.id, draft, call)
    }

    /// Takes over the fields that a request has, with what depends on them.
    private static func take(
        _ fields: Fields, into document: inout JSON, _ state: ConfigurationState, isNew: Bool
    ) throws(Fault) {
        if let places = try fields.strings("bindings"), !places.isEmpty {
            guard let wrong = places.first(where: { !bindings.contains($0) }) else {
                document["bindings"] = .array(places.map { .string($0) })
                return try takeRest(fields, into: &document, state, isNew: isNew)
            }
            throw Fault(
                nil, "The binding '\(wrong.prefix(32))' is not valid: it must be one of public, internal, kubernetes.")
        }
        try takeRest(fields, into: &document, state, isNew: isNew)
    }

    private static func takeRest(
        _ fields: Fields, into document: inout JSON, _ state: ConfigurationState, isNew: Bool
    ) throws(Fault) {
        if let pooling = try fields.bool("pooling_enabled") { document["pooling_enabled"] = .bool(pooling) }
        let isPublic = document["bindings"]?.arrayValue?.contains("public") == true
        let old = document["url"]?.stringValue ?? ""
        let url = try EndpointURL(try fields.string("url") ?? old, isPublic: isPublic)
        if !isNew, !old.hasPrefix(url.scheme.rawValue + "://") {
            throw Fault(
                18005,
                "The cloud endpoint update failed because you are not allowed to change the protocol/URL scheme in-place."
            )
        }
        document["url"] = .string(url.text)
        document["reservation_id"] = .null
        if isPublic {
            guard let id = EndpointConflict.reservation(of: url, in: state) else { throw EndpointConflict.notReserved }
            document["reservation_id"] = .string(id)
        }
        if let text = try fields.string(module) {
            document[module] = try policy(text, on: url.scheme.edgeKind, state.catalogue)
        } else if isNew {
            throw Fault(nil, "A cloud endpoint needs a traffic_policy.")
        }
    }

    /// The form to keep of a policy, as the module says it.
    private static func policy(_ text: String, on edge: EdgeKind, _ catalogue: Catalogue) throws(Fault) -> JSON {
        guard let module = catalogue.modules[module] else {
            throw Fault(nil, "The module \(module) is not available in this version of the server.")
        }
        var kept = try module.normalise(["value": .string(text)], on: edge)
        kept["enabled"] = true
        return kept
    }

    static func isPublic(_ object: ConfigurationObject) -> Bool {
        object.document["bindings"]?.arrayValue?.contains("public") == true
    }

    static func isPooled(_ object: ConfigurationObject) -> Bool {
        object.document["pooling_enabled"]?.boolValue == true
    }
}
