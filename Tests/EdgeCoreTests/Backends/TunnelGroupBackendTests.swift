import Shared
import Testing

@testable import EdgeCore

@Suite struct TunnelGroupBackendTests {
    private let all: [(id: String, kind: String, settings: JSON)] = [
        ("bkdtg_1", "tunnel_group", ["labels": ["app": "shop"]]),
        ("bkdsc_a", "static", ["address": "a:1", "tls": ["enabled": false]]),
        ("bkdhr_e", "http_response", ["status_code": 503, "headers": [:], "body": "sorry"]),
    ]

    private func answer(_ choice: Choice) -> String {
        switch choice {
        case .dial(let target): target.host
        case .respond(let response): "\(response.status)"
        case .inOrder(let legs): "[" + legs.map(\.id.rawValue).joined(separator: ",") + "]"
        case .tunnels(let tunnels, let first): tunnels[first].id
        case .none(let error): error.code ?? ""
        }
    }

    @Test func `a group that no tunnel matches answers 6515 and is counted`() throws {
        let backend = try compileBackend("bkdtg_1", all)
        var states = BalanceStates()
        var path = SelectionPath()
        guard case .none(let error) = backend.choose(&states, &path) else {
            Issue.record("expected an error")
            return
        }
        #expect(error.code == "ERR_NGROK_6515" && error.status == 503)
        #expect(path.count == 1)
    }

    @Test func `C35 an error page as last leg stands behind a group without tunnels`() throws {
        let backend = try compileBackend(
            "bkdfo_1", all + [("bkdfo_1", "failover", ["backends": ["bkdtg_1", "bkdhr_e"]])])
        var states = BalanceStates()
        var path = SelectionPath()
        guard case .inOrder(let legs) = backend.choose(&states, &path) else {
            Issue.record("expected legs")
            return
        }
        #expect(legs.map { answer($0.choose(&states, &path)) } == ["ERR_NGROK_6515", "503"])
    }

    @Test func `a weighted child that is a group without tunnels answers the error for its share`() throws {
        let weights: JSON = ["backends": ["bkdtg_1": 1, "bkdsc_a": 3]]
        let backend = try compileBackend("bkdwd_1", all + [("bkdwd_1", "weighted", weights)])
        var states = BalanceStates()
        var counts: [String: Int] = [:]
        for _ in 0..<400 {
            var path = SelectionPath()
            counts[answer(backend.choose(&states, &path)), default: 0] += 1
        }
        #expect(counts == ["a": 300, "ERR_NGROK_6515": 100])
    }

    @Test func `labels are kept as they are, and none is as good as some`() throws {
        let labels: JSON = ["labels": ["App": "Shop", "version": "1.2", "empty": "", "ä b": "ö:/"]]
        #expect(try TunnelGroupBackend.normalise(labels) == labels)
        #expect(try TunnelGroupBackend.normalise([:]) == ["labels": [:]])
        #expect(try TunnelGroupBackend.normalise(["labels": nil]) == ["labels": [:]])
        let length = TunnelGroupBackend.maximumLength
        let longest: JSON = .object([
            String(repeating: "k", count: length): .string(String(repeating: "v", count: length))
        ])
        #expect(try TunnelGroupBackend.normalise(["labels": longest]) == ["labels": longest])
    }

    @Test func `labels that no tunnel could have are refused with their codes`() {
        let many = Dictionary(
            uniqueKeysWithValues: (0...TunnelGroupBackend.maximumLabels).map { ("k\($0)", JSON("v")) })
        let long = String(repeating: "x", count: TunnelGroupBackend.maximumLength + 1)
        let faults: [(JSON, String)] = [
            (.object(many), "ERR_NGROK_6508"), (["": "x"], "ERR_NGROK_6509"), (.object([long: "x"]), "ERR_NGROK_6509"),
            (["k": .string(long)], "ERR_NGROK_6510"), (["a=b": "x"], "ERR_NGROK_6531"),
            (["a": "x=y"], "ERR_NGROK_6531"),
            (["a": 1], "ERR_NGROK_212"), (["a"], "ERR_NGROK_212"),
        ]
        for (labels, expected) in faults {
            #expect(
                code { try TunnelGroupBackend.normalise(["labels": labels]) } == expected, "\(labels.text.prefix(60))")
        }
        #expect(code { try TunnelGroupBackend.normalise(["labels": [:], "tunnels": []]) } == "ERR_NGROK_214")
    }

    @Test func `an update without labels, or with none, keeps them; others replace them whole`() {
        let kept: JSON = ["labels": ["a": "1", "b": "2"]]
        #expect(TunnelGroupBackend.merge([:], into: kept) == kept)
        #expect(TunnelGroupBackend.merge(["labels": [:]], into: kept) == kept)
        #expect(TunnelGroupBackend.merge(["labels": ["c": "3"]], into: kept) == ["labels": ["c": "3"]])
    }

    @Test func `an answer names the tunnels that match, and a group without labels asks for none`() {
        let lookup = LiveLookup { labels in labels == ["app": "shop"] ? ["tn_1", "tn_2"] : ["tn_wrong"] }
        let live = TunnelGroupBackend.live(["labels": ["app": "shop"]], lookup, baseURL: "http://api")
        #expect(
            live["tunnels"] == [
                ["id": "tn_1", "uri": "http://api/tunnels/tn_1"], ["id": "tn_2", "uri": "http://api/tunnels/tn_2"],
            ])
        #expect(TunnelGroupBackend.live(["labels": [:]], lookup, baseURL: "")["tunnels"] == [])
    }
}
