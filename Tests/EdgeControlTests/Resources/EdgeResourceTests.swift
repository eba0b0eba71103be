import EdgeCore
import Shared
import Testing

@testable import EdgeControl

@Suite struct EdgeResourceTests {
    static let routeModules = [
        "backend", "ip_restriction", "circuit_breaker", "compression", "request_headers", "response_headers",
        "webhook_verification", "oauth", "saml", "oidc", "websocket_tcp_converter", "user_agent_filter",
        "traffic_policy",
    ]
    static let frame = ["id", "uri", "created_at", "description", "metadata"]

    private func keys(_ document: JSON?) -> Set<String> { Set(document?.objectValue?.keys.map(\.self) ?? []) }

    @Test func `an empty edge of each kind has every documented field`() async throws {
        let room = try await ControlRoom()
        let own: [String: Set<String>] = [
            "https": ["hostports", "mutual_tls", "tls_termination", "routes"],
            "tls": ["hostports", "backend", "ip_restriction", "mutual_tls", "tls_termination", "traffic_policy"],
            "tcp": ["hostports", "backend", "ip_restriction", "traffic_policy"],
        ]
        for (kind, fields) in own {
            let answer = try await room.call("POST", "/edges/\(kind)", ["description": "d", "metadata": "m"])
            #expect(answer.status == 201)
            #expect(keys(answer.body) == fields.union(EdgeResourceTests.frame))
            #expect(answer["hostports"] == [])
            for name in fields.subtracting(["hostports", "routes"]) { #expect(answer[name] == .null) }
            #expect(answer["uri"]?.stringValue == "http://admin.local:80/edges/\(kind)/\(answer.id)")
            #expect(answer["created_at"] == "2027-01-15T08:00:00Z")
            #expect(answer.fields["etag"] != nil)
            let list = try await room.call("GET", "/edges/\(kind)")
            #expect(list["\(kind)_edges"]?.arrayValue?.count == 1)
            #expect(list["next_page_uri"] == .null)
            #expect(try await room.call("DELETE", "/edges/\(kind)/\(answer.id)").status == 204)
            #expect(try await room.call("GET", "/edges/\(kind)/\(answer.id)").status == 404)
        }
    }

    @Test func `a route has thirteen modules, and its edge shows it`() async throws {
        let room = try await ControlRoom()
        let edge = try await room.make("/edges/https")
        let route = try await room.call(
            "POST", "/edges/https/\(edge)/routes", ["match_type": "exact_path", "match": "/a"])
        #expect(route.status == 201)
        let own: Set<String> = ["edge_id", "match_type", "match"]
        #expect(keys(route.body) == own.union(EdgeResourceTests.frame).union(EdgeResourceTests.routeModules))
        #expect(route["uri"]?.stringValue == "http://admin.local:80/edges/https/\(edge)/routes/\(route.id)")
        #expect(try await room.call("GET", "/edges/https/\(edge)")["routes"] == [route.body])
        #expect(try await room.call("DELETE", "/edges/https/\(edge)").status == 204)
        #expect(room.service.state.count == 0)
    }

    @Test(arguments: [
        ("https", "www.example.com", "ERR_NGROK_7104"), ("https", ":443", "ERR_NGROK_7104"),
        ("https", "a:b", "ERR_NGROK_7104"), ("https", "www.example.com:0", "ERR_NGROK_7112"),
        ("https", "www.example.com:70000", "ERR_NGROK_7112"), ("https", "www.example.com:80", "ERR_NGROK_7116"),
        ("https", "other.example.com:443", "ERR_NGROK_7117"), ("tls", "other.example.com:443", "ERR_NGROK_7117"),
        ("https", "edge.example.net:20000", "ERR_NGROK_7121"), ("tls", "edge.example.net:20000", "ERR_NGROK_7133"),
        ("tcp", "edge.example.net:1", "ERR_NGROK_7113"), ("tcp", "www.example.com:443", "ERR_NGROK_7120"),
        ("https", "www.example.com:443", "ERR_NGROK_7122"), ("tls", "www.example.com:443", "ERR_NGROK_7122"),
    ])
    func `a hostport that an edge cannot have is refused with its code`(
        kind: String, hostport: String, code: String
    ) async throws {
        let room = try await ControlRoom()
        try await Planting.edge(in: room)
        let answer = try await room.call("POST", "/edges/\(kind)", ["hostports": [.string(hostport)]])
        #expect(answer.status == 400)
        #expect(answer.code == code)
    }

    @Test func `hostports are kept in lower case and follow a patch`() async throws {
        let room = try await ControlRoom()
        let planted = try await Planting.edge(in: room)
        _ = try await room.make("/reserved_domains", ["domain": "b.example.com"])
        let both = try await room.call(
            "PATCH", "/edges/https/\(planted.edge)", ["hostports": ["WWW.Example.com:443", "b.example.com:443"]])
        #expect(both["hostports"] == ["www.example.com:443", "b.example.com:443"])
        #expect(room.dataPlane.last?.hosts.lookup("b.example.com") != nil)
        let none = try await room.call("PATCH", "/edges/https/\(planted.edge)", ["hostports": []])
        #expect(none["hostports"] == [])
        #expect(none["routes"]?.arrayValue?.count == 1)
        #expect(try await room.call("DELETE", "/reserved_domains/\(planted.domain)").status == 204)
    }

    @Test(arguments: [
        ("{\"match\":\"/a\"}", "ERR_NGROK_7130"), ("{\"match_type\":\"regex\",\"match\":\"/a\"}", "ERR_NGROK_7130"),
        ("{\"match_type\":\"exact_path\"}", "ERR_NGROK_7123"),
        ("{\"match_type\":\"exact_path\",\"match\":\"a\"}", "ERR_NGROK_7131"),
        ("{\"match_type\":\"exact_path\",\"match\":\"/a b\"}", "ERR_NGROK_7131"),
        ("{\"match_type\":\"exact_path\",\"match\":\"/\"}", "ERR_NGROK_7126"),
    ])
    func `a route that cannot be is refused with its code`(body: String, code: String) async throws {
        let room = try await ControlRoom()
        let planted = try await Planting.edge(in: room)
        let answer = try await room.call(
            "POST", "/edges/https/\(planted.edge)/routes", try JSON(parsing: body.utf8))
        #expect(answer.status == 400)
        #expect(answer.code == code)
    }

    @Test func `routes have limits in number and length, and belong to one edge`() async throws {
        let room = try await ControlRoom()
        let planted = try await Planting.edge(in: room)
        let path = "/edges/https/\(planted.edge)/routes"
        let long = "/" + String(repeating: "a", count: 1024)
        let tooLong = try await room.call("POST", path, ["match_type": "exact_path", "match": .string(long)])
        #expect(tooLong.code == "ERR_NGROK_7135")
        let operations = (1..<200).map { number -> JSON in
            [
                "method": "POST", "path": .string(path),
                "body": ["match_type": "exact_path", "match": .string("/\(number)")],
            ]
        }
        let applied = try await room.call("POST", "/selvage/apply", ["operations": .array(operations)])
        #expect(applied.status == 200)
        let tooMany = try await room.call("POST", path, ["match_type": "exact_path", "match": "/more"])
        #expect(tooMany.code == "ERR_NGROK_7128")

        let other = try await room.make("/edges/https")
        #expect(try await room.call("GET", "/edges/https/\(other)/routes/\(planted.route)").code == "ERR_NGROK_7110")
        let unknown = try await room.call("GET", "\(path)/edghtsrt_000000000000000000000000000")
        #expect(unknown.status == 404)
        #expect(unknown.code == "ERR_NGROK_7124")
    }

    @Test func `empty strings in a route's patch mean unchanged, and modules that are not named stay`() async throws {
        let room = try await ControlRoom()
        let planted = try await Planting.edge(in: room)
        let answer = try await room.call(
            "PATCH", planted.routePath,
            ["match": "", "match_type": "", "description": "", "metadata": "", "compression": [:], "backend": nil])
        #expect(answer.status == 200)
        #expect(answer["match"] == "/")
        #expect(answer["match_type"] == "path_prefix")
        #expect(answer["compression"] == ["enabled": true])
        #expect(answer["circuit_breaker"]?["error_threshold_percentage"] == 1)
        #expect(answer["backend"]?["backend"]?["id"]?.stringValue == planted.backend)
    }

    @Test func `every module of the registry can be put, read and removed on its edge kinds`() async throws {
        let room = try await ControlRoom()
        let planted = try await Planting.edge(in: room)
        let authority: JSON = [
            "ca_pem": .string(try InternalAuthority(now: WallTime(seconds: 1_800_000_000)).certificatePEM)
        ]
        let referred: [String: String] = [
            "ip_policy": try await room.make("/ip_policies"),
            "certificate_authority": try await room.make("/certificate_authorities", authority),
        ]
        let tls = try await room.make("/edges/tls")
        let tcp = try await room.make("/edges/tcp")
        let owners: [EdgeKind: String] = [
            .https: planted.routePath, .tls: "/edges/tls/\(tls)", .tcp: "/edges/tcp/\(tcp)",
        ]
        for module in room.service.catalogue.modules.modules where !module.isForAgentsOnly {
            for kind in module.edgeKinds {
                let isOnEdge = kind == .https && module.name == "mutual_tls"
                let path = "\(isOnEdge ? "/edges/https/\(planted.edge)" : owners[kind] ?? "")/\(module.name)"
                var settings = module.example
                for reference in module.references {
                    settings[reference.field] = [.string(try #require(referred[reference.kind]))]
                }
                let put = try await room.call("PUT", path, settings)
                #expect(put.status == 200, "\(path): \(put.body.text)")
                #expect(put["enabled"] == true)
                for reference in module.references {
                    let id = try #require(referred[reference.kind])
                    let shown = put[reference.answerField]?.arrayValue
                    #expect(shown?.first?["id"]?.stringValue == id)
                    #expect(shown?.first?["uri"]?.stringValue?.hasSuffix("/\(id)") == true)
                    #expect(put[reference.field] == nil)
                }
                #expect(try await room.call("GET", path).body == put.body)
                settings["enabled"] = false
                #expect(try await room.call("PUT", path, settings)["enabled"] == false)
                #expect(try await room.call("DELETE", path).status == 204)
                #expect(try await room.call("GET", path).status == 404)
                #expect(try await room.call("DELETE", path).status == 204)
            }
        }
    }

    @Test func `TLS termination follows the rules of its edge kind`() async throws {
        let room = try await ControlRoom()
        let https = "/edges/https/\(try await room.make("/edges/https"))/tls_termination"
        let tls = "/edges/tls/\(try await room.make("/edges/tls"))/tls_termination"
        #expect(
            try await room.call("PUT", https, ["min_version": "1.3"]).body
                == ["enabled": true, "min_version": "1.3", "terminate_at": "edge"])
        #expect(try await room.call("PUT", https, ["terminate_at": "edge"]).code == "ERR_NGROK_7109")
        #expect(try await room.call("PUT", https, ["min_version": "1.4"]).code == "ERR_NGROK_219")
        #expect(try await room.call("PUT", tls, ["terminate_at": "moon"]).code == "ERR_NGROK_224")
        let both: JSON = ["terminate_at": "upstream", "min_version": "1.2"]
        #expect(try await room.call("PUT", tls, both).code == "ERR_NGROK_7032")
        #expect(
            try await room.call("PUT", tls, ["terminate_at": "upstream"]).body
                == ["enabled": true, "min_version": nil, "terminate_at": "upstream"])
        #expect(room.dataPlane.last?.edges.values.contains { $0.termination == .atUpstream } == true)
        #expect(try await room.call("PUT", tls).body == ["enabled": true, "min_version": nil, "terminate_at": "edge"])
    }

    @Test func `a backend reference must be a backend and exist`() async throws {
        let room = try await ControlRoom()
        let planted = try await Planting.edge(in: room)
        let path = "\(planted.routePath)/backend"
        #expect(try await room.call("PUT", path, ["backend_id": "nonsense"]).code == "ERR_NGROK_242")
        #expect(try await room.call("PUT", path, ["backend_id": .string(planted.domain)]).code == "ERR_NGROK_242")
        let missing: JSON = ["backend_id": "bkdsc_000000000000000000000000000"]
        #expect(try await room.call("PUT", path, missing).code == "ERR_NGROK_6501")
        #expect(try await room.call("DELETE", "/backends/static/\(planted.backend)").code == "ERR_NGROK_6502")
        let off = try await room.call("PUT", path, ["enabled": false, "backend_id": .string(planted.backend)])
        let uri = "http://admin.local:80/backends/static/\(planted.backend)"
        #expect(off.body == ["enabled": false, "backend": ["id": .string(planted.backend), "uri": .string(uri)]])
    }

    @Test func `texts have limits with the codes of their kind`() async throws {
        let room = try await ControlRoom()
        let long = JSON.string(String(repeating: "x", count: 256))
        let codes = [
            "/edges/https": "ERR_NGROK_7073", "/backends/failover": "ERR_NGROK_6503",
            "/reserved_addrs": "ERR_NGROK_504", "/ip_policies": "ERR_NGROK_1673",
        ]
        for (path, code) in codes {
            #expect(try await room.call("POST", path, ["description": long]).code == code)
        }
        let metadata = JSON.string(String(repeating: "x", count: 4097))
        #expect(try await room.call("POST", "/edges/tcp", ["metadata": metadata]).code == "ERR_NGROK_7074")
        let domain: JSON = ["domain": "a.example.com", "description": long]
        #expect(try await room.call("POST", "/reserved_domains", domain).code == "ERR_NGROK_420")
    }
}
