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
    func audit(limit: Int, before: UInt64?) async throws -> [AuditRecord] {
        try await store.audit(limit: limit, before: before)
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
}
