public import Shared

/// Everything that a store keeps, as read at the start.
public struct StoredConfiguration: Sendable {
    public var revision: UInt64
    public var marks: [String: Int64]
    public var objects: [ConfigurationObject]

    public init(revision: UInt64 = 0, marks: [String: Int64] = [:], objects: [ConfigurationObject] = []) {
        self.revision = revision
        self.marks = marks
        self.objects = objects
    }
}

/// One atomic write: objects, the audit row that tells of them, and what belongs to it.
public struct StoreTransaction: Sendable {
    /// The revision that the writer decided on; another one in the store refuses the write.
    public var expected: UInt64
    /// The revision after it.
    public var revision: UInt64
    /// Objects before and after. Kept beside the audit row so that the write can be undone.
    public var changes: [ObjectChange]
    public var marks: [String: Int64]
    /// The audit record; its `id` is given by the store.
    public var audit: AuditRecord
    /// A guard that begins with this write.
    public var guardPlan: GuardPlan?
    /// A guard that ends with this write.
    public var endedGuard: String?
    /// An answer to give again to a request with the same identifier, and when it may be forgotten.
    public var answer: StoredAnswer?

    public init(
        expected: UInt64, revision: UInt64, changes: [ObjectChange], marks: [String: Int64], audit: AuditRecord,
        guardPlan: GuardPlan? = nil, endedGuard: String? = nil, answer: StoredAnswer? = nil
    ) {
        self.expected = expected
        self.revision = revision
        self.changes = changes
        self.marks = marks
        self.audit = audit
        self.guardPlan = guardPlan
        self.endedGuard = endedGuard
        self.answer = answer
    }
}

/// An answer kept for a request that may be sent twice.
public struct StoredAnswer: Sendable, Hashable {
    /// Principal and idempotency id.
    public var key: String
    /// What was asked, so that the same id with another question is noticed.
    public var request: String
    public var body: String
    /// Unix seconds.
    public var expires: Int64

    public init(key: String, request: String, body: String, expires: Int64) {
        self.key = key
        self.request = request
        self.body = body
        self.expires = expires
    }
}

/// Keeps the configuration. A call that returned is durable.
public protocol ConfigurationStore: Sendable {
    /// Where it is, for error messages.
    var location: String { get }
    func load() async throws -> StoredConfiguration
    /// Writes all of it or nothing.
    /// - Returns: the audit record's identifier.
    /// - Throws: `StoreConflict` when the store's revision is not the expected one.
    func commit(_ transaction: StoreTransaction) async throws -> UInt64
    /// Audit records, newest first, with an identifier below `before`.
    /// - Parameter refused: only refused writes, or only those carried out; `nil` for both.
    func audit(limit: Int, before: UInt64?, refused: Bool?) async throws -> [AuditRecord]
    /// The objects before and after an audited write; `nil` when they are not kept (any more).
    func changes(ofAudit id: UInt64) async throws -> [ObjectChange]?
    /// Guards that have not ended.
    func guards() async throws -> [GuardPlan]
    /// The objects before and after a guarded write; `nil` when there is no such guard.
    func changes(ofGuard id: String) async throws -> [ObjectChange]?
    func forgetGuard(_ id: String) async throws
    /// The kept answer of a request, unless it has expired.
    func answer(_ key: String, now: WallTime) async throws -> StoredAnswer?
    /// Puts a fuller answer in place of the one that went with its transaction.
    func keep(_ answer: StoredAnswer) async throws
    /// Every revision that is committed from here on.
    func revisions() -> AsyncStream<UInt64>

    /// The oldest revision whose configuration can still be told: every change since is kept.
    func oldestRevision() async throws -> UInt64
    /// Objects as they were at one revision and at a later one, ordered by identifier; an object may be the same in
    /// both. `after` and `limit` select a page.
    func changes(_ range: RevisionRange, after: String?, limit: Int?) async throws -> [ObjectChange]
    /// What writes did to an object, newest first, with a revision below `before`.
    func history(of id: String, limit: Int, before: UInt64?) async throws -> [ObjectRevision]
    /// Writes that changed objects, newest first, with a revision below `before`; also those whose documents are not
    /// kept any more.
    func revisionRecords(limit: Int, before: UInt64?) async throws -> [RevisionRecord]
    /// Writes refusals into the audit trail, new ones and those whose count went up.
    /// - Returns: the records' identifiers, in the same order.
    func keep(_ refusals: [StoredRefusal]) async throws -> [UInt64]
}

/// What changed after one revision, up to and with another.
public struct RevisionRange: Sendable, Hashable {
    public var after: UInt64
    public var through: UInt64
    /// Only this object and its parts.
    public var object: String?

    public init(after: UInt64, through: UInt64, object: String? = nil) {
        self.after = after
        self.through = through
        self.object = object
    }
}

/// One write to one object. Whole documents, secrets included.
public struct ObjectRevision: Sendable, Hashable {
    /// Of the write, without its changes.
    public var record: RevisionRecord
    public var change: ObjectChange

    public init(record: RevisionRecord, change: ObjectChange) {
        self.record = record
        self.change = change
    }
}

/// Who made a revision.
public struct RevisionRecord: Sendable, Hashable {
    public var revision: UInt64
    public var audit: UInt64
    public var at: String
    public var principal: String
    public var origin: String
    public var command: String
    /// How many objects it changed.
    public var objects: Int

    public init(
        revision: UInt64, audit: UInt64, at: String, principal: String, origin: String, command: String, objects: Int
    ) {
        self.revision = revision
        self.audit = audit
        self.at = at
        self.principal = principal
        self.origin = origin
        self.command = command
        self.objects = objects
    }
}

/// A refused write on its way into the audit trail.
public struct StoredRefusal: Sendable, Hashable {
    /// The record's identifier when it is there already, else 0.
    public var record: AuditRecord

    public init(record: AuditRecord) { self.record = record }
}

/// How much of the past a store keeps. What is older goes first, except what a running guard may put back; the newest
/// write is kept however large it is.
public struct HistoryLimits: Sendable, Hashable {
    /// Writes whose documents are kept, for undo, history, comparing and going back.
    public var writes = 10_000
    /// Bytes of those documents.
    public var bytes = 256 << 20
    /// Audit records of writes that were carried out.
    public var audit = 100_000
    /// Bytes of their documents.
    public var auditBytes = 128 << 20
    /// Audit records of refused writes, which have a bound of their own so that they push out nothing else.
    public var refusals = 5_000

    public init() {}
}

/// Somebody else has written since.
public struct StoreConflict: Error, Hashable, Sendable {
    public let current: UInt64

    public init(current: UInt64) { self.current = current }
}

/// The store cannot be used: says which file, and why.
public struct StoreFailure: Error, Sendable, CustomStringConvertible {
    public let path: String
    public let reason: String

    public init(path: String, reason: String) {
        self.path = path
        self.reason = reason
    }

    public var description: String { "The configuration database \(path) cannot be used: \(reason)" }
}
