import EdgeCore
import Shared
import Synchronization
import Testing

@testable import EdgeControl

@Suite struct EndpointTests {
    static let fields: Set<String> = [
        "id", "region", "created_at", "updated_at", "public_url", "proto", "scheme", "hostport", "host", "port", "type",
        "metadata", "description", "domain", "tcp_addr", "tunnel", "edge", "upstream_url", "upstream_protocol", "url",
        "principal", "traffic_policy", "bindings", "tunnel_session", "uri", "name", "pooling_enabled",
    ]

    static func room() async throws -> ControlRoom { try await ControlRoom() }

    static func body(_ url: String, _ more: [String: JSON] = [:]) -> JSON {
        let base: [String: JSON] = ["url": .string(url), "type": "cloud", "traffic_policy": "{}"]
        return .object(base.merging(more) { $1 })
    }

    @Test func `a cloud endpoint is made with every field, read, listed, changed and deleted`() async throws {
        let room = try await Self.room()
        let domain = try await room.make("/reserved_domains", ["domain": "app.example.com"])
        let made = try await room.call(
            "POST", "/endpoints", Self.body("HTTPS://App.example.com:443/", ["description": "d", "metadata": "m"]))
        #expect(made.status == 201, "\(made.body.text)")
        #expect(Set(made.body.objectValue?.keys.map(\.self) ?? []) == Self.fields)
        #expect(made.id.hasPrefix("ep_"))
        let expected: [String: JSON] = [
            "type": "cloud", "url": "https://app.example.com", "public_url": "https://app.example.com",
            "proto": "https", "scheme": "https", "hostport": "app.example.com:443", "host": "app.example.com",
            "port": 443, "bindings": ["public"], "pooling_enabled": false, "traffic_policy": "{}", "tcp_addr": nil,
            "edge": nil, "tunnel": nil, "tunnel_session": nil, "principal": nil, "description": "d", "metadata": "m",
            "uri": .string("http://admin.local:80/endpoints/\(made.id)"),
            "domain": ["id": .string(domain), "uri": .string("http://admin.local:80/reserved_domains/\(domain)")],
        ]
        for (name, value) in expected { #expect(made[name] == value, "\(name)") }
        #expect(made["created_at"] == made["updated_at"])
        #expect(made.fields["etag"] != nil)
        let path = "/endpoints/\(made.id)"
        #expect(try await room.call("GET", path).body == made.body)
        #expect(try await room.call("GET", "/endpoints")["endpoints"] == [made.body])
        room.now.withLock { $0.seconds += 60 }
        let changed = try await room.call("PATCH", path, ["metadata": "", "traffic_policy": "{ }"])
        #expect(changed.status == 200 && changed["metadata"] == "" && changed["traffic_policy"] == "{ }")
        #expect(changed["updated_at"] != changed["created_at"] && changed["description"] == "d")
        #expect(try await room.call("DELETE", "/reserved_domains/\(domain)").code == "ERR_NGROK_446")
        #expect(try await room.call("DELETE", path).status == 204)
        #expect(try await room.call("GET", path).status == 404)
        #expect(try await room.call("DELETE", "/reserved_domains/\(domain)").status == 204)
    }

    @Test func `what is wrong with a cloud endpoint has its code`() async throws {
        let room = try await Self.room()
        _ = try await room.make("/reserved_domains", ["domain": "app.example.com"])
        _ = try await room.make("/reserved_domains", ["domain": "*.wild.example.com"])
        let codes: [(JSON, String?)] = [
            (Self.body("https://app.example.com", ["type": "edge"]), "ERR_NGROK_248"),
            (["url": "https://app.example.com", "traffic_policy": "{}"], "ERR_NGROK_248"),
            (Self.body(""), "ERR_NGROK_249"), (Self.body("https://"), "ERR_NGROK_249"),
            (Self.body("https://app.example.com/path"), "ERR_NGROK_249"),
            (Self.body("https://me@app.example.com"), "ERR_NGROK_249"),
            (Self.body("https://app.example.com?x=1"), "ERR_NGROK_249"),
            (Self.body("app.example.com"), "ERR_NGROK_18022"), (Self.body("ftp://app.example.com"), "ERR_NGROK_18022"),
            (Self.body("tcp://edge.example.net"), "ERR_NGROK_18003"),
            (Self.body("https://app.example.com:x"), "ERR_NGROK_18003"),
            (Self.body("https://app.example.com:99999"), "ERR_NGROK_18003"),
            (Self.body("https://app_.example.com"), "ERR_NGROK_18001"),
            (Self.body("https://app.example.com:8443"), "ERR_NGROK_18023"),
            (Self.body("http://app.example.com:443"), "ERR_NGROK_18023"),
            (Self.body("https://other.example.com"), "ERR_NGROK_18006"),
            (Self.body("https://wild.example.com"), "ERR_NGROK_18006"),
            (Self.body("tcp://edge.example.net:20000"), "ERR_NGROK_18006"),
            (
                Self.body("https://app.example.com", ["description": .string(.init(repeating: "x", count: 256))]),
                "ERR_NGROK_18012"
            ),
            (
                Self.body("https://app.example.com", ["metadata": .string(.init(repeating: "x", count: 4097))]),
                "ERR_NGROK_18013"
            ),
            (Self.body("https://app.example.com", ["bindings": ["private"]]), nil),
            (Self.body("https://app.example.com", ["hostport": "x"]), "ERR_NGROK_214"),
            (Self.body("https://app.example.com", ["traffic_policy": nil]), nil),
            (Self.body("https://app.example.com", ["pooling_enabled": "yes"]), "ERR_NGROK_213"),
            (Self.body("https://app.example.com", ["traffic_policy": "on_http_request: ["]), "ERR_NGROK_2236"),
        ]
        for (body, code) in codes {
            let answer = try await room.call("POST", "/endpoints", body)
            #expect(answer.status == 400 && answer.code == code, "\(body.text): \(answer.body.text)")
        }
        #expect(try await room.call("GET", "/endpoints")["endpoints"] == [])
        let deep = try await room.make("/endpoints", Self.body("https://a.b.wild.example.com"))
        let scheme = try await room.call("PATCH", "/endpoints/\(deep)", ["url": "tls://a.b.wild.example.com"])
        #expect(scheme.code == "ERR_NGROK_18005")
        let moved = try await room.call("PATCH", "/endpoints/\(deep)", ["url": "https://app.example.com"])
        #expect(moved["url"] == "https://app.example.com")
        #expect(room.dataPlane.last?.hosts.lookup("app.example.com")?.id.rawValue == deep)
        #expect(room.dataPlane.last?.hosts.lookup("a.b.wild.example.com") == nil)
    }

    @Test func `one endpoint stands at an address, unless all of them are pooled`() async throws {
        let room = try await Self.room()
        _ = try await room.make("/reserved_domains", ["domain": "app.example.com"])
        let pooled: [String: JSON] = ["pooling_enabled": true]
        let url = "https://app.example.com"
        let single = try await room.make("/endpoints", Self.body(url))
        #expect(try await room.call("POST", "/endpoints", Self.body(url)).code == "ERR_NGROK_18009")
        #expect(try await room.call("POST", "/endpoints", Self.body(url, pooled)).code == "ERR_NGROK_18016")
        #expect(try await room.call("POST", "/endpoints", Self.body("tls://app.example.com")).code == "ERR_NGROK_18017")
        #expect(try await room.call("PATCH", "/endpoints/\(single)", .object(pooled)).status == 200)
        #expect(try await room.call("POST", "/endpoints", Self.body(url)).code == "ERR_NGROK_18017")
        let other = try await room.make("/endpoints", Self.body(url, pooled))
        #expect(
            try await room.call("POST", "/endpoints", Self.body("tls://app.example.com", pooled)).code
                == "ERR_NGROK_18016")
        #expect(
            try await room.call("PATCH", "/endpoints/\(single)", ["pooling_enabled": false]).code == "ERR_NGROK_18017")
        #expect(room.dataPlane.last?.edges.count == 1)
        // When the one that stands for all goes, another does.
        let first = [single, other].min() ?? ""
        #expect(room.dataPlane.last?.hosts.lookup("app.example.com")?.id.rawValue == first)
        #expect(try await room.call("DELETE", "/endpoints/\(first)").status == 204)
        let left = room.dataPlane.last?.hosts.lookup("app.example.com")?.id.rawValue
        #expect(left == [single, other].max())
        // Plain HTTP is another address, which is sent on to the one with TLS.
        _ = try await room.make("/endpoints", Self.body("http://app.example.com"))
        #expect(room.dataPlane.last?.hosts.lookup("app.example.com")?.id.rawValue == left)
    }

    @Test func `edges and cloud endpoints keep each other from their hostports`() async throws {
        let room = try await Self.room()
        _ = try await room.make("/reserved_domains", ["domain": "app.example.com"])
        let address = try await room.call("POST", "/reserved_addrs")["addr"]?.stringValue ?? ""
        let edge = try await room.make("/edges/https", ["hostports": ["app.example.com:443"]])
        #expect(
            try await room.call("POST", "/endpoints", Self.body("https://app.example.com")).code == "ERR_NGROK_18017")
        #expect(
            try await room.call("POST", "/endpoints", Self.body("tls://app.example.com", ["pooling_enabled": true]))
                .code == "ERR_NGROK_18016")
        // Without the edge, plain HTTP's endpoint serves the name; with it, the edge does.
        let plain = try await room.make("/endpoints", Self.body("http://app.example.com"))
        let serving = { room.dataPlane.last?.hosts.lookup("app.example.com")?.id.rawValue }
        #expect(serving() == edge)
        _ = try await room.call("PATCH", "/edges/https/\(edge)", ["hostports": []])
        #expect(serving() == plain)
        _ = try await room.call("PATCH", "/edges/https/\(edge)", ["hostports": ["app.example.com:443"]])
        #expect(serving() == edge)
        _ = try await room.call("DELETE", "/edges/https/\(edge)")
        #expect(serving() == plain)
        _ = try await room.make("/endpoints", Self.body("https://app.example.com"))
        _ = try await room.make("/endpoints", Self.body("tcp://\(address)", ["pooling_enabled": true]))
        for (kind, hostport) in [("https", "app.example.com:443"), ("tls", "app.example.com:443"), ("tcp", address)] {
            let taken = try await room.call("POST", "/edges/\(kind)", ["hostports": [.string(hostport)]])
            #expect(taken.code == "ERR_NGROK_7122", "\(taken.body.text)")
        }
        #expect(room.dataPlane.last?.ports[20000] != nil)
    }

    @Test func `a cloud endpoint is an edge whose traffic policy is on everything`() async throws {
        let room = try await Self.room()
        _ = try await room.make("/reserved_domains", ["domain": "app.example.com"])
        _ = try await room.make("/reserved_domains", ["domain": "tls.example.com"])
        let http = try await room.make("/endpoints", Self.body("https://app.example.com"))
        let tls = try await room.make("/endpoints", Self.body("tls://tls.example.com"))
        let snapshot = try #require(room.dataPlane.last)
        let edge = try #require(snapshot.hosts.lookup("app.example.com"))
        #expect(edge.id.rawValue == http && edge.kind == .https)
        var path = "/any/path"
        let route = path.withUTF8 { edge.routes.lookup($0) }
        #expect(route?.chain.names.contains("traffic_policy") == true)
        let passing = try #require(snapshot.hosts.lookup("tls.example.com"))
        #expect(passing.id.rawValue == tls && passing.kind == .tls)
        #expect(passing.chain.names == ["traffic_policy"])
        // Reachable only from within: no listener serves them, and no name has to be reserved.
        let inner = try await room.call(
            "POST", "/endpoints", Self.body("https://db.internal:8443", ["bindings": ["internal"]]))
        #expect(
            inner.status == 201 && inner["domain"] == .null && inner["bindings"] == ["internal"], "\(inner.body.text)")
        #expect(room.dataPlane.last?.edges.count == 2)
        // The same after a restart.
        let again = try await ControlRoom(folder: room.folder)
        #expect(again.dataPlane.last?.hosts.lookup("app.example.com")?.id.rawValue == http)
        #expect(try await again.call("GET", "/endpoints/\(http)").status == 200)
    }
}
