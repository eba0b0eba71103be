import EdgeCore
import Shared
import Testing

@testable import EdgeControl

/// IP restrictions of type `endpoints`, from the API to what the data plane is given.
@Suite struct EndpointRestrictionTests {
    private let home = IPAddress("10.1.2.3") ?? .unspecified
    private let stranger = IPAddress("192.0.2.1") ?? .unspecified

    private func allow(_ cidr: String, _ policy: String) -> JSON {
        ["cidr": .string(cidr), "action": "allow", "ip_policy_id": .string(policy)]
    }

    @Test func `every change of it, its policies and their rules is in force with its answer`() async throws {
        let room = try await ControlRoom()
        let policy = try await room.make("/ip_policies")
        _ = try await room.make("/ip_policy_rules", allow("10.0.0.0/8", policy))
        #expect(room.dataPlane.last?.entry == nil)
        let ids: JSON = [.string(policy)]
        let id = try await room.make("/ip_restrictions", ["type": "endpoints", "ip_policy_ids": ids])
        #expect(room.dataPlane.last?.entry?.id == id)
        #expect(room.dataPlane.last?.entry?.admits(stranger) == true)
        _ = try await room.call("PATCH", "/ip_restrictions/\(id)", ["enforced": true])
        #expect(room.dataPlane.last?.entry?.admits(stranger) == false)
        #expect(room.dataPlane.last?.entry?.admits(home) == true)
        // Those of other types change nothing for traffic.
        _ = try await room.make("/ip_restrictions", ["type": "api", "enforced": true, "ip_policy_ids": ids])
        #expect(room.dataPlane.last?.entry?.id == id)
        let rule = try await room.make("/ip_policy_rules", allow("192.0.2.0/24", policy))
        #expect(room.dataPlane.last?.entry?.admits(stranger) == true)
        #expect(try await room.call("DELETE", "/ip_policy_rules/\(rule)").status == 204)
        #expect(room.dataPlane.last?.entry?.admits(stranger) == false)
        let second = try await room.make("/ip_policies")
        _ = try await room.make("/ip_policy_rules", allow("192.0.2.1/32", second))
        let both: JSON = [.string(policy), .string(second)]
        _ = try await room.call("PATCH", "/ip_restrictions/\(id)", ["ip_policy_ids": both])
        #expect(room.dataPlane.last?.entry?.admits(stranger) == true)
        #expect(room.dataPlane.last?.entry?.admits(home) == true)
        #expect(try await room.call("DELETE", "/ip_restrictions/\(id)").status == 204)
        #expect(room.dataPlane.last?.entry == nil)
    }

    @Test func `it is in force again after a restart`() async throws {
        let room = try await ControlRoom()
        let policy = try await room.make("/ip_policies")
        _ = try await room.make("/ip_policy_rules", allow("10.0.0.0/8", policy))
        _ = try await room.make(
            "/ip_restrictions", ["type": "endpoints", "enforced": true, "ip_policy_ids": [.string(policy)]])
        let again = try await ControlRoom(folder: room.folder)
        let entry = try #require(again.dataPlane.last?.entry)
        #expect(entry.admits(home))
        #expect(!entry.admits(stranger))
    }

    @Test func `operators hear of strangers at most once a minute, and explain shows the restriction first`()
        async throws
    {
        var configuration = LiveWorld.twoVersions
        configuration.policies["ipp_1"] = []
        configuration.entry = EntryRestriction(id: "ipx_1", isEnforced: true, policies: ["ipp_1"])
        let compiler = SnapshotCompiler(
            modules: ModuleRegistry([]), slots: SlotTable(), breakers: CircuitBreakers())
        let snapshot = compiler.compile(configuration, touched: nil, previous: nil)
        let world = LiveWorld(snapshot: snapshot)
        let told = { world.events.recent(10).filter { $0.kind == "ip_restriction.refused" }.map(\.text) }
        await world.service.tick()
        #expect(told() == [])
        let entry = try #require(snapshot.entry)
        for _ in 0..<3 {
            _ = entry.admits(stranger)
            await world.service.tick()
            world.time.advance(1)
        }
        #expect(told() == ["refused 1 request or connection from addresses that no IP policy allows, as 192.0.2.1"])
        world.time.advance(60)
        await world.service.tick()
        #expect(told().count == 2)
        #expect(told().last?.hasPrefix("refused 2 requests and connections") == true)
        let trace = try await world.perform(
            "GET", "/selvage/explain", LiveWorld.call(query: ["host": ["app.example"], "client": ["192.0.2.7"]]))
        #expect(trace["modules"]?.arrayValue?.first?["owner"] == "ipx_1")
        #expect(trace["modules"]?.arrayValue?.first?["admits"] == false)
        #expect(entry.takeStrangers() == nil)
    }
}
