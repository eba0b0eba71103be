import EdgeCore
import Shared
import Synchronization
import Testing

@testable import EdgeControl

@Suite struct ListTests {
    private static let base = "http://admin.local:80"

    @Test func `a filter is carried from page to page, and no page is empty but the last`() async throws {
        let room = try await ControlRoom()
        var wanted: [String] = []
        for number in 0..<12 {
            let isWanted = number % 3 == 1
            let id = try await room.make("/ip_policies", ["metadata": isWanted ? "team=a&b \"ö\"" : "other"])
            if isWanted { wanted.append(id) }
        }
        let filter = #"obj.metadata.startsWith("team=a&b") && obj.created_at <= timestamp(time.now)"#
        var path = "/ip_policies?limit=2&filter=" + PercentEncoding.encode(filter)
        var seen: [String] = []
        var pages = 0
        while true {
            let page = try await room.call("GET", path)
            try #require(page.status == 200, "\(page.body.text)")
            let ids = page["ip_policies"]?.arrayValue?.compactMap { $0["id"]?.stringValue } ?? []
            #expect(page["uri"]?.stringValue == Self.base + "/ip_policies")
            seen += ids
            pages += 1
            guard let next = page["next_page_uri"]?.stringValue else { break }
            #expect(!ids.isEmpty)
            #expect(next.hasSuffix("&limit=2&filter=" + PercentEncoding.encode(filter)))
            path = String(next.dropFirst(Self.base.count))
        }
        #expect(seen == wanted.reversed())
        #expect(pages == 2)
        // What nobody has is one empty page.
        let none = try await room.call(
            "GET", "/ip_policies?limit=1&filter=" + PercentEncoding.encode("obj.metadata == 'x'"))
        #expect(none["ip_policies"] == [] && none["next_page_uri"] == .null)
    }

    @Test func `a filter that is no CEL, or names what is not there, is refused with its place`() async throws {
        let room = try await ControlRoom()
        for text in ["obj.", "obj.nothing == 1", "1", "obj.id.contains('x')"] {
            let answer = try await room.call("GET", "/ip_policies?filter=" + PercentEncoding.encode(text))
            #expect(answer.status == 400 && answer.code == "invalid_cel_expression", "\(answer.body.text)")
            #expect(answer["msg"]?.stringValue?.contains("(at byte ") == true)
            let details = try #require(answer["details"]?.objectValue)
            #expect(details.values.allSatisfy { $0.stringValue != nil } && details["position"] != nil)
        }
        // An empty one is none, and lists without a documented filter do not know the parameter.
        #expect(try await room.call("GET", "/ip_policies?filter=").status == 200)
        #expect(try await room.call("GET", "/edges/https?filter=true").code == "ERR_NGROK_231")
    }

    @Test func `wrong parameters of a list have their codes`() async throws {
        let room = try await ControlRoom()
        let codes = [
            "limit=0": "ERR_NGROK_233", "limit=101": "ERR_NGROK_233", "limit=-1": "ERR_NGROK_233",
            "limit=x": "ERR_NGROK_244", "limit=1.5": "ERR_NGROK_244", "limit=99999999999999999999": "ERR_NGROK_244",
            "page=1": "ERR_NGROK_231", "limit=1&limit=2": "ERR_NGROK_232", "filter=true&filter=true": "ERR_NGROK_232",
            "before_id=x": "ERR_NGROK_215",
        ]
        for (query, code) in codes {
            let answer = try await room.call("GET", "/ip_policies?" + query)
            #expect(answer.status == 400 && answer.code == code, "\(query): \(answer.body.text)")
        }
    }

    @Test func `a page renders no more than it holds, and a filter is not asked for more than it needs`() async throws {
        let room = try await ControlRoom()
        let rendered = Counter()
        let item = Shape("Item", [Shape.Field("id", .text), Shape.Field("even", .flag)])
        let list = ListOperation("/items", key: "items", of: item, takesFilter: true) { _, _ in
            AnySequence(
                (0..<20_000).lazy.map { number in
                    ListElement(id: "item_\(number)") {
                        rendered.add()
                        return ["id": .string("item_\(number)"), "even": .bool(number % 2 == 0)]
                    }
                })
        }
        let view = ConfigurationView(state: room.service.state, baseURL: "https://api.example.com")
        let plain = try await Self.page("limit=10", of: list).answer(list, view)
        #expect(plain["items"]?.arrayValue?.count == 10)
        #expect(plain["next_page_uri"] == "https://api.example.com/items?before_id=item_9&limit=10")
        #expect(rendered.take() == 10)
        let filtered = try await Self.page("filter=obj.even", of: list).answer(list, view)
        #expect(filtered["items"]?.arrayValue?.count == 100)
        #expect(filtered["next_page_uri"] == "https://api.example.com/items?before_id=item_198&filter=obj.even")
        #expect(rendered.take() == 201)
        // What matches one of all is found in one walk.
        let query = "filter=" + PercentEncoding.encode("obj.id == 'item_19999'")
        let rare = try await Self.page(query, of: list).answer(list, view)
        #expect(rare["items"]?.arrayValue?.count == 1 && rare["next_page_uri"] == .null)
        #expect(rendered.take() == 20_000)
    }

    private static func page(_ query: String, of list: ListOperation) throws -> ListPage {
        let call = OperationCall(
            request: HandlerRequest(method: "GET", path: list.path, query: query, fields: [], body: [], peer: nil),
            query: PercentEncoding.parameters(of: query) ?? [:],
            principal: Principal(name: "uid:0", role: .admin, uid: 0))
        return try ListPage(call, of: list, now: WallTime(seconds: 0))
    }

    @Test func `pages go on where an object was deleted, however many there are`() async throws {
        let room = try await ControlRoom()
        var made: [String] = []
        for _ in 0..<9 { made.append(try await room.make("/ip_policies")) }
        for gone in [made[4], made[8], made[0]] { _ = try await room.call("DELETE", "/ip_policies/\(gone)") }
        let page = try await room.call("GET", "/ip_policies?before_id=\(made[4])")
        #expect(Self.ids(page) == [made[3], made[2], made[1]])
        let all = try await room.call("GET", "/ip_policies?before_id=\(made[8])")
        #expect(Self.ids(all) == [made[7], made[6], made[5], made[3], made[2], made[1]])
        #expect(Self.ids(try await room.call("GET", "/ip_policies?before_id=\(made[0])")) == [])
    }

    private static func ids(_ page: ControlRoom.Answer) -> [String] {
        page["ip_policies"]?.arrayValue?.compactMap { $0["id"]?.stringValue } ?? []
    }
}

/// Counts calls.
private final class Counter: Sendable {
    private let count = Mutex(0)

    func add() { count.withLock { $0 += 1 } }

    func take() -> Int {
        count.withLock { count in
            defer { count = 0 }
            return count
        }
    }
}
