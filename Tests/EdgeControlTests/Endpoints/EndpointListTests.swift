import EdgeCore
import Shared
import Testing

@testable import EdgeControl

@Suite struct EndpointListTests {
    private static func ids(_ answer: ControlRoom.Answer, _ key: String = "endpoints") -> [String] {
        answer[key]?.arrayValue?.compactMap { $0["id"]?.stringValue } ?? []
    }

    private static func urls(_ answer: ControlRoom.Answer) -> [String] {
        answer["endpoints"]?.arrayValue?.compactMap { $0["url"]?.stringValue } ?? []
    }

    @Test func `each hostport of an edge is an endpoint with an identifier that stays`() async throws {
        let room = try await EndpointTests.room()
        let domain = try await room.make("/reserved_domains", ["domain": "a.example.com"])
        _ = try await room.make("/reserved_domains", ["domain": "b.example.com"])
        let address = try await room.call("POST", "/reserved_addrs")
        let addr = address["addr"]?.stringValue ?? ""
        let tls = try await room.make("/edges/tls", ["hostports": ["a.example.com:443", "b.example.com:443"]])
        let tcp = try await room.make("/edges/tcp", ["hostports": [.string(addr)]])
        let list = try await room.call("GET", "/endpoints")
        #expect(Self.urls(list) == ["tcp://\(addr)", "tls://a.example.com", "tls://b.example.com"])
        let entries = list["endpoints"]?.arrayValue ?? []
        for entry in entries {
            #expect(Set(entry.objectValue?.keys.map(\.self) ?? []) == EndpointTests.fields)
            #expect(entry["type"] == "edge" && entry["bindings"] == ["public"] && entry["traffic_policy"] == "")
            let id = try #require(entry["id"]?.stringValue)
            #expect(Identity.prefix(of: id) == "ep")
            #expect(try await room.call("GET", "/endpoints/\(id)").body == entry)
        }
        #expect(entries[0]["tcp_addr"]?["id"] == .string(address.id) && entries[0]["domain"] == .null)
        #expect(entries[0]["edge"] == ["id": .string(tcp), "uri": .string("http://admin.local:80/edges/tcp/\(tcp)")])
        #expect(entries[1]["domain"]?["id"] == .string(domain) && entries[1]["edge"]?["id"] == .string(tls))
        // Of the edge's own second, and the same after a change and a restart.
        let second = Self.ids(list)[2]
        #expect(second.prefix(6) == "ep_" + tls.dropFirst("edgtls_".count).prefix(3))
        _ = try await room.call("PATCH", "/edges/tls/\(tls)", ["hostports": ["b.example.com:443"]])
        #expect(try await room.call("GET", "/endpoints/\(Self.ids(list)[1])").status == 404)
        #expect(try await room.call("GET", "/endpoints/\(second)")["url"] == "tls://b.example.com")
        let again = try await ControlRoom(folder: room.folder)
        #expect(try await again.call("GET", "/endpoints/\(second)")["edge"]?["id"] == .string(tls))
        _ = try await room.call("DELETE", "/edges/tls/\(tls)")
        #expect(try await room.call("GET", "/endpoints/\(second)").status == 404)
    }

    @Test func `an edge's endpoint is not changed or deleted itself`() async throws {
        let room = try await EndpointTests.room()
        _ = try await room.make("/reserved_domains", ["domain": "a.example.com"])
        let edge = try await room.make("/edges/https", ["hostports": ["a.example.com:443"]])
        let id = Self.ids(try await room.call("GET", "/endpoints"))[0]
        for (method, body) in [("PATCH", JSON.object(["metadata": "m"])), ("DELETE", nil)] as [(String, JSON?)] {
            let answer = try await room.call(method, "/endpoints/\(id)", body)
            #expect(answer.status == 400 && answer["msg"]?.stringValue?.contains(edge) == true, "\(answer.body.text)")
        }
        #expect(try await room.call("PATCH", "/endpoints/ep_000000000000000000000000000", [:]).status == 404)
        #expect(try await room.call("DELETE", "/endpoints/\(edge)").status == 404)
    }

    @Test(arguments: [1, 2, 3, 100])
    func `pages go through cloud endpoints and edges by age, without a gap or a double`(limit: Int) async throws {
        let room = try await EndpointTests.room()
        for name in "abcdefgh" {
            _ = try await room.make("/reserved_domains", ["domain": .string("\(name).example.com")])
        }
        _ = try await room.make(
            "/edges/tls", ["hostports": ["a.example.com:443", "b.example.com:443", "c.example.com:443"]])
        _ = try await room.make("/endpoints", EndpointTests.body("https://d.example.com"))
        _ = try await room.make("/edges/https", ["hostports": ["e.example.com:443"]])
        _ = try await room.make("/edges/https")
        _ = try await room.make("/endpoints", EndpointTests.body("http://f.example.com"))
        _ = try await room.make("/edges/tls", ["hostports": ["g.example.com:443", "h.example.com:443"]])
        let all = ["tls://g", "tls://h", "http://f", "https://e", "https://d", "tls://a", "tls://b", "tls://c"]
        var path = "/endpoints?limit=\(limit)"
        var seen: [String] = []
        for _ in 0..<20 {
            let page = try await room.call("GET", path)
            seen += Self.urls(page)
            guard let next = page["next_page_uri"]?.stringValue else { break }
            #expect(Self.urls(page).count == limit)
            path = String(next.dropFirst("http://admin.local:80".count))
        }
        #expect(seen == all.map { $0 + ".example.com" })
    }

    @Test func `endpoints are chosen by id, by url and by a filter, which the next page keeps`() async throws {
        let room = try await EndpointTests.room()
        for name in "abc" { _ = try await room.make("/reserved_domains", ["domain": .string("\(name).example.com")]) }
        _ = try await room.make("/edges/tls", ["hostports": ["a.example.com:443", "b.example.com:443"]])
        let cloud = try await room.make("/endpoints", EndpointTests.body("https://c.example.com"))
        let all = Self.ids(try await room.call("GET", "/endpoints"))
        #expect(all.count == 3 && all[0] == cloud)
        #expect(
            Self.ids(try await room.call("GET", "/endpoints?id=\(all[2])&id=\(all[0])&id=ep_x")) == [all[0], all[2]])
        #expect(Self.ids(try await room.call("GET", "/endpoints?url=tls%3A%2F%2Fb.example.com%3A443")) == [all[2]])
        #expect(Self.ids(try await room.call("GET", "/endpoints?url=https://c.example.com&id=\(all[1])")) == [])
        let first = try await room.call(
            "GET", "/endpoints?limit=1&id=\(all[2])&id=\(all[1])&url=tls://b.example.com&url=tls://a.example.com")
        let next = try #require(first["next_page_uri"]?.stringValue)
        #expect(
            next == "http://admin.local:80/endpoints?before_id=\(all[1])&limit=1&id=\(all[2])&id=\(all[1])"
                + "&url=tls%3A%2F%2Fb.example.com&url=tls%3A%2F%2Fa.example.com")
        #expect(Self.ids(try await room.call("GET", String(next.dropFirst("http://admin.local:80".count)))) == [all[2]])
        let filter = { (text: String) in
            try await room.call("GET", "/endpoints?limit=1&filter=" + PercentEncoding.encode(text))
        }
        #expect(Self.ids(try await filter(#"obj.type == "cloud""#)) == [cloud])
        #expect(Self.ids(try await filter(#"obj.type == "edge" && obj.url.endsWith("b.example.com")"#)) == [all[2]])
        #expect(
            Self.ids(try await filter(#"obj.edge != null && obj.domain != null && obj.tunnel == null"#)) == [all[1]])
        #expect(
            Self.ids(try await filter(#""public" in obj.bindings && !obj.pooling_enabled && obj.port == 443"#)) == [
                cloud
            ])
        #expect(Self.ids(try await filter(#"obj.created_at > timestamp(time.now).add("1s")"#)) == [])
    }

    @Test func `https base addresses are kept in every address of an answer`() async throws {
        let room = try await EndpointTests.room()
        _ = try await room.make("/reserved_domains", ["domain": "a.example.com"])
        _ = try await room.make("/edges/tls", ["hostports": ["a.example.com:443"]])
        let view = ConfigurationView(state: room.service.state, baseURL: "https://api.example.com")
        let entry = try #require(room.service.state.endpoints(ListScope()).first { _ in true })
        let document = Endpoints.render(entry, in: view)
        for address in [document["uri"], document["edge"]?["uri"], document["domain"]?["uri"]] {
            #expect(address?.stringValue?.hasPrefix("https://api.example.com/") == true)
        }
    }
}
