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
            configuration.addDomain(Self.host)
            configuration.addStatic("bkdsc_a", port: upstream.port)
            configuration.addEdge(host: Self.host, backend: "bkdsc_a")
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

    @Test func `a TCP edge's port that was taken is tried again with the next change`() async throws {
        let holder = try RawServer { _ in }
        let port = holder.port
        let server = try RawServer { try $0.send("hi") }
        try await withEdge { configuration in
            configuration.addStatic("bkdsc_a", port: server.port)
            configuration.edges["edgtcp_1"] = EdgeConfiguration(
                id: "edgtcp_1", kind: .tcp, hostports: ["tcp.example.com:\(port)"],
                backend: BackendReference(id: "bkdsc_a"))
        } _: { edge in
            #expect(await edge.plane.problems()["port/\(port)"] != nil)
            holder.stop()
            await edge.change { $0.addDomain("other.example.com") }
            try await eventually("the port is open") {
                await edge.change { $0.addDomain("other.example.com") }
                return await edge.plane.problems()["port/\(port)"] == nil
            }
            let text = try await onThread { try RawSocket(port: port).receiveAll() }
            #expect(text == "hi")
        }
    }
}
