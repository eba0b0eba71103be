import EdgeCore
import EdgeTesting
import EdgeTransport
import Glibc
import Shared
import Testing

/// Exchanges that once waited for ever, or were cut though all went well.
@Suite struct ExchangeDeadlineTests {
    private static let host = "app.example.com"
    private static let get = "GET / HTTP/1.1\r\nHost: \(host)\r\n\r\n"

    private func withUpstream(
        _ settings: TransportSettings = TransportSettings(), _ serve: @escaping @Sendable (RawSocket) throws -> Void,
        _ body: (TestEdge, RawServer) async throws -> Void
    ) async throws {
        let upstream = try RawServer(serve)
        try await withEdge(settings) { configuration in
            configuration.addProxy(Self.host, to: upstream.port)
        } _: { edge in
            try await body(edge, upstream)
        }
    }

    @Test func `C37 a failover's second leg answers again and again, from a pooled connection too`() async throws {
        let live = try FakeUpstream { _ in HandlerResponse(status: 200, body: .bytes(Array("second".utf8))) }
        try await withEdge { configuration in
            configuration.addDomain(Self.host)
            configuration.addStatic("bkdsc_dead", port: 1)
            configuration.addStatic("bkdsc_live", port: live.port)
            configuration.add("bkdfo_1", FailoverBackend.self, ["backends": ["bkdsc_dead", "bkdsc_live"]])
            configuration.addEdge(host: Self.host, backend: "bkdfo_1")
        } _: { edge in
            let bodies = try await onThread {
                let client = try RawSocket(port: edge.clearPort)
                return try (0..<5).map { _ in
                    try client.send(Self.get)
                    return try client.receiveAnswer().body
                }
            }
            #expect(bodies == Array(repeating: "second", count: 5))
        }
    }

    @Test func `an upload that goes on is not cut by the first byte's deadline, though a 100 was answered`()
        async throws
    {
        var settings = TransportSettings()
        settings.firstByteTimeout = 2000
        try await withUpstream(settings) { connection in
            _ = try connection.receive(until: "\r\n\r\n")
            try connection.send("HTTP/1.1 100 Continue\r\n\r\n")
            _ = try connection.receive(count: 30)
            try connection.send("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ndone")
        } _: { edge, _ in
            let client = try RawSocket(port: edge.clearPort)
            // A slow client, but never still for long: 2.25 s in all, on one thread that no other test can hold up.
            let (interim, answer) = try await onThread {
                try client.send(
                    "POST / HTTP/1.1\r\nHost: \(Self.host)\r\nContent-Length: 30\r\nExpect: 100-continue\r\n\r\n")
                let interim = try client.receive(until: "\r\n\r\n")
                for _ in 0..<15 {
                    usleep(150_000)
                    try client.send("ab")
                }
                return (interim, try client.receiveAnswer())
            }
            #expect(interim.hasPrefix("HTTP/1.1 100 "))
            #expect(answer.body == "done", "\(answer.head)")
        }
    }

    @Test func `requests sent ahead by a client that reads nothing are answered only as it reads`() async throws {
        let body = [UInt8](repeating: 1, count: 60_000)
        let upstream = try FakeUpstream { _ in HandlerResponse(status: 200, body: .bytes(body)) }
        try await withEdge { configuration in
            configuration.addProxy(Self.host, to: upstream.port)
        } _: { edge in
            let client = try RawSocket(port: edge.clearPort)
            // 60 MB of answers for 50 KB of requests: far beyond what kernel and edge keep for one connection.
            try client.send(String(repeating: Self.get, count: 1000))
            try await eventually("the edge stops asking") {
                let before = upstream.requests.value
                try await Task.sleep(for: .milliseconds(200))
                return before > 0 && upstream.requests.value == before
            }
            #expect(upstream.requests.value < 500)
            try await onThread { for _ in 0..<1000 { _ = try client.receiveAnswer() } }
            #expect(upstream.requests.value == 1000)
        }
    }

    @Test func `a client that reads nothing of an answer in small pieces is given up`() async throws {
        var settings = TransportSettings()
        settings.bodyProgressTimeout = 400
        try await withUpstream(settings) { connection in
            _ = try connection.receive(until: "\r\n\r\n")
            try connection.send("HTTP/1.1 200 OK\r\nContent-Length: 100000000\r\n\r\n")
            // Slowly enough that each piece is read alone.
            while true {
                try connection.send([UInt8](repeating: 1, count: 8000))
                usleep(500)
            }
        } _: { edge, _ in
            let client = try RawSocket(port: edge.clearPort)
            try client.send(Self.get)
            try await eventually("the exchange ends") {
                await edge.counters("backend/bkdsc_a").aborted == 1
            }
        }
    }

    @Test func `a connection is closed when it idles, though its last answer had to queue`() async throws {
        var settings = TransportSettings()
        settings.idleTimeout = 1000
        settings.queueHighWater = 64 << 20
        let body = [UInt8](repeating: 1, count: 24 << 20)
        let upstream = try FakeUpstream { _ in HandlerResponse(status: 200, body: .bytes(body)) }
        try await withEdge(settings) { configuration in
            configuration.addProxy(Self.host, to: upstream.port)
        } _: { edge in
            let client = try RawSocket(port: edge.clearPort)
            try client.send(Self.get)
            try await eventually("the answer is complete, and queued") {
                await edge.counters("backend/bkdsc_a").ended == 1
            }
            let (length, ended) = try await onThread {
                _ = try client.receive(until: "\r\n\r\n")
                return (try client.receive(count: body.count).count, client.isEnded())
            }
            #expect(length == body.count && ended)
        }
    }

    @Test(arguments: ["close", "keep-alive"])
    func `a client that has ended its half and reads slowly still gets the whole answer`(option: String) async throws {
        let size = 24 << 20
        let sent = Counter()
        try await withUpstream { connection in
            _ = try connection.receive(until: "\r\n\r\n")
            try connection.send("HTTP/1.1 200 OK\r\nContent-Length: \(size)\r\n\r\n")
            try connection.send([UInt8](repeating: 1, count: size))
            sent.raise()
            _ = try connection.receiveAll()
        } _: { edge, _ in
            let client = try RawSocket(port: edge.clearPort)
            try client.send("GET / HTTP/1.1\r\nHost: \(Self.host)\r\nConnection: \(option)\r\n\r\n")
            if option == "keep-alive" { client.endWriting() }
            // Reads only so much that the upstream gets rid of everything: the edge's queue is full then.
            var received = try await onThread {
                _ = try client.receive(until: "\r\n\r\n")
                var received = 0
                while sent.value == 0, received < size - (256 << 10) {
                    received += try client.receive(count: 64 << 10).count
                }
                return received
            }
            try await eventually("all of it has left the upstream") { sent.value == 1 }
            // Longer than a closed connection is lingered on.
            try await Task.sleep(for: .milliseconds(2500))
            received += try await onThread { try client.receiveAll().utf8.count }
            #expect(received == size)
        }
    }

    @Test func `an upstream that ends its half at once is an error at once`() async throws {
        try await withUpstream { connection in
            connection.endWriting()
            _ = try connection.receiveAll()
        } _: { edge, _ in
            let answer = try await onThread {
                let client = try RawSocket(port: edge.clearPort)
                try client.send(Self.get)
                return try client.receiveAnswer()
            }
            #expect(answer.head.hasPrefix("HTTP/1.1 502 "))
        }
    }

    @Test func `an upstream's name is resolved, and one that does not resolve is 502`() async throws {
        let upstream = try FakeUpstream { _ in HandlerResponse(status: 200, body: .bytes(Array("named".utf8))) }
        try await withEdge { configuration in
            configuration.addDomain(Self.host)
            configuration.add("bkdsc_a", StaticBackend.self, ["address": .string("localhost:\(upstream.port)")])
            configuration.add("bkdsc_b", StaticBackend.self, ["address": "no-such-name.invalid:80"])
            configuration.addEdge(host: Self.host, backend: "bkdsc_a")
        } _: { edge in
            let ask = { @Sendable in
                let client = try RawSocket(port: edge.clearPort)
                try client.send(Self.get)
                return try client.receiveAnswer()
            }
            let named = try await onThread(ask)
            #expect(named.body == "named")
            await edge.change { $0.addEdge(host: Self.host, backend: "bkdsc_b") }
            let unknown = try await onThread(ask)
            #expect(unknown.head.hasPrefix("HTTP/1.1 502 "))
        }
    }

    @Test func `a request tried again on a fresh connection counts once`() async throws {
        try await withUpstream { connection in
            _ = try connection.receive(until: "\r\n\r\n")
            try connection.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
            // The second request is taken, and never answered.
            _ = try connection.receive(until: "\r\n\r\n")
        } _: { edge, upstream in
            let bodies = try await onThread {
                let client = try RawSocket(port: edge.clearPort)
                return try (0..<4).map { _ in
                    try client.send(Self.get)
                    return try client.receiveAnswer().body
                }
            }
            #expect(bodies == ["ok", "ok", "ok", "ok"])
            #expect(upstream.connections.value == 4)
            let counters = await edge.counters("backend/bkdsc_a")
            #expect(counters.started == 4)
            try await eventually("all are over") { await edge.counters("backend/bkdsc_a").ended == 4 }
        }
    }
}
