import EdgeCore
import EdgeTesting
import EdgeTransport
import Shared
import Testing

@testable import EdgeTransport

/// The header that tells an upstream who the visitor is: its bytes, and where it stands.
@Suite struct ProxyProtocolTests {
    private func visitor(_ client: String, _ server: String) throws -> Visitor {
        Visitor(
            facts: ConnectionFacts(
                clientAddress: try #require(IPAddress(client)), clientPort: 54_321,
                serverAddress: try #require(IPAddress(server)), serverPort: 443, region: Region("us"),
                start: MonotonicTime(nanoseconds: 0)),
            kind: .tcp, isPassthrough: false, isSecure: false)
    }

    @Test func `version 1 is a line of text`() throws {
        let four = ProxyProtocol.header(version: 1, try visitor("203.0.113.9", "192.0.2.1"))
        #expect(String(decoding: four, as: UTF8.self) == "PROXY TCP4 203.0.113.9 192.0.2.1 54321 443\r\n")
        let six = ProxyProtocol.header(version: 1, try visitor("2001:db8::9", "2001:db8::1"))
        #expect(String(decoding: six, as: UTF8.self) == "PROXY TCP6 2001:db8::9 2001:db8::1 54321 443\r\n")
    }

    @Test func `version 2 is binary, with the addresses in the network's order`() throws {
        let start: [UInt8] = [0x0D, 0x0A, 0x0D, 0x0A, 0x00, 0x0D, 0x0A, 0x51, 0x55, 0x49, 0x54, 0x0A, 0x21]
        let ports: [UInt8] = [0xD4, 0x31, 0x01, 0xBB]
        let four = ProxyProtocol.header(version: 2, try visitor("203.0.113.9", "192.0.2.1"))
        #expect(four == start + [0x11, 0, 12, 203, 0, 113, 9, 192, 0, 2, 1] + ports)
        let six = ProxyProtocol.header(version: 2, try visitor("2001:db8::9", "2001:db8::1"))
        let network: [UInt8] = [0x20, 0x01, 0x0D, 0xB8] + Array(repeating: 0, count: 11)
        #expect(six == start + [0x21, 0, 36] + network + [9] + network + [1] + ports)
    }

    @Test(arguments: [-1, 0, 3]) func `other versions have no header`(version: Int) throws {
        #expect(ProxyProtocol.header(version: version, try visitor("203.0.113.9", "192.0.2.1")) == [])
    }

    // MARK: Through a tunnel

    @Test(arguments: [1, 2])
    func `an upstream that wants it gets the header first, and no stream serves two visitors`(
        loops: Int
    ) async throws {
        let upstream = try RawServer { connection in
            while true {
                let head = try connection.receive(until: "\r\n\r\n")
                let line = head.prefix { $0 != "\r\n" }
                try connection.send("HTTP/1.1 200 OK\r\nContent-Length: \(line.utf8.count)\r\n\r\n\(line)")
            }
        }
        try await withEdge(Tunnels.settings(loops: loops), gate: TestGate()) { configuration in
            configuration.addTunnelProxy(Tunnels.host, Tunnels.labels)
        } _: { edge in
            let agent = try await edge.connect(Tunnels.labels, to: upstream.port, proxyProtocol: 1)
            for visitor in 1...4 {
                let lines = try await onThread {
                    let visitor = try RawSocket(port: edge.clearPort)
                    return try (0..<2).map { _ in try visitor.ask().body }
                }
                for line in lines {
                    #expect(line.hasPrefix("PROXY TCP4 127.0.0.1 127.0.0.1 "))
                    #expect(line.hasSuffix(" \(edge.clearPort)"))
                }
                #expect(upstream.connections.value == visitor * 2)
            }
            try await eventually("no stream is kept") { await agent.openConnections() == 0 }
        }
    }

    @Test(arguments: [1, 2])
    func `version 2 stands before the bytes of a TCP edge's visitor`(loops: Int) async throws {
        let upstream = try RawServer { connection in try connection.send(connection.receiveRest()) }
        let port = try FreePorts.one()
        try await withEdge(Tunnels.settings(loops: loops), gate: TestGate()) { configuration in
            configuration.addTunnelGroup("bkdtg_a", Tunnels.labels)
            configuration.addTCPEdge(port: port, backend: "bkdtg_a")
        } _: { edge in
            try await edge.connect(Tunnels.labels, to: upstream.port, proxyProtocol: 2)
            for _ in 0..<4 {
                let bytes = try await onThread {
                    let visitor = try RawSocket(port: port)
                    try visitor.send("marker")
                    visitor.endWriting()
                    return try visitor.receiveRest()
                }
                #expect(bytes.count == 16 + 12 + 6)
                #expect(bytes.prefix(24).suffix(12) == [0x21, 0x11, 0, 12, 127, 0, 0, 1, 127, 0, 0, 1])
                #expect(bytes.suffix(6) == Array("marker".utf8)[...])
            }
        }
    }
}
