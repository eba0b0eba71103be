public import Shared

/// What an object of the configuration is. The raw value is `StoredObject.kind`.
///
/// An open set: each resource names its own kind in its own file.
public struct ObjectKind: RawRepresentable, Hashable, Codable, Sendable {
    public let rawValue: String

    public init(rawValue: String) { self.rawValue = rawValue }

    public static let httpsEdge = ObjectKind(rawValue: "https_edge")
    public static let tlsEdge = ObjectKind(rawValue: "tls_edge")
    public static let tcpEdge = ObjectKind(rawValue: "tcp_edge")

    public var edgeKind: EdgeKind? {
        switch self {
        case .httpsEdge: .https
        case .tlsEdge: .tls
        case .tcpEdge: .tcp
        default: nil
        }
    }

    public init(_ kind: EdgeKind) {
        self =
            switch kind {
            case .https: .httpsEdge
            case .tls: .tlsEdge
            case .tcp: .tcpEdge
            }
    }
}

/// One object as the store keeps it.
public struct ConfigurationObject: Sendable, Hashable {
    public let kind: ObjectKind
    public let id: String
    /// The edge of a route, the policy of a rule: gone with it.
    public let parent: String?
    /// Counts up with each object made; lists go by it.
    public let position: Int64
    public let createdAt: String
    /// The configuration's revision at the latest write to this object.
    public internal(set) var revision: UInt64
    public internal(set) var changedAt: String
    public internal(set) var changedBy: String
    /// The settings in the form that the object's kind keeps: every field present, references as identifiers.
    public internal(set) var document: JSON
    /// What no answer, record or log may ever show: private keys.
    public internal(set) var secret: JSON?

    public init(
        kind: ObjectKind, id: String, parent: String? = nil, position: Int64, createdAt: String, revision: UInt64,
        changedAt: String, changedBy: String, document: JSON, secret: JSON? = nil
    ) {
        self.kind = kind
        self.id = id
        self.parent = parent
        self.position = position
        self.createdAt = createdAt
        self.revision = revision
        self.changedAt = changedAt
        self.changedBy = changedBy
        self.document = document
        self.secret = secret
    }

    /// Whether both say the same, whoever wrote it and when.
    func hasSameContent(as other: ConfigurationObject) -> Bool {
        document == other.document && secret == other.secret && parent == other.parent
    }
}

/// What one transaction did to one object. Whole documents, secrets included: never shown, only kept and put back.
public struct ObjectChange: Sendable, Hashable {
    /// `nil` when the object was made, or removed.
    public let before: ConfigurationObject?
    public let after: ConfigurationObject?

    public init(before: ConfigurationObject?, after: ConfigurationObject?) {
        self.before = before
        self.after = after
    }

    public var id: String { before?.id ?? after?.id ?? "" }
    var kind: ObjectKind? { before?.kind ?? after?.kind }

    /// Whether more than the revision is different.
    var isSubstantial: Bool {
        guard let before, let after else { return true }
        return !before.hasSameContent(as: after)
    }
}
