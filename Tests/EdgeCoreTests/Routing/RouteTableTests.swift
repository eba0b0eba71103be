import Shared
import Testing

@testable import EdgeCore

@Suite struct RouteTableTests {
    private typealias Entry = (matchType: RouteConfiguration.MatchType, match: String, route: CompiledRoute)

    private func entry(_ type: RouteConfiguration.MatchType, _ match: String) -> Entry {
        (type, match, route("\(type == .exactPath ? "=" : "^")\(match)"))
    }

    private func route(_ name: String) -> CompiledRoute {
        CompiledRoute(id: RouteID(name), edgeID: EdgeID("e"), slot: 0, chain: .empty, backend: BackendTable.none)
    }

    @Test(arguments: [
        ("/", "^/"), ("/api", "=/api"), ("/api/", "^/api"), ("/apiary", "^/api"), ("/api/v1", "^/api/v1"),
        ("/api/v1/x", "^/api/v1"), ("/api/v2", "=/api/v2"), ("/api/v2/", "^/api"), ("/other", "^/"),
        ("/x/../api/v1/y", "^/api/v1"), ("/%61pi", "=/api"), ("/api/%76%31", "^/api/v1"), ("/api/v1/../v2", "=/api/v2"),
        ("*", nil), ("", nil), ("api", nil),
    ])
    func `the exact path wins, then the longest prefix`(path: String, expected: String?) {
        let table = RouteTable([
            entry(.pathPrefix, "/"), entry(.pathPrefix, "/api/v1"), entry(.exactPath, "/api"),
            entry(.exactPath, "/api/v2"), entry(.pathPrefix, "/api"),
        ])
        #expect(table.lookup(path)?.id.rawValue == expected)
    }

    @Test(arguments: ["/x/../admin", "/%61dmin", "/./admin", "/%2e/admin", "/a/b/../../admin", "/%2E%2E/admin"])
    func `nobody gets around a route by writing its path otherwise`(path: String) {
        let table = RouteTable([entry(.pathPrefix, "/"), entry(.exactPath, "/admin")])
        #expect(table.lookup(path)?.id.rawValue == "=/admin")
    }

    @Test func `an encoded slash is no separator`() {
        let table = RouteTable([entry(.pathPrefix, "/"), entry(.pathPrefix, "/a/")])
        #expect(table.lookup("/a%2Fb")?.id.rawValue == "^/")
        #expect(table.lookup("/a/b")?.id.rawValue == "^/a/")
    }

    @Test func `a match that is not in normal form is met all the same`() {
        let table = RouteTable([entry(.exactPath, "/%7Eme/./x"), entry(.pathPrefix, "/files/.")])
        #expect(table.lookup("/~me/x")?.id.rawValue == "=/%7Eme/./x")
        #expect(table.lookup("/files/.git")?.id.rawValue == "^/files/.")
        #expect(table.lookup("/files/git") == nil)
    }

    @Test func `routes are listed in the order in which they are tried`() {
        let table = RouteTable([
            entry(.pathPrefix, "/"), entry(.exactPath, "/b"), entry(.pathPrefix, "/long"), entry(.exactPath, "/a"),
        ])
        #expect(table.all.map(\.id.rawValue) == ["=/a", "=/b", "^/long", "^/"])
        #expect(RouteTable.empty.all.isEmpty)
        #expect(RouteTable.empty.lookup("/") == nil)
    }

    @Test func `the table agrees with a search through all routes`() {
        var chance = Chance(6)
        let pieces = ["/", "a", "b", "/api", "/v1", "x"]
        let path = { (chance: inout Chance) in
            "/"
                + (0..<Int.random(in: 0...6, using: &chance)).map { _ in pieces.randomElement(using: &chance) ?? "" }
                .joined()
        }
        for _ in 0..<60 {
            var known: Set<String> = []
            var entries: [Entry] = []
            for _ in 0..<Int.random(in: 1...50, using: &chance) {
                let type: RouteConfiguration.MatchType = Bool.random(using: &chance) ? .exactPath : .pathPrefix
                let candidate = entry(type, path(&chance))
                if known.insert(candidate.route.id.rawValue).inserted { entries.append(candidate) }
            }
            let table = RouteTable(entries)
            for _ in 0..<200 {
                let wanted = path(&chance)
                let exact = entries.first { $0.matchType == .exactPath && $0.match == wanted }
                let prefix = entries.filter { $0.matchType == .pathPrefix && wanted.hasPrefix($0.match) }
                    .max { $0.match.utf8.count < $1.match.utf8.count }
                #expect(table.lookup(wanted) === (exact ?? prefix)?.route)
            }
        }
    }
}
