import EdgeCore
import EdgeTesting
import EdgeTransport
import Shared
import Testing

/// What backends choose, seen in traffic.
@Suite struct BackendTrafficTests {
    private static let host = "app.example.com"

    /// An upstream that says its name.
    private func named(_ name: String, status: Int = 200) throws -> FakeUpstream {
        try FakeUpstream { _ in HandlerResponse(status: status, body: .bytes(Array(name.utf8))) }
    }

    /// A TCP server that says its name at once and then sends back what comes.
    private func namedStream(_ name: String) throws -> RawServer {
        try RawServer { connection in
            try connection.send(name)
            while true { try connection.send(connection.receive(count: 1)) }
        }
    }

    @Test func `C46 on an HTTPS edge one connection reaches both children, each by its share`() async throws {
        let one = try named("one")
        let two = try named("two")
        try await withEdge { configuration in
            configuration.addDomain(Self.host)
            configuration.addStatic("bkdsc_1", port: one.port)
            configuration.addStatic("bkdsc_2", port: two.port)
            configuration.add("bkdwd_1", WeightedBackend.self, ["backends": ["bkdsc_1": 3, "bkdsc_2": 1]])
            configuration.addEdge(host: Self.host, backend: "bkdwd_1")
        } _: { edge in
            let bodies = try await onThread {
                let client = try RawSocket(port: edge.clearPort)
                return try (0..<40).map { _ in
                    try client.send("GET / HTTP/1.1\r\nHost: \(Self.host)\r\n\r\n")
                    return try client.receiveAnswer().body
                }
            }
            #expect(bodies.filter { $0 == "one" }.count == 30)
            #expect(bodies.filter { $0 == "two" }.count == 10)
        }
    }

    @Test func `C48 on a TCP edge one connection stays with one child, and connections are spread`() async throws {
        let one = try namedStream("1")
        let two = try namedStream("2")
        let port = try FreePorts.one()
        try await withEdge { configuration in
            configuration.addStatic("bkdsc_1", port: one.port)
            configuration.addStatic("bkdsc_2", port: two.port)
            configuration.add("bkdwd_1", WeightedBackend.self, ["backends": ["bkdsc_1": 1, "bkdsc_2": 1]])
            configuration.edges["edgtcp_1"] = EdgeConfiguration(
                id: "edgtcp_1", kind: .tcp, hostports: ["tcp.example.com:\(port)"],
                backend: BackendReference(id: "bkdwd_1"))
        } _: { _ in
            let names = try await onThread {
                try (0..<10).map { _ in
                    let client = try RawSocket(port: port)
                    let name = try client.receive(count: 1)
                    for byte in UInt8(0)..<20 {
                        try client.send([byte])
                        #expect(try client.receive(count: 1) == [byte])
                    }
                    return name
                }
            }
            #expect(names.filter { $0 == [0x31] }.count == 5)
            #expect(one.connections.value == 5 && two.connections.value == 5)
        }
    }

    @Test func `C47 on a TLS edge one connection stays with one child`() async throws {
        let one = try namedStream("1")
        let two = try namedStream("2")
        try await withEdge { configuration in
            configuration.addDomain("tls.example.com")
            configuration.addStatic("bkdsc_1", port: one.port)
            configuration.addStatic("bkdsc_2", port: two.port)
            configuration.add("bkdwd_1", WeightedBackend.self, ["backends": ["bkdsc_1": 1, "bkdsc_2": 1]])
            configuration.edges["edgtls_1"] = EdgeConfiguration(
                id: "edgtls_1", kind: .tls, hostports: ["tls.example.com:443"],
                backend: BackendReference(id: "bkdwd_1"))
        } _: { edge in
            for _ in 0..<2 {
                let client = try RunningProcess(
                    [
                        "openssl", "s_client", "-quiet", "-verify_quiet", "-ign_eof", "-connect",
                        "127.0.0.1:\(edge.httpsPort)", "-servername", "tls.example.com",
                    ], input: "many bytes of one connection")
                try await eventually("all bytes are back") { client.output.utf8.count == 29 }
                #expect(["1many bytes of one connection", "2many bytes of one connection"].contains(client.output))
                client.kill()
            }
            #expect(one.connections.value == 1 && two.connections.value == 1)
        }
    }

    @Test func `C41 an answer of 500 is the client's answer, and the next leg hears nothing`() async throws {
        let failing = try named("failing", status: 500)
        let other = try named("other")
        try await withEdge { configuration in
            configuration.addDomain(Self.host)
            configuration.addStatic("bkdsc_1", port: failing.port)
            configuration.addStatic("bkdsc_2", port: other.port)
            configuration.add("bkdfo_1", FailoverBackend.self, ["backends": ["bkdsc_1", "bkdsc_2"]])
            configuration.addEdge(host: Self.host, backend: "bkdfo_1")
        } _: { edge in
            let answer = try await onThread {
                try Command.curl(Self.host, port: edge.httpsPort, ["-w", " %{http_code}"])
            }
            #expect(answer.output == "failing 500")
            #expect(other.requests.value == 0)
        }
    }

    @Test func `C35 the last leg of a failover may be a page of one's own`() async throws {
        try await withEdge { configuration in
            configuration.addDomain(Self.host)
            configuration.addStatic("bkdsc_dead", port: 1)
            configuration.add(
                "bkdhr_1", HTTPResponseBackend.self,
                ["status_code": 503, "body": "back soon", "headers": ["retry-after": "60"]])
            configuration.add("bkdfo_1", FailoverBackend.self, ["backends": ["bkdsc_dead", "bkdhr_1"]])
            configuration.addEdge(host: Self.host, backend: "bkdfo_1")
        } _: { edge in
            let answer = try await onThread { try Command.curl(Self.host, port: edge.httpsPort, ["-i", "--http1.1"]) }
            #expect(answer.output.hasPrefix("HTTP/1.1 503 "))
            #expect(answer.output.contains("retry-after: 60\r\n"))
            #expect(answer.output.hasSuffix("\r\n\r\nback soon"))
            // It is an answer of the operator's, not an error of the edge's.
            #expect(!answer.output.contains("ngrok-error-code"))
        }
    }

    @Test func `an upstream cannot forge the edge's error code`() async throws {
        let forger = try FakeUpstream { _ in
            HandlerResponse(status: 200, fields: [("Ngrok-Error-Code", "ERR_NGROK_3202"), ("x-own", "yes")])
        }
        try await withEdge { configuration in
            configuration.addDomain(Self.host)
            configuration.addStatic("bkdsc_1", port: forger.port)
            configuration.addEdge(host: Self.host, backend: "bkdsc_1")
        } _: { edge in
            for version in ["--http1.1", "--http2"] {
                let answer = try await onThread { try Command.curl(Self.host, port: edge.httpsPort, ["-i", version]) }
                #expect(answer.output.lowercased().contains("x-own: yes"))
                #expect(!answer.output.lowercased().contains("ngrok-error-code"))
            }
        }
    }
}
