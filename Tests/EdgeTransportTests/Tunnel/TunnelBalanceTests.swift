import EdgeCore
import EdgeTesting
import EdgeTransport
import Shared
import Testing

/// How visitors are spread over the tunnels of a group.
@Suite struct TunnelBalanceTests {
    @Test(arguments: [1, 2])
    func `C21 C31 requests of one kept connection are spread evenly over all agents`(loops: Int) async throws {
        let upstreams = try (0..<3).map { try Tunnels.named("\($0)") }
        try await withEdge(Tunnels.settings(loops: loops), gate: TestGate()) { configuration in
            configuration.addTunnelProxy(Tunnels.host, Tunnels.labels)
        } _: { edge in
            var agents: [TestAgent] = []
            for upstream in upstreams { agents.append(try await edge.connect(Tunnels.labels, to: upstream.port)) }
            let bodies = try await onThread {
                let visitor = try RawSocket(port: edge.clearPort)
                return try (0..<60).map { _ in try visitor.ask().body }
            }
            for name in ["0", "1", "2"] { #expect(bodies.filter { $0 == name }.count == 20) }
            // Who comes later gets an equal share from then on, and who goes leaves none behind.
            agents[2].close()
            try await eventually("it is gone") { await edge.plane.agentReadings().count == 2 }
            let late = try Tunnels.named("late")
            agents.append(try await edge.connect(Tunnels.labels, to: late.port))
            let after = try await onThread {
                let visitor = try RawSocket(port: edge.clearPort)
                return try (0..<60).map { _ in try visitor.ask().body }
            }
            for name in ["0", "1", "late"] { #expect(after.filter { $0 == name }.count == 20) }
        }
    }

    @Test func `C33 connections of a TCP edge are spread over all agents, and each stays with one`() async throws {
        let servers = try (0..<3).map { number in
            try RawServer { connection in
                try connection.send("\(number)")
                while true { try connection.send(connection.receive(count: 1)) }
            }
        }
        let port = try FreePorts.one()
        try await withEdge(Tunnels.settings(loops: 1), gate: TestGate()) { configuration in
            configuration.addTunnelGroup("bkdtg_a", Tunnels.labels)
            configuration.addTCPEdge(port: port, backend: "bkdtg_a")
        } _: { edge in
            var agents: [TestAgent] = []
            for server in servers { agents.append(try await edge.connect(Tunnels.labels, to: server.port)) }
            let names = try await onThread {
                try (0..<12).map { _ in
                    let visitor = try RawSocket(port: port)
                    let name = try visitor.receive(count: 1)
                    for byte in UInt8(0)..<10 {
                        try visitor.send([byte])
                        #expect(try visitor.receive(count: 1) == [byte])
                    }
                    return name
                }
            }
            for name in UInt8(0x30)...0x32 { #expect(names.filter { $0 == [name] }.count == 4) }
        }
    }
}
