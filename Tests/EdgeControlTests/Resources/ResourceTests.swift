import EdgeCore
import Shared
import Synchronization
import Testing

@testable import EdgeControl

@Suite struct ResourceTests {
    @Test func `backends of every kind are made with their defaults and read back`() async throws {
        let room = try await ControlRoom()
        let body: [String: JSON] = [
            "static": ["address": "10.0.0.1:80"], "http_response": [:], "weighted": [:], "failover": [:],
        ]
        for kind in Backends.kinds {
            let made = try await room.call("POST", "/backends/\(kind.kind)", body[kind.kind] ?? [:])
            #expect(made.status == 201, "\(made.body.text)")
            let keys = Set(made.body.objectValue?.keys.map(\.self) ?? [])
            #expect(keys == Set(kind.answered.names).union(["id", "uri", "created_at", "description", "metadata"]))
            #expect(made.id.hasPrefix(kind.idPrefix + "_"))
            let path = "/backends/\(kind.kind)/\(made.id)"
            #expect(made["uri"]?.stringValue == "http://admin.local:80\(path)")
            #expect(try await room.call("GET", path).body == made.body)
            #expect(try await room.call("GET", "/backends/\(kind.kind)")["backends"] == [made.body])
            #expect(try await room.call("PATCH", path, ["metadata": "m"])["metadata"] == "m")
            // One kind's object is not found below another.
            let other = kind.kind == "static" ? "weighted" : "static"
            #expect(try await room.call("GET", "/backends/\(other)/\(made.id)").status == 404)
            #expect(try await room.call("DELETE", path).status == 204)
        }
    }

    @Test func `C49 backends compose, cycles and depth are refused`() async throws {
        let room = try await ControlRoom()
        let leaf = try await room.make("/backends/static", ["address": "10.0.0.1:80"])
        let inner = try await room.make("/backends/weighted", ["backends": .object([leaf: 1])])
        let outer = try await room.make("/backends/failover", ["backends": [.string(inner), .string(leaf)]])
        let cycle = try await room.call(
            "PATCH", "/backends/weighted/\(inner)", ["backends": .object([outer: 1])])
        #expect(cycle.code == "ERR_NGROK_6524")
        let own = try await room.call("PATCH", "/backends/failover/\(outer)", ["backends": [.string(outer)]])
        #expect(own.code == "ERR_NGROK_6525")
        #expect(try await room.call("DELETE", "/backends/weighted/\(inner)").code == "ERR_NGROK_6502")
        var top = outer
        for _ in 0..<2 { top = try await room.make("/backends/failover", ["backends": [.string(top)]]) }
        let deep = try await room.call("POST", "/backends/failover", ["backends": [.string(top)]])
        #expect(deep.code == "ERR_NGROK_6513")
        let bad = try await room.call("POST", "/backends/failover", ["backends": ["nonsense"]])
        #expect(bad.code == "ERR_NGROK_6526")
        let missing: JSON = ["backends": ["bkdsc_000000000000000000000000000"]]
        #expect(try await room.call("POST", "/backends/failover", missing).code == "ERR_NGROK_6501")
        let heavy = try await room.call("POST", "/backends/weighted", ["backends": .object([leaf: 10_001])])
        #expect(heavy.code == "ERR_NGROK_6512")
    }

    @Test func `lists go from newest to oldest in pages whose addresses lead on`() async throws {
        let room = try await ControlRoom()
        var made: [String] = []
        for _ in 0..<5 { made.append(try await room.make("/ip_policies")) }
        var path = "/ip_policies?limit=2"
        var seen: [String] = []
        var pages = 0
        while true {
            let page = try await room.call("GET", path)
            seen += page["ip_policies"]?.arrayValue?.compactMap { $0["id"]?.stringValue } ?? []
            pages += 1
            guard let next = page["next_page_uri"]?.stringValue else { break }
            #expect(next.hasPrefix("http://admin.local:80/ip_policies?before_id=ipp_"))
            #expect(next.hasSuffix("&limit=2"))
            path = String(next.dropFirst("http://admin.local:80".count))
        }
        #expect(seen == made.reversed())
        #expect(pages == 3)
        let full = try await room.call("GET", "/ip_policies?limit=5")
        #expect(full["next_page_uri"] == .null)
        #expect(full["uri"] == "http://admin.local:80/ip_policies")
        // The page after an object that was deleted meanwhile is the same.
        _ = try await room.call("DELETE", "/ip_policies/\(made[0])")
        let rest = try await room.call("GET", "/ip_policies?before_id=\(made[1])")
        #expect(rest["ip_policies"] == [])
    }

    @Test(arguments: [
        ("limit=0", "ERR_NGROK_233"), ("limit=101", "ERR_NGROK_233"), ("limit=x", "ERR_NGROK_244"),
        ("limit=1&limit=2", "ERR_NGROK_232"), ("colour=red", "ERR_NGROK_231"), ("before_id=x", "ERR_NGROK_215"),
        ("filter=obj.id", "invalid_cel_expression"),
    ])
    func `a list refuses parameters that it cannot follow`(query: String, code: String) async throws {
        let room = try await ControlRoom()
        let answer = try await room.call("GET", "/ip_policies?\(query)")
        #expect(answer.status == 400)
        #expect(answer.code == code)
    }

    @Test func `edges and backends have no filter`() async throws {
        let room = try await ControlRoom()
        #expect(try await room.call("GET", "/edges/https?filter=x").code == "ERR_NGROK_231")
        #expect(try await room.call("GET", "/backends/static?filter=x").code == "ERR_NGROK_231")
    }

    @Test func `rules of a policy reach the data plane, and their mistakes have codes`() async throws {
        let room = try await ControlRoom()
        let policy = try await room.make("/ip_policies")
        let body: (String, String) -> JSON = { cidr, action in
            ["cidr": .string(cidr), "action": .string(action), "ip_policy_id": .string(policy)]
        }
        let rule = try await room.call("POST", "/ip_policy_rules", body("10.0.0.0/8", "allow"))
        #expect(rule.status == 201)
        let uri = "http://admin.local:80/ip_policies/\(policy)"
        #expect(rule["ip_policy"] == ["id": .string(policy), "uri": .string(uri)])
        #expect(room.service.configuration.policies[IPPolicyID(policy)]?.count == 1)
        let faults = [
            ("10.0.0.0/8", "deny", "ERR_NGROK_1408"), ("nonsense", "allow", "ERR_NGROK_1406"),
            ("10.0.0.1/8", "allow", "ERR_NGROK_1409"), ("10.0.0.1", "allow", "ERR_NGROK_1413"),
            ("10.1.0.0/16", "maybe", "ERR_NGROK_1422"),
        ]
        for (cidr, action, code) in faults {
            #expect(try await room.call("POST", "/ip_policy_rules", body(cidr, action)).code == code)
        }
        let nowhere: JSON = ["cidr": "::/0", "action": "deny", "ip_policy_id": "ipp_000000000000000000000000000"]
        #expect(try await room.call("POST", "/ip_policy_rules", nowhere).code == "ERR_NGROK_1402")
        let moved = try await room.call("PATCH", "/ip_policy_rules/\(rule.id)", ["cidr": "2001:db8::/32"])
        #expect(moved["cidr"] == "2001:db8::/32")
        #expect(try await room.call("PATCH", "/ip_policy_rules/\(rule.id)", ["action": "deny"]).code == "ERR_NGROK_214")
        #expect(try await room.call("DELETE", "/ip_policies/\(policy)").status == 204)
        #expect(try await room.call("GET", "/ip_policy_rules/\(rule.id)").status == 404)
    }

    @Test func `a policy in use stays, and a change of its rules touches the edge that uses it`() async throws {
        let room = try await ControlRoom()
        let planted = try await Planting.edge(in: room)
        let policy = try await room.make("/ip_policies")
        let missing: JSON = ["ip_policy_ids": ["ipp_000000000000000000000000000"]]
        #expect(try await room.call("PUT", "\(planted.routePath)/ip_restriction", missing).code == "ERR_NGROK_7007")
        let body: JSON = ["ip_policy_ids": [.string(policy)]]
        #expect(try await room.call("PUT", "\(planted.routePath)/ip_restriction", body).status == 200)
        #expect(try await room.call("DELETE", "/ip_policies/\(policy)").code == "ERR_NGROK_1420")
        let edge = room.dataPlane.last?.edges[EdgeID(planted.edge)]
        let rule: JSON = ["cidr": "0.0.0.0/0", "action": "allow", "ip_policy_id": .string(policy)]
        _ = try await room.make("/ip_policy_rules", rule)
        #expect(room.dataPlane.last?.edges[EdgeID(planted.edge)] !== edge)
        let after = room.dataPlane.last?.edges[EdgeID(planted.edge)]
        _ = try await room.make("/backends/static", ["address": "10.9.9.9:80"])
        #expect(room.dataPlane.last?.edges[EdgeID(planted.edge)] === after)
    }

    @Test func `addresses are given out from the range, never twice, until none is left`() async throws {
        let room = try await ControlRoom()
        let first = try await room.call("POST", "/reserved_addrs", ["region": "eu"])
        #expect(first["addr"] == "edge.example.net:20000")
        #expect(first["region"] == "eu")
        #expect(try await room.call("DELETE", "/reserved_addrs/\(first.id)").status == 204)
        let second = try await room.call("POST", "/reserved_addrs")
        #expect(second["addr"] == "edge.example.net:20001")
        #expect(second["region"] == "us")
        #expect(try await room.call("POST", "/reserved_addrs", ["region": "mars"]).code == "ERR_NGROK_500")
        for _ in 0..<2 { _ = try await room.make("/reserved_addrs") }
        #expect(try await room.call("POST", "/reserved_addrs").code == "ERR_NGROK_503")

        let edge = try await room.call("POST", "/edges/tcp", ["hostports": [second["addr"] ?? ""]])
        #expect(edge.status == 201)
        #expect(room.dataPlane.last?.ports[20001]?.id.rawValue == edge.id)
        #expect(try await room.call("DELETE", "/reserved_addrs/\(second.id)").status == 400)
    }

    @Test(arguments: [
        ("", "ERR_NGROK_448"), ("localhost", "ERR_NGROK_448"), ("a..b", "ERR_NGROK_409"),
        ("a_b.example", "ERR_NGROK_438"),
        ("-a.example", "ERR_NGROK_407"), ("a-.example", "ERR_NGROK_408"), ("a b.example", "ERR_NGROK_406"),
        ("a.*.example", "ERR_NGROK_402"), ("x*.example", "ERR_NGROK_403"), ("ab--c.example", "ERR_NGROK_410"),
        ("\(String(repeating: "a", count: 64)).example", "ERR_NGROK_513"), ("10.0.0.1", "ERR_NGROK_448"),
        ("\(String(repeating: "abcdefgh.", count: 29))example", "ERR_NGROK_514"),
    ])
    func `a domain name of a wrong form is refused with its code`(name: String, code: String) async throws {
        let room = try await ControlRoom()
        let answer = try await room.call("POST", "/reserved_domains", ["domain": .string(name)])
        #expect(answer.status == 400)
        #expect(answer.code == code)
    }

    @Test func `a domain is one of a kind and cannot go while an edge uses it`() async throws {
        let room = try await ControlRoom()
        let planted = try await Planting.edge(in: room)
        let again = try await room.call("POST", "/reserved_domains", ["name": "WWW.example.com"])
        #expect(again.code == "ERR_NGROK_413")
        let two: JSON = ["name": "a.example.com", "domain": "a.example.com"]
        #expect(try await room.call("POST", "/reserved_domains", two).code == "ERR_NGROK_449")
        #expect(try await room.call("DELETE", "/reserved_domains/\(planted.domain)").code == "ERR_NGROK_446")
        let wild = try await room.call("POST", "/reserved_domains", ["domain": "*.example.com"])
        #expect(wild.status == 201)
        let edge = try await room.call("POST", "/edges/https", ["hostports": ["*.example.com:443"]])
        #expect(edge.status == 201)
        #expect(room.dataPlane.last?.hosts.lookup("deep.below.example.com")?.id.rawValue == edge.id)
    }
}
