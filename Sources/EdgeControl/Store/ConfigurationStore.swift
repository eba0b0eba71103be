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
    func audit(limit: Int, before: UInt64?) async throws -> [AuditRecord]
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
