public import Shared
public import Synchronization

/// The running configuration as plain values: what the store keeps and the compiler reads. Copies share their tables.
public struct Configuration: Sendable {
    public var revision: UInt64 = 0
    public var edges: PersistentTable<EdgeID, EdgeConfiguration> = [:]
    public var backends: PersistentTable<BackendID, BackendConfiguration> = [:]
    public var domains: PersistentTable<DomainID, DomainConfiguration> = [:]
    public var certificates: PersistentTable<CertificateID, CertificateMaterial> = [:]
    public var policies: PersistentTable<IPPolicyID, [IPPolicyRule]> = [:]
    /// `nil` when edges may be reached from everywhere.
    public var entry: EntryRestriction?

    public init() {}
}

public struct EdgeConfiguration: Sendable, Hashable {
    public var id: EdgeID
    public var kind: EdgeKind
    /// `host:port`, lower case.
    public var hostports: [String]
    /// Kept module documents by name; on HTTPS edges only those that act before a route is known.
    public var modules: [String: JSON]
    /// TLS and TCP edges.
    public var backend: BackendReference?
    /// HTTPS edges.
    public var routes: [RouteConfiguration]
    /// Bound by an agent and stored nowhere: many come and go, so that all of them are counted as one.
    public var isEphemeral = false
    /// Whether it is also served without TLS, rather than sending clients to HTTPS.
    public var servesCleartext = false
    /// Shown instead of the domain's, by an edge that brings its own.
    public var certificate: CertificateID?

    public init(
        id: EdgeID, kind: EdgeKind, hostports: [String], modules: [String: JSON] = [:],
        backend: BackendReference? = nil, routes: [RouteConfiguration] = []
    ) {
        self.id = id
        self.kind = kind
        self.hostports = hostports
        self.modules = modules
        self.backend = backend
        self.routes = routes
    }
}

public struct BackendReference: Sendable, Hashable {
    public var enabled: Bool
    public var id: BackendID

    public init(enabled: Bool = true, id: BackendID) {
        self.enabled = enabled
        self.id = id
    }
}

public struct RouteConfiguration: Sendable, Hashable {
    public enum MatchType: String, Sendable, Codable, CaseIterable {
        case exactPath = "exact_path"
        case pathPrefix = "path_prefix"
    }

    public var id: RouteID
    public var matchType: MatchType
    public var match: String
    public var modules: [String: JSON]
    public var backend: BackendReference?

    public init(
        id: RouteID, matchType: MatchType, match: String, modules: [String: JSON] = [:],
        backend: BackendReference? = nil
    ) {
        self.id = id
        self.matchType = matchType
        self.match = match
        self.modules = modules
        self.backend = backend
    }
}

public struct BackendConfiguration: Sendable, Hashable {
    public var id: BackendID
    /// A name in `Backends.kinds`.
    public var kind: String
    /// What the kind's `normalise` gave.
    public var settings: JSON
    /// Of an ephemeral edge.
    public var isEphemeral: Bool

    public init(id: BackendID, kind: String, settings: JSON, isEphemeral: Bool = false) {
        self.id = id
        self.kind = kind
        self.settings = settings
        self.isEphemeral = isEphemeral
    }
}

public struct DomainConfiguration: Sendable, Hashable {
    public var id: DomainID
    /// Lower case; may begin with `*.`.
    public var name: String
    public var certificate: CertificateID?

    public init(id: DomainID, name: String, certificate: CertificateID?) {
        self.id = id
        self.name = name
        self.certificate = certificate
    }
}

public struct IPPolicyRule: Sendable, Hashable {
    public var network: IPNetwork
    public var allows: Bool

    public init(network: IPNetwork, allows: Bool) {
        self.network = network
        self.allows = allows
    }
}

/// A certificate and its key. The key never shows in a description.
public final class CertificateMaterial: Sendable, CustomStringConvertible, CustomReflectable {
    public let id: CertificateID
    /// Leaf first.
    public let chainPEM: String
    public let keyPEM: String
    /// What the transport makes of it when it is first asked for: it lives as long as the material and is shared by
    /// all names that have it, however often snapshots change.
    public let prepared = AtomicLazyReference<PreparedCertificate>()

    public init(id: CertificateID, chainPEM: String, keyPEM: String) {
        self.id = id
        self.chainPEM = chainPEM
        self.keyPEM = keyPEM
    }

    public var description: String { "CertificateMaterial(\(id))" }
    public var customMirror: Mirror { Mirror(self, children: ["id": id.rawValue]) }
}

/// A certificate in the form that handshakes need. Only the transport knows more of it.
open class PreparedCertificate: @unchecked Sendable {
    public init() {}
}
