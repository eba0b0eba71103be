/// One write: who, when, what, before and after. Secrets are left out of both documents.
///
/// A write that was refused has a `status`: it has changed nothing, and its record says no more than who, when, what
/// and why, because its body is a stranger's.
public struct AuditRecord: Codable, Sendable, Hashable {
    public struct Change: Codable, Sendable, Hashable {
        /// The object's kind, e.g. `https_edge`, `route`, `backend`, `reserved_domain`.
        public var kind: String
        public var id: String
        /// `nil` when the object was created, or deleted.
        public var before: JSON?
        public var after: JSON?

        public init(kind: String, id: String, before: JSON?, after: JSON?) {
            self.kind = kind
            self.id = id
            self.before = before
            self.after = after
        }
    }

    public var id: UInt64
    public var at: String
    public var principal: String
    /// Where the write came from: `socket`, `guard`, `undo`, `revert`.
    public var origin: String
    /// The command in the console's grammar when the writer named it, else method and path.
    public var command: String
    /// The configuration's revision after the write.
    public var revision: UInt64
    /// At most as many as fit in a bounded record; the history of revisions has all.
    public var changes: [Change]
    /// How many more changes there were; `nil` for none.
    public var omitted: Int?
    /// The HTTP status of a refused write.
    public var status: Int?
    /// `ERR_NGROK_n` of a refused write, where it has one.
    public var errorCode: String?
    /// How many times the same was refused since `at`.
    public var count: Int?
    /// When it was refused last.
    public var lastAt: String?

    public init(
        id: UInt64, at: String, principal: String, origin: String, command: String, revision: UInt64,
        changes: [Change], omitted: Int? = nil, status: Int? = nil, errorCode: String? = nil, count: Int? = nil,
        lastAt: String? = nil
    ) {
        self.id = id
        self.at = at
        self.principal = principal
        self.origin = origin
        self.command = command
        self.revision = revision
        self.changes = changes
        self.omitted = omitted
        self.status = status
        self.errorCode = errorCode
        self.count = count
        self.lastAt = lastAt
    }

    public var isRefused: Bool { status != nil }

    enum CodingKeys: String, CodingKey {
        case id, at, principal, origin, command, revision, changes, omitted, status, count
        case errorCode = "error_code"
        case lastAt = "last_at"
    }
}
