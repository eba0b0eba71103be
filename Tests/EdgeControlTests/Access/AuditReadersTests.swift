import Shared
import Testing

@testable import EdgeControl

/// What viewers see of changes to who may get in.
@Suite struct AuditReadersTests {
    @Test func `a viewer sees that a key was made, and nothing of it`() async throws {
        let room = try await ControlRoom()
        let key = try await room.make("/api_keys", ["description": "for the auditors"])
        let policy = try await room.make("/ip_policies", ["description": "office"])
        let seen = { (uid: UInt32) in
            try await room.call("GET", "/selvage/audit", uid: uid)["audit"]?.arrayValue?
                .compactMap { $0["changes"]?.arrayValue?.first } ?? []
        }
        let viewer = try await seen(1002)
        #expect(viewer.compactMap { $0["id"]?.stringValue } == [policy, key])
        #expect(viewer.compactMap { $0["kind"]?.stringValue } == ["ip_policy", "api_key"])
        #expect(viewer.first?["after"]?["description"] == "office")
        #expect(viewer.last?["before"]?.objectValue == nil && viewer.last?["after"]?.objectValue == nil)
        #expect(try await seen(1001).last?["after"]?["description"] == "for the auditors")
    }

    @Test func `the stream leaves it out for viewers, and shows it to operators beside them`() async throws {
        let world = LiveWorld()
        let secretive = AuditRecord(
            id: 7, at: "", principal: "uid:0", origin: "socket", command: "api-key create", revision: 9,
            changes: [
                AuditRecord.Change(kind: "api_key", id: "ak_1", before: nil, after: ["description": "auditors"]),
                AuditRecord.Change(kind: "backend", id: "bkdsc_1", before: nil, after: ["description": "v1"]),
            ])
        world.audit.change { $0 = [secretive] }
        for (role, shown) in [(Role.viewer, nil), (.operator, "auditors"), (.admin, "auditors")] as [(Role, String?)] {
            var lines = try await world.open(LiveWorld.call(role: role)).makeAsyncIterator()
            guard case .hello(let hello) = try LiveWorld.line(await lines.next()) else {
                Issue.record("no hello")
                return
            }
            #expect(hello.audit.first?.changes.map { $0.after?["description"]?.stringValue } == [shown, "v1"])
            var next = secretive
            next.id = 8
            world.service.publish(next)
            guard case .audit(let record) = try LiveWorld.line(await lines.next()) else {
                Issue.record("no record")
                return
            }
            #expect(record.changes.map(\.id) == ["ak_1", "bkdsc_1"])
            #expect(record.changes.map { $0.after?["description"]?.stringValue } == [shown, "v1"])
        }
    }
}
