import EdgeCore
import GRDB
import Shared

/// The tables of `SQLiteStore`, and rows as values.
///
///     meta(revision)          one row
///     mark                    numbers that never go down
///     object                  the configuration; `secret` is never answered
///     audit                   who did what and when; secrets left out; refused writes have a `status`
///     change                  objects before and after an audited write, whole, for undo, guards and history
///     history                 one row: what `change` and `audit` hold, and the oldest revision that can be told
///     guard                   guards that have not ended
///     answer                  answers to requests that may be sent twice
enum StoreSchema {
    static var migrator: DatabaseMigrator {
        var migrator = DatabaseMigrator()
        migrator.registerMigration("1") { database in
            try database.execute(
                sql: """
                    CREATE TABLE meta (one INTEGER PRIMARY KEY CHECK (one = 1), revision INTEGER NOT NULL);
                    INSERT INTO meta VALUES (1, 0);
                    CREATE TABLE mark (name TEXT PRIMARY KEY, value INTEGER NOT NULL);
                    CREATE TABLE object (
                        id TEXT PRIMARY KEY, kind TEXT NOT NULL, parent TEXT, position INTEGER NOT NULL,
                        created_at TEXT NOT NULL, revision INTEGER NOT NULL, changed_at TEXT NOT NULL,
                        changed_by TEXT NOT NULL, document TEXT NOT NULL, secret TEXT);
                    CREATE TABLE audit (
                        id INTEGER PRIMARY KEY AUTOINCREMENT, at TEXT NOT NULL, principal TEXT NOT NULL,
                        origin TEXT NOT NULL, command TEXT NOT NULL, revision INTEGER NOT NULL, changes TEXT NOT NULL);
                    CREATE TABLE change (
                        audit INTEGER NOT NULL, number INTEGER NOT NULL, before TEXT, after TEXT,
                        PRIMARY KEY (audit, number)) WITHOUT ROWID;
                    CREATE TABLE guard (id TEXT PRIMARY KEY, audit INTEGER NOT NULL, plan TEXT NOT NULL);
                    CREATE TABLE answer (
                        key TEXT PRIMARY KEY, request TEXT NOT NULL, body TEXT NOT NULL, expires INTEGER NOT NULL);
                    """)
        }
        migrator.registerMigration("2", migrate: addHistory)
        return migrator
    }

    static func revision(_ database: Database) throws -> UInt64 {
        UInt64(clamping: try Int64.fetchOne(database, sql: "SELECT revision FROM meta") ?? 0)
    }

    // MARK: Writing

    static func write(
        _ transaction: StoreTransaction, _ database: Database, keeping limits: HistoryLimits
    ) throws -> UInt64 {
        let current = try revision(database)
        guard current == transaction.expected else { throw StoreConflict(current: current) }
        try database.execute(
            sql: "UPDATE meta SET revision = ?", arguments: [Int64(clamping: transaction.revision)])
        for (name, value) in transaction.marks {
            try database.execute(sql: "INSERT OR REPLACE INTO mark VALUES (?, ?)", arguments: [name, value])
        }
        for change in transaction.changes {
            if let after = change.after {
                try put(after, database)
            } else {
                try run(database, "DELETE FROM object WHERE id = ?", [change.id])
            }
        }
        let changes = transaction.changes.filter(\.isSubstantial)
        let id = try writeAudit(transaction.audit, objects: changes.count, database)
        try writeChanges(changes, audit: id, revision: transaction.revision, database)
        if let plan = transaction.guardPlan {
            try database.execute(
                sql: "INSERT INTO guard VALUES (?, ?, ?)", arguments: [plan.id, id, try text(plan)])
        }
        if let ended = transaction.endedGuard {
            try database.execute(sql: "DELETE FROM guard WHERE id = ?", arguments: [ended])
        }
        if let answer = transaction.answer { try write(answer, database) }
        try prune(id, database, limits)
        return UInt64(clamping: id)
    }

    static func write(_ answer: StoredAnswer, _ database: Database) throws {
        try database.execute(
            sql: "INSERT OR REPLACE INTO answer VALUES (?, ?, ?, ?)",
            arguments: [answer.key, answer.request, answer.body, answer.expires])
        // An hour past their time is long enough even for a clock that was set back.
        try database.execute(sql: "DELETE FROM answer WHERE expires < ?", arguments: [answer.expires - 3600])
    }

    private static func put(_ object: ConfigurationObject, _ database: Database) throws {
        try run(
            database, "INSERT OR REPLACE INTO object VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            [
                object.id, object.kind.rawValue, object.parent, object.position, object.createdAt,
                Int64(clamping: object.revision), object.changedAt, object.changedBy, object.document.text,
                object.secret?.text,
            ])
    }

    /// Compiled once per connection: a request may have thousands of operations.
    static func run(_ database: Database, _ sql: String, _ arguments: StatementArguments) throws {
        try database.cachedStatement(sql: sql).execute(arguments: arguments)
    }

    // MARK: Reading

    static func object(_ row: Row, path: String) throws -> ConfigurationObject {
        let id: String = row["id"]
        let document: String = row["document"]
        let secret: String? = row["secret"]
        guard let kind = Resources.kind(of: id), kind.rawValue == row["kind"] as String?,
            let json = try? JSONReader.readKept(document),
            let hidden = secret.map({ try? JSONReader.readKept($0) }) ?? .some(.null)
        else { throw StoreFailure(path: path, reason: "the object \(id.prefix(64)) in it is damaged") }
        let revision: Int64 = row["revision"]
        // A bare `nil` would be read as JSON's null here, and an object without secret would seem to have one.
        let kept = hidden.isNull ? Optional<JSON>.none : hidden
        return ConfigurationObject(
            kind: kind, id: id, parent: row["parent"], position: row["position"], createdAt: row["created_at"],
            revision: UInt64(clamping: revision), changedAt: row["changed_at"], changedBy: row["changed_by"],
            document: json, secret: kept)
    }

    static func audit(_ row: Row, path: String) throws -> AuditRecord {
        let id: Int64 = row["id"]
        let revision: Int64 = row["revision"]
        let changes: String = row["changes"]
        let omitted: Int = row["omitted"]
        guard let decoded = try? auditChanges(changes) else {
            throw StoreFailure(path: path, reason: "the audit record \(id) in it is damaged")
        }
        return AuditRecord(
            id: UInt64(clamping: id), at: row["at"], principal: row["principal"], origin: row["origin"],
            command: row["command"], revision: UInt64(clamping: revision), changes: decoded,
            omitted: omitted > 0 ? omitted : nil, status: row["status"], errorCode: row["error_code"],
            count: row["count"], lastAt: row["last_at"])
    }

    static func changes(_ database: Database, of audit: Int64, path: String) throws -> [ObjectChange]? {
        let rows = try Row.fetchAll(
            database, sql: "SELECT before, after FROM change WHERE audit = ? ORDER BY number", arguments: [audit])
        guard !rows.isEmpty else { return nil }
        return try rows.map { try change($0, path: path) }
    }

    static func text(_ value: some Encodable) throws -> String {
        String(decoding: try WireJSON.encode(value), as: UTF8.self)
    }
}
