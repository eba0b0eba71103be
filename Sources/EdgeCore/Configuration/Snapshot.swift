public import Shared

/// How a TLS edge treats the handshake.
public enum TLSTermination: Sendable, Hashable {
    case atEdge
    /// Untouched bytes to the upstream (claim C78).
    case atUpstream
}

/// An edge, ready for traffic.
public final class CompiledEdge: Sendable {
    public let id: EdgeID
    public let kind: EdgeKind
    public let slot: Int32
    public let hostports: [String]
    public let termination: TLSTermination
    /// OpenSSL's wire number of the lowest allowed version (0x0301…0x0304).
    public let minimumTLSVersion: Int32
    /// HTTPS edges.
    public let routes: RouteTable
    /// Of HTTPS edges what acts before a route is known; their routes' chains begin with it.
    public let chain: Chain
    /// The backend's number in `Snapshot.backends`.
    public let backend: Int32
    /// Identifiers of the objects that its modules refer to: a change to one of them compiles this edge anew.
    public let dependencies: Set<String>
    /// The routes that have a circuit breaker in force.
    public let breakerRoutes: [RouteID]
    /// Whether plain HTTP is answered here, rather than sent on to HTTPS.
    public let servesCleartext: Bool
    /// The edge's own certificate; that of the domain is shown unless there is one.
    public let certificate: CertificateMaterial?

    public init(
        id: EdgeID, kind: EdgeKind, slot: Int32, hostports: [String], termination: TLSTermination,
        minimumTLSVersion: Int32, routes: RouteTable, chain: Chain, backend: Int32,
        dependencies: Set<String>, breakerRoutes: [RouteID] = [], servesCleartext: Bool = false,
        certificate: CertificateMaterial? = nil
    ) {
        self.id = id
        self.kind = kind
        self.slot = slot
        self.hostports = hostports
        self.termination = termination
        self.minimumTLSVersion = minimumTLSVersion
        self.routes = routes
        self.chain = chain
        self.backend = backend
        self.dependencies = dependencies
        self.breakerRoutes = breakerRoutes
        self.servesCleartext = servesCleartext
        self.certificate = certificate
    }
}

/// A route, ready for traffic.
public final class CompiledRoute: Sendable {
    public let id: RouteID
    public let edgeID: EdgeID
    public let slot: Int32
    /// The edge's modules, then the route's own.
    public let chain: Chain
    /// The backend's number in `Snapshot.backends`.
    public let backend: Int32

    public init(id: RouteID, edgeID: EdgeID, slot: Int32, chain: Chain, backend: Int32) {
        self.id = id
        self.edgeID = edgeID
        self.slot = slot
        self.chain = chain
        self.backend = backend
    }
}

/// The immutable compiled configuration in force. Exchanges and connections keep the parts that they began with.
///
/// A snapshot shares with the one before all that a change left as it was.
public final class Snapshot: Sendable {
    /// What it was compiled from.
    public let configuration: Configuration
    /// Every edge, also those without a name to be reached by.
    public let edges: PersistentTable<EdgeID, CompiledEdge>
    /// HTTPS and TLS edges by host name.
    public let hosts: HostTable<CompiledEdge>
    /// TCP edges by listening port.
    public let ports: [UInt16: CompiledEdge]
    /// Certificates by host name: every domain has one, with or without an edge (claim C75).
    public let certificates: HostTable<CertificateMaterial>
    /// Every backend, by the numbers that routes and edges hold.
    public let backends: BackendTable
    /// From where edges may be reached; `nil` for everywhere.
    public let entry: EntryRules?
    /// What could not be compiled, by object identifier; the rest serves all the same.
    public let faults: [String: Fault]
    /// Grows with each change of the TCP edges.
    public let portsRevision: UInt64
    /// Certificates that serve a name here which they did not serve in the snapshot before.
    public let newCertificates: [CertificateMaterial]
    /// Edges by the objects that their modules refer to, and domains by their certificate.
    let dependents: Dependents

    struct Dependents: Sendable {
        var edges: PersistentTable<String, PersistentSet<EdgeID>> = [:]
        var domains: PersistentTable<CertificateID, PersistentSet<DomainID>> = [:]
    }

    public var revision: UInt64 { configuration.revision }

    init(
        configuration: Configuration, edges: PersistentTable<EdgeID, CompiledEdge>, hosts: HostTable<CompiledEdge>,
        ports: [UInt16: CompiledEdge], certificates: HostTable<CertificateMaterial>, backends: BackendTable,
        entry: EntryRules?, faults: [String: Fault], portsRevision: UInt64, newCertificates: [CertificateMaterial],
        dependents: Dependents
    ) {
        self.configuration = configuration
        self.edges = edges
        self.hosts = hosts
        self.ports = ports
        self.certificates = certificates
        self.backends = backends
        self.entry = entry
        self.faults = faults
        self.portsRevision = portsRevision
        self.newCertificates = newCertificates
        self.dependents = dependents
    }

    /// One that nothing is compiled from: for tests of what only looks things up.
    package convenience init(
        configuration: Configuration, edges: PersistentTable<EdgeID, CompiledEdge>, hosts: HostTable<CompiledEdge>
    ) {
        self.init(
            configuration: configuration, edges: edges, hosts: hosts, ports: [:], certificates: HostTable([]),
            backends: BackendTable(), entry: nil, faults: [:], portsRevision: 0, newCertificates: [],
            dependents: Dependents())
    }

    /// Serves nothing.
    public static let empty = Snapshot(configuration: Configuration(), edges: [:], hosts: HostTable([]))
}
