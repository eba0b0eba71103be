import Shared
import Synchronization

@testable import EdgeControl

/// A store whose disk is full when it is told so.
final class FailingStore: ConfigurationStore {
    let isFull = Mutex(false)
    private let store: SQLiteStore

    init(_ store: SQLiteStore) { self.store = store }

    var location: String { store.location }
    func load() async throws -> StoredConfiguration { try await store.load() }
    func commit(_ transaction: StoreTransaction) async throws -> UInt64 {
        if isFull.withLock({ $0 }) { throw StoreFailure(path: location, reason: "database or disk is full") }
        return try await store.commit(transaction)
    }
    func audit(limit: Int, before: UInt64?, refused: Bool?) async throws -> [AuditRecord] {
        try await store.audit(limit: limit, before: before, refused: refused)
    }
    func changes(ofAudit id: UInt64) async throws -> [ObjectChange]? { try await store.changes(ofAudit: id) }
    func guards() async throws -> [GuardPlan] { try await store.guards() }
    func changes(ofGuard id: String) async throws -> [ObjectChange]? { try await store.changes(ofGuard: id) }
    func forgetGuard(_ id: String) async throws { try await store.forgetGuard(id) }
    func answer(_ key: String, now: WallTime) async throws -> StoredAnswer? {
        try await store.answer(key, now: now)
    }
    func keep(_ answer: StoredAnswer) async throws { try await store.keep(answer) }
    func revisions() -> AsyncStream<UInt64> { store.revisions() }
    func oldestRevision() async throws -> UInt64 { try await store.oldestRevision() }
    func changes(_ range: RevisionRange, after: String?, limit: Int?) async throws -> [ObjectChange] {
        try await store.changes(range, after: after, limit: limit)
    }
    func history(of id: String, limit: Int, before: UInt64?) async throws -> [ObjectRevision] {
        try await store.history(of: id, limit: limit, before: before)
    }
    func revisionRecords(limit: Int, before: UInt64?) async throws -> [RevisionRecord] {
        try await store.revisionRecords(limit: limit, before: before)
    }
    func keep(_ refusals: [StoredRefusal]) async throws -> [UInt64] { try await store.keep(refusals) }
}
