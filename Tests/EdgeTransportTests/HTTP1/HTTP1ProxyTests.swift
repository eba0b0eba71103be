import EdgeCore
import EdgeTesting
import EdgeTransport
import Shared
import Testing

/// HTTP/1 through the whole edge, over real sockets.
@Suite struct HTTP1ProxyTests {
    private static let host = "app.example.com"

    private func withProxy(
        settings: TransportSettings = TransportSettings(), modules: [String: JSON] = [:],
        _ answer: @escaping RequestHandler, _ body: (TestEdge, FakeUpstream) async throws -> Void
    ) async throws {
        let upstream = try FakeUpstream(answer)
        try await withEdge(settings) { configuration in
            configuration.addProxy(Self.host, to: upstream.port, modules: modules)
        } _: { edge in
            try await body(edge, upstream)
        }
    }

    private func echo(_ request: HandlerRequest) -> HandlerResponse {
        let fields = request.fields.map { "\($0.name): \($0.value)" }.joined(separator: "\n")
        let text = "\(request.method) \(request.path)?\(request.query)\n\(fields)\n\n"
        return HandlerResponse(
            status: 200, fields: [("x-upstream", "yes")], body: .bytes(Array(text.utf8) + request.body))
    }

    @Test func `C50 a request reaches the upstream of its host, and the answer comes back`() async throws {
        try await withProxy(echo) { edge, _ in
            let answer = try await onThread {
                let client = try RawSocket(port: edge.clearPort)
                try client.send("GET /a?b=1 HTTP/1.1\r\nHost: App.Example.Com\r\nX-Forwarded-For: 6.6.6.6\r\n\r\n")
                return try client.receiveAnswer()
            }
            #expect(answer.head.hasPrefix("HTTP/1.1 200 "))
            #expect(answer.head.contains("x-upstream: yes"))
            #expect(answer.body.hasPrefix("GET /a?b=1\n"))
            // What the client claimed is replaced by what the edge knows.
            #expect(answer.body.contains("x-forwarded-for: 127.0.0.1\n"))
            #expect(answer.body.contains("x-forwarded-proto: http\n"))
            #expect(!answer.body.contains("6.6.6.6"))
        }
    }

    @Test func `one connection carries many requests, also sent ahead`() async throws {
        try await withProxy(echo) { edge, upstream in
            let paths = try await onThread {
                let client = try RawSocket(port: edge.clearPort)
                let one = { (path: Int) in "GET /\(path) HTTP/1.1\r\nHost: \(Self.host)\r\n\r\n" }
                try client.send((0..<20).map(one).joined())
                return try (0..<20).map { _ in try client.receiveAnswer().body.split(separator: "\n")[0] }
            }
            #expect(paths == (0..<20).map { "GET /\($0)?" })
            #expect(upstream.requests.value == 20)
        }
    }

    @Test(arguments: ["length", "chunked"])
    func `a request body arrives whole`(framing: String) async throws {
        try await withProxy({ HandlerResponse(status: 200, body: .bytes($0.body)) }) { edge, _ in
            let body = String(repeating: "0123456789", count: 20_000)
            let answer = try await onThread {
                let client = try RawSocket(port: edge.clearPort)
                let head = "POST / HTTP/1.1\r\nHost: \(Self.host)\r\n"
                if framing == "length" {
                    try client.send(head + "Content-Length: \(body.utf8.count)\r\n\r\n" + body)
                } else {
                    try client.send(head + "Transfer-Encoding: chunked\r\n\r\n")
                    var rest = Substring(body)
                    while !rest.isEmpty {
                        let part = rest.prefix(7777)
                        try client.send(String(part.utf8.count, radix: 16) + "\r\n" + part + "\r\n")
                        rest = rest.dropFirst(7777)
                    }
                    try client.send("0\r\n\r\n")
                }
                return try client.receiveAnswer()
            }
            #expect(answer.body == body)
        }
    }

    @Test func `an upstream without a host is answered 404 with a code, and nothing is sent upstream`() async throws {
        try await withProxy(echo) { edge, upstream in
            let answer = try await onThread {
                let client = try RawSocket(port: edge.clearPort)
                try client.send("GET / HTTP/1.1\r\nHost: other.example.com\r\n\r\n")
                return try client.receiveAnswer()
            }
            #expect(answer.head.hasPrefix("HTTP/1.1 404 "))
            #expect(answer.head.contains("ngrok-error-code: ERR_NGROK_3200"))
            #expect(upstream.requests.value == 0)
        }
    }

    @Test(arguments: [
        "GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n",
        "GET / HTTP/1.1\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: +5\r\n\r\nhello",
        "GET / HTTP/1.1\r\nHost : a\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\n folded: x\r\n\r\n",
        "GET / HTTP/1.1\nHost: a\n\n",
    ])
    func `what two parsers could read in two ways is refused, closed, and not sent on`(text: String) async throws {
        try await withProxy(echo) { edge, upstream in
            let text = text.replacing(": a\r", with: ": \(Self.host)\r")
            let answer = try await onThread {
                let client = try RawSocket(port: edge.clearPort)
                try client.send(text)
                return try client.receiveAll()
            }
            #expect(answer.hasPrefix("HTTP/1.1 400 "))
            #expect(upstream.requests.value == 0)
        }
    }

    @Test func `C39 a backend that cannot be dialled is 502, and failover takes the next one`() async throws {
        let upstream = try FakeUpstream { _ in HandlerResponse(status: 200, body: .bytes(Array("second".utf8))) }
        try await withEdge { configuration in
            configuration.addDomain(Self.host)
            configuration.addStatic("bkdsc_dead", port: 1)
            configuration.addStatic("bkdsc_live", port: upstream.port)
            configuration.add("bkdfo_1", FailoverBackend.self, ["backends": ["bkdsc_dead", "bkdsc_live"]])
            configuration.addEdge(host: Self.host, backend: "bkdfo_1")
        } _: { edge in
            let ask = { @Sendable in
                let client = try RawSocket(port: edge.clearPort)
                try client.send("GET / HTTP/1.1\r\nHost: \(Self.host)\r\n\r\n")
                return try client.receiveAnswer()
            }
            #expect(try await onThread(ask).body == "second")
            await edge.change { $0.addEdge(host: Self.host, backend: "bkdsc_dead") }
            let dead = try await onThread(ask)
            #expect(dead.head.hasPrefix("HTTP/1.1 502 "))
            #expect(dead.head.contains("ERR_NGROK_3006"))
        }
    }

    @Test func `an upstream that breaks off its answer ends the client's connection, never in silence`() async throws {
        let upstream = try RawServer { connection in
            _ = try connection.receive(until: "\r\n\r\n")
            try connection.send("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nonly this")
        }
        try await withEdge { configuration in
            configuration.addProxy(Self.host, to: upstream.port)
        } _: { edge in
            let all = try await onThread {
                let client = try RawSocket(port: edge.clearPort)
                try client.send("GET / HTTP/1.1\r\nHost: \(Self.host)\r\n\r\n")
                return try client.receiveAll()
            }
            #expect(all.hasSuffix("only this"))
            try await eventually("the exchange is counted as aborted") {
                await edge.counters("backend/bkdsc_a").aborted == 1
            }
        }
    }

    @Test func `an upgrade passes bytes both ways until both sides have ended`() async throws {
        let upstream = try RawServer { connection in
            let head = try connection.receive(until: "\r\n\r\n").lowercased()
            #expect(head.contains("upgrade: websocket") && head.contains("connection: upgrade"))
            try connection.send(
                "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\nfirst")
            try connection.send(connection.receive(count: 5))
            try connection.send(Array(connection.receiveAll().utf8))
        }
        try await withEdge { configuration in
            configuration.addProxy(Self.host, to: upstream.port)
        } _: { edge in
            let all = try await onThread {
                let client = try RawSocket(port: edge.clearPort)
                try client.send(
                    "GET /ws HTTP/1.1\r\nHost: \(Self.host)\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
                let head = try client.receive(until: "\r\n\r\n")
                #expect(head.hasPrefix("HTTP/1.1 101 "))
                #expect(try client.receive(count: 5) == Array("first".utf8))
                try client.send("hello")
                #expect(try client.receive(count: 5) == Array("hello".utf8))
                // Half-close: the last bytes still come back.
                try client.send("the end")
                client.endWriting()
                return try client.receiveAll()
            }
            #expect(all == "the end")
        }
    }

    @Test func `a slow head is answered 408 when its time is over`() async throws {
        var settings = TransportSettings()
        settings.requestHeadTimeout = 200
        try await withProxy(settings: settings, echo) { edge, _ in
            let all = try await onThread {
                let client = try RawSocket(port: edge.clearPort)
                try client.send("GET / HTTP/1.1\r\nHost:")
                return try client.receiveAll()
            }
            #expect(all.hasPrefix("HTTP/1.1 408 "))
        }
    }

    @Test func `C40 an upstream that accepts and never answers is 504, not failover`() async throws {
        let silent = try RawServer { connection in _ = try? connection.receiveAll() }
        let other = try FakeUpstream { _ in HandlerResponse(status: 200) }
        var settings = TransportSettings()
        settings.firstByteTimeout = 200
        try await withEdge(settings) { configuration in
            configuration.addDomain(Self.host)
            configuration.addStatic("bkdsc_silent", port: silent.port)
            configuration.addStatic("bkdsc_other", port: other.port)
            configuration.add("bkdfo_1", FailoverBackend.self, ["backends": ["bkdsc_silent", "bkdsc_other"]])
            configuration.addEdge(host: Self.host, backend: "bkdfo_1")
        } _: { edge in
            let answer = try await onThread {
                let client = try RawSocket(port: edge.clearPort)
                try client.send("GET / HTTP/1.1\r\nHost: \(Self.host)\r\n\r\n")
                return try client.receiveAnswer()
            }
            #expect(answer.head.hasPrefix("HTTP/1.1 504 "))
            #expect(other.requests.value == 0)
        }
    }

    @Test func `an idle upstream connection that its peer has closed is replaced without the client noticing`()
        async throws
    {
        let upstream = try RawServer { connection in
            // One answer per connection, with keep-alive promised and not kept.
            _ = try connection.receive(until: "\r\n\r\n")
            try connection.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        }
        try await withEdge { configuration in
            configuration.addProxy(Self.host, to: upstream.port)
        } _: { edge in
            let bodies = try await onThread {
                let client = try RawSocket(port: edge.clearPort)
                return try (0..<50).map { _ in
                    try client.send("GET / HTTP/1.1\r\nHost: \(Self.host)\r\n\r\n")
                    return try client.receiveAnswer().body
                }
            }
            #expect(bodies == Array(repeating: "ok", count: 50))
        }
    }

    @Test func `plain HTTP for an edge's name is redirected to HTTPS`() async throws {
        try await withProxy(echo) { edge, upstream in
            let answer = try await onThread {
                let client = try RawSocket(port: edge.redirectPort)
                try client.send("GET /a?b HTTP/1.1\r\nHost: \(Self.host)\r\n\r\n")
                return try client.receiveAnswer()
            }
            #expect(answer.head.hasPrefix("HTTP/1.1 301 "))
            #expect(answer.head.contains("location: https://\(Self.host):\(edge.httpsPort)/a?b\r\n"))
            #expect(upstream.requests.value == 0)
        }
    }

    @Test func `C90 an open breaker answers 503 itself and lets only a probe through`() async throws {
        let healed = Counter()
        // Longer than any machine is slow: only the last step waits for time to pass.
        let breaker = { @Sendable (tripped: Int64) -> JSON in
            [
                "enabled": true, "error_threshold_percentage": 0.5, "volume_threshold": 10, "rolling_window": 120,
                "num_buckets": 10, "tripped_duration": .int(tripped),
            ]
        }
        let answer: RequestHandler = { _ in HandlerResponse(status: healed.value == 0 ? 500 : 200) }
        try await withProxy(modules: ["circuit_breaker": breaker(600)], answer) { edge, upstream in
            let ask = { @Sendable in
                let client = try RawSocket(port: edge.clearPort)
                try client.send("GET / HTTP/1.1\r\nHost: \(Self.host)\r\n\r\n")
                return try client.receiveAnswer().head
            }
            for _ in 0..<10 { #expect(try await onThread(ask).hasPrefix("HTTP/1.1 500 ")) }
            let blocked = try await onThread(ask)
            #expect(blocked.hasPrefix("HTTP/1.1 503 ") && blocked.contains("ERR_NGROK_3202"))
            #expect(upstream.requests.value == 10)
            // The state outlives the change of its settings.
            await edge.change {
                $0.addEdge(host: Self.host, backend: "bkdsc_a", modules: ["circuit_breaker": breaker(1)])
            }
            healed.raise()
            try await eventually("the breaker closes by itself") {
                try await onThread(ask).hasPrefix("HTTP/1.1 200 ")
            }
        }
    }
}
