import EdgeCore
import EdgeTesting
import EdgeTransport
import Shared
import Testing

/// HTTP/2 frame by frame, for what no ordinary client does.
@Suite struct HTTP2FrameTests {
    private static let host = "app.example.com"
    /// `:status: 200` by its place in the static table.
    private static let status200: UInt8 = 0x88

    private func frame(_ type: UInt8, flags: UInt8 = 0, stream: UInt8 = 0, _ payload: [UInt8] = []) -> [UInt8] {
        [UInt8(payload.count >> 16), UInt8(payload.count >> 8 & 0xFF), UInt8(payload.count & 0xFF), type, flags]
            + [0, 0, 0, stream] + payload
    }

    /// `method` 0x82 is GET, 0x83 POST, of the static table (RFC 7541, A).
    private func head(_ method: UInt8, stream: UInt8, ends: Bool, _ more: [UInt8] = []) -> [UInt8] {
        let authority = Array(Self.host.utf8)
        let fields = [method, 0x84, 0x86, 0x01, UInt8(authority.count)] + authority + more
        return frame(1, flags: ends ? 5 : 4, stream: stream, fields)
    }

    private var opening: [UInt8] { Array("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".utf8) + frame(4) }

    /// Reads frames until one of `type` on `stream`.
    private func read(_ client: RawSocket, type: UInt8, stream: UInt8) throws -> [UInt8] {
        while true {
            let head = try client.receive(count: 9)
            let payload = try client.receive(count: Int(head[0]) << 16 | Int(head[1]) << 8 | Int(head[2]))
            if head[3] == type, head[8] == stream { return payload }
        }
    }

    private func withUpstream(
        _ settings: TransportSettings = TransportSettings(), _ body: (TestEdge) async throws -> Void
    ) async throws {
        let upstream = try RawServer { connection in
            while true {
                _ = try connection.receive(until: "\r\n\r\n")
                try connection.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
            }
        }
        try await withEdge(settings) { configuration in
            configuration.addProxy(Self.host, to: upstream.port)
        } _: {
            try await body($0)
        }
    }

    @Test func `a head goes upstream before its body comes, on a pooled connection too`() async throws {
        try await withUpstream { edge in
            try await onThread {
                let client = try RawSocket(port: edge.clearPort)
                try client.send(opening + head(0x82, stream: 1, ends: true))
                _ = try read(client, type: 1, stream: 1)
                #expect(try read(client, type: 0, stream: 1) == Array("ok".utf8))
                // No DATA follows: the client waits for the answer first.
                try client.send(head(0x83, stream: 3, ends: false))
                #expect(try read(client, type: 1, stream: 3).first == Self.status200)
            }
        }
    }

    @Test func `a stream whose body has stopped is reset, however many pings the connection carries`() async throws {
        var settings = TransportSettings()
        settings.bodyProgressTimeout = 300
        let silent = try RawServer { _ = try $0.receiveAll() }
        try await withEdge(settings) { configuration in
            configuration.addProxy(Self.host, to: silent.port)
        } _: { edge in
            let reset = Counter()
            let client = try RawSocket(port: edge.clearPort)
            try client.send(opening + head(0x83, stream: 1, ends: false))
            async let waiting: Void = onThread {
                _ = try read(client, type: 3, stream: 1)
                reset.raise()
            }
            try await eventually("the stream is reset") {
                try client.send(frame(6, [0, 0, 0, 0, 0, 0, 0, 0]))
                try await Task.sleep(for: .milliseconds(20))
                return reset.value == 1
            }
            try await waiting
        }
    }

    @Test func `an upstream that falls silent after the client's window was closed is given up`() async throws {
        var settings = TransportSettings()
        settings.bodyProgressTimeout = 2000
        let upstream = try RawServer { connection in
            _ = try connection.receive(until: "\r\n\r\n")
            try connection.send("HTTP/1.1 200 OK\r\nContent-Length: 200000\r\n\r\n")
            // The first window, and what the edge keeps for a stream before it holds the upstream back: no more.
            try connection.send([UInt8](repeating: 1, count: 65_535 + 65_536))
            _ = try connection.receiveAll()
        }
        try await withEdge(settings) { configuration in
            configuration.addProxy(Self.host, to: upstream.port)
        } _: { edge in
            try await onThread {
                let client = try RawSocket(port: edge.clearPort)
                try client.send(opening + head(0x82, stream: 1, ends: true))
                var received = 0
                while received < 65_535 { received += try read(client, type: 0, stream: 1).count }
                let increment: [UInt8] = [0, 4, 0, 0]
                try client.send(frame(8, increment) + frame(8, stream: 1, increment))
                while received < 131_071 { received += try read(client, type: 0, stream: 1).count }
                _ = try read(client, type: 3, stream: 1)
            }
        }
    }

    @Test func `a peer that has its streams reset by mistake after mistake is closed like one that resets them`()
        async throws
    {
        try await withUpstream { edge in
            let ended = try await onThread {
                let client = try RawSocket(port: edge.clearPort)
                try client.send(opening)
                // Each announces five bytes and ends after one (RFC 9113, 8.1.1): the edge resets the stream.
                let announced: [UInt8] = [0x0F, 0x0D, 1, UInt8(ascii: "5")]
                for stream in stride(from: UInt8(1), to: 251, by: 2) {
                    try client.send(
                        head(0x83, stream: stream, ends: false, announced) + frame(0, flags: 1, stream: stream, [1]))
                }
                let goAway = try read(client, type: 7, stream: 0)
                #expect(goAway[7] == 11)
                return (try? client.receiveAll()) != nil
            }
            #expect(ended)
        }
    }
}
