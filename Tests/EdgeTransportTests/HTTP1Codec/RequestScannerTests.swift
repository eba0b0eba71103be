import EdgeCore
import Testing

@testable import EdgeTransport

@Suite struct RequestScannerTests {
    @Test func `A plain request is read with its parts, and the body is left alone`() {
        let head =
            "POST /a/b?c=d HTTP/1.1\r\nHost: App.Example.com:8443\r\nX-Empty:\r\nX-Text: a\t b \u{e9} \r\n"
            + "Content-Length: 5\r\n\r\n"
        let read = scanRequest(head + "hello")
        #expect(read.outcome == "complete")
        #expect(read.request.consumed == head.utf8.count)
        #expect(read.request.framing == .length(5))
        #expect(read.request.keepAlive && !read.request.isHTTP10 && !read.request.isUpgrade && !read.request.isHead)
        #expect(read.method == "POST")
        #expect(read.target == "/a/b?c=d")
        #expect(read.host == "app.example.com")
        #expect(
            read.fields == [
                "Host: App.Example.com:8443", "X-Empty: ", "X-Text: a\t b \u{e9}", "Content-Length: 5",
            ])
    }

    static let accepted: [(String, BodyFraming)] = [
        ("GET / HTTP/1.1\r\nHost: a\r\n\r\n", .none),
        ("\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", .none),
        ("GET / HTTP/1.0\r\n\r\n", .none),
        ("M-SEARCH!#$%&'*+.^_`|~0 / HTTP/1.1\r\nHost:a\r\n\r\n", .none),
        ("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", .none),
        ("GET /%00\"<>[]{}|\\^` HTTP/1.1\r\nHost: a\r\n\r\n", .none),
        ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n", .length(0)),
        ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 007\r\n\r\n", .length(7)),
        ("POST / HTTP/1.1\r\nHost: a\r\ncontent-length:\t 7 \t\r\n\r\n", .length(7)),
        ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9223372036854775807\r\n\r\n", .length(UInt64(Int64.max))),
        ("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n", .chunked),
        ("POST / HTTP/1.1\r\nHost: a\r\ntransfer-ENCODING: CHUNKED\r\n\r\n", .chunked),
        ("GET / HTTP/1.1\r\nHost: a_b-c.~d\r\n\r\n", .none),
        ("GET / HTTP/1.1\r\nHost: 127.0.0.1:65535\r\n\r\n", .none),
        ("GET / HTTP/1.1\r\nHost: [::1]:80\r\n\r\n", .none),
        ("GET / HTTP/1.1\r\nHost: [2001:db8:0:0:0:0:0:1]\r\n\r\n", .none),
        ("GET / HTTP/1.1\r\nHost: [::ffff:192.0.2.1]\r\n\r\n", .none),
    ]

    @Test(arguments: accepted)
    func `What the grammar allows is read`(text: String, framing: BodyFraming) {
        let read = scanRequest(text)
        #expect(read.outcome == "complete")
        #expect(read.request.framing == framing)
        #expect(read.request.consumed == text.utf8.count)
    }

    @Test(arguments: [
        ("GET http://a HTTP/1.1\r\nHost: a\r\n\r\n", "/", "a"),
        ("GET http://a?q HTTP/1.1\r\nHost: a\r\n\r\n", "/?q", "a"),
        ("GET HTTPS://A.b/x?y HTTP/1.1\r\nHost: a.B\r\n\r\n", "/x?y", "a.b"),
        ("GET http://a:80/ HTTP/1.1\r\nHost: a\r\n\r\n", "/", "a"),
        ("GET https://a/ HTTP/1.1\r\nHost: a:443\r\n\r\n", "/", "a"),
        ("GET http://[::1]:81/z HTTP/1.1\r\nHost: [::1]:81\r\n\r\n", "/z", "[::1]"),
        ("GET http://a/x HTTP/1.0\r\n\r\n", "/x", "a"),
        ("GET /x HTTP/1.1\r\nHost: a.example.\r\n\r\n", "/x", "a.example"),
        ("GET / HTTP/1.0\r\n\r\n", "/", ""),
    ])
    func `Target and host are stored in one form`(text: String, target: String, host: String) {
        let read = scanRequest(text)
        #expect(read.outcome == "complete")
        #expect(read.target == target)
        #expect(read.host == host)
    }

    @Test(arguments: [
        ("GET / HTTP/1.1\r\nHost: a\r\n\r\n", true),
        ("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", false),
        ("GET / HTTP/1.1\r\nHost: a\r\nConnection: x, CLOSE ,y\r\n\r\n", false),
        ("GET / HTTP/1.1\r\nHost: a\r\nConnection: closed\r\n\r\n", true),
        ("GET / HTTP/1.1\r\nHost: a\r\nConnection: keep-alive\r\nConnection: close\r\n\r\n", false),
        ("GET / HTTP/1.0\r\n\r\n", false),
        ("GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n", true),
        ("GET / HTTP/1.0\r\nConnection: keep-alive, close\r\n\r\n", false),
    ])
    func `A connection is kept as version and Connection say`(text: String, keepAlive: Bool) {
        #expect(scanRequest(text).request.keepAlive == keepAlive)
    }

    @Test(arguments: [
        ("Connection: Upgrade\r\nUpgrade: websocket\r\n", true),
        ("Connection: keep-alive, upgrade\r\nUpgrade: websocket\r\n", true),
        ("Upgrade: websocket\r\n", false),
        ("Connection: upgrade\r\n", false),
        ("Connection: upgrade\r\nUpgrade:\r\n", false),
        ("Connection: upgrade\r\nUpgrade: websocket\r\nContent-Length: 3\r\n", false),
        ("Connection: upgrade, http2-settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AA\r\n", false),
        ("Connection: upgrade\r\nUpgrade: websocket, H2C\r\n", false),
        ("Connection: upgrade\r\nUpgrade: HTTP/2.0\r\n", false),
        ("Connection: upgrade\r\nUpgrade: h2c\r\nUpgrade: websocket\r\n", false),
    ])
    func `An upgrade needs both fields, no body, and a protocol that is not HTTP`(fields: String, isUpgrade: Bool) {
        let read = scanRequest("GET / HTTP/1.1\r\nHost: a\r\n" + fields + "\r\n")
        #expect(read.outcome == "complete")
        #expect(read.request.isUpgrade == isUpgrade)
    }

    @Test func `An expectation counts only where a body follows, and only the one there is`() {
        func read(_ text: String) -> ReadRequest { scanRequest(text + "\r\n") }
        #expect(
            read("PUT / HTTP/1.1\r\nHost: a\r\nExpect: 100-Continue\r\nContent-Length: 1\r\n").request.expectsContinue)
        #expect(!read("PUT / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n").request.expectsContinue)
        #expect(read("PUT / HTTP/1.1\r\nHost: a\r\nExpect: tea\r\n").outcome == "417")
        let old = read("PUT / HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 1\r\n")
        #expect(old.outcome == "complete" && !old.request.expectsContinue)
        #expect(old.fields == ["Content-Length: 1"])
        #expect(read("PUT / HTTP/1.0\r\nExpect: tea\r\n").fields == [])
    }

    @Test func `Connection takes away the fields it names, but none that says who asks`() {
        let read = scanRequest(
            "GET / HTTP/1.1\r\nHost: a\r\nX-Hop: 1\r\nx-hop: 2\r\nX-Stay: 3\r\nAuthorization: s\r\nCookie: c\r\n"
                + "X-Forwarded-For: 192.0.2.1\r\nX-Real-IP: 192.0.2.1\r\n"
                + "Connection: X-HOP, host, authorization, cookie, x-forwarded-for, x-real-ip, content-length\r\n"
                + "Content-Length: 0\r\n\r\n")
        #expect(read.outcome == "complete")
        #expect(!read.fields.contains { $0.lowercased().hasPrefix("x-hop") })
        let kept = [
            "Host: a", "X-Stay: 3", "Authorization: s", "Cookie: c", "X-Forwarded-For: 192.0.2.1",
            "X-Real-IP: 192.0.2.1", "Content-Length: 0",
        ]
        for line in kept { #expect(read.fields.contains(line)) }
    }

    @Test func `Limits are answered with 431 for the head and 414 for the target`() {
        let limits = HeadLimits(maxHeadBytes: 200, maxFields: 3, maxTargetBytes: 20)
        let start = "GET / HTTP/1.1\r\nHost: a\r\n"
        #expect(scanRequest(start + "a: 1\r\nb: 2\r\n\r\n", limits: limits).outcome == "complete")
        #expect(scanRequest(start + "a: 1\r\nb: 2\r\nc: 3\r\n\r\n", limits: limits).outcome == "431")
        #expect(
            scanRequest("GET /" + String(repeating: "a", count: 19) + " HTTP/1.1\r\nHost: a\r\n\r\n", limits: limits)
                .outcome == "complete")
        #expect(scanRequest("GET /" + String(repeating: "a", count: 20), limits: limits).outcome == "414")
        let exact = 200 - start.utf8.count - "a: \r\n\r\n".utf8.count
        for (length, outcome) in [(exact, "complete"), (exact + 1, "431")] {
            let text = start + "a: " + String(repeating: "v", count: length) + "\r\n\r\n"
            #expect(scanRequest(text, limits: limits).outcome == outcome)
        }
        #expect(scanRequest(start + "a: " + String(repeating: "v", count: 300), limits: limits).outcome == "431")
    }

    @Test func `A head read after another leaves nothing of the first`() {
        let head = MessageHead()
        _ = scanRequest(Array("GET /long/path HTTP/1.1\r\nHost: UPPER\r\nX: y\r\n\r\n".utf8), into: head)
        #expect(scanRequest(Array("GARBAGE\r\n".utf8), into: head).outcome == "400")
        #expect(head.fields.isEmpty && head.bytes.isEmpty)
        let second = scanRequest(Array("GET / HTTP/1.1\r\nHost: b\r\n\r\n".utf8), into: head)
        #expect(second.fields == ["Host: b"] && second.host == "b" && second.target == "/")
    }

    @Test func `Every known field name is recognised in any letter case, and nothing else is`() {
        var id: UInt8 = 1
        var seen = 0
        while let field = FieldName(rawValue: id) {
            let name = Array("\(field.text)".utf8)
            for variant in [name, Array("\(field.text)".uppercased().utf8)] {
                for index in variant.indices {
                    var changed = variant
                    changed[index] = UInt8(ascii: changed[index] == UInt8(ascii: "z") ? "y" : "z")
                    #expect(identify(changed, padding: 24) == identify(changed, padding: 0))
                }
                #expect(identify(variant, padding: 24) == field)
                #expect(identify(variant, padding: 0) == field)
            }
            seen += 1
            id += 1
        }
        #expect(seen > 20)
    }

    private func identify(_ name: [UInt8], padding: Int) -> FieldName {
        let bytes = name + Array(repeating: UInt8(ascii: ":"), count: padding)
        return bytes.withUnsafeBufferPointer {
            guard let base = $0.baseAddress else { return .other }
            return FieldName.scan(base, 0, name.count, end: bytes.count)
        }
    }
}
