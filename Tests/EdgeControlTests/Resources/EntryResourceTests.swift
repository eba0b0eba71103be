import EdgeCore
import Foundation
import Shared
import Synchronization
import Testing

@testable import EdgeControl

/// The resources that say who may get in.
@Suite struct EntryResourceTests {
    @Test func `a key's token is shown once, and its first part is that of the identifier`() async throws {
        let room = try await ControlRoom()
        let made = try await room.call("POST", "/api_keys", ["description": "d", "metadata": "m"])
        #expect(made.status == 201)
        let expected: Set = [
            "id", "uri", "created_at", "description", "metadata", "token", "owner_id", "role",
        ]
        #expect(Set(made.body.objectValue?.keys.map { $0 } ?? []) == expected)
        #expect(Identity.prefix(of: made.id) == "ak")
        let token = try #require(made["token"]?.stringValue)
        #expect(token.hasPrefix(made.id.dropFirst(3) + "_") && token.utf8.count == 49)
        #expect(made["role"] == "admin")
        #expect(Identity.prefix(of: made["owner_id"]?.stringValue ?? "") == "usr")
        #expect(try await room.call("GET", "/api_keys/\(made.id)")["token"] == .null)
        #expect(try await room.call("PATCH", "/api_keys/\(made.id)", ["metadata": "n"])["token"] == .null)
        let list = try await room.call("GET", "/api_keys")
        #expect(list["keys"]?.arrayValue?.first?["token"] == .null)
        #expect(try await room.call("PATCH", "/api_keys/\(made.id)", ["role": "god"]).code == "ERR_NGROK_215")
        #expect(try await room.call("PATCH", "/api_keys/\(made.id)", ["token": "x"]).code == "ERR_NGROK_214")
        let long = JSON.string(String(repeating: "x", count: 256))
        #expect(try await room.call("POST", "/api_keys", ["description": long]).code == "ERR_NGROK_604")
        #expect(try await room.call("DELETE", "/api_keys/\(made.id)").status == 204)
        #expect(try await room.call("GET", "/api_keys/\(made.id)").status == 404)
    }

    @Test func `an owner is the same after every start, and another one for each user and server`() throws {
        let authority = try InternalAuthority(now: WallTime(seconds: 1_800_000_000))
        let other = try InternalAuthority(now: WallTime(seconds: 1_800_000_000))
        let one = Owners(authority: authority, users: [0: .admin, 7: .viewer])
        let same = Owners(authority: authority, users: [7: .operator])
        #expect(one.id(of: 7) == same.id(of: 7))
        #expect(one.id(of: 7) != one.id(of: 0))
        #expect(one.id(of: 7) != Owners(authority: other, users: [7: .admin]).id(of: 7))
        #expect(same.id(of: 0) == nil)
        #expect(one.id(of: 7).flatMap { same.role(of: $0) } == .operator)
    }

    @Test func `a token is in no file, no record and no answer but the first`() async throws {
        let room = try await ControlRoom()
        var tokens: [String] = []
        for path in ["/api_keys", "/credentials"] {
            let answer = try await room.call("POST", path, ["description": "d"])
            tokens.append(try #require(answer["token"]?.stringValue))
        }
        let apply: JSON = [
            "idempotency_id": "once", "operations": [["method": "POST", "path": "/api_keys", "body": [:]]],
        ]
        let first = try await room.call("POST", "/selvage/apply", apply)
        tokens.append(try #require(first["results"]?.arrayValue?.first?["body"]?["token"]?.stringValue))
        let again = try await room.call("POST", "/selvage/apply", apply)
        #expect(again["results"]?.arrayValue?.first?["body"]?["token"] == .null)
        #expect(room.service.state.objects(.apiKey).count == 2)

        var texts = [again.body.text]
        for path in ["/selvage/configuration", "/selvage/audit", "/api_keys", "/credentials"] {
            texts.append(try await room.call("GET", path).body.text)
        }
        texts.append(String(decoding: try WireJSON.encode(room.audited.withLock { $0 }), as: UTF8.self))
        for file in try FileManager.default.contentsOfDirectory(atPath: room.folder) {
            let bytes = try Data(contentsOf: URL(fileURLWithPath: room.folder + "/" + file))
            texts.append(String(decoding: bytes, as: UTF8.self))
        }
        for token in tokens {
            // The first part is the identifier and no secret.
            let secret = token.suffix(AccessToken.secretLength)
            #expect(texts.allSatisfy { !$0.contains(secret) })
        }
        // The search would have found it: the hashes are there.
        #expect(texts.contains { $0.contains(AccessToken.hash(tokens[0].suffix(AccessToken.secretLength))) })
    }

    @Test func `keys and credentials outlive a restart`() async throws {
        let folder = NSTemporaryDirectory() + "selvage-keys-\(UUID().uuidString)"
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let tokens = try await {
            let room = try await ControlRoom(folder: folder)
            return (
                try await room.call("POST", "/api_keys", [:])["token"]?.stringValue ?? "",
                try await room.call("POST", "/credentials", ["acl": ["bind:app=*"]])["token"]?.stringValue ?? ""
            )
        }()
        let room = try await ControlRoom(folder: folder)
        #expect(try await room.remote("GET", "/api_keys", key: tokens.0).status == 200)
        #expect(room.service.state.credential(for: tokens.1)?.rules == [.label(name: "app", value: "*")])
    }

    @Test func `a credential keeps its rules, and is found by its authtoken`() async throws {
        let room = try await ControlRoom()
        let rules: JSON = ["*", "bind:*.example.com", "bind:tcp.example.com:20000", "bind:app=web"]
        let made = try await room.call("POST", "/credentials", ["acl": rules])
        #expect(made.status == 201 && made["acl"] == rules)
        let token = try #require(made["token"]?.stringValue)
        let found = try #require(room.service.state.credential(for: token))
        #expect(found.id == made.id && found.rules.count == 4)
        #expect(found.ownerID == made["owner_id"]?.stringValue)
        #expect(room.service.state.credential(for: token.dropLast() + (token.hasSuffix("x") ? "y" : "x")) == nil)
        #expect(room.service.state.credential(for: made.id) == nil)
        #expect(room.service.state.credential(for: "") == nil)
        for rule: JSON in ["bind:", "x", "bind:a b", ""] {
            #expect(try await room.call("POST", "/credentials", ["acl": [rule]]).code == "ERR_NGROK_600")
        }
        let changed = try await room.call("PATCH", "/credentials/\(made.id)", ["description": "d"])
        #expect(changed["acl"] == rules && changed["token"] == .null)
        #expect(try await room.call("PATCH", "/credentials/\(made.id)", ["acl": []])["acl"] == [])
        // Another key's token is no authtoken.
        let key = try await room.call("POST", "/api_keys", [:])
        #expect(room.service.state.credential(for: key["token"]?.stringValue ?? "") == nil)
        _ = try await room.call("DELETE", "/credentials/\(made.id)")
        #expect(room.service.state.credential(for: token) == nil)
    }

    @Test func `an IP restriction is one per type and has policies that exist`() async throws {
        let room = try await ControlRoom()
        let policy = try await room.make("/ip_policies")
        let ids: JSON = [.string(policy)]
        let create = { (body: JSON) in try await room.call("POST", "/ip_restrictions", body) }
        #expect(try await create(["type": "moon", "ip_policy_ids": ids]).code == "ERR_NGROK_1803")
        #expect(try await create(["ip_policy_ids": ids]).code == "ERR_NGROK_1803")
        #expect(try await create(["type": "api"]).code == "ERR_NGROK_1804")
        #expect(try await create(["type": "api", "ip_policy_ids": []]).code == "ERR_NGROK_1804")
        #expect(try await create(["type": "api", "ip_policy_ids": ["x"]]).code == "ERR_NGROK_1801")
        let absent: JSON = ["ipp_000000000000000000000000000"]
        #expect(try await create(["type": "api", "ip_policy_ids": absent]).code == "ERR_NGROK_1801")
        for type: JSON in ["dashboard", "api", "agent", "endpoints"] {
            let made = try await create(["type": type, "ip_policy_ids": ids])
            #expect(made.status == 201 && made["type"] == type && made["enforced"] == false)
            #expect(made["ip_policies"]?.arrayValue?.first?["id"]?.stringValue == policy)
        }
        #expect(try await create(["type": "api", "ip_policy_ids": ids]).code == "ERR_NGROK_1802")
        let list = try await room.call("GET", "/ip_restrictions")
        let first = try #require(list["ip_restrictions"]?.arrayValue?.first?["id"]?.stringValue)
        let changed = try await room.call(
            "PATCH", "/ip_restrictions/\(first)", ["enforced": true, "ip_policy_ids": []])
        #expect(changed["enforced"] == true && changed["ip_policies"]?.arrayValue?.count == 1)
        #expect(try await room.call("PATCH", "/ip_restrictions/\(first)", ["type": "api"]).code == "ERR_NGROK_214")
        #expect(try await room.call("DELETE", "/ip_policies/\(policy)").code == "ERR_NGROK_1420")
        let rule = try await room.make(
            "/ip_policy_rules", ["cidr": "10.0.0.0/8", "action": "allow", "ip_policy_id": .string(policy)])
        #expect(try await room.call("DELETE", "/ip_policy_rules/\(rule)").code == "ERR_NGROK_1419")
        let second = try await room.make(
            "/ip_policy_rules", ["cidr": "10.0.0.0/9", "action": "allow", "ip_policy_id": .string(policy)])
        #expect(try await room.call("DELETE", "/ip_policy_rules/\(second)").status == 204)
    }
}
