/// Answers about earlier revisions of the configuration, below `/selvage/`.

/// One revision of the configuration. Part of `GET /selvage/revisions`.
public struct RevisionListing: Codable, Sendable, Hashable {
    public var revision: UInt64
    /// RFC 3339, UTC.
    public var at: String
    public var principal: String
    public var origin: String
    public var command: String
    /// The record of the audit trail.
    public var auditID: UInt64
    /// How many objects it changed.
    public var objects: Int
    /// Whether the configuration as it was then can still be compared with, and gone back to.
    public var isKept: Bool

    public init(
        revision: UInt64, at: String, principal: String, origin: String, command: String, auditID: UInt64,
        objects: Int, isKept: Bool
    ) {
        self.revision = revision
        self.at = at
        self.principal = principal
        self.origin = origin
        self.command = command
        self.auditID = auditID
        self.objects = objects
        self.isKept = isKept
    }

    enum CodingKeys: String, CodingKey {
        case revision, at, principal, origin, command, objects
        case auditID = "audit_id"
        case isKept = "kept"
    }
}

/// Answer of `GET /selvage/revisions`, newest first.
public struct RevisionPage: Codable, Sendable {
    /// The revision in force.
    public var current: UInt64
    /// The oldest revision that can be compared with, and gone back to.
    public var oldest: UInt64
    public var revisions: [RevisionListing]
    /// `before` of the next page; `nil` after the last.
    public var nextBefore: UInt64?

    public init(current: UInt64, oldest: UInt64, revisions: [RevisionListing], nextBefore: UInt64?) {
        self.current = current
        self.oldest = oldest
        self.revisions = revisions
        self.nextBefore = nextBefore
    }

    enum CodingKeys: String, CodingKey {
        case current, oldest, revisions
        case nextBefore = "next_before"
    }
}

/// How an object came to be different.
public enum ObjectChangeKind: String, Codable, Sendable, CaseIterable {
    case added, changed, removed
}

/// One revision of one object. Part of `ObjectHistory`.
public struct ObjectRevisionListing: Codable, Sendable, Hashable {
    public var revision: UInt64
    public var at: String
    public var principal: String
    public var origin: String
    public var command: String
    public var auditID: UInt64
    public var change: ObjectChangeKind
    /// The object as the API answers it; `nil` when this revision removed it.
    public var document: JSON?

    public init(
        revision: UInt64, at: String, principal: String, origin: String, command: String, auditID: UInt64,
        change: ObjectChangeKind, document: JSON?
    ) {
        self.revision = revision
        self.at = at
        self.principal = principal
        self.origin = origin
        self.command = command
        self.auditID = auditID
        self.change = change
        self.document = document
    }

    enum CodingKeys: String, CodingKey {
        case revision, at, principal, origin, command, change, document
        case auditID = "audit_id"
    }
}

/// Answer of `GET /selvage/objects/{id}/history`, newest first.
public struct ObjectHistory: Codable, Sendable {
    public var kind: String
    public var id: String
    /// Whether the object exists now.
    public var exists: Bool
    public var history: [ObjectRevisionListing]
    /// `before` of the next page; `nil` after the last.
    public var nextBefore: UInt64?

    public init(kind: String, id: String, exists: Bool, history: [ObjectRevisionListing], nextBefore: UInt64?) {
        self.kind = kind
        self.id = id
        self.exists = exists
        self.history = history
        self.nextBefore = nextBefore
    }

    enum CodingKeys: String, CodingKey {
        case kind, id, exists, history
        case nextBefore = "next_before"
    }
}

/// One object of a `ConfigurationDiff`.
public struct ObjectDifference: Codable, Sendable, Hashable {
    /// One place of a document that is different.
    public struct Field: Codable, Sendable, Hashable {
        /// A JSON pointer (RFC 6901).
        public var path: String
        /// `nil` when it was not there; lists are compared whole.
        public var before: JSON?
        public var after: JSON?

        public init(path: String, before: JSON?, after: JSON?) {
            self.path = path
            self.before = before
            self.after = after
        }
    }

    public var kind: String
    public var id: String
    public var change: ObjectChangeKind
    /// As the API answers the object.
    public var before: JSON?
    public var after: JSON?
    /// What is different; empty for what was added or removed.
    public var fields: [Field]
    /// Whether something that is never shown is different, e.g. a private key.
    public var isSecretChanged: Bool

    public init(
        kind: String, id: String, change: ObjectChangeKind, before: JSON?, after: JSON?, fields: [Field],
        isSecretChanged: Bool
    ) {
        self.kind = kind
        self.id = id
        self.change = change
        self.before = before
        self.after = after
        self.fields = fields
        self.isSecretChanged = isSecretChanged
    }

    enum CodingKeys: String, CodingKey {
        case kind, id, change, before, after, fields
        case isSecretChanged = "secret_changed"
    }
}

/// Answer of `GET /selvage/revisions/{from}/diff/{to}`, ordered by identifier.
public struct ConfigurationDiff: Codable, Sendable {
    public var from: UInt64
    public var to: UInt64
    public var objects: [ObjectDifference]
    /// `after` of the next page; `nil` after the last.
    public var nextAfter: String?

    public init(from: UInt64, to: UInt64, objects: [ObjectDifference], nextAfter: String?) {
        self.from = from
        self.to = to
        self.objects = objects
        self.nextAfter = nextAfter
    }

    enum CodingKeys: String, CodingKey {
        case from, to, objects
        case nextAfter = "next_after"
    }
}

/// Answer of `POST /selvage/revert`, 200.
public struct RevertAnswer: Codable, Sendable {
    /// The revision after it; with `dry_run` the one in force, and unchanged when nothing was different.
    public var revision: UInt64
    public var dryRun: Bool
    /// What it changed, or would change.
    public var changes: [AuditRecord.Change]
    /// How many more changes there are than `changes` has.
    public var omitted: Int
    /// What speaks against it; only with `dry_run`, otherwise the first one is the error.
    public var faults: [ApplyAnswer.Fault]
    public var `guard`: GuardStatus?

    public init(
        revision: UInt64, dryRun: Bool, changes: [AuditRecord.Change], omitted: Int, faults: [ApplyAnswer.Fault],
        guard: GuardStatus?
    ) {
        self.revision = revision
        self.dryRun = dryRun
        self.changes = changes
        self.omitted = omitted
        self.faults = faults
        self.guard = `guard`
    }

    enum CodingKeys: String, CodingKey {
        case revision, changes, omitted, faults
        case dryRun = "dry_run"
        case `guard`
    }
}
