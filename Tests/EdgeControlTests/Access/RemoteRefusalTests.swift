import EdgeCore
import Shared
import Testing

@testable import EdgeControl

/// Writes that are refused over TLS before it is known who asks.
@Suite struct RemoteRefusalTests {
    private static let wrong = "2aBcDeFgHiJkLmNoPqRsTuVwXyZ_1234567DeFgHiJkLmNoPq"

    private func refused(_ room: ControlRoom) async throws -> [JSON] {
        try await room.call("GET", "/selvage/audit?refused=true&limit=200")["audit"]?.arrayValue ?? []
    }

    @Test func `strangers are in the trail by their address, each refusal once with its count`() async throws {
        let room = try await ControlRoom()
        let claim = [(name: "selvage-command", value: "policy create innocent")]
        for _ in 0..<3 {
            _ = try await room.remote("POST", "/ip_policies", ["description": "hush"], fields: claim)
            _ = try await room.remote("POST", "/ip_policies", [:], key: Self.wrong, from: "2001:db8::7", fields: claim)
        }
        // Reads change nothing and are not in the trail.
        _ = try await room.remote("GET", "/ip_policies", key: Self.wrong)
        let policy = try await room.make("/ip_policies")
        _ = try await room.make(
            "/ip_restrictions", ["type": "api", "enforced": true, "ip_policy_ids": [.string(policy)]])
        _ = try await room.remote("DELETE", "/ip_policies/\(policy)", key: Self.wrong, from: "198.51.100.1")
        let records = try await refused(room)
        let facts = records.map { record in
            ["principal", "command", "error_code"].map { record[$0]?.stringValue ?? "" }.joined(separator: " ")
                + " \(record["count"]?.intValue ?? 0)"
        }
        #expect(
            Set(facts) == [
                "address:192.0.2.7 POST /ip_policies ERR_NGROK_200 3",
                "address:2001:db8::7 POST /ip_policies ERR_NGROK_203 3",
                "address:198.51.100.1 DELETE /ip_policies/\(policy) ERR_NGROK_220 1",
            ])
        #expect(records.allSatisfy { !$0.text.contains("hush") && !$0.text.contains("innocent") })
        #expect(records.allSatisfy { !$0.text.contains("1234567DeFgHiJkLmNoPq") })
    }

    @Test func `a flood of wrong keys is a few records`() async throws {
        let room = try await ControlRoom()
        for number in 0..<500 {
            let key = "2aBcDeFgHiJkLmNoPqRsTuVwXyZ_" + String(1_000_000 + number) + "DeFgHiJkLmNoPq"
            _ = try await room.remote("POST", "/ip_policies", [:], key: key)
        }
        let records = try await refused(room)
        #expect(records.compactMap { $0["error_code"]?.stringValue }.sorted() == ["ERR_NGROK_203", "ERR_NGROK_226"])
        #expect(records.compactMap { $0["count"]?.intValue }.reduce(0, +) == 500)
    }
}
