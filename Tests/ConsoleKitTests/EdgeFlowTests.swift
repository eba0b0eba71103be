import Shared
import Testing

@testable import ConsoleKit

struct EdgeFlowTests {
    private func fill(_ app: inout App, host: String, backend: String) -> [Effect] {
        app.press("2", "c", .tab)
        app.type(host)
        app.press(.tab)
        app.type(backend)
        return app.press(.tab, .enter)
    }

    @Test func `C15 creating an edge reserves its domain, makes its backend, and routes everything there`() throws {
        var app = Sample.app()
        var effects = fill(&app, host: "new.example", backend: "127.0.0.1:8080")
        var sent: [APIRequest] = []
        for id in ["rd_new", "bkdsc_new", "edghts_new", "edghtsrt_new"] {
            sent += effects.requests
            effects = app.answer(effects, status: 201, ["id": id])
        }
        #expect(
            sent.map(\.path) == [
                "/reserved_domains", "/backends/static", "/edges/https", "/edges/https/edghts_new/routes",
            ])
        #expect(sent[0].body == ["domain": "new.example"])
        #expect(sent[2].body?["hostports"] == ["new.example:443"])
        #expect(sent[3].body?["backend"]?["backend_id"] == "bkdsc_new")
        #expect(sent.allSatisfy { $0.command == "edge create https new.example backend=127.0.0.1:8080" })
        #expect(effects.requests.map(\.path) == ["/selvage/configuration"])
    }

    @Test func `what exists is used, not made again`() {
        var app = Sample.app()
        let effects = fill(&app, host: "shop.example", backend: "127.0.0.1:9001")
        #expect(effects.requests.map(\.path) == ["/edges/https"])
    }

    @Test func `a refused edge takes back what was made for it, and the form comes back with the reason`() {
        var app = Sample.app()
        var effects = fill(&app, host: "new.example", backend: "127.0.0.1:8080")
        effects = app.answer(effects, status: 201, ["id": "rd_new"])
        effects = app.answer(effects, status: 201, ["id": "bkdsc_new"])
        effects = app.answer(
            effects, status: 400, APIErrorBody(errorCode: "ERR_NGROK_7117", statusCode: 400, message: "not reserved"))
        #expect(effects.requests.map(\.path) == ["/backends/static/bkdsc_new"])
        #expect(effects.requests.map(\.method) == ["DELETE"])
        effects = app.answer(effects, status: 204, JSON.null)
        #expect(effects.requests.map(\.path) == ["/reserved_domains/rd_new"])
        effects = app.answer(effects, status: 204, JSON.null)
        #expect(app.overlays.last?.fault?.contains("ERR_NGROK_7117") == true)
    }

    @Test func `C06 a module is added with the settings of its form`() throws {
        var app = Sample.app()
        app.press("2", .down, .enter, "m", .down)
        app.press(.enter)
        #expect(app.overlays.last is ModuleBox)
        app.press(.tab, .ctrl("u"))
        app.type("x-one=1, x-two=2")
        let apply = try #require(app.press(.enter).requests.first?.body?.decoded(ApplyRequest.self))
        #expect(apply.operations[0].method == "PUT")
        #expect(apply.operations[0].path.hasSuffix("/routes/\(Sample.checkout)/request_headers"))
        #expect(apply.operations[0].body?["add"] == ["x-one": "1", "x-two": "2"])
        #expect(apply.operations[0].ifMatch == "7")
    }

    @Test func `an example of a setting never goes live by an early Enter, and is shown as help`() throws {
        var app = Sample.app()
        app.press("2", .down, .enter, "m", .down, .enter, .tab)
        let canvas = app.render(size: Size(columns: 100, rows: 24), glyphs: .unicode)
        #expect((0..<24).contains { canvas.line($0).contains("e.g. x-edge=selvage") })
        let apply = try #require(app.press(.enter).requests.first?.body?.decoded(ApplyRequest.self))
        #expect(apply.operations[0].body == ["add": [:], "enabled": true, "remove": []])
    }

    @Test func `a value with a comma goes in quotes, and comes back in them`() throws {
        let example: JSON = ["add": ["a": "b"], "names": ["a"]]
        var form = DocumentForm(example: example, document: nil)
        let isSet = form.set("add", to: #"cache-control="no-cache, no-store", x-a=b"#)
        let isListed = form.set("names", to: #" a, "b, c""#)
        #expect(isSet && isListed)
        let result = try form.result().get()
        #expect(result["add"] == ["cache-control": "no-cache, no-store", "x-a": "b"])
        #expect(result["names"] == ["a", "b, c"])
        let again = DocumentForm(example: example, document: result)
        #expect(try again.result().get() == result)
        let isOpen = form.set("names", to: "\"a, b")
        #expect(isOpen)
        #expect(throws: CommandFault.self) { try form.result().get() }
    }

    @Test func `C07 a module is edited in a form made out of its document`() throws {
        var app = Sample.app()
        app.press("2", .down, .enter, .down, .enter)
        let box = try #require(app.overlays.last as? ModuleBox)
        #expect(box.module == "circuit_breaker")
        app.press(.tab, .ctrl("u"))
        app.type("0.25")
        let apply = try #require(app.press(.enter).requests.first?.body?.decoded(ApplyRequest.self))
        #expect(apply.operations[0].body?["error_threshold_percentage"]?.doubleValue == 0.25)
        #expect(apply.operations[0].body?["enabled"] == true)
        #expect(apply.operations[0].body?["rolling_window"]?.intValue == 10)
    }

    @Test func `C07 a module is removed after Y`() throws {
        var app = Sample.app()
        app.press("2", .down, .enter, .down, "D")
        let apply = try #require(app.press("Y").requests.first?.body?.decoded(ApplyRequest.self))
        #expect(apply.operations[0].method == "DELETE")
        #expect(apply.operations[0].path.hasSuffix("/routes/\(Sample.checkout)/circuit_breaker"))
    }

    @Test func `a route is added, and its path must begin with a slash`() {
        var app = Sample.app()
        app.press("2", .down, .enter, "a", .ctrl("u"))
        app.type("static")
        let result1 = app.press(.tab, .tab, .enter)
        #expect(result1.requests.isEmpty)
        app.press(.tab, .home)
        app.type("/")
        let request = app.press(.tab, .tab, .enter).requests.first
        #expect(request?.path == "/edges/https/\(Sample.edge)/routes")
        #expect(request?.body?["match"] == "/static")
    }

    @Test func `references answered as objects are written as identifiers`() throws {
        let document: JSON = [
            "enabled": true, "ip_policies": [["id": "ipp_1", "uri": "u"], ["id": "ipp_2", "uri": "u"]],
        ]
        let form = DocumentForm(example: ["ip_policy_ids": ["ipp_x"]], document: document)
        #expect(try form.result().get() == ["enabled": true, "ip_policy_ids": ["ipp_1", "ipp_2"]])
    }

    @Test func `an object that a document leaves out is not filled in from the example`() throws {
        let example: JSON = ["provider": ["google": ["client_id": "somebody's", "scopes": ["a"]]]]
        let document: JSON = [
            "enabled": true, "provider": ["google": nil, "github": ["client_id": "mine", "scopes": []]],
        ]
        var form = DocumentForm(example: example, document: document)
        #expect(try form.result().get() == document)
        let isSet = form.set("provider.google", to: #"{"client_id": "x"}"#)
        #expect(isSet)
        #expect(try form.result().get()["provider"]?["google"] == ["client_id": "x"])
    }

    @Test func `a form keeps what it does not show, nests dotted names, and names what it cannot read`() throws {
        let example: JSON = ["tls": ["enabled": false, "port": 1], "rate": 0.5, "names": ["a"], "extra": [["x": 1]]]
        var form = DocumentForm(example: example, document: nil)
        #expect(form.fields.map(\.label) == ["enabled", "extra", "names", "rate", "tls.enabled", "tls.port"])
        let result2 = form.set("tls.port", to: "8443")
        let isNamed = form.set("names", to: "b, c")
        #expect(result2 && isNamed)
        let result = try form.result().get()
        #expect(result["tls"] == ["enabled": false, "port": 8_443])
        #expect(result["names"] == ["b", "c"])
        let result3 = form.set("rate", to: "fast")
        #expect(result3)
        #expect(throws: CommandFault.self) { try form.result().get() }
    }

    @Test func `an event opens with what was before and after`() {
        var app = Sample.app()
        app.press("6", .down, .enter)
        let canvas = app.render(size: Size(columns: 100, rows: 30), glyphs: .unicode)
        let text = (0..<30).map(canvas.line).joined(separator: "\n")
        #expect(text.contains("- backends.\(Sample.v1) 9000") && text.contains("+ backends.\(Sample.v1) 8400"))
        let result4 = app.press("u")
        #expect(result4.requests.map(\.path) == ["/selvage/undo"])
        #expect(result4.requests.first?.body == ["audit_id": 7])
    }

    @Test func `the list of events stands still while one scrolls, and counts what is new`() {
        var app = Sample.app()
        app.press("6", .down)
        let record = EventRecord(
            id: 9, at: "2026-11-21T22:40:00.000Z", severity: .warn, kind: "x", object: "", text: "later")
        _ = app.receive(.line(.event(record)), now: 101)
        var canvas = app.render(size: Size(columns: 100, rows: 24), glyphs: .unicode)
        #expect(canvas.line(2).contains("1 new"))
        #expect(!(0..<24).contains { canvas.line($0).contains("later") })
        app.press("g")
        canvas = app.render(size: Size(columns: 100, rows: 24), glyphs: .unicode)
        #expect((0..<24).contains { canvas.line($0).contains("later") })
    }

    @Test func `a lost link is tried again, later and later, and says so`() {
        var app = Sample.app()
        _ = app.receive(.linkLost("closed"), now: 101)
        let result5 = app.advance(now: 101.5)
        #expect(result5.isEmpty)
        let result6 = app.advance(now: 102.1)
        #expect(result6.contains(.openStream))
        _ = app.receive(.linkLost("refused"), now: 102.2)
        let result7 = app.advance(now: 103.3)
        #expect(result7.isEmpty)
        let result8 = app.advance(now: 104.3)
        #expect(result8.contains(.openStream))
    }

    @Test func `what was never sent is said to have changed nothing, and what was typed is not lost`() throws {
        var app = Sample.app()
        let effects = fill(&app, host: "new.example", backend: "127.0.0.1:8080")
        guard case .send(_, let tag)? = effects.last else { Issue.record("nothing was sent"); return }
        _ = app.receive(.unanswered(tag, reason: Message.unsent + "Connection refused"), now: 101)
        let box = try #require(app.overlays.last as? FormBox)
        #expect(box.fault == "nothing was changed: not sent: Connection refused")
        #expect(box.fields[1].field.text == "new.example")
        app.press(.escape, "3", .right, "a")
        guard case .send(_, let second)? = app.press(.enter).last else { Issue.record("nothing was sent"); return }
        let after = app.receive(.unanswered(second, reason: Message.unsent + "Connection refused"), now: 102)
        #expect(after.requests.isEmpty && app.model.stagedCount == 1)
        #expect(app.model.notice?.text.contains("still staged") == true)
    }

    @Test func `routes keep their order, and a port is never cut off`() throws {
        var listing = Sample.listing()
        let index = try #require(listing.objects.firstIndex { $0.id == Sample.tlsEdge })
        listing.objects[index].kind = "tcp_edge"
        listing.objects[index].document["hostports"] = ["a-long-name.tcp.eu.selvage.example:20081"]
        var app = Sample.app(listing: listing)
        app.press("2")
        var canvas = app.render(size: Size(columns: 60, rows: 24), glyphs: .unicode)
        #expect((0..<24).contains { canvas.line($0).contains("…:20081 ") })
        app.press(.home, .down, .enter, "s", "s")
        canvas = app.render(size: Size(columns: 80, rows: 24), glyphs: .unicode)
        #expect((0..<24).contains { canvas.line($0).contains("stay in the order of matching") })
    }

    @Test func `a long name is shown in full where it must be typed`() throws {
        var listing = Sample.listing()
        let name = String(repeating: "long", count: 15) + ".example"
        let index = try #require(listing.objects.firstIndex { $0.id == Sample.tlsEdge })
        listing.objects[index].document["hostports"] = [.string(name + ":443")]
        var app = Sample.app(listing: listing)
        app.press("2", .home, "D")
        app.type(name)
        let canvas = app.render(size: Size(columns: 80, rows: 24), glyphs: .unicode)
        #expect((0..<24).contains { canvas.line($0).contains(name.prefix(60)) })
        let sent = app.press(.enter)
        #expect(sent.requests.count == 1)
    }

    @Test func `lines that are no stream lines are skipped`() {
        var app = Sample.app()
        let result9 = app.receive(.streamBytes(Array("{\"type\":\"future\"}".utf8)), now: 101)
        #expect(result9.isEmpty)
        let result10 = app.receive(.streamBytes([0xFF, 0x00, 0x7B]), now: 101)
        #expect(result10.isEmpty)
    }
}
