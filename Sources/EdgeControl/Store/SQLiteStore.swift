import Dispatch
import Foundation
import GRDB
import Glibc
public import Shared
import Synchronization

/// The configuration in one SQLite file: WAL mode, `synchronous=FULL`, so that a committed write survives `kill -9` and
/// power loss. The file is readable by the server's user alone, as it holds private keys.
///
/// Blocking calls run on a queue of their own, and a commit once begun ends, even when the client has gone away.
public final class SQLiteStore: ConfigurationStore {
    public let path: String
    public var location: String { path }
    private let database: DatabaseQueue
    private let queue = DispatchQueue(label: "selvage.store")
    private let watchers = Mutex<[UUID: AsyncStream<UInt64>.Continuation]>([:])

    private let limits: HistoryLimits

    /// Opens the file, or makes it.
    /// - Throws: `StoreFailure`, which names the path.
    public init(path: String, keeping limits: HistoryLimits = HistoryLimits()) throws {
        self.path = path
        self.limits = limits
        do {
            try SQLiteStore.claim(path)
            var configuration = GRDB.Configuration()
            configuration.label = "selvage"
            configuration.busyMode = .timeout(5)
            configuration.prepareDatabase { database in
                try database.execute(sql: "PRAGMA journal_mode = WAL")
                try database.execute(sql: "PRAGMA synchronous = FULL")
                try database.execute(sql: "PRAGMA foreign_keys = ON")
            }
            database = try DatabaseQueue(path: path, configuration: configuration)
            try database.read { database in
                let findings = try String.fetchAll(database, sql: "PRAGMA quick_check(1)")
                guard findings == ["ok"] else {
                    throw StoreFailure(path: path, reason: findings.first ?? "it is damaged")
                }
            }
            try StoreSchema.migrator.migrate(database)
        } catch let failure as StoreFailure {
            throw failure
        } catch {
            throw StoreFailure(path: path, reason: SQLiteStore.reason(error))
        }
    }

    /// Makes the file with its mode before SQLite does, which would make it readable to more.
    private static func claim(_ path: String) throws(StoreFailure) {
        let descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard descriptor >= 0 else { throw StoreFailure(path: path, reason: String(cString: strerror(errno))) }
        defer { close(descriptor) }
        guard fchmod(descriptor, 0o600) == 0 else {
            throw StoreFailure(
                path: path, reason: "its mode cannot be set to 0600: \(String(cString: strerror(errno)))")
        }
    }

    /// Says what is wrong without the statement, which could hold a secret.
    private static func reason(_ error: any Error) -> String {
        guard let error = error as? DatabaseError else { return String(describing: type(of: error)) }
        return error.message ?? "SQLite error \(error.resultCode.rawValue)"
    }

    private func run<Result: Sendable>(_ work: @escaping @Sendable () throws -> Result) async throws -> Result {
        try await withCheckedThrowingContinuation { continuation in
            queue.async { [path] in
                do {
                    continuation.resume(returning: try work())
                } catch let error as DatabaseError {
                    let failure = StoreFailure(path: path, reason: SQLiteStore.reason(error))
                    continuation.resume(throwing: failure)
                } catch {
                    continuation.resume(throwing: error)
                }
            }
        }
    }

    // MARK: Reading

    public func load() async throws -> StoredConfiguration {
        try await run { [database, path] in
            try database.read { database in
                var stored = StoredConfiguration(revision: try StoreSchema.revision(database))
                for row in try Row.fetchAll(database, sql: "SELECT name, value FROM mark") {
                    stored.marks[row["name"]] = row["value"]
                }
                let rows = try Row.fetchCursor(database, sql: "SELECT * FROM object ORDER BY position, id")
                while let row = try rows.next() { stored.objects.append(try StoreSchema.object(row, path: path)) }
                return stored
            }
        }
    }

    public func audit(limit: Int, before: UInt64?, refused: Bool?) async throws -> [AuditRecord] {
        let which = refused.map { $0 ? "AND status IS NOT NULL" : "AND status IS NULL" } ?? ""
        return try await run { [database, path] in
            try database.read { database in
                let rows = try Row.fetchAll(
                    database, sql: "SELECT * FROM audit WHERE id < ? \(which) ORDER BY id DESC LIMIT ?",
                    arguments: [before.map { Int64(clamping: $0) } ?? Int64.max, limit])
                return try rows.map { try StoreSchema.audit($0, path: path) }
            }
        }
    }

    public func changes(ofAudit id: UInt64) async throws -> [ObjectChange]? {
        try await run { [database, path] in
            try database.read { try StoreSchema.changes($0, of: Int64(clamping: id), path: path) }
        }
    }

    public func guards() async throws -> [GuardPlan] {
        try await run { [database] in
            try database.read { database in
                try String.fetchAll(database, sql: "SELECT plan FROM guard ORDER BY audit").map { text in
                    try JSONDecoder().decode(GuardPlan.self, from: Data(text.utf8))
                }
            }
        }
    }

    public func changes(ofGuard id: String) async throws -> [ObjectChange]? {
        try await run { [database, path] in
            try database.read { database in
                let audit = try Int64.fetchOne(database, sql: "SELECT audit FROM guard WHERE id = ?", arguments: [id])
                return try audit.flatMap { try StoreSchema.changes(database, of: $0, path: path) }
            }
        }
    }

    public func answer(_ key: String, now: WallTime) async throws -> StoredAnswer? {
        try await run { [database] in
            try database.read { database in
                try Row.fetchOne(
                    database, sql: "SELECT * FROM answer WHERE key = ? AND expires > ?", arguments: [key, now.seconds]
                ).map { StoredAnswer(key: $0["key"], request: $0["request"], body: $0["body"], expires: $0["expires"]) }
            }
        }
    }

    // MARK: History

    public func oldestRevision() async throws -> UInt64 {
        try await run { [database] in try database.read { try StoreSchema.oldestRevision($0) } }
    }

    public func changes(_ range: RevisionRange, after: String?, limit: Int?) async throws -> [ObjectChange] {
        try await run { [database, path] in
            try database.read { try StoreSchema.changes($0, range, after: after, limit: limit, path: path) }
        }
    }

    public func history(of id: String, limit: Int, before: UInt64?) async throws -> [ObjectRevision] {
        try await run { [database, path] in
            try database.read { try StoreSchema.history($0, of: id, limit: limit, before: before, path: path) }
        }
    }

    public func revisionRecords(limit: Int, before: UInt64?) async throws -> [RevisionRecord] {
        try await run { [database] in
            try database.read { database in
                try Row.fetchAll(
                    database,
                    sql: """
                        SELECT id, at, principal, origin, command, revision, objects FROM audit
                        WHERE objects > 0 AND revision < ? ORDER BY revision DESC LIMIT ?
                        """, arguments: [before.map { Int64(clamping: $0) } ?? Int64.max, limit]
                ).map(StoreSchema.revisionRecord)
            }
        }
    }

    // MARK: Writing

    public func commit(_ transaction: StoreTransaction) async throws -> UInt64 {
        let id = try await run { [database, limits] in
            try database.write { try StoreSchema.write(transaction, $0, keeping: limits) }
        }
        for continuation in watchers.withLock({ Array($0.values) }) { continuation.yield(transaction.revision) }
        return id
    }

    public func keep(_ answer: StoredAnswer) async throws {
        try await run { [database] in
            try database.write { try StoreSchema.write(answer, $0) }
        }
    }

    public func forgetGuard(_ id: String) async throws {
        try await run { [database] in
            try database.write { try $0.execute(sql: "DELETE FROM guard WHERE id = ?", arguments: [id]) }
        }
    }

    public func keep(_ refusals: [StoredRefusal]) async throws -> [UInt64] {
        try await run { [database, limits] in
            try database.write { database in
                let ids = try refusals.map { try StoreSchema.keep($0.record, database) }
                try StoreSchema.pruneRefusals(database, limits)
                return ids
            }
        }
    }

    public func revisions() -> AsyncStream<UInt64> {
        let (stream, continuation) = AsyncStream.makeStream(of: UInt64.self, bufferingPolicy: .bufferingNewest(1))
        let id = UUID()
        watchers.withLock { $0[id] = continuation }
        continuation.onTermination = { [weak self] _ in self?.watchers.withLock { $0[id] = nil } }
        return stream
    }
}
