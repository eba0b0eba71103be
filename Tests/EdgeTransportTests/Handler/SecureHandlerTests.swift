import EdgeCore
import EdgeTesting
import EdgeTransport
import Shared
import Synchronization
import Testing

/// A program that answers over TLS: what the admin API stands on.
@Suite struct SecureHandlerTests {
    /// One loop, so that whatever blocked it would block everybody.
    private func withHandler(
        settings: TransportSettings = TransportSettings(), _ handler: @escaping RequestHandler,
        _ body: (_ port: UInt16, _ certificate: HandlerCertificate) async throws -> Void
    ) async throws {
        var settings = settings
        // Hundreds of other tests may run between a client's connection and its next byte.
        settings.handshakeTimeout = 600_000
        settings.requestHeadTimeout = 600_000
        settings.bodyProgressTimeout = 600_000
        settings.idleTimeout = 600_000
        let plane = try EdgeDataPlane(settings: settings, slots: SlotTable())
        defer { plane.shutdown() }
        let certificate = try HandlerCertificate(ThrowAwayCertificate.make(["one.example.com"]))
        let address = SocketAddress(IPAddress(v4: 0x7F00_0001), port: 0)
        let port = try plane.listen(address, certificate: certificate, handler: handler).port
        plane.start()
        try await body(port, certificate)
    }

    private static func post(_ length: Int) -> String {
        "POST / HTTP/1.1\r\nHost: one.example.com\r\nContent-Length: \(length)\r\n\r\n"
    }

    private static let get = "GET / HTTP/1.1\r\nHost: one.example.com\r\n\r\n"

    @Test(arguments: [("--http1.1", "1.1"), ("--http2", "2")])
    func `it serves either version, and says where a request came from`(option: String, version: String) async throws {
        let handler: RequestHandler = { request in
            let client = request.client?.description ?? "?"
            let text = "\(request.method) \(client) \(request.isSecure) \(request.body.count)"
            return HandlerResponse(status: 200, body: .bytes(Array(text.utf8)))
        }
        try await withHandler(handler) { port, _ in
            let result = try await onThread {
                try Command.curl(
                    "one.example.com", port: port,
                    [option, "-d", String(repeating: "x", count: 5000), "-w", " %{http_version}"])
            }
            #expect(result.output == "POST 127.0.0.1 true 5000 \(version)", "\(result)")
        }
    }

    @Test func `a body past its bound is refused, and so is one past what strangers may fill together`() async throws {
        var settings = TransportSettings()
        settings.maxHandlerBody = 1000
        try await withHandler(settings: settings, { HandlerResponse(status: 200, body: .bytes($0.body)) }) { port, _ in
            let (tooLarge, busy, later) = try await onThread {
                let tooLarge = try RawTLSSocket(port: port).ask(Self.post(1001) + String(repeating: "x", count: 1001))
                // Sixteen bodies, each short of its last byte: the store for strangers' bodies is full but for a rest.
                let part = String(repeating: "x", count: 999)
                let holders = try (0..<16).map { _ in
                    let holder = try RawTLSSocket(port: port)
                    try holder.send(Self.post(1000) + part)
                    return holder
                }
                // Every holder's body has come once another one finds no room: until then it is asked again.
                var busy = ""
                repeat {
                    busy = try RawTLSSocket(port: port).ask(Self.post(999) + part)
                } while busy.hasPrefix("HTTP/1.1 200")
                // What is finished makes room.
                for holder in holders { _ = try holder.ask("x") }
                return (tooLarge, busy, try RawTLSSocket(port: port).ask(Self.post(999) + part))
            }
            #expect(tooLarge.hasPrefix("HTTP/1.1 413 "))
            #expect(tooLarge.contains("ngrok-error-code: ERR_NGROK_3014"))
            #expect(busy.hasPrefix("HTTP/1.1 503 "))
            #expect(busy.contains("ngrok-error-code: ERR_NGROK_3010"))
            #expect(later.hasPrefix("HTTP/1.1 200 "))
        }
    }

    @Test func `who leaves in the middle of a body gives its room back`() async throws {
        var settings = TransportSettings()
        settings.maxHandlerBody = 1000
        try await withHandler(settings: settings, { _ in HandlerResponse(status: 200) }) { port, _ in
            let part = String(repeating: "x", count: 999)
            try await onThread {
                let holders = try (0..<16).map { _ in
                    let holder = try RawTLSSocket(port: port)
                    try holder.send(Self.post(1000) + part)
                    return holder
                }
                while try RawTLSSocket(port: port).ask(Self.post(999) + part).hasPrefix("HTTP/1.1 200") {}
                withExtendedLifetime(holders) {}
            }
            try await eventually("there is room again") {
                try await onThread {
                    try RawTLSSocket(port: port).ask(Self.post(999) + part).hasPrefix("HTTP/1.1 200")
                }
            }
        }
    }

    @Test func `its certificate is replaced while connections are open, and a bad one changes nothing`() async throws {
        try await withHandler({ _ in HandlerResponse(status: 204) }) { port, certificate in
            let first = try await onThread { try RawTLSSocket(port: port) }
            #expect(first.subject == "/CN=one.example.com")
            let other = ThrowAwayCertificate.make(["two.example.com"])
            try certificate.replace(with: other)
            let (subject, before, after) = try await onThread {
                let second = try RawTLSSocket(port: port)
                return (second.subject, try first.ask(Self.get), try second.ask(Self.get))
            }
            #expect(subject == "/CN=two.example.com")
            #expect(before.hasPrefix("HTTP/1.1 204 "))
            #expect(after.hasPrefix("HTTP/1.1 204 "))
            let mixed = CertificateMaterial(
                id: "cert_mixed", chainPEM: ThrowAwayCertificate.make(["three.example.com"]).chainPEM,
                keyPEM: other.keyPEM)
            #expect(throws: HandlerCertificate.Failure.self) { try certificate.replace(with: mixed) }
            #expect(try await onThread { try RawTLSSocket(port: port).subject } == "/CN=two.example.com")
        }
    }

    @Test func `clients that neither send nor read hold up nobody`() async throws {
        let handler: RequestHandler = { request in
            guard request.path == "/endless" else { return HandlerResponse(status: 204) }
            let chunk = [UInt8](repeating: 0x78, count: 64 << 10)
            return HandlerResponse(status: 200, body: .stream(AsyncStream { chunk }))
        }
        try await withHandler(handler) { port, _ in
            let answers = try await onThread {
                let silent = try RawSocket(port: port)
                let half = try RawTLSSocket(port: port)
                try half.send("POST / HTTP/1.1\r\nHost: one.exa")
                let deaf = try RawTLSSocket(port: port)
                _ = try deaf.ask("GET /endless HTTP/1.1\r\nHost: one.example.com\r\n\r\n")
                let client = try RawTLSSocket(port: port)
                defer { withExtendedLifetime((silent, half, deaf)) {} }
                return try (0..<20).map { _ in try client.ask(Self.get) }
            }
            #expect(answers.allSatisfy { $0.hasPrefix("HTTP/1.1 204 ") })
        }
    }

    @Test(arguments: ["--http1.1", "--http2"])
    func `a stream that may not go on ends, and what came after is not sent`(option: String) async throws {
        let (lines, source) = AsyncStream<[UInt8]>.makeStream()
        let gate = Gate()
        let handler: RequestHandler = { _ in
            var response = HandlerResponse(status: 200, body: .stream(lines))
            response.mayContinue = { gate.isOpen }
            return response
        }
        try await withHandler(handler) { port, _ in
            let client = try RunningProcess([
                "curl", "-sSkN", "--max-time", "50", option, "--resolve", "one.example.com:\(port):127.0.0.1",
                "https://one.example.com:\(port)/",
            ])
            source.yield(Array("first\n".utf8))
            try await eventually("the first line comes") { client.output == "first\n" }
            gate.close()
            source.yield(Array("second\n".utf8))
            try await eventually("the stream ends") { !client.isRunning }
            #expect(client.status == 0)
            #expect(client.output == "first\n")
        }
    }
}

/// Whether a stream may go on.
private final class Gate: Sendable {
    private let state = Mutex(true)
    var isOpen: Bool { state.withLock { $0 } }
    func close() { state.withLock { $0 = false } }
}
