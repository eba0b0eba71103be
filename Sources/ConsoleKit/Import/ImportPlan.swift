import Shared

/// What the objects that ngrok's API returned become: the operations of one apply.
///
/// Old identifiers are the names of what the operations make, so that `${new:…}` refers to it in later ones.
struct ImportPlan {
    /// One object that is made.
    struct Entry: Equatable {
        let kind: ImportKind
        let oldID: String
        /// What people know it by.
        let name: String
    }

    /// In the order of `operations`.
    private(set) var entries: [Entry] = []
    private(set) var operations: [JSON] = []
    /// What becomes different, or is not taken over.
    private(set) var remarks: [String] = []
    /// Why nothing can be sent.
    private(set) var faults: [String] = []

    private var known: Set<String> = []
    /// Old addresses of reserved TCP addresses, by what they were.
    private var addresses: [String: String] = [:]

    init(_ documents: ImportDocuments) {
        remarks = documents.remarks
        var byKind: [ImportKind: [JSON]] = [:]
        for object in documents.objects {
            let id = ImportPlan.id(of: object)
            guard let kind = ImportKind(id: id) else {
                remarks.append(ImportPlan.refusal(of: id, object))
                continue
            }
            guard ImportPlan.isName(id) else {
                faults.append("'\(id.prefix(64))' is no identifier")
                continue
            }
            byKind[kind, default: []].append(object)
            known.insert(id)
            if kind == .address, let address = object["addr"]?.stringValue { addresses[address] = id }
        }
        let composites = ImportKind.allCases.filter(\.isComposite).flatMap { byKind[$0] ?? [] }
        for kind in ImportKind.allCases {
            if kind == .weightedBackend { for object in inOrder(composites) { add(object) } }
            if !kind.isComposite { for object in byKind[kind] ?? [] { add(object) } }
        }
    }

    private static func id(of object: JSON) -> String { object["id"]?.stringValue ?? "" }

    /// Letters, digits, `_` and `-`: what an operation may be called.
    private static func isName(_ id: String) -> Bool {
        id.utf8.count <= 64
            && id.unicodeScalars.allSatisfy {
                $0.isASCII && ($0.properties.isAlphabetic || "0123456789_-".unicodeScalars.contains($0))
            }
    }

    private static func refusal(of id: String, _ object: JSON) -> String {
        if id.hasPrefix("cert_") {
            let name = object["subject_common_name"]?.stringValue ?? ""
            return "\(id) (\(name)) is not taken over: its private key is not in what ngrok returns; upload the "
                + "certificate with its key, then name it in its domain"
        }
        return "\(id.prefix(64)) is not taken over: objects of this kind are not part of an import"
    }

    /// Backends of backends, each after those that it refers to.
    private mutating func inOrder(_ composites: [JSON]) -> [JSON] {
        var waiting = composites
        var ordered: [JSON] = []
        while !waiting.isEmpty {
            let blocked = Set(waiting.map(ImportPlan.id))
            let ready = waiting.filter { blocked.isDisjoint(with: ImportPlan.children(of: $0)) }
            guard !ready.isEmpty else {
                faults.append(
                    "these backends refer to each other in a circle: \(blocked.sorted().joined(separator: ", "))")
                return ordered
            }
            ordered += ready
            let done = Set(ready.map(ImportPlan.id))
            waiting.removeAll { done.contains(ImportPlan.id(of: $0)) }
        }
        return ordered
    }

    private static func children(of backend: JSON) -> [String] {
        backend["backends"]?.arrayValue?.compactMap(\.stringValue)
            ?? backend["backends"]?.objectValue.map { $0.keys.sorted() } ?? []
    }

    // MARK: One object

    private mutating func add(_ object: JSON) {
        let id = ImportPlan.id(of: object)
        guard let kind = ImportKind(id: id) else { return }
        var body: [String: JSON] = [:]
        for field in kind.fields {
            guard let value = object[field], !value.isNull else { continue }
            body[field] = ImportPlan.literal(value)
        }
        var path = kind.collection
        switch kind {
        case .rule: body["ip_policy_id"] = reference(object["ip_policy"]?["id"]?.stringValue, of: id)
        case .domain: takeDomain(object, into: &body)
        case .address: remarks.append("\(object["addr"]?.stringValue ?? id) becomes another port of this server")
        case .weightedBackend: body["backends"] = weights(object, of: id)
        case .failoverBackend:
            body["backends"] = .array(ImportPlan.children(of: object).map { reference($0, of: id) })
        case .httpsEdge, .tlsEdge, .tcpEdge: body["hostports"] = hostports(object, kind, of: id)
        case .route:
            let edge = reference(object["edge_id"]?.stringValue, of: id).stringValue ?? ""
            path = "\(kind.collection)/\(edge)/routes"
        case .groupBackend:
            remarks.append("\(id) is a tunnel group: it answers 503 until agents with its labels are connected")
        case .authority, .policy, .staticBackend, .responseBackend: break
        }
        for module in kind.modules {
            guard let settings = object[module], !settings.isNull else { continue }
            body[module] = self.module(module, settings, kind, of: id)
        }
        if let policy = object["policy"], !policy.isNull {
            remarks.append("\(id): its deprecated module policy is not taken over; write a traffic_policy")
        }
        entries.append(Entry(kind: kind, oldID: id, name: ImportPlan.name(of: object, kind)))
        operations.append([
            "method": "POST", "path": .string(path), "body": .object(body), "as": .string(id),
        ])
    }

    private static func name(of object: JSON, _ kind: ImportKind) -> String {
        let fields = ["domain", "addr", "cidr", "match", "address"]
        let hostport = object["hostports"]?.arrayValue?.first?.stringValue
        let text = hostport ?? fields.lazy.compactMap { object[$0]?.stringValue }.first { !$0.isEmpty }
        return text ?? object["description"]?.stringValue ?? ""
    }

    private mutating func takeDomain(_ object: JSON, into body: inout [String: JSON]) {
        let name = object["domain"]?.stringValue ?? ""
        if let policy = object["certificate_management_policy"], !policy.isNull {
            var kept: [String: JSON] = [:]
            for field in ["authority", "private_key_type"] { kept[field] = policy[field] }
            body["certificate_management_policy"] = .object(kept)
            remarks.append("\(name): its managed certificate becomes one of this server's internal authority")
        } else if object["certificate"]?.isNull == false {
            remarks.append("\(name): its own certificate is not taken over; it gets one of the internal authority")
        }
        if let places = object["resolves_to"]?.arrayValue, !places.isEmpty {
            remarks.append("\(name): resolves_to is not taken over, as there is one place here")
        }
    }

    private mutating func weights(_ object: JSON, of id: String) -> JSON {
        var weights: [String: JSON] = [:]
        for (child, weight) in object["backends"]?.objectValue ?? [:] {
            weights[reference(child, of: id).stringValue ?? child] = weight
        }
        return .object(weights)
    }

    /// Domains stay; addresses of this server take the place of the old ones.
    private mutating func hostports(_ object: JSON, _ kind: ImportKind, of id: String) -> JSON {
        var hostports: [JSON] = []
        for hostport in object["hostports"]?.arrayValue?.compactMap(\.stringValue) ?? [] {
            if kind != .tcpEdge {
                hostports.append(.string(hostport))
            } else if let address = addresses[hostport] {
                hostports.append(.string("${new:\(address).addr}"))
            } else {
                faults.append("\(id): its address \(hostport) is not among the reserved addresses of these files")
            }
        }
        return .array(hostports)
    }

    /// A module as a request takes it: references become identifiers, and what only answers have goes.
    private mutating func module(_ name: String, _ settings: JSON, _ kind: ImportKind, of id: String) -> JSON {
        guard var members = settings.objectValue else { return settings }
        let references = [
            "backend": ("backend", "backend_id"), "ip_restriction": ("ip_policies", "ip_policy_ids"),
            "mutual_tls": ("certificate_authorities", "certificate_authority_ids"),
        ]
        if let (answered, wanted) = references[name], let value = members.removeValue(forKey: answered) {
            if let elements = value.arrayValue {
                members[wanted] = .array(elements.map { reference($0["id"]?.stringValue, of: id) })
            } else {
                members[wanted] = reference(value["id"]?.stringValue, of: id)
            }
            return .object(members)
        }
        if name == "tls_termination", kind == .httpsEdge { members["terminate_at"] = nil }
        if name == "saml" {
            for field in ImportPlan.answeredBySAML { members[field] = nil }
            remarks.append("\(id): tell the identity provider of saml the new addresses of this route")
        }
        return ImportPlan.literal(.object(members.filter { !$0.value.isNull }))
    }

    private static let answeredBySAML = [
        "entity_id", "assertion_consumer_service_url", "single_logout_url", "request_signing_certificate_pem",
        "metadata_url", "idp_metadata_url",
    ]

    /// What stands for the new identifier of an old one.
    private mutating func reference(_ old: String?, of id: String) -> JSON {
        guard let old, known.contains(old) else {
            faults.append("\(id) refers to \(old ?? "nothing"), which is not in these files")
            return .string(old ?? "")
        }
        return .string("${new:\(old)}")
    }

    /// Texts that look like a name of this request, written so that they stand for themselves.
    private static func literal(_ value: JSON) -> JSON {
        switch value {
        case .string(let text): .string(literal(text))
        case .array(let elements): .array(elements.map(literal))
        case .object(let members):
            .object(
                Dictionary(
                    members.map { (literal($0.key), literal($0.value)) }, uniquingKeysWith: { first, _ in first }))
        case .null, .bool, .int, .double: value
        }
    }

    private static func literal(_ text: String) -> String {
        text.drop { $0 == "$" }.hasPrefix("{new:") && text.hasPrefix("$") ? "$" + text : text
    }
}
