import EdgeCore
import Shared

/// What HTTPS, TLS and TCP edges have in common: they differ in their slots and in what their hostports name.
struct EdgeWrites: Sendable {
    let edge: EdgeKind
    private let catalogue: Catalogue
    private let slots: [ModuleSlot]

    static let texts = TextFields(descriptionCode: 7073, metadataCode: 7074)
    /// Old names that clients may still send empty.
    static let legacy: Set<String> = ["policy"]

    init(_ edge: EdgeKind, _ catalogue: Catalogue) {
        self.edge = edge
        self.catalogue = catalogue
        slots = ModuleSlot.all(.edge(edge), catalogue)
    }

    private var kind: ObjectKind { ObjectKind(edge) }
    private var collection: String { "/edges/\(edge.rawValue)" }

    var edits: [Edit] {
        [
            Edit("POST", collection, .create("Makes an edge.", takes: request("Create"), gives: answer)) {
                draft, call in
                let id = try create(&draft, call)
                return .object(id, status: 201, draft, call)
            },
            Edit(
                "PATCH", collection + "/{id}",
                .update(
                    "Changes an edge; a module that is named is replaced whole.", takes: request("Update"),
                    gives: answer)
            ) { draft, call in
                let object = try draft.require(kind, call.parameter("id"), call)
                try update(object, &draft, call)
                return .object(object.id, draft, call)
            },
            .deletion(collection + "/{id}", kind, "Deletes an edge and its routes."),
        ] + ModuleOperations(.edge(edge), catalogue).edits
    }

    var reads: [ReadOperation] {
        [.object(collection + "/{id}", kind, gives: answer)] + ModuleOperations(.edge(edge), catalogue).reads
    }

    var lists: [ListOperation] {
        [ListOperation(collection, key: "\(edge.rawValue)_edges", of: answer, kind: kind)]
    }

    private func request(_ suffix: String) -> Shape {
        let hostports = Shape.Field("hostports", .list(.text, maximum: Hostports.maximumCount), "host:port each")
        return Shape(edge.answerName + suffix, TextFields.fields + [hostports] + slots.requestFields)
    }

    private var answer: Shape {
        let routes = Shape.Field("routes", .list(.object(HTTPSRoutes.answer(catalogue))))
        return .answer(
            edge.answerName,
            [Shape.Field("hostports", .texts)] + slots.answerFields + (edge == .https ? [routes] : []))
    }

    private func create(_ draft: inout ConfigurationDraft, _ call: EditCall) throws -> String {
        let fields = try Fields(call.body, request("Create"), legacy: EdgeWrites.legacy)
        var document = try EdgeWrites.texts.create(fields)
        let hostports = try Hostports.check(try fields.strings("hostports") ?? [], on: edge, in: draft.state)
        document["hostports"] = .array(hostports.map { .string($0) })
        document["modules"] = try slots.modules(from: fields, onto: [:])
        return try draft.create(kind, prefix: edge.idPrefix, document: .object(document)).id
    }

    private func update(_ object: ConfigurationObject, _ draft: inout ConfigurationDraft, _ call: EditCall) throws {
        let fields = try Fields(call.body, request("Update"), legacy: EdgeWrites.legacy)
        var document = object.document
        try EdgeWrites.texts.update(&document, fields)
        if let hostports = try fields.strings("hostports") {
            let checked = try Hostports.check(hostports, on: edge, in: draft.state)
            document["hostports"] = .array(checked.map { .string($0) })
        }
        document["modules"] = try slots.modules(from: fields, onto: document["modules"] ?? [:])
        try draft.update(object.id, document: document)
    }

    // MARK: What `Resource` asks

    static func names(of object: ConfigurationObject) -> [ObjectName] {
        Hostports.of(object).flatMap { hostport in
            let endpoint = EndpointEntry.id(of: hostport, on: object)
            return [
                ObjectName(
                    text: "hostport/\(hostport)",
                    taken: Fault(
                        7122, "The hostport '\(hostport)' is already used by another edge or cloud endpoint.")),
                ObjectName(text: EndpointEntry.name(endpoint), taken: Fault(nil, "\(endpoint) exists already.")),
            ]
        }
    }

    static func references(
        of object: ConfigurationObject, on edge: EdgeKind, in state: ConfigurationState
    ) -> [ObjectReference] {
        let slots = ModuleSlot.all(.edge(edge), state.catalogue)
        let hosts = Hostports.of(object).map { hostport in
            ObjectReference(
                id: Hostports.owner(of: hostport, on: edge, in: state) ?? "",
                missing: Hostports.notReserved(hostport, on: edge))
        }
        return hosts + slots.flatMap { $0.references(object.document["modules"]?[$0.name]) }
    }

    /// A TLS or TCP edge knows nothing of HTTP. As a leg of another backend, which HTTPS edges may share, an
    /// `http_response` is let through: there it only closes the connection.
    static func checkBackend(_ object: ConfigurationObject) throws(Fault) {
        let id = object.document["modules"]?["backend"]?["backend_id"]?.stringValue ?? ""
        guard Backends.kind(of: BackendID(id)) == HTTPResponseBackend.self else { return }
        throw Fault(nil, "The backend '\(id)' answers with HTTP, which only HTTPS edges speak.")
    }

    static func render(_ object: ConfigurationObject, on edge: EdgeKind, in view: ConfigurationView) -> JSON {
        var fields: [String: JSON] = ["hostports": object.document["hostports"] ?? []]
        for slot in ModuleSlot.all(.edge(edge), view.state.catalogue) {
            fields[slot.name] = slot.render(
                object.document["modules"]?[slot.name], of: object.id, in: view)
        }
        if edge == .https, view.nestsRoutes {
            fields["routes"] = .array(view.state.children(of: object.id).compactMap { view.document(id: $0) })
        }
        return view.frame(object, fields)
    }
}

extension EdgeKind {
    /// What the public API's description calls an edge of this kind.
    fileprivate var answerName: String { rawValue.uppercased() + "Edge" }
}

extension [ModuleSlot] {
    var requestFields: [Shape.Field] { map { Shape.Field($0.name, .object($0.request)) } }
    var answerFields: [Shape.Field] { map { Shape.Field($0.name, .nullable(.object($0.answer))) } }

    /// Kept module documents with those that a request names in place of the old; the others stay.
    func modules(from fields: Fields, onto old: JSON) throws(Fault) -> JSON {
        var modules = old
        for slot in self {
            guard let settings = fields[slot.name] else { continue }
            modules[slot.name] = try slot.keep(settings, over: old[slot.name])
        }
        return modules
    }
}

/// The `host:port` pairs of an edge.
enum Hostports {
    static let maximumCount = 100

    static func of(_ object: ConfigurationObject) -> [String] {
        object.document["hostports"]?.arrayValue?.compactMap(\.stringValue) ?? []
    }

    /// The reserved domain or address that a hostport names.
    static func owner(of hostport: String, on edge: EdgeKind, in state: ConfigurationState) -> String? {
        edge == .tcp
            ? state.owner(of: "addr/\(hostport)") : state.owner(of: "domain/\(hostport.prefix(while: { $0 != ":" }))")
    }

    static func notReserved(_ hostport: String, on edge: EdgeKind) -> Fault {
        edge == .tcp
            ? Fault(7113, "The address '\(hostport)' is not reserved.")
            : Fault(7117, "The domain '\(hostport)' is not reserved.")
    }

    /// Lower case, and every pair once.
    /// - Throws: the code of the first mistake.
    static func check(_ hostports: [String], on edge: EdgeKind, in state: ConfigurationState) throws(Fault) -> [String]
    {
        guard hostports.count <= maximumCount else {
            throw Fault(7129, "An edge is limited to a maximum of \(maximumCount) hostports.")
        }
        var checked: [String] = []
        for written in hostports {
            let hostport = try form(written)
            if edge == .tcp {
                let host = String(hostport.prefix { $0 != ":" })
                if state.owner(of: "addr/\(hostport)") == nil, state.owner(of: "domain/\(host)") != nil {
                    throw Fault(
                        7120, "TCP edges can only be associated with reserved TCP addresses: '\(hostport)' is a domain."
                    )
                }
            } else {
                if state.owner(of: "addr/\(hostport)") != nil {
                    throw Fault(
                        edge == .https ? 7121 : 7133,
                        "\(edge == .https ? "HTTPS" : "TLS") edges can only be associated "
                            + "with reserved domains: '\(hostport)' is a TCP address.")
                }
                guard hostport.hasSuffix(":443") else {
                    throw Fault(7116, "The domain '\(hostport)' is unsupported because it does not use port 443.")
                }
            }
            guard owner(of: hostport, on: edge, in: state) != nil else { throw notReserved(hostport, on: edge) }
            if !checked.contains(hostport) { checked.append(hostport) }
        }
        return checked
    }

    private static func form(_ written: String) throws(Fault) -> String {
        let shown = written.prefix(300)
        let parts = written.split(separator: ":", omittingEmptySubsequences: false)
        guard parts.count == 2, !parts[0].isEmpty, parts[0].utf8.count <= 253, !parts[1].isEmpty,
            parts[1].utf8.allSatisfy({ (0x30...0x39).contains($0) })
        else { throw Fault(7104, "The hostport '\(shown)' does not have the form host:port.") }
        guard let port = UInt16(parts[1]), port > 0 else {
            throw Fault(7112, "The port of the hostport '\(shown)' must be between 1 and 65535.")
        }
        return "\(parts[0].lowercased()):\(port)"
    }
}
