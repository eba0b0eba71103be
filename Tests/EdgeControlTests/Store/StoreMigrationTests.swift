import Foundation
import GRDB
import Shared
import Testing

@testable import EdgeControl

@Suite struct StoreMigrationTests {
    @Test func `a database of before there was a history can be undone, compared and gone back in`() async throws {
        let room = try await ControlRoom()
        let id = try await room.make("/ip_policies", ["description": "one"])
        _ = try await room.call("PATCH", "/ip_policies/\(id)", ["description": "two"])
        // Brings the file into the form that the first version left.
        let database = try DatabaseQueue(path: room.folder + "/selvage.db")
        try await database.write { database in
            try database.execute(
                sql: """
                    DROP TABLE history;
                    DROP INDEX change_object; DROP INDEX change_parent; DROP INDEX change_revision;
                    DROP INDEX audit_done; DROP INDEX audit_refused; DROP INDEX audit_revision;
                    ALTER TABLE change DROP COLUMN object; ALTER TABLE change DROP COLUMN parent;
                    ALTER TABLE change DROP COLUMN revision; ALTER TABLE change DROP COLUMN size;
                    ALTER TABLE audit DROP COLUMN objects; ALTER TABLE audit DROP COLUMN omitted;
                    ALTER TABLE audit DROP COLUMN status; ALTER TABLE audit DROP COLUMN error_code;
                    ALTER TABLE audit DROP COLUMN count; ALTER TABLE audit DROP COLUMN last_at;
                    DELETE FROM grdb_migrations WHERE identifier = '2';
                    """)
        }
        try database.close()
        let later = try await ControlRoom(folder: room.folder)
        let revisions = try await later.call("GET", "/selvage/revisions")
        #expect(revisions["oldest"] == 0)
        #expect(revisions["revisions"]?.arrayValue?.map { $0["revision"] } == [2, 1])
        let history = try await later.call("GET", "/selvage/objects/\(id)/history")["history"]?.arrayValue
        #expect(history?.map { $0["document"]?["description"] } == ["two", "one"])
        #expect(try await later.call("POST", "/selvage/revert", ["revision": 1]).status == 200)
        #expect(try await later.call("GET", "/ip_policies/\(id)")["description"] == "one")
        #expect(try await later.call("POST", "/selvage/undo", ["audit_id": 3]).status == 200)
        #expect(try await later.call("GET", "/ip_policies/\(id)")["description"] == "two")
    }
}
