import EdgeCore
import Foundation
import Shared
import Synchronization
import Testing

@testable import EdgeControl

/// Who is let in over TLS, and what they may do there.
@Suite struct KeyAccessTests {
    private func key(_ room: ControlRoom, _ body: JSON = [:]) async throws -> (id: String, token: String) {
        let answer = try await room.call("POST", "/api_keys", body)
        try #require(answer.status == 201, "\(answer.body.text)")
        return (answer.id, try #require(answer["token"]?.stringValue))
    }

    @Test func `a key opens what the socket does, and its addresses begin with https`() async throws {
        let room = try await ControlRoom()
        let (id, token) = try await key(room, ["description": "deploy\u{1b}[31m"])
        let made = try await room.remote("POST", "/ip_policies", [:], key: token)
        #expect(made.status == 201)
        #expect(made["uri"]?.stringValue == "https://admin.example:8443/ip_policies/\(made.id)")
        let list = try await room.remote("GET", "/ip_policies?limit=1", key: token)
        #expect(list["ip_policies"]?.arrayValue?.count == 1)
        let record = try #require(room.audited.withLock { $0.last })
        #expect(record.principal == "key:\(id) (deploy[31m)")
        #expect(record.origin == "api")
    }

    @Test func `each wrong credential is refused with its own code, and never repeated`() async throws {
        let room = try await ControlRoom()
        let (id, token) = try await key(room)
        let credential = try await room.call("POST", "/credentials", [:])
        let authtoken = try #require(credential["token"]?.stringValue)
        let stranger = "2aBcDeFgHiJkLmNoPqRsTuVwXyZ_5aBcDeFgHiJkLmNoPqRsT"
        let expected: [(String?, Int)] = [
            (nil, 200), ("nonsense", 202), ("", 202), (stranger, 203), (String(token.dropLast()) + "-", 202),
            (String(token.prefix(28)) + "0aBcDeFgHiJkLmNoPqRsT", 203), (authtoken, 206), (credential.id, 207),
            (id, 208),
        ]
        for (shown, code) in expected {
            let answer = try await room.remote("GET", "/ip_policies", key: shown)
            #expect(answer.status == 403 && answer.code == "ERR_NGROK_\(code)", "\(answer.body.text)")
            if let shown, !shown.isEmpty { #expect(!answer.body.text.contains(shown)) }
            #expect(answer.fields["www-authenticate"] == nil)
            #expect(answer.fields["ngrok-operation-id"] == answer["details"]?["operation_id"]?.stringValue)
        }
        let basic = try await room.remote("GET", "/ip_policies", fields: [("authorization", "Basic eDp5")])
        #expect(basic.code == "ERR_NGROK_201")
        // A wrong key is refused before anything else is said about the request.
        #expect(try await room.remote("GET", "/nothing/here").code == "ERR_NGROK_200")
    }

    @Test func `a key that was deleted is refused from the next request on`() async throws {
        let room = try await ControlRoom()
        let (id, token) = try await key(room)
        #expect(try await room.remote("GET", "/ip_policies", key: token).status == 200)
        #expect(try await room.remote("DELETE", "/api_keys/\(id)", key: token).status == 204)
        #expect(try await room.remote("GET", "/ip_policies", key: token).code == "ERR_NGROK_203")
    }

    @Test func `a viewer cannot write, and an operator cannot make keys, in whatever way`() async throws {
        let room = try await ControlRoom()
        let viewer = try await key(room, ["role": "viewer"]).token
        let operating = try await key(room, ["role": "operator"]).token
        #expect(try await room.remote("GET", "/ip_policies", key: viewer).status == 200)
        #expect(try await room.remote("POST", "/ip_policies", [:], key: viewer).status == 403)
        #expect(try await room.remote("GET", "/api_keys", key: viewer).status == 403)
        #expect(try await room.remote("GET", "/api_keys?limit=1", key: operating).status == 200)
        let policy = try await room.remote("POST", "/ip_policies", [:], key: operating)
        #expect(policy.status == 201)
        let writes: [(String, String, JSON)] = [
            ("POST", "/api_keys", [:]), ("POST", "/credentials", [:]),
            ("POST", "/ip_restrictions", ["type": "api", "ip_policy_ids": [.string(policy.id)]]),
        ]
        for (method, path, body) in writes {
            #expect(try await room.remote(method, path, body, key: operating).status == 403)
            let apply: JSON = ["operations": [["method": .string(method), "path": .string(path), "body": body]]]
            #expect(try await room.remote("POST", "/selvage/apply", apply, key: operating).status == 403)
            #expect(try await room.call("POST", "/selvage/apply", apply, uid: 1001).status == 403)
        }
        #expect(room.service.state.objects(.apiKey).count == 2)
        // Nor does an operator bring back a key that an admin deleted.
        let gone = try await key(room)
        _ = try await room.call("DELETE", "/api_keys/\(gone.id)")
        let deletion = try #require(room.audited.withLock { $0.last?.id })
        let undo: JSON = ["audit_id": .int(Int64(deletion))]
        #expect(try await room.call("POST", "/selvage/undo", undo, uid: 1001).status == 403)
        #expect(try await room.remote("GET", "/ip_policies", key: gone.token).code == "ERR_NGROK_203")
        #expect(try await room.call("POST", "/selvage/undo", undo).status == 200)
        #expect(try await room.remote("GET", "/ip_policies", key: gone.token).status == 200)
    }

    @Test func `a viewer's configuration leaves out who may get in`() async throws {
        let room = try await ControlRoom()
        _ = try await key(room)
        _ = try await room.make("/ip_policies")
        let kinds = { (uid: UInt32) async throws -> [String] in
            let answer = try await room.call("GET", "/selvage/configuration", uid: uid)
            return (answer["objects"]?.arrayValue ?? []).compactMap { $0["kind"]?.stringValue }
        }
        #expect(try await kinds(1002) == ["ip_policy"])
        #expect(try await kinds(1001) == ["ip_policy", "api_key"])
    }

    @Test func `a key does no more than its owner may`() async throws {
        let room = try await ControlRoom()
        let owners = room.service.catalogue.owners
        let viewer = try #require(owners.id(of: 1002))
        let refused = try await room.call("POST", "/api_keys", ["owner_id": .string(viewer)])
        #expect(refused.status == 400 && refused.code == "ERR_NGROK_635")
        let unknown = try await room.call("POST", "/api_keys", ["owner_id": "usr_000000000000000000000000000"])
        #expect(unknown.code == "ERR_NGROK_634")
        let theirs = try await key(room, ["owner_id": .string(viewer), "role": "viewer"])
        #expect(try await room.remote("GET", "/ip_policies", key: theirs.token).status == 200)
        // Raised later, it is still no more than its owner.
        #expect(try await room.call("PATCH", "/api_keys/\(theirs.id)", ["role": "admin"]).status == 200)
        #expect(try await room.remote("POST", "/ip_policies", [:], key: theirs.token).status == 403)
        // A key that a key makes belongs to the same owner.
        let first = try await key(room)
        let second = try await room.remote("POST", "/api_keys", [:], key: first.token)
        #expect(second["owner_id"]?.stringValue == owners.id(of: 0))
    }

    @Test func `ten thousand wrong keys stay bounded, are slowed down, and hinder no right one`() async throws {
        let room = try await ControlRoom()
        let (_, token) = try await key(room)
        var codes: [String: Int] = [:]
        for number in 0..<10_000 {
            let wrong = "2aBcDeFgHiJkLmNoPqRsTuVwXyZ_" + String(1_000_000 + number) + "DeFgHiJkLmNoPq"
            let answer = try await room.remote(
                "GET", "/ip_policies", key: wrong, from: number % 2 == 0 ? "192.0.2.7" : "2001:db8::\(number % 10)")
            codes[answer.code ?? "", default: 0] += 1
            if answer.status == 429 { #expect(answer.fields["retry-after"] == "60") }
        }
        #expect(codes == ["ERR_NGROK_203": 120, "ERR_NGROK_226": 9880])
        #expect(room.keys.remembered == (addresses: 2, keys: 0))
        #expect(try await room.remote("GET", "/ip_policies", key: token).status == 200)
        // Operators hear of it once a minute, not ten thousand times.
        #expect(room.told.withLock { $0.map(\.kind) } == ["admin.refused"])
    }

    @Test func `a key that asks too often is told when to come again; the socket is not limited`() async throws {
        let room = try await ControlRoom(requestsPerMinute: 2)
        let (_, token) = try await key(room)
        for _ in 0..<2 { #expect(try await room.remote("GET", "/ip_policies", key: token).status == 200) }
        let refused = try await room.remote("GET", "/ip_policies", key: token)
        #expect(refused.status == 429 && refused.code == "ERR_NGROK_226")
        #expect(refused.fields["retry-after"] == "60")
        for _ in 0..<5 { #expect(try await room.call("GET", "/ip_policies").status == 200) }
        room.clock.withLock { $0 = $0 + .seconds(60) }
        #expect(try await room.remote("GET", "/ip_policies", key: token).status == 200)
    }

    @Test func `the API is restricted by address over TLS, and never on the socket`() async throws {
        let room = try await ControlRoom()
        let (_, token) = try await key(room)
        let policy = try await room.make("/ip_policies")
        let rule: JSON = ["cidr": "192.0.2.0/24", "action": "allow", "ip_policy_id": .string(policy)]
        _ = try await room.make("/ip_policy_rules", rule)
        let restriction = try await room.make(
            "/ip_restrictions", ["type": "api", "ip_policy_ids": [.string(policy)]])
        // Not enforced: only told, at most once a minute.
        for _ in 0..<3 {
            #expect(try await room.remote("GET", "/ip_policies", key: token, from: "198.51.100.1").status == 200)
        }
        #expect(room.told.withLock { $0.map(\.object) } == [restriction])
        _ = try await room.call("PATCH", "/ip_restrictions/\(restriction)", ["enforced": true])
        for address in ["198.51.100.1", "2001:db8::1", "::1"] {
            let refused = try await room.remote("GET", "/ip_policies", key: token, from: address)
            #expect(refused.status == 403 && refused.code == "ERR_NGROK_220")
        }
        #expect(try await room.remote("GET", "/ip_policies", key: token).status == 200)
        #expect(try await room.call("GET", "/ip_policies").status == 200)
        // A rule acts on the next request.
        let deny: JSON = ["cidr": "192.0.2.7/32", "action": "deny", "ip_policy_id": .string(policy)]
        _ = try await room.make("/ip_policy_rules", deny)
        #expect(try await room.remote("GET", "/ip_policies", key: token).code == "ERR_NGROK_220")
        #expect(try await room.call("DELETE", "/ip_restrictions/\(restriction)").status == 204)
        #expect(try await room.remote("GET", "/ip_policies", key: token, from: "::1").status == 200)
    }

    @Test func `a stream ends when its key is deleted, or may no longer do what it did`() async throws {
        let room = try await ControlRoom()
        let about = OperationDescription("Streams.", gives: .anything, as: .lines)
        let streaming = Operation("GET", "/selvage/stream", role: .viewer, about) { _ in
            HandlerResponse(status: 200, body: .stream(AsyncStream { $0.finish() }))
        }
        let api = AdminAPI(operations: [streaming], keys: room.keys, authorize: { _ in nil })
        let open = { (token: String) async in
            await api.handle(
                HandlerRequest(
                    method: "GET", path: "/selvage/stream", fields: [("authorization", "Bearer " + token)],
                    client: IPAddress("192.0.2.7"), isSecure: true))
        }
        let one = try await key(room)
        let stream = await open(one.token)
        #expect(stream.status == 200 && stream.mayContinue())
        _ = try await room.call("PATCH", "/api_keys/\(one.id)", ["description": "renamed"])
        #expect(stream.mayContinue())
        _ = try await room.call("PATCH", "/api_keys/\(one.id)", ["role": "viewer"])
        #expect(!stream.mayContinue())
        let lesser = await open(one.token)
        #expect(lesser.mayContinue())
        _ = try await room.call("DELETE", "/api_keys/\(one.id)")
        #expect(!lesser.mayContinue())
        #expect(await open(one.token).status == 403)
        // A key has room for a few streams, and gets it back.
        let two = try await key(room)
        var streams: [HandlerResponse] = []
        for _ in 0..<8 { streams.append(await open(two.token)) }
        #expect(streams.allSatisfy { $0.status == 200 })
        #expect(await open(two.token).status == 429)
        streams.removeLast()
        #expect(await open(two.token).status == 200)
    }

    @Test func `a page of another site may ask over TLS, and not on the socket`() async throws {
        let room = try await ControlRoom()
        let asking: [(name: String, value: String)] = [
            ("origin", "https://ui.example"), ("access-control-request-method", "POST"),
            ("access-control-request-headers", "authorization, ngrok-version"),
        ]
        let preflight = try await room.remote("OPTIONS", "/ip_policies", fields: asking)
        #expect(preflight.status == 204 && preflight.body == .null)
        #expect(preflight.fields["access-control-allow-origin"] == "https://ui.example")
        #expect(preflight.fields["access-control-allow-methods"] == "GET, POST")
        #expect(preflight.fields["access-control-allow-headers"] == "authorization, ngrok-version")
        #expect(preflight.fields["access-control-max-age"] == "600")
        #expect(try await room.remote("OPTIONS", "/nothing", fields: asking).status == 403)
        #expect(try await room.remote("OPTIONS", "/ip_policies").status == 403)
        let local = try await room.call("OPTIONS", "/ip_policies", fields: asking)
        #expect(local.status == 404 && local.fields["access-control-allow-origin"] == nil)
        let (_, token) = try await key(room)
        let read = try await room.remote(
            "GET", "/ip_policies", key: token, fields: [("origin", "https://ui.example")])
        #expect(read.fields["access-control-allow-origin"] == "https://ui.example")
        #expect(try await room.remote("OPTIONS", "/ip_policies", key: token).status == 404)
        #expect(try await room.remote("HEAD", "/ip_policies", key: token).status == 404)
    }

    @Test func `the root says where the lists are`() async throws {
        let room = try await ControlRoom()
        let (_, token) = try await key(room)
        let root = try await room.remote("GET", "/", key: token)
        #expect(root["uri"] == "https://admin.example:8443/")
        let uris = root["subresource_uris"]?.objectValue ?? [:]
        #expect(uris["edges_https"] == "https://admin.example:8443/edges/https")
        #expect(uris["api_keys"] == "https://admin.example:8443/api_keys")
        #expect(uris.keys.allSatisfy { !$0.contains("selvage") && !$0.contains("{") })
    }

    @Test(arguments: [
        ("[::1]:8443", true), ("admin.example", true), ("127.0.0.1:1", true), ("[::1", false), ("a:b", false),
        ("a:0", false), ("a:70000", false), ("a b", false), ("x/../", false), ("", false), ("[::1]x", false),
        ("a:+1", false), ("user@a", false), ("[127.0.0.1]", false),
    ])
    func `only a well-formed authority goes into addresses`(host: String, isEchoed: Bool) {
        let request = HandlerRequest(method: "GET", path: "/", fields: [("host", host)], isSecure: true)
        #expect(AdminAPI.baseURL(request) == (isEchoed ? "https://" + host : "https://selvage"))
    }
}
