import EdgeCore
import Shared
import Testing

@testable import EdgeControl

@Suite struct AgentIngressTests {
    @Test func `an ingress is answered with a name for every region, and every field present`() async throws {
        let room = try await ControlRoom()
        let made = try await room.call(
            "POST", "/agent_ingresses", ["domain": "Connect.Example.com", "metadata": "m"])
        #expect(made.status == 201, "\(made.body.text)")
        #expect(made.id.hasPrefix("agin_"))
        let expected: JSON = [
            "id": .string(made.id), "uri": .string("http://admin.local:80/agent_ingresses/\(made.id)"),
            "description": "", "metadata": "m", "created_at": "2027-01-15T08:00:00Z", "domain": "connect.example.com",
            "ns_targets": [], "region_domains": ["tunnel.us.connect.example.com"],
            "certificate_management_policy": nil, "certificate_management_status": nil,
        ]
        #expect(made.body == expected)
        let path = "/agent_ingresses/\(made.id)"
        #expect(try await room.call("GET", path).body == expected)
        #expect(try await room.call("GET", "/agent_ingresses")["ingresses"] == [expected])
        let policy: JSON = ["certificate_management_policy": ["authority": "letsencrypt"]]
        let changed = try await room.call("PATCH", path, policy)
        #expect(changed["certificate_management_policy"] == ["authority": "letsencrypt", "private_key_type": "rsa"])
        let again = try await room.call("PATCH", path, ["description": "d", "metadata": ""])
        #expect(again["certificate_management_policy"] == changed["certificate_management_policy"])
        #expect(again["description"] == "d" && again["metadata"] == "")
        #expect(try await room.call("PATCH", path, ["domain": "other.example.com"]).code == "ERR_NGROK_214")
        #expect(try await room.call("DELETE", path).status == 204)
        #expect(try await room.call("GET", path).status == 404)
        _ = try await room.make("/agent_ingresses", ["domain": "connect.example.com"])
    }

    @Test(arguments: [
        "", "localhost", "a..b", "a_b.example.com", "-a.example.com", "*.example.com", "10.0.0.1", "a b.example.com",
        String(repeating: "abcdefgh.", count: 27) + "example",
    ])
    func `what is no domain of one host is refused`(domain: String) async throws {
        let room = try await ControlRoom()
        let answer = try await room.call("POST", "/agent_ingresses", ["domain": .string(domain)])
        #expect(answer.status == 400)
        #expect(answer.code == "ERR_NGROK_6704")
    }

    @Test func `other mistakes have their codes`() async throws {
        let room = try await ControlRoom()
        let faults: [(JSON, String)] = [
            ([:], "6704"), (["domain": "edge.example.net"], "6705"), (["domain": "x.EDGE.example.net"], "6705"),
            (["domain": "a.example.com", "description": .string(String(repeating: "x", count: 256))], "6700"),
            (["domain": "a.example.com", "metadata": .string(String(repeating: "x", count: 4097))], "6701"),
            (["domain": "a.example.com", "certificate_management_policy": ["authority": "me"]], "1908"),
            (["domain": "a.example.com", "certificate_management_policy": ["private_key_type": "dsa"]], "1909"),
            (["domain": "a.example.com", "region": "us"], "214"),
        ]
        for (body, code) in faults {
            #expect(try await room.call("POST", "/agent_ingresses", body).code == "ERR_NGROK_\(code)", "\(body.text)")
        }
        #expect(try await room.call("GET", "/agent_ingresses")["ingresses"] == [])
    }

    @Test func `a name is for agents or for edges, whichever came first`() async throws {
        let room = try await ControlRoom()
        _ = try await room.make("/agent_ingresses", ["domain": "connect.example.com"])
        let twice = try await room.call("POST", "/agent_ingresses", ["domain": "CONNECT.example.com"])
        #expect(twice.code == "ERR_NGROK_6706")
        for domain in ["connect.example.com", "tunnel.us.connect.example.com"] {
            let answer = try await room.call("POST", "/reserved_domains", ["domain": .string(domain)])
            #expect(answer.code == "ERR_NGROK_413")
        }
        for domain in ["www.example.org", "tunnel.us.second.example.org", "tunnel.eu.third.example.org"] {
            _ = try await room.make("/reserved_domains", ["domain": .string(domain)])
        }
        for domain in ["www.example.org", "second.example.org"] {
            let answer = try await room.call("POST", "/agent_ingresses", ["domain": .string(domain)])
            #expect(answer.code == "ERR_NGROK_6706")
        }
        _ = try await room.make("/agent_ingresses", ["domain": "third.example.org"])
    }
}
