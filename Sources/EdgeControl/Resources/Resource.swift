public import EdgeCore
public import Shared

/// What this program knows and what it was told: fixed while it runs.
public struct Catalogue: Sendable {
    public let modules: ModuleRegistry
    /// Ports that reserved TCP addresses are given.
    public let tcpPorts: ClosedRange<UInt16>?
    /// The host name (or address) under which clients reach this server.
    public let publicName: String
    /// Where this server takes traffic in, in the order of its settings.
    public let regions: [Region]
    /// The certificate with which this server signs SAML requests; empty without one.
    public let signingCertificatePEM: String
    /// Agents and their tunnels.
    public let tunnels: any TunnelDirectory
    /// Made once: every document that is checked or shown goes by them.
    let slots: [ModuleOwner: [ModuleSlot]]
    /// Who may answer for API keys and credentials.
    let owners: Owners

    public init(
        modules: ModuleRegistry, tcpPorts: ClosedRange<UInt16>?, publicName: String,
        regions: [Region] = [Region("us")], owners: Owners = .none,
        signingCertificatePEM: String = "",
        tunnels: any TunnelDirectory = EmptyTunnelDirectory()
    ) {
        self.owners = owners
        self.modules = modules
        self.tcpPorts = tcpPorts
        self.publicName = publicName.lowercased()
        self.regions = regions
        self.signingCertificatePEM = signingCertificatePEM
        self.tunnels = tunnels
        let owners = EdgeKind.allCases.map(ModuleOwner.edge) + [.route]
        slots = Dictionary(uniqueKeysWithValues: owners.map { ($0, ModuleSlot.make($0, modules)) })
    }
}

/// One kind of object: its names, what it refers to, how it is answered, and what can be done to it.
///
/// Adding a kind is one conforming type in one file and one line in `Resources.all`.
protocol Resource: Sendable {
    static var kind: ObjectKind { get }
    /// The lowest roles that may read and write it.
    static var access: ObjectAccess { get }
    /// Prefixes of its identifiers.
    static var prefixes: [String] { get }
    /// The path of an object, without the base address.
    static func path(of object: ConfigurationObject) -> String
    /// Names that no other object may have.
    static func names(of object: ConfigurationObject) -> [ObjectName]
    static func references(of object: ConfigurationObject, in state: ConfigurationState) -> [ObjectReference]
    /// What is said when `object` was to be deleted while `user` refers to it.
    static func inUse(_ object: ConfigurationObject, by user: ConfigurationObject) -> Fault
    /// What needs the whole configuration to be judged, beyond names and references.
    static func check(_ object: ConfigurationObject, in state: ConfigurationState) throws(Fault)
    /// The object as the API answers it, every documented field present.
    static func render(_ object: ConfigurationObject, in view: ConfigurationView) -> JSON
    /// Takes over what an object, or its absence, means for traffic.
    ///
    /// Called for each object that was touched: of a part (a route, a rule) its owner is among them.
    static func configure(_ id: String, in state: ConfigurationState, _ configuration: inout Configuration)
    static func edits(_ catalogue: Catalogue) -> [Edit]
    static func lists(_ catalogue: Catalogue) -> [ListOperation]
    static func reads(_ catalogue: Catalogue) -> [ReadOperation]
}

extension Resource {
    static var access: ObjectAccess { .traffic }
    static func names(of object: ConfigurationObject) -> [ObjectName] { [] }
    static func references(of object: ConfigurationObject, in state: ConfigurationState) -> [ObjectReference] { [] }
    static func inUse(_ object: ConfigurationObject, by user: ConfigurationObject) -> Fault {
        Fault(nil, "\(object.id) could not be deleted because \(user.id) still refers to it.")
    }
    static func check(_ object: ConfigurationObject, in state: ConfigurationState) throws(Fault) {}
    static func configure(_ id: String, in state: ConfigurationState, _ configuration: inout Configuration) {}
    static func lists(_ catalogue: Catalogue) -> [ListOperation] { [] }
}

/// The lowest roles that may read and write objects of a kind.
struct ObjectAccess: Sendable {
    let read: Role
    let write: Role

    /// What decides about traffic.
    static let traffic = ObjectAccess(read: .viewer, write: .operator)
    /// What decides about who may get in.
    static let entry = ObjectAccess(read: .operator, write: .admin)
}

/// The kinds of this program: one line each.
enum Resources {
    static let all: [any Resource.Type] = [
        HTTPSEdges.self,
        HTTPSRoutes.self,
        TLSEdges.self,
        TCPEdges.self,
        Endpoints.self,
        BackendObjects.self,
        ReservedDomains.self,
        ReservedAddresses.self,
        TLSCertificates.self,
        CertificateAuthorities.self,
        IPPolicies.self,
        IPPolicyRules.self,
        AgentIngresses.self,
        EventDestinations.self,
        EventSubscriptions.self,
        ApplicationUsers.self,
        ApplicationSessions.self,
        AccountRestrictions.self,
        APIKeys.self,
        Credentials.self,
    ]

    private static let byKind: [ObjectKind: any Resource.Type] = Dictionary(
        uniqueKeysWithValues: all.map { ($0.kind, $0) })
    private static let byPrefix: [String: ObjectKind] = Dictionary(
        uniqueKeysWithValues: all.flatMap { resource in resource.prefixes.map { ($0, resource.kind) } })

    static func of(_ kind: ObjectKind) -> any Resource.Type {
        guard let resource = byKind[kind] else { preconditionFailure("\(kind) is missing in Resources.all") }
        return resource
    }

    /// The kind of a well-formed identifier.
    static func kind(of id: String) -> ObjectKind? {
        Identity.prefix(of: id).flatMap { byPrefix[String($0)] }
    }
}

/// A state as one client sees it.
struct ConfigurationView: Sendable {
    let state: ConfigurationState
    /// Absolute addresses begin with this.
    let baseURL: String
    /// Whether an edge's document has its routes in it, as the API answers it. Audit records leave them out: a route
    /// is a change of its own there.
    var nestsRoutes = true

    /// Whether the settings of modules are shown without the secrets that they may hold: to viewers, and wherever
    /// they would be on a screen.
    var hidesSecrets = false

    /// Whether documents are for the audit trail.
    var isRecord: Bool { !nestsRoutes }

    func uri(of object: ConfigurationObject) -> String { baseURL + Resources.of(object.kind).path(of: object) }

    /// `{"id", "uri"}`.
    func reference(_ id: String) -> JSON {
        ["id": .string(id), "uri": .string(state[id].map(uri) ?? "")]
    }

    func document(_ object: ConfigurationObject) -> JSON { Resources.of(object.kind).render(object, in: self) }

    func document(id: String) -> JSON? { state[id].map(document) }

    /// The fields that every object has, as `Shape.answer` describes them.
    func frame(_ object: ConfigurationObject, _ fields: [String: JSON]) -> JSON {
        var members = fields
        members["id"] = .string(object.id)
        members["uri"] = .string(uri(of: object))
        members["created_at"] = .string(object.createdAt)
        members["description"] = object.document["description"] ?? ""
        members["metadata"] = object.document["metadata"] ?? ""
        return .object(members)
    }
}
