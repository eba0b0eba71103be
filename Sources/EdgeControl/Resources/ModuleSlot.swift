import EdgeCore
import Shared

/// Who carries modules.
enum ModuleOwner: Sendable, Hashable {
    case edge(EdgeKind)
    case route

    var kind: ObjectKind {
        switch self {
        case .edge(let kind): ObjectKind(kind)
        case .route: .route
        }
    }

    var edge: EdgeKind {
        switch self {
        case .edge(let kind): kind
        case .route: .https
        }
    }

    /// The documented names, in the documented order.
    fileprivate var documented: [String] {
        switch self {
        case .edge(.https): ["mutual_tls", "tls_termination"]
        case .edge(.tls): ["backend", "ip_restriction", "mutual_tls", "tls_termination", "traffic_policy"]
        case .edge(.tcp): ["backend", "ip_restriction", "traffic_policy"]
        case .route:
            [
                "backend", "ip_restriction", "circuit_breaker", "compression", "request_headers", "response_headers",
                "webhook_verification", "oauth", "saml", "oidc", "websocket_tcp_converter", "user_agent_filter",
                "traffic_policy",
            ]
        }
    }

    /// The modules of the registry that belong here: on an HTTPS edge, what does not sit on the edge sits on its routes.
    fileprivate func registered(_ registry: ModuleRegistry) -> [any TrafficModule.Type] {
        registry.modules.filter { !$0.isForAgentsOnly }.filter { module in
            switch self {
            case .edge(.https): module.edgeKinds.contains(.https) && documented.contains(module.name)
            case .route:
                module.edgeKinds.contains(.https) && !ModuleOwner.edge(.https).documented.contains(module.name)
            case .edge(let kind): module.edgeKinds.contains(kind)
            }
        }
    }
}

/// One named part of an edge or a route: a traffic module, the backend, or TLS termination.
struct ModuleSlot: Sendable {
    enum Part: Sendable {
        case backend
        case termination(EdgeKind)
        /// A traffic module on an edge of this kind, or on a route of one.
        case module(any TrafficModule.Type, EdgeKind)
        /// Documented, but not in this version.
        case unavailable
    }

    let name: String
    let part: Part

    /// Every slot of an owner: the documented ones in their order, then what else the registry has.
    static func all(_ owner: ModuleOwner, _ catalogue: Catalogue) -> [ModuleSlot] { catalogue.slots[owner] ?? [] }

    static func make(_ owner: ModuleOwner, _ registry: ModuleRegistry) -> [ModuleSlot] {
        let registered = owner.registered(registry)
        let documented = owner.documented.map { name in
            if name == "backend" { return ModuleSlot(name: name, part: .backend) }
            if name == "tls_termination", case .edge(let kind) = owner {
                return ModuleSlot(name: name, part: .termination(kind))
            }
            let module = registered.first { $0.name == name }
            return ModuleSlot(name: name, part: module.map { .module($0, owner.edge) } ?? .unavailable)
        }
        let others = registered.filter { !owner.documented.contains($0.name) }
        return documented + others.map { ModuleSlot(name: $0.name, part: .module($0, owner.edge)) }
    }

    /// The form of a `PUT`'s body.
    var request: Shape {
        let enabled = [Shape.Field("enabled", .flag, "true unless given")]
        switch part {
        case .backend:
            return Shape("EndpointBackendMutate", enabled + [Shape.Field("backend_id", .text, required: true)])
        case .termination(.https):
            return Shape("EndpointTLSTerminationAtEdge", enabled + [TLSTerminationSettings.version])
        case .termination: return Shape("EndpointTLSTermination", enabled + TLSTerminationSettings.fields)
        case .module(let module, _):
            let isAnsweredAlike = module.references.isEmpty && module.answerFields.isEmpty
            let name = module.settings.name + (isAnsweredAlike ? "" : "Mutate")
            return Shape(name, enabled + module.settings.fields)
        case .unavailable: return Shape(name, enabled)
        }
    }

    /// The form of an answer.
    var answer: Shape {
        let enabled = [Shape.Field("enabled", .flag)]
        switch part {
        case .backend: return Shape("EndpointBackend", enabled + [Shape.Field("backend", .object(.reference))])
        case .termination: return Shape("EndpointTLSTermination", enabled + TLSTerminationSettings.fields)
        case .module(let module, _):
            let fields = module.settings.fields.map { field in
                let reference = module.references.first { $0.field == field.name }
                return reference.map { Shape.Field($0.answerField, .list(.object(.reference))) } ?? field
            }
            return Shape(module.settings.name, enabled + fields + module.answerFields)
        case .unavailable: return Shape(name, enabled)
        }
    }

    /// The form to keep of settings as a client wrote them.
    /// - Parameter old: the form kept until now: a secret that the client was not shown stays.
    func keep(_ body: JSON?, over old: JSON?) throws(Fault) -> JSON {
        switch part {
        case .backend: return try ModuleSlot.keepBackend(body)
        case .termination(let kind): return try TLSTerminationSettings.keep(body, on: kind)
        case .module(let module, let edge):
            let whole = try HiddenSecrets.restore(module.secrets, in: body ?? .null, from: old)
            return try keep(whole, module, edge)
        case .unavailable:
            throw Fault(nil, "The module \(name) is not available in this version of the server.")
        }
    }

    private func keep(_ body: JSON, _ module: any TrafficModule.Type, _ edge: EdgeKind) throws(Fault) -> JSON {
        guard var members = body.isNull ? [:] : body.objectValue else { throw Fields.wrongType(name, "an object") }
        let enabled = members.removeValue(forKey: "enabled") ?? .null
        guard enabled.isNull || enabled.boolValue != nil else { throw Fields.wrongType("enabled", "true or false") }
        // Who changes what was read sends all of it back.
        for field in module.answerFields { members[field.name] = nil }
        // What is not known is refused also when it is null: `normalise` does not see it then.
        if let unknown = members.keys.sorted().first(where: { module.settings[$0] == nil && members[$0] == .null }) {
            throw Fault(214, "The request body has the unknown field '\(unknown.prefix(64))'.")
        }
        // A member that is null counts as absent, as everywhere: clients write out what their callers left out.
        var kept = try module.normalise(.object(members.filter { !$0.value.isNull }), on: edge)
        kept["enabled"] = .bool(enabled.boolValue ?? true)
        return kept
    }

    private static func keepBackend(_ body: JSON?) throws(Fault) -> JSON {
        let fields = try Fields(body, known: ["enabled", "backend_id"])
        let enabled = try fields.bool("enabled") ?? true
        let id = try fields.string("backend_id") ?? ""
        guard Resources.kind(of: id) == .backend else {
            throw Fault(242, "The ID '\(id.prefix(64))' is not a valid Backend ID.")
        }
        return ["enabled": .bool(enabled), "backend_id": .string(id)]
    }

    /// Kept settings of `owner` as they are answered: identifiers become references.
    func render(_ kept: JSON?, of owner: String, in view: ConfigurationView) -> JSON {
        guard var document = kept, !document.isNull else { return .null }
        switch part {
        case .backend:
            let id = document["backend_id"]?.stringValue ?? ""
            return ["enabled": document["enabled"] ?? true, "backend": view.reference(id)]
        case .module(let module, _):
            for reference in module.references {
                let ids = ModuleSlot.identifiers(document[reference.field])
                document[reference.field] = nil
                document[reference.answerField] = .array(ids.map(view.reference))
            }
            if view.isRecord || view.hidesSecrets { document = HiddenSecrets.hide(module.secrets, in: document) }
            guard !module.answerFields.isEmpty else { return document }
            let catalogue = view.state.catalogue
            let facts = AnswerFacts(
                ownerID: owner, publicName: catalogue.publicName,
                signingCertificatePEM: catalogue.signingCertificatePEM)
            for (name, value) in module.answer(facts) { document[name] = value }
            return document
        case .termination, .unavailable: return document
        }
    }

    /// The objects that kept settings mention.
    func references(_ kept: JSON?) -> [ObjectReference] {
        guard let kept, !kept.isNull else { return [] }
        switch part {
        case .backend:
            return ModuleSlot.identifiers(kept["backend_id"]).map {
                ObjectReference(id: $0, missing: .missingBackend($0))
            }
        case .module(let module, _):
            return module.references.flatMap { reference in
                ModuleSlot.identifiers(kept[reference.field]).map { id in
                    // An identifier of another kind exists as little as one of no kind.
                    let known = Resources.kind(of: id)?.rawValue == reference.kind
                    return ObjectReference(
                        id: known ? id : "",
                        missing: Fault(
                            reference.missingCode,
                            "The ID '\(id.prefix(64))' specified for the module \(name) does not exist."))
                }
            }
        case .termination, .unavailable: return []
        }
    }

    private static func identifiers(_ value: JSON?) -> [String] {
        value?.stringValue.map { [$0] } ?? value?.arrayValue?.compactMap(\.stringValue) ?? []
    }
}

extension [ModuleSlot] {
    /// What the modules of one owner say about each other.
    func check(_ modules: JSON) throws(Fault) {
        let termination = modules["tls_termination"] ?? .null
        let isPassedThrough = termination["enabled"] != false && termination["terminate_at"] == "upstream"
        var groups: Set<String> = []
        var misplaced: [String] = []
        for slot in self {
            guard case .module(let module, _) = slot.part, let kept = modules[slot.name], !kept.isNull,
                kept["enabled"]?.boolValue != false
            else { continue }
            if let group = module.group, !groups.insert(group.name).inserted { throw group.fault }
            if isPassedThrough, module.needsTermination { misplaced.append(slot.name) }
        }
        guard !misplaced.isEmpty else { return }
        throw Fault(
            7062,
            "The edge specifies the following modules which may not be enabled when TLS is not terminated: "
                + "\(misplaced.joined(separator: ", ")).")
    }
}

extension Fault {
    static func missingBackend(_ id: String) -> Fault {
        Fault(6501, "Cannot save backend reference '\(id.prefix(64))' because it does not exist.")
    }
}

/// The `tls_termination` of HTTPS and TLS edges.
enum TLSTerminationSettings {
    static let version = Shape.Field(
        "min_version", .nullable(.choice(["1.0", "1.1", "1.2", "1.3"])), "1.2 unless given")
    static let fields = [
        Shape.Field("terminate_at", .choice(["edge", "upstream", "agent"]), "edge unless given"), version,
    ]

    static func keep(_ body: JSON?, on kind: EdgeKind) throws(Fault) -> JSON {
        let fields = try Fields(body, known: ["enabled", "terminate_at", "min_version"])
        let enabled = try fields.bool("enabled") ?? true
        var place = "edge"
        if let written = try fields.string("terminate_at"), !written.isEmpty {
            guard kind != .https else {
                throw Fault(
                    7109, "You may not set terminate_at on an HTTPS edge: TLS is always terminated at the edge.")
            }
            guard ["edge", "upstream", "agent"].contains(written) else {
                throw Fault(
                    224,
                    "The value '\(written.prefix(32))' is not valid for the terminate_at property of the TLS "
                        + "Termination endpoint configuration module. Must be either 'edge', 'agent' or 'upstream'.")
            }
            guard written != "agent" else {
                throw Fault(224, "Terminating TLS at the agent is not available in this version: use edge or upstream.")
            }
            place = written
        }
        var version: JSON = .null
        if let written = try fields.string("min_version"), !written.isEmpty {
            guard ["1.0", "1.1", "1.2", "1.3"].contains(written) else {
                throw Fault(
                    219,
                    "'\(written.prefix(32))' is not a supported TLS version. Supported versions: 1.0, 1.1, 1.2, 1.3.")
            }
            guard place == "edge" else {
                throw Fault(
                    7032,
                    "You may not configure the TLS termination parameter min_version when TLS is not terminated "
                        + "at the edge.")
            }
            version = .string(written)
        }
        return ["enabled": .bool(enabled), "terminate_at": .string(place), "min_version": version]
    }
}
