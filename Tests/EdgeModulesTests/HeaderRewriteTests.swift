import EdgeCore
import EdgeModules
import Shared
import Testing

@Suite struct HeaderRewriteTests {
    private func request(_ settings: JSON, _ view: ExchangeView) throws {
        let module = try RequestHeaders(
            settings: try RequestHeaders.normalise(settings), environment: environment())
        var note: UInt64 = 0
        guard case .proceed = module.onRequest(view, note: &note) else {
            Issue.record("a header module refuses nothing")
            return
        }
    }

    private func response(_ settings: JSON, _ view: ExchangeView) throws {
        let module = try ResponseHeaders(
            settings: try ResponseHeaders.normalise(settings), environment: environment())
        var note: UInt64 = 0
        #expect(module.onResponse(view, note: &note) == nil)
    }

    @Test func `removing takes every field of the name, adding puts one beside those that are there`() throws {
        let view = exchange(request: [("X-A", "1"), ("x-b", "2"), ("x-a", "3"), ("X-C", "4")])
        try request(["add": ["X-C": "5", "x-d": "6"], "remove": ["X-a"]], view)
        #expect(values(view.request, "x-a").isEmpty)
        #expect(values(view.request, "x-b") == ["2"])
        #expect(values(view.request, "x-c") == ["4", "5"])
        #expect(values(view.request, "x-d") == ["6"])
    }

    @Test func `removing and adding one name replaces it`() throws {
        let view = exchange(response: [("server", "upstream"), ("Server", "two")])
        try response(["add": ["Server": "edge"], "remove": ["SERVER"]], view)
        #expect(values(view.response, "server") == ["edge"])
    }

    @Test func `adding host replaces it`() throws {
        let view = exchange(host: "example.com")
        try request(["add": ["Host": "internal:8080"]], view)
        #expect(values(view.request, "host") == ["internal:8080"])
    }

    @Test func `names are kept in lower case`() throws {
        let kept = try RequestHeaders.normalise(["add": ["X-Aa": "V"], "remove": ["X-Bb"]])
        #expect(kept == ["add": ["x-aa": "V"], "remove": ["x-bb"]])
        #expect(try ResponseHeaders.normalise([:]) == ["add": [:], "remove": []])
    }

    @Test(
        arguments: [
            (["add": ["": "x"]], "ERR_NGROK_7023"), (["add": ["a b": "x"]], "ERR_NGROK_7023"),
            (["add": ["a:": "x"]], "ERR_NGROK_7023"), (["remove": ["ä"]], "ERR_NGROK_7023"),
            (["remove": ["a\r\nb"]], "ERR_NGROK_7023"), (["add": ["a": "x\r\ny: z"]], "ERR_NGROK_7024"),
            (["add": ["a": "\u{0}"]], "ERR_NGROK_7024"), (["add": ["X-A": "1", "x-a": "2"]], "ERR_NGROK_7069"),
            (["remove": ["X-A", "x-a"]], "ERR_NGROK_7069"), (["add": ["User-Agent": "x"]], "ERR_NGROK_7164"),
            (["remove": ["user-agent"]], "ERR_NGROK_7164"), (["remove": ["host"]], "ERR_NGROK_7164"),
            (["add": ["content-length": "1"]], "ERR_NGROK_7164"),
            (["add": ["Transfer-Encoding": "x"]], "ERR_NGROK_7164"),
            (["remove": ["connection"]], "ERR_NGROK_7164"), (["add": ["ngrok-error-code": "x"]], "ERR_NGROK_7164"),
            (["add": ["a": 1]], "ERR_NGROK_212"), (["remove": "a"], "ERR_NGROK_212"),
            (["add": ["a": "1", "b": "1", "c": "1", "d": "1", "e": "1", "f": "1"]], "ERR_NGROK_7015"),
            (["remove": ["a", "b", "c", "d", "e", "f"]], "ERR_NGROK_7015"),
        ] as [(JSON, String)])
    func `settings are checked with their codes`(settings: JSON, code: String) {
        #expect(fault(RequestHeaders.self, settings) == code)
        #expect(fault(ResponseHeaders.self, settings) == code)
    }

    @Test func `lengths are bounded`() {
        let name = String(repeating: "a", count: 257)
        #expect(fault(RequestHeaders.self, ["add": .object([name: "x"])]) == "ERR_NGROK_7105")
        let value = JSON.string(String(repeating: "a", count: 4097))
        #expect(fault(RequestHeaders.self, ["add": .object(["x": value])]) == "ERR_NGROK_7106")
    }

    @Test func `host may be removed when it is added`() throws {
        let view = exchange()
        try request(["add": ["host": "other"], "remove": ["host"]], view)
        #expect(values(view.request, "host") == ["other"])
    }

    @Test(arguments: [
        ("${.conn.client_ip}", "192.0.2.7"), ("${conn.client_ip}", "192.0.2.7"), ("${.ngrok.client_ip}", "192.0.2.7"),
        ("${conn.client_port}", "50123"), ("${.conn.server_name}", "example.com"), ("${.tls.version}", "TLSv1.3"),
        ("${conn.tls.cipher_suite}", "TLS_AES_128_GCM_SHA256"), ("${.http.request.method}", "POST"),
        ("${.http.request.url.path}", "/a/b"), ("${req.url.query}", "c=d?e"), ("${req.url.uri}", "/a/b?c=d?e"),
        ("${.http.request.url.raw}", "https://example.com/a/b?c=d?e"), ("${req.user_agent}", "curl/8"),
        ("${.http.request.version}", "HTTP/1.1"), ("${.circuit_breaker.decision}", "allow"),
        ("a ${.conn.client_ip} b ${req.method} c", "a 192.0.2.7 b POST c"),
        ("${no.such.variable}", ""), ("x${}y", "xy"), ("${.conn.geo.city}", ""), ("${unterminated", "${unterminated"),
        ("$${req.method}}", "$POST}"), ("plain", "plain"), ("${.http.response.status_code}", ""), ("${backend.id}", ""),
    ])
    func `variables are filled in, and unknown ones are empty`(value: String, expected: String) throws {
        let view = exchange(
            method: "POST", target: "/a/b?c=d?e", request: [("user-agent", "curl/8")], status: 0)
        view.publish("circuit_breaker.decision", "allow")
        try request(["add": ["x-v": .string(value)]], view)
        #expect(values(view.request, "x-v") == [expected])
    }

    @Test func `an answer's variables know the backend and the status`() throws {
        let view = exchange(status: 404)
        view.backendID = "bkdsc_1"
        try response(["add": ["x-v": "${.backend.id} ${res.status_code}"]], view)
        #expect(values(view.response, "x-v") == ["bkdsc_1 404"])
    }

    @Test func `what a stranger wrote cannot split a message`() throws {
        let view = exchange(target: "/a\r\nx-evil: 1\u{0}", request: [("user-agent", "a\r\n\r\nGET / HTTP/1.1\r\n")])
        try request(["add": ["x-v": "${req.url.path}", "x-w": "${req.user_agent}"]], view)
        for value in values(view.request, "x-v") + values(view.request, "x-w") {
            #expect(value.utf8.allSatisfy { $0 >= 0x20 })
        }
    }

    @Test func `a value made of a removed field is still known`() throws {
        let view = exchange(request: [("content-type", "text/x")])
        try request(["add": ["x-was": "${req.content_type}"], "remove": ["content-type"]], view)
        #expect(values(view.request, "x-was") == ["text/x"])
    }
}
