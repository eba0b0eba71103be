import EdgeCore
import EdgeTesting
import EdgeTransport
import Shared
import Testing

/// What counts as open, and what a listener does when it cannot have what it wants.
@Suite struct OpenConnectionTests {
    private static let host = "app.example.com"

    @Test func `an upgraded connection counts as open until it ends, and a drain waits for it`() async throws {
        let upstream = try RawServer { connection in
            _ = try connection.receive(until: "\r\n\r\n")
            try connection.send("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
            try connection.send(Array(connection.receiveAll().utf8))
        }
        try await withEdge { configuration in
            configuration.addProxy(Self.host, to: upstream.port)
        } _: { edge in
            let client = try RawSocket(port: edge.clearPort)
            try await onThread {
                try client.send(
                    "GET /ws HTTP/1.1\r\nHost: \(Self.host)\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
                _ = try client.receive(until: "\r\n\r\n")
            }
            #expect(await edge.plane.openConnections() == 1)
            #expect(await edge.plane.drain(seconds: 0.1) == 1)
            let rest = try await onThread {
                try client.send("still here")
                client.endWriting()
                return try client.receiveAll()
            }
            #expect(rest == "still here")
            try await eventually("it is closed") { await edge.plane.openConnections() == 0 }
        }
    }

    @Test func `a drain sends answers that are queued, and ends what idles`() async throws {
        let body = [UInt8](repeating: 1, count: 24 << 20)
        let upstream = try FakeUpstream { _ in HandlerResponse(status: 200, body: .bytes(body)) }
        var settings = TransportSettings()
        settings.queueHighWater = 64 << 20
        try await withEdge(settings) { configuration in
            configuration.addProxy(Self.host, to: upstream.port)
        } _: { edge in
            let get = "GET / HTTP/1.1\r\nHost: \(Self.host)\r\n\r\n"
            let (slow, idle) = (try RawSocket(port: edge.clearPort), try RawSocket(port: edge.clearPort))
            try slow.send(get)
            try idle.send(get)
            let length = try await onThread {
                _ = try idle.receive(until: "\r\n\r\n")
                return try idle.receive(count: body.count).count
            }
            #expect(length == body.count)
            try await eventually("both are answered") { await edge.counters("backend/bkdsc_a").ended == 2 }
            async let left = edge.plane.drain(seconds: 60)
            let (ended, all) = try await onThread {
                // What is queued for the slow one leaves only as it reads.
                (idle.isEnded(), try slow.receiveAll().utf8.count)
            }
            #expect(ended && all > body.count)
            idle.endWriting()
            slow.endWriting()
            #expect(await left == 0)
        }
    }

    @Test func `a TCP edge's port that was taken is tried again with the next change`() async throws {
        let port = try FreePorts.one()
        var holder: RawServer? = try RawServer(port: port) { _ in }
        let server = try RawServer { try $0.send("hi") }
        try await withEdge { configuration in
            configuration.addStatic("bkdsc_a", port: server.port)
            configuration.edges["edgtcp_1"] = EdgeConfiguration(
                id: "edgtcp_1", kind: .tcp, hostports: ["tcp.example.com:\(port)"],
                backend: BackendReference(id: "bkdsc_a"))
        } _: { edge in
            #expect(await edge.plane.problems()["port/\(port)"] != nil)
            holder?.stop()
            holder = nil
            await edge.change { $0.addDomain("other.example.com") }
            try await eventually("the port is open") {
                await edge.change { $0.addDomain("other.example.com") }
                return await edge.plane.problems()["port/\(port)"] == nil
            }
            let text = try await onThread { try RawSocket(port: port).receiveAll() }
            #expect(text == "hi")
            // A publication that was overtaken takes nothing back.
            await edge.plane.publish(.empty)
            let again = try await onThread { try RawSocket(port: port).receiveAll() }
            #expect(again == "hi")
        }
    }
}
