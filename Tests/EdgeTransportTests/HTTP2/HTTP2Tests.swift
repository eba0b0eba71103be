import EdgeCore
import EdgeTesting
import EdgeTransport
import Shared
import Testing

@testable import EdgeTransport

/// HTTP/2 with clients of others: curl and h2load.
@Suite struct HTTP2Tests {
    private static let host = "app.example.com"

    private func withProxy(
        _ answer: @escaping RequestHandler, _ body: (TestEdge, FakeUpstream) async throws -> Void
    ) async throws {
        let upstream = try FakeUpstream(answer)
        try await withEdge { configuration in
            configuration.addProxy(Self.host, to: upstream.port)
        } _: { edge in
            try await body(edge, upstream)
        }
    }

    @Test(arguments: ["--http1.1", "--http2"], [false, true])
    func `curl gets its answer over TLS, IPv4 and IPv6`(version: String, v6: Bool) async throws {
        try await withProxy({ request in
            HandlerResponse(status: 200, body: .bytes(Array("hello \(request.field("x-forwarded-for") ?? "")".utf8)))
        }) { edge, _ in
            let port = v6 ? edge.httpsPortV6 : edge.httpsPort
            let result = try await onThread {
                try Command.curl(Self.host, port: port, v6: v6, [version, "-w", " %{http_version} %{http_code}"])
            }
            #expect(result.output == "hello \(v6 ? "::1" : "127.0.0.1") \(version == "--http2" ? "2" : "1.1") 200")
        }
    }

    @Test func `a body passes in both directions over HTTP/2, larger than every window`() async throws {
        try await withProxy({ HandlerResponse(status: 200, body: .bytes($0.body)) }) { edge, _ in
            let body = String(repeating: "0123456789abcdef", count: 60_000)
            let result = try await onThread {
                try Command.run(
                    [
                        "curl", "-sk", "--http2", "--max-time", "20", "--resolve",
                        "\(Self.host):\(edge.httpsPort):127.0.0.1", "--data-binary", "@-",
                        "https://\(Self.host):\(edge.httpsPort)/",
                    ], input: body)
            }
            #expect(result.output == body)
        }
    }

    @Test func `many streams of many connections are all answered`() async throws {
        try await withProxy({ _ in HandlerResponse(status: 200, body: .bytes(Array("hello".utf8))) }) { edge, _ in
            let result = try await onThread {
                try Command.run(
                    [
                        "h2load", "-n", "2000", "-c", "10", "-m", "20", "--connect-to=127.0.0.1:\(edge.httpsPort)",
                        "https://\(Self.host):\(edge.httpsPort)/",
                    ])
            }
            #expect(result.output.contains("2000 succeeded, 0 failed"), "\(result.output)")
        }
    }

    @Test func `cleartext HTTP/2 with prior knowledge is served where cleartext is`() async throws {
        try await withProxy({ _ in HandlerResponse(status: 200, body: .bytes(Array("hello".utf8))) }) { edge, _ in
            let result = try await onThread {
                try Command.run(
                    [
                        "curl", "-s", "--http2-prior-knowledge", "--max-time", "10", "--resolve",
                        "\(Self.host):\(edge.clearPort):127.0.0.1", "http://\(Self.host):\(edge.clearPort)/",
                        "-w", " %{http_version}",
                    ])
            }
            #expect(result.output == "hello 2")
        }
    }

    @Test func `an edge's own error is an answer over HTTP/2 too`() async throws {
        try await withProxy({ _ in HandlerResponse(status: 200) }) { edge, _ in
            await edge.change {
                $0.addEdge(host: Self.host, backend: "bkdsc_none"); $0.addStatic("bkdsc_none", port: 1)
            }
            let result = try await onThread { try Command.curl(Self.host, port: edge.httpsPort, ["--http2", "-i"]) }
            #expect(result.output.hasPrefix("HTTP/2 502"))
            #expect(result.output.contains("ngrok-error-code: ERR_NGROK_3006"))
        }
    }

    @Test func `a peer that only resets streams is past its budget soon, and one that asks is not`() {
        var budget = HTTP2Budget()
        let resets = (0...HTTP2Budget.resetsPerWindow).map { _ in budget.reset(at: 5) }
        #expect(resets == Array(repeating: true, count: HTTP2Budget.resetsPerWindow) + [false])
        let later = HTTP2Budget.windowMilliseconds + 6
        let inNextWindow = budget.reset(at: later)
        #expect(inNextWindow)
        let frames = (0...HTTP2Budget.controlFramesPerWindow).map { _ in budget.controlFrame(at: later) }
        #expect(frames.last == false && frames.dropLast().allSatisfy { $0 })
    }
}
