import Shared
import Testing

@testable import EdgeCore

/// Compiles backends the way a snapshot does, for tests.
func compileBackend(
    _ id: String, _ all: [(id: String, kind: String, settings: JSON)], slots: SlotTable = SlotTable()
) throws -> any Backend {
    var configurations: PersistentTable<BackendID, BackendConfiguration> = [:]
    for entry in all {
        configurations[BackendID(entry.id)] = BackendConfiguration(
            id: BackendID(entry.id), kind: entry.kind, settings: entry.settings)
    }
    var compiler = BackendCompiler(configurations: configurations, slots: slots)
    compiler.compile(Set(configurations.keys))
    if let fault = compiler.faults.values.first { throw fault }
    return try #require(compiler.table[BackendID(id)])
}

func code(_ body: () throws -> some Any) -> String? {
    let fault = #expect(throws: Fault.self) { _ = try body() }
    return fault?.code
}

@Suite struct StaticBackendTests {
    @Test(arguments: [
        ("localhost:8080", "localhost", 8080, "localhost:8080"), ("10.0.0.1:1", "10.0.0.1", 1, "10.0.0.1:1"),
        ("[2001:DB8::1]:443", "2001:db8::1", 443, "[2001:db8::1]:443"),
        ("App_1.Internal:65535", "app_1.internal", 65535, "app_1.internal:65535"),
    ])
    func `an address is a host and a port`(text: String, host: String, port: Int, kept: String) throws {
        let settings = try StaticBackend.normalise(["address": .string(text)])
        #expect(settings == ["address": .string(kept), "tls": ["enabled": false]])
        let backend = try compileBackend("bkdsc_1", [("bkdsc_1", "static", settings)])
        var states = BalanceStates()
        var path = SelectionPath()
        guard case .dial(let target) = backend.choose(&states, &path) else {
            Issue.record("expected an address")
            return
        }
        #expect(target.host == host && target.port == UInt16(port) && !target.usesTLS)
        #expect(target.backendID == BackendID("bkdsc_1"))
        #expect(path.count == 1)
    }

    @Test(arguments: [
        ("", "ERR_NGROK_6505"), ("localhost", "ERR_NGROK_6505"), (":80", "ERR_NGROK_6506"),
        ("::1:80", "ERR_NGROK_6506"),
        ("[::1:80", "ERR_NGROK_6506"), ("[10.0.0.1]:80", "ERR_NGROK_6506"), ("a b:80", "ERR_NGROK_6506"),
        ("-x:80", "ERR_NGROK_6506"), ("300.0.0.1:80", "ERR_NGROK_6506"), ("a:0", "ERR_NGROK_6507"),
        ("a:65536", "ERR_NGROK_6507"), ("a:", "ERR_NGROK_6507"), ("a:+1", "ERR_NGROK_6507"),
        ("http://a:80/", "ERR_NGROK_6507"),
        ("http://a:80", "ERR_NGROK_6506"), ("a\r\n:80", "ERR_NGROK_6506"),
    ])
    func `what is no address is refused with its code`(text: String, expected: String) {
        #expect(code { try StaticBackend.normalise(["address": .string(text)]) } == expected)
    }

    @Test func `unknown fields and wrong types are refused`() {
        #expect(code { try StaticBackend.normalise(["address": "a:1", "adress": 1]) } == "ERR_NGROK_214")
        #expect(code { try StaticBackend.normalise(["address": "a:1", "tls": ["on": true]]) } == "ERR_NGROK_214")
        #expect(code { try StaticBackend.normalise(["address": 1]) } == "ERR_NGROK_212")
        #expect(code { try StaticBackend.normalise("a:1") } == "ERR_NGROK_212")
        #expect((try? StaticBackend.normalise(["address": "a:1", "tls": nil])) != nil)
    }

    @Test func `an empty address in an update means that it stays`() {
        let kept: JSON = ["address": "a:1", "tls": ["enabled": true]]
        #expect(StaticBackend.merge(["address": ""], into: kept) == kept)
        #expect(StaticBackend.merge(["address": "b:2"], into: kept)["address"] == "b:2")
        #expect(StaticBackend.merge([:], into: kept) == kept)
    }

    @Test func `one address has one pool with TLS and another without`() throws {
        let slots = SlotTable()
        let make = { (id: String, tls: Bool) -> Int in
            let backend = try StaticBackend(
                id: BackendID(id), settings: ["address": "a:1", "tls": ["enabled": .bool(tls)]],
                environment: BackendEnvironment(slots: slots) { _ in nil })
            var states = BalanceStates()
            var path = SelectionPath()
            guard case .dial(let target) = backend.choose(&states, &path) else { return -1 }
            return target.poolSlot
        }
        #expect(try make("x", false) == make("y", false))
        #expect(try make("x", false) != make("x", true))
    }
}

@Suite struct HTTPResponseBackendTests {
    @Test func `C34 status, headers and body are given as configured`() throws {
        let settings = try HTTPResponseBackend.normalise([
            "status_code": 503, "headers": ["Content-Type": "text/html", "X-A": "1"], "body": "<h1>ä</h1>",
        ])
        #expect(settings["headers"] == ["content-type": "text/html", "x-a": "1"])
        let backend = try compileBackend("bkdhr_1", [("bkdhr_1", "http_response", settings)])
        var states = BalanceStates()
        var path = SelectionPath()
        guard case .respond(let response) = backend.choose(&states, &path) else {
            Issue.record("expected an answer")
            return
        }
        #expect(response.status == 503)
        #expect(response.fields.map(\.name) == ["content-type", "x-a"])
        #expect(response.body == Array("<h1>ä</h1>".utf8))
    }

    @Test(arguments: [301, 302, 307, 308])
    func `C36 it can redirect`(status: Int64) throws {
        let settings = try HTTPResponseBackend.normalise([
            "status_code": .int(status), "headers": ["Location": "https://example.com/"],
        ])
        #expect(settings["status_code"] == .int(status))
        #expect(settings["headers"]?["location"] == "https://example.com/")
    }

    @Test func `zero and nothing mean 200`() throws {
        #expect(try HTTPResponseBackend.normalise([:]) == ["status_code": 200, "headers": [:], "body": ""])
        #expect(try HTTPResponseBackend.normalise(["status_code": 0])["status_code"] == 200)
        #expect(try HTTPResponseBackend.normalise(["status_code": nil, "body": nil])["status_code"] == 200)
    }

    @Test func `what no answer may be is refused with its code`() {
        for status in [1, 100, 199, 600, 1000, -1] as [Int64] {
            #expect(code { try HTTPResponseBackend.normalise(["status_code": .int(status)]) } == "ERR_NGROK_6517")
        }
        let long = String(repeating: "x", count: 64 * 1024)
        #expect((try? HTTPResponseBackend.normalise(["body": .string(long)])) != nil)
        #expect(code { try HTTPResponseBackend.normalise(["body": .string(long + "x")]) } == "ERR_NGROK_6516")
        for name in ["", "a b", "a:b", "ä", "a\r\nb", "Content-Length", "transfer-encoding", "ngrok-error-code"] {
            let settings: JSON = ["headers": .object([name: "x"])]
            #expect(code { try HTTPResponseBackend.normalise(settings) } == "ERR_NGROK_6522", "\(name)")
        }
        for value in ["a\r\nb", "a\u{0}", " a", "a ", "\u{7F}"] {
            let settings: JSON = ["headers": .object(["x": .string(value)])]
            #expect(code { try HTTPResponseBackend.normalise(settings) } == "ERR_NGROK_6523")
        }
        #expect(code { try HTTPResponseBackend.normalise(["headers": ["A": "1", "a": "2"]]) } == "ERR_NGROK_6522")
    }
}

@Suite struct ComposedBackendTests {
    private let leaves: [(id: String, kind: String, settings: JSON)] = [
        ("bkdsc_a", "static", ["address": "a:1", "tls": ["enabled": false]]),
        ("bkdsc_b", "static", ["address": "b:1", "tls": ["enabled": false]]),
        ("bkdhr_e", "http_response", ["status_code": 503, "headers": [:], "body": "sorry"]),
    ]

    private func leaf(_ choice: Choice) -> String {
        switch choice {
        case .dial(let target): target.host
        case .respond(let response): "\(response.status)"
        case .inOrder(let legs): "[" + legs.map(\.id.rawValue).joined(separator: ",") + "]"
        case .tunnels(let tunnels, let first): tunnels[first].id
        case .none(let error): error.code ?? ""
        }
    }

    @Test func `C42 weights 95 to 5 over 100,000 requests are exact`() throws {
        let backend = try compileBackend(
            "bkdwd_1", leaves + [("bkdwd_1", "weighted", ["backends": ["bkdsc_a": 95, "bkdsc_b": 5]])])
        var states = BalanceStates()
        var counts: [String: Int] = [:]
        for _ in 0..<100_000 {
            var path = SelectionPath()
            counts[leaf(backend.choose(&states, &path)), default: 0] += 1
        }
        #expect(counts == ["a": 95_000, "b": 5_000])
    }

    @Test func `C45 half and half alternate`() throws {
        let backend = try compileBackend(
            "bkdwd_1", leaves + [("bkdwd_1", "weighted", ["backends": ["bkdsc_a": 1, "bkdsc_b": 1]])])
        var states = BalanceStates()
        var path = SelectionPath()
        #expect((0..<4).map { _ in leaf(backend.choose(&states, &path)) } == ["a", "b", "a", "b"])
    }

    @Test func `a weight of zero is never chosen, and all zero means no backend`() throws {
        let one = try compileBackend(
            "bkdwd_1", leaves + [("bkdwd_1", "weighted", ["backends": ["bkdsc_a": 0, "bkdsc_b": 1]])])
        let none = try compileBackend("bkdwd_2", leaves + [("bkdwd_2", "weighted", ["backends": ["bkdsc_a": 0]])])
        var states = BalanceStates()
        var path = SelectionPath()
        for _ in 0..<50 { #expect(leaf(one.choose(&states, &path)) == "b") }
        #expect(leaf(none.choose(&states, &path)) == "ERR_NGROK_724")
    }

    @Test func `C37 C38 a failover gives its legs in order, and leaves trying them to the caller`() throws {
        let backend = try compileBackend(
            "bkdfo_1", leaves + [("bkdfo_1", "failover", ["backends": ["bkdsc_b", "bkdsc_a", "bkdhr_e"]])])
        var states = BalanceStates()
        var path = SelectionPath()
        guard case .inOrder(let legs) = backend.choose(&states, &path) else {
            Issue.record("expected legs")
            return
        }
        #expect(legs.map { leaf($0.choose(&states, &path)) } == ["b", "a", "503"])
        #expect(
            leaf(try compileBackend("bkdfo_2", [("bkdfo_2", "failover", ["backends": []])]).choose(&states, &path))
                == "ERR_NGROK_724")
    }

    @Test func `C35 C49 failover of weighted and an error page compose`() throws {
        let all =
            leaves + [
                ("bkdwd_1", "weighted", ["backends": ["bkdsc_a": 3, "bkdsc_b": 1]]),
                ("bkdfo_1", "failover", ["backends": ["bkdwd_1", "bkdhr_e"]]),
            ]
        let backend = try compileBackend("bkdfo_1", all)
        var states = BalanceStates()
        var path = SelectionPath()
        guard case .inOrder(let legs) = backend.choose(&states, &path) else {
            Issue.record("expected legs")
            return
        }
        let length = path.count
        #expect((0..<4).map { _ in leaf(legs[0].choose(&states, &path)) }.sorted() == ["a", "a", "a", "b"])
        path.truncate(to: length)
        #expect(leaf(legs[1].choose(&states, &path)) == "503")
    }

    @Test func `the path names every backend and share on the way`() throws {
        let slots = SlotTable()
        let backend = try compileBackend(
            "bkdwd_1", leaves + [("bkdwd_1", "weighted", ["backends": ["bkdsc_a": 1]])], slots: slots)
        var states = BalanceStates()
        var path = SelectionPath()
        _ = backend.choose(&states, &path)
        let keys = slots.keys
        #expect(
            (0..<path.count).map { keys[Int(path.slots[$0])] }
                == ["backend/bkdwd_1", "share/bkdwd_1/bkdsc_a", "backend/bkdsc_a"])
    }

    @Test func `settings are checked with their codes`() throws {
        let many = Dictionary(uniqueKeysWithValues: (0..<65).map { ("bkdsc_\($0)", JSON.int(1)) })
        #expect(code { try WeightedBackend.normalise(["backends": .object(many)]) } == "ERR_NGROK_6511")
        for weight in [-1, 10_001, 0.5, "1", nil] as [JSON] {
            #expect(
                code { try WeightedBackend.normalise(["backends": .object(["bkdsc_a": weight])]) } == "ERR_NGROK_6512")
        }
        #expect(
            try WeightedBackend.normalise(["backends": ["a": 0, "b": 10_000]]) == ["backends": ["a": 0, "b": 10_000]])
        #expect(try WeightedBackend.normalise([:]) == ["backends": [:]])
        let legs = JSON.array((0..<17).map { .string("bkdsc_\($0)") })
        #expect(code { try FailoverBackend.normalise(["backends": legs]) } == "ERR_NGROK_6513")
        #expect(code { try FailoverBackend.normalise(["backends": [1]]) } == "ERR_NGROK_212")
        #expect(code { try FailoverBackend.normalise(["backends": ["a", "a"]]) } == "ERR_NGROK_6525")
        #expect(code { try FailoverBackend.normalise(["backend": []]) } == "ERR_NGROK_214")
        #expect(try FailoverBackend.normalise(["backends": nil]) == ["backends": []])
    }

    @Test func `in an update absent stays, and empty empties`() {
        #expect(WeightedBackend.merge([:], into: ["backends": ["a": 1]]) == ["backends": ["a": 1]])
        #expect(WeightedBackend.merge(["backends": [:]], into: ["backends": ["a": 1]]) == ["backends": [:]])
        #expect(FailoverBackend.merge(["backends": []], into: ["backends": ["a"]]) == ["backends": []])
    }

    @Test func `a child that does not exist is a fault`() {
        #expect(
            code { try compileBackend("bkdfo_1", [("bkdfo_1", "failover", ["backends": ["bkdsc_gone"]])]) }
                == "ERR_NGROK_6501")
    }
}

@Suite struct BackendGraphTests {
    private func graph(_ edges: [String: [String]]) -> [BackendID: BackendConfiguration] {
        var result: [BackendID: BackendConfiguration] = [:]
        for (id, children) in edges {
            let isWeighted = id.hasPrefix("w")
            let settings: JSON =
                isWeighted
                ? ["backends": .object(Dictionary(uniqueKeysWithValues: children.map { ($0, JSON.int(1)) }))]
                : ["backends": .array(children.map { .string($0) })]
            result[BackendID(id)] = BackendConfiguration(
                id: BackendID(id), kind: isWeighted ? "weighted" : "failover", settings: settings)
        }
        return result
    }

    private func check(_ edges: [String: [String]], _ changed: String) -> String? {
        do {
            try Backends.checkGraph(graph(edges), changed: BackendID(changed))
            return nil
        } catch {
            return error.code
        }
    }

    @Test func `C49 cycles are refused`() {
        #expect(check(["w1": ["w1"]], "w1") == "ERR_NGROK_6524")
        #expect(check(["f1": ["f1"]], "f1") == "ERR_NGROK_6525")
        #expect(check(["w1": ["f1"], "f1": ["w2"], "w2": ["w1"]], "f1") == "ERR_NGROK_6525")
        #expect(check(["w1": ["f1"], "f1": ["w2"], "w2": ["w1"]], "w2") == "ERR_NGROK_6524")
    }

    @Test func `C49 nesting is bounded, seen from every backend of the line`() {
        let five = ["f1": ["f2"], "f2": ["f3"], "f3": ["f4"], "f4": ["f5"], "f5": []]
        for id in five.keys { #expect(check(five, id) == nil) }
        var six = five
        six["f5"] = ["f6"]
        six["f6"] = []
        for id in six.keys { #expect(check(six, id) == "ERR_NGROK_6513") }
    }

    @Test func `a diamond is no cycle, and many paths cost no time`() {
        var wide: [String: [String]] = [:]
        for level in 1..<4 {
            for place in 0..<16 { wide["w\(level)-\(place)"] = (0..<16).map { "w\(level + 1)-\($0)" } }
        }
        for place in 0..<16 { wide["w4-\(place)"] = [] }
        #expect(check(wide, "w1-0") == nil)
        #expect(check(["f1": ["f2", "f3"], "f2": ["f4"], "f3": ["f4"], "f4": []], "f1") == nil)
    }

    @Test func `kinds are found by name and by identifier`() {
        #expect(Backends.kinds.map { $0.kind } == ["static", "http_response", "weighted", "failover", "tunnel_group"])
        for kind in Backends.kinds {
            #expect(Backends.kind(of: BackendID("\(kind.idPrefix)_123")) == kind)
            #expect((try? kind.normalise(.object(kind.defaults))) != nil || kind.kind == "static")
        }
        #expect(Backends.kind(of: BackendID("edghts_1")) == nil)
    }
}
