import EdgeCore
import GRDB
import Shared

// The past: what writes did to objects, who made them, and how much of it is kept.
extension StoreSchema {
    static func addHistory(_ database: Database) throws {
        try database.execute(
            sql: """
                ALTER TABLE change ADD COLUMN object TEXT NOT NULL DEFAULT '';
                ALTER TABLE change ADD COLUMN parent TEXT;
                ALTER TABLE change ADD COLUMN revision INTEGER NOT NULL DEFAULT 0;
                ALTER TABLE change ADD COLUMN size INTEGER NOT NULL DEFAULT 0;
                UPDATE change SET
                    object = coalesce(json_extract(before, '$.id'), json_extract(after, '$.id')),
                    parent = coalesce(json_extract(before, '$.parent'), json_extract(after, '$.parent')),
                    revision = coalesce((SELECT revision FROM audit WHERE audit.id = change.audit), 0),
                    size = coalesce(length(before), 0) + coalesce(length(after), 0);
                CREATE INDEX change_object ON change (object, revision);
                CREATE INDEX change_parent ON change (parent, revision) WHERE parent IS NOT NULL;
                CREATE INDEX change_revision ON change (revision);
                ALTER TABLE audit ADD COLUMN objects INTEGER NOT NULL DEFAULT 0;
                ALTER TABLE audit ADD COLUMN omitted INTEGER NOT NULL DEFAULT 0;
                ALTER TABLE audit ADD COLUMN status INTEGER;
                ALTER TABLE audit ADD COLUMN error_code TEXT;
                ALTER TABLE audit ADD COLUMN count INTEGER;
                ALTER TABLE audit ADD COLUMN last_at TEXT;
                UPDATE audit SET objects = (SELECT count(*) FROM json_each(changes)
                    WHERE json_extract(json_each.value, '$.kind') != 'circuit_breaker');
                CREATE INDEX audit_done ON audit (id) WHERE status IS NULL;
                CREATE INDEX audit_refused ON audit (id) WHERE status IS NOT NULL;
                CREATE INDEX audit_revision ON audit (revision) WHERE objects > 0;
                CREATE TABLE history (
                    one INTEGER PRIMARY KEY CHECK (one = 1), oldest INTEGER NOT NULL, writes INTEGER NOT NULL,
                    bytes INTEGER NOT NULL, records INTEGER NOT NULL, record_bytes INTEGER NOT NULL);
                INSERT INTO history SELECT 1,
                    (SELECT coalesce(max(revision), 0) FROM audit WHERE id <= (SELECT max(id) FROM audit) - 1000),
                    (SELECT count(DISTINCT audit) FROM change), (SELECT coalesce(sum(size), 0) FROM change),
                    (SELECT count(*) FROM audit), (SELECT coalesce(sum(length(changes)), 0) FROM audit);
                """)
    }

    // MARK: Writing

    static func writeAudit(_ record: AuditRecord, objects: Int, _ database: Database) throws -> Int64 {
        let changes = String(decoding: document(of: record.changes).bytes, as: UTF8.self)
        try run(
            database,
            """
            INSERT INTO audit (at, principal, origin, command, revision, changes, objects, omitted)
            VALUES (?, ?, ?, ?, ?, ?, ?, ?)
            """,
            [
                record.at, record.principal, record.origin, record.command, Int64(clamping: record.revision),
                changes, objects, record.omitted ?? 0,
            ])
        let id = database.lastInsertedRowID
        try run(
            database, "UPDATE history SET records = records + 1, record_bytes = record_bytes + ?", [changes.utf8.count])
        return id
    }

    static func writeChanges(
        _ changes: [ObjectChange], audit: Int64, revision: UInt64, _ database: Database
    ) throws {
        guard !changes.isEmpty else { return }
        var total = 0
        for (number, change) in changes.enumerated() {
            let before = change.before.map { row($0).text }
            let after = change.after.map { row($0).text }
            let size = (before?.utf8.count ?? 0) + (after?.utf8.count ?? 0)
            total += size
            try run(
                database,
                """
                INSERT INTO change (audit, number, before, after, object, parent, revision, size)
                VALUES (?, ?, ?, ?, ?, ?, ?, ?)
                """,
                [
                    audit, number, before, after, change.id, change.before?.parent ?? change.after?.parent,
                    Int64(clamping: revision), size,
                ])
        }
        try run(database, "UPDATE history SET writes = writes + 1, bytes = bytes + ?", [total])
    }

    /// Takes up a refused write, or raises the count of one that is there.
    static func keep(_ record: AuditRecord, _ database: Database) throws -> UInt64 {
        if record.id > 0 {
            try run(
                database, "UPDATE audit SET count = ?, last_at = ? WHERE id = ?",
                [record.count, record.lastAt, Int64(clamping: record.id)])
            return record.id
        }
        try run(
            database,
            """
            INSERT INTO audit (at, principal, origin, command, revision, changes, status, error_code, count, last_at)
            VALUES (?, ?, ?, ?, ?, '[]', ?, ?, ?, ?)
            """,
            [
                record.at, record.principal, record.origin, record.command, Int64(clamping: record.revision),
                record.status, record.errorCode, record.count, record.lastAt,
            ])
        return UInt64(clamping: database.lastInsertedRowID)
    }

    // MARK: Bounds

    static func pruneRefusals(_ database: Database, _ limits: HistoryLimits) throws {
        try run(
            database,
            """
            DELETE FROM audit WHERE status IS NOT NULL AND id <= (
                SELECT id FROM audit WHERE status IS NOT NULL ORDER BY id DESC LIMIT 1 OFFSET ?)
            """, [limits.refusals])
    }

    /// Old documents go, but never those that a running guard may put back, nor those of the newest write.
    static func prune(_ newest: Int64, _ database: Database, _ limits: HistoryLimits) throws {
        guard let row = try Row.fetchOne(database, sql: "SELECT * FROM history") else { return }
        var writes: Int = row["writes"]
        var bytes: Int = row["bytes"]
        var oldest: Int64 = row["oldest"]
        while writes > limits.writes || bytes > limits.bytes {
            let sql = """
                SELECT audit, max(revision) AS revision, sum(size) AS size FROM change
                WHERE audit < ? AND audit NOT IN (SELECT audit FROM guard) GROUP BY audit ORDER BY audit LIMIT 1
                """
            let statement = try database.cachedStatement(sql: sql)
            guard let last = try Row.fetchOne(statement, arguments: [newest]) else { break }
            let audit: Int64 = last["audit"]
            let size: Int = last["size"]
            try run(database, "DELETE FROM change WHERE audit = ?", [audit])
            writes -= 1
            bytes -= size
            oldest = max(oldest, last["revision"])
        }
        var records: Int = row["records"]
        var recordBytes: Int = row["record_bytes"]
        while records > limits.audit || recordBytes > limits.auditBytes {
            let statement = try database.cachedStatement(
                sql: """
                    SELECT id, length(CAST(changes AS BLOB)) AS size FROM audit
                    WHERE status IS NULL AND id < ? ORDER BY id LIMIT 1
                    """)
            guard let last = try Row.fetchOne(statement, arguments: [newest]) else { break }
            let id: Int64 = last["id"]
            let size: Int = last["size"]
            try run(database, "DELETE FROM audit WHERE id = ?", [id])
            records -= 1
            recordBytes -= size
        }
        try run(
            database, "UPDATE history SET writes = ?, bytes = ?, oldest = ?, records = ?, record_bytes = ?",
            [writes, bytes, oldest, records, recordBytes])
    }

    // MARK: Reading

    static func oldestRevision(_ database: Database) throws -> UInt64 {
        UInt64(clamping: try Int64.fetchOne(database, sql: "SELECT oldest FROM history") ?? 0)
    }

    static func changes(
        _ database: Database, _ range: RevisionRange, after: String?, limit: Int?, path: String
    ) throws -> [ObjectChange] {
        // Of each object the form before its first change in the range, and the form after its last.
        let rows = try Row.fetchCursor(
            database,
            sql: """
                SELECT one.before AS before, two.after AS after FROM (
                    SELECT object, min(revision) AS low, max(revision) AS high FROM change
                    WHERE revision > ?1 AND revision <= ?2 AND (?3 IS NULL OR object = ?3 OR parent = ?3)
                        AND object > ?4
                    GROUP BY object) AS touched
                JOIN change AS one ON one.object = touched.object AND one.revision = touched.low
                JOIN change AS two ON two.object = touched.object AND two.revision = touched.high
                WHERE one.before IS NOT NULL OR two.after IS NOT NULL
                ORDER BY touched.object LIMIT ?5
                """,
            arguments: [
                Int64(clamping: range.after), Int64(clamping: range.through), range.object, after ?? "",
                limit ?? -1,
            ])
        var changes: [ObjectChange] = []
        while let row = try rows.next() { changes.append(try change(row, path: path)) }
        return changes
    }

    static func history(
        _ database: Database, of id: String, limit: Int, before: UInt64?, path: String
    ) throws -> [ObjectRevision] {
        let rows = try Row.fetchAll(
            database,
            sql: """
                SELECT change.before, change.after, change.audit AS id, change.revision,
                    coalesce(audit.at, json_extract(change.after, '$.changedAt'), '') AS at,
                    coalesce(audit.principal, json_extract(change.after, '$.changedBy'), '') AS principal,
                    coalesce(audit.origin, '') AS origin, coalesce(audit.command, '') AS command,
                    coalesce(audit.objects, 0) AS objects
                FROM change LEFT JOIN audit ON audit.id = change.audit
                WHERE change.object = ? AND change.revision < ? ORDER BY change.revision DESC LIMIT ?
                """, arguments: [id, before.map { Int64(clamping: $0) } ?? Int64.max, limit])
        return try rows.map { ObjectRevision(record: revisionRecord($0), change: try change($0, path: path)) }
    }

    static func revisionRecord(_ row: Row) -> RevisionRecord {
        let audit: Int64 = row["id"]
        let revision: Int64 = row["revision"]
        return RevisionRecord(
            revision: UInt64(clamping: revision), audit: UInt64(clamping: audit), at: row["at"],
            principal: row["principal"], origin: row["origin"], command: row["command"], objects: row["objects"])
    }

    /// Both images of a row.
    static func change(_ row: Row, path: String) throws -> ObjectChange {
        let before: String? = row["before"]
        let after: String? = row["after"]
        do {
            return ObjectChange(before: try before.map(object), after: try after.map(object))
        } catch {
            throw StoreFailure(path: path, reason: "the history in it is damaged")
        }
    }

    // MARK: Documents

    /// A whole object, secrets included, as the `change` table keeps it.
    private static func row(_ object: ConfigurationObject) -> JSON {
        var row: [String: JSON] = [
            "kind": .string(object.kind.rawValue), "id": .string(object.id), "position": .int(object.position),
            "createdAt": .string(object.createdAt), "revision": .int(Int64(clamping: object.revision)),
            "changedAt": .string(object.changedAt), "changedBy": .string(object.changedBy),
            "document": object.document,
        ]
        row["parent"] = object.parent.map { .string($0) }
        row["secret"] = object.secret
        return .object(row)
    }

    private struct Damaged: Error {}

    private static func object(_ text: String) throws -> ConfigurationObject {
        let row = try JSONReader.readKept(text)
        guard let kind = row["kind"]?.stringValue, let id = row["id"]?.stringValue,
            let position = row["position"]?.intValue, let createdAt = row["createdAt"]?.stringValue,
            let revision = row["revision"]?.intValue, let changedAt = row["changedAt"]?.stringValue,
            let changedBy = row["changedBy"]?.stringValue, let document = row["document"]
        else { throw Damaged() }
        let secret = row["secret"].flatMap { $0.isNull ? nil : $0 }
        return ConfigurationObject(
            kind: ObjectKind(rawValue: kind), id: id, parent: row["parent"]?.stringValue, position: position,
            createdAt: createdAt, revision: UInt64(clamping: revision), changedAt: changedAt, changedBy: changedBy,
            document: document, secret: secret)
    }

    /// The changes of an audit record as its column keeps them: the same form as on the wire.
    private static func document(of changes: [AuditRecord.Change]) -> JSON {
        .array(
            changes.map { change in
                var members: [String: JSON] = ["kind": .string(change.kind), "id": .string(change.id)]
                members["before"] = change.before
                members["after"] = change.after
                return .object(members)
            })
    }

    static func auditChanges(_ text: String) throws -> [AuditRecord.Change] {
        guard let rows = try JSONReader.readKept(text).arrayValue else { throw Damaged() }
        return try rows.map { row in
            guard let kind = row["kind"]?.stringValue, let id = row["id"]?.stringValue else { throw Damaged() }
            return AuditRecord.Change(kind: kind, id: id, before: row["before"], after: row["after"])
        }
    }
}
