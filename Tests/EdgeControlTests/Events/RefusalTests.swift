import EdgeCore
import Shared
import Synchronization
import Testing

@testable import EdgeControl

@Suite struct RefusalTests {
    private func refused(_ room: ControlRoom) async throws -> [JSON] {
        try await room.call("GET", "/selvage/audit?refused=true&limit=200")["audit"]?.arrayValue ?? []
    }

    @Test func `every refused write is in the trail with who, what and why, and no more`() async throws {
        let room = try await ControlRoom()
        let id = try await room.make("/ip_policies")
        _ = try await room.call("POST", "/ip_policies", [:], uid: 1002)
        _ = try await room.call("PATCH", "/ip_policies/\(id)", ["metadata": "hush"], fields: [("if-match", "9")])
        _ = try await room.call(
            "POST", "/ip_policies", ["secret": "hush"], fields: [("selvage-command", "policy create x")], uid: 1001)
        _ = try await room.call("DELETE", "/ip_policies/\(id)", fields: [("selvage-command", "lies")], uid: 4711)
        _ = try await room.call("POST", "/ip_policies", uid: nil)
        _ = try await room.call("GET", "/ip_policies", uid: 4711)
        let records = try await refused(room)
        #expect(records.map { $0["status"]?.intValue }.sorted { ($0 ?? 0) < ($1 ?? 0) } == [400, 403, 403, 403, 412])
        let who = { (name: String) in records.filter { $0["principal"]?.stringValue?.hasPrefix(name) == true } }
        #expect(who("uid:1002").map { $0["command"] } == ["POST /ip_policies"])
        #expect(who("uid:0").map { $0["status"] } == [412])
        #expect(who("uid:1001").map { $0["command"] } == ["policy create x"])
        #expect(who("uid:1001").map { $0["error_code"] } == ["ERR_NGROK_214"])
        // Nothing that a stranger claims is believed.
        #expect(who("uid:4711").map { $0["command"] } == [.string("DELETE /ip_policies/\(id)")])
        #expect(who("unknown").map { $0["error_code"] } == ["ERR_NGROK_200"])
        #expect(records.allSatisfy { !$0.text.contains("hush") && $0["changes"] == [] })
        // Both kinds stand in one list, and undo finds nothing in a refusal.
        let all = try await room.call("GET", "/selvage/audit")["audit"]?.arrayValue ?? []
        #expect(all.count == 6)
        let number = records[0]["id"] ?? .null
        #expect(try await room.call("POST", "/selvage/undo", ["audit_id": number]).status == 404)
        #expect(try await room.call("GET", "/selvage/revisions")["revisions"]?.arrayValue?.count == 1)
    }

    @Test func `the same refusal again raises a count, told once`() async throws {
        let room = try await ControlRoom()
        for _ in 0..<50 { _ = try await room.call("POST", "/ip_policies", ["x": 1]) }
        #expect(try await refused(room).map { $0["count"] } == [50])
        _ = try await room.call("POST", "/ip_policies", ["x": 1])
        #expect(try await refused(room).map { $0["count"] } == [51])
        #expect(room.audited.withLock { $0.count } == 1)
        room.now.withLock { $0 = WallTime(seconds: 1_800_000_601) }
        _ = try await room.call("POST", "/ip_policies", ["x": 1])
        #expect(try await refused(room).map { $0["count"] } == [1, 51])
    }

    @Test func `a flood of refused writes pushes out no record of a write that was carried out`() async throws {
        var limits = HistoryLimits()
        limits.refusals = 20
        let room = try await ControlRoom(keeping: limits)
        let id = try await room.make("/ip_policies")
        for number in 0..<300 { _ = try await room.call("DELETE", "/ip_policies/ipp_\(number)", uid: 1001) }
        let records = try await refused(room)
        #expect(records.count == 20)
        #expect(records.contains { $0["command"]?.stringValue == RefusalMachine.others })
        let real = try await room.call("GET", "/selvage/audit?refused=false")["audit"]?.arrayValue ?? []
        #expect(real.compactMap { $0["changes"]?.arrayValue?.first?["id"]?.stringValue } == [id])
    }

    // MARK: The machine

    private func key(_ principal: String, _ command: String) -> RefusalMachine.Key {
        RefusalMachine.Key(principal: principal, command: command, status: 400, code: nil)
    }

    @Test func `what is remembered is bounded, whoever floods and however`() {
        var machine = RefusalMachine()
        let now = WallTime(seconds: 1_800_000_000)
        for number in 0..<5000 { machine.take(key("one", "\(number)"), origin: "socket", revision: 1, now: now) }
        #expect(machine.count == RefusalMachine.perPrincipal + 1)
        for number in 0..<5000 { machine.take(key("p\(number)", "x"), origin: "socket", revision: 1, now: now) }
        #expect(machine.count == RefusalMachine.total + 1)
        let due = machine.due()
        #expect(due.reduce(0) { $0 + ($1.record.count ?? 0) } == 10_000)
        #expect(machine.due().isEmpty)
        for (index, entry) in due.enumerated() { machine.stored(entry.key, id: UInt64(index + 1)) }
        // Past the window all of it is forgotten.
        let later = WallTime(seconds: 1_800_000_601)
        machine.take(key("two", "x"), origin: "socket", revision: 1, now: later)
        #expect(machine.count == 1)
    }

    @Test func `what could not be stored is told again`() {
        var machine = RefusalMachine()
        machine.take(key("one", "x"), origin: "socket", revision: 1, now: WallTime(seconds: 1_800_000_000))
        for entry in machine.due() { machine.failed(entry.key) }
        #expect(machine.due().count == 1)
    }
}
