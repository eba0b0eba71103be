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
    /// TLS and TCP edges.
    public let chain: Chain
    public let backend: (any Backend)?
    /// Identifiers of every object that went into this: a change to one of them compiles this edge anew.
    public let dependencies: Set<String>
    /// The routes that have a circuit breaker in force.
    public let breakerRoutes: [RouteID]

    public init(
        id: EdgeID, kind: EdgeKind, slot: Int32, hostports: [String], termination: TLSTermination,
        minimumTLSVersion: Int32, routes: RouteTable, chain: Chain, backend: (any Backend)?,
        dependencies: Set<String>, breakerRoutes: [RouteID] = []
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
    }
}

/// A route, ready for traffic.
public final class CompiledRoute: Sendable {
    public let id: RouteID
    public let edgeID: EdgeID
    public let slot: Int32
    public let chain: Chain
    public let backend: (any Backend)?

    public init(id: RouteID, edgeID: EdgeID, slot: Int32, chain: Chain, backend: (any Backend)?) {
        self.id = id
        self.edgeID = edgeID
        self.slot = slot
        self.chain = chain
        self.backend = backend
    }
}

/// The immutable compiled configuration in force. Exchanges and connections keep the parts that they began with.
public final class Snapshot: Sendable {
    public let revision: UInt64
    /// Every edge, also those without a name to be reached by.
    public let edges: [EdgeID: CompiledEdge]
    /// HTTPS and TLS edges by host name.
    public let hosts: HostTable<CompiledEdge>
    /// TCP edges by listening port.
    public let ports: [UInt16: CompiledEdge]
    /// Certificates by host name: every domain has one, with or without an edge (claim C75).
    public let certificates: HostTable<CertificateMaterial>
    /// What could not be compiled, by object identifier; the rest serves all the same.
    public let faults: [String: Fault]

    public init(
        revision: UInt64, edges: [EdgeID: CompiledEdge], hosts: HostTable<CompiledEdge>,
        ports: [UInt16: CompiledEdge], certificates: HostTable<CertificateMaterial>, faults: [String: Fault]
    ) {
        self.revision = revision
        self.edges = edges
        self.hosts = hosts
        self.ports = ports
        self.certificates = certificates
        self.faults = faults
    }
}
