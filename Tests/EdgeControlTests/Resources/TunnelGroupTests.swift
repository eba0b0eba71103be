import EdgeCore
import EdgeModules
import Shared
import Testing

@testable import EdgeControl

@Suite struct TunnelGroupTests {
    @Test func `a tunnel group is answered with its labels and no tunnels, and an empty update keeps the labels`()
        async throws
    {
        let room = try await ControlRoom()
        let made = try await room.call("POST", "/backends/tunnel_group", ["labels": ["app": "shop"]])
        #expect(made["labels"] == ["app": "shop"] && made["tunnels"] == [])
        let path = "/backends/tunnel_group/\(made.id)"
        #expect(try await room.call("PATCH", path, ["labels": [:], "metadata": "m"])["labels"] == ["app": "shop"])
        #expect(try await room.call("PATCH", path, ["labels": ["a": "b"]])["labels"] == ["a": "b"])
        #expect(try await room.call("PATCH", path, ["labels": ["a": "b=c"]]).code == "ERR_NGROK_6531")
        #expect(try await room.call("PATCH", path, ["tunnels": []]).code == "ERR_NGROK_214")
        #expect(try await room.call("GET", path)["labels"] == ["a": "b"])
        let failover = try await room.make("/backends/failover", ["backends": [.string(made.id)]])
        #expect(try await room.call("DELETE", path).code == "ERR_NGROK_6502")
        #expect(try await room.call("DELETE", "/backends/failover/\(failover)").status == 204)
        #expect(try await room.call("DELETE", path).status == 204)
    }

    @Test func `an answer names the tunnels that are connected, and a record does not`() throws {
        let catalogue = Catalogue(
            modules: StandardModules.registry, tcpPorts: nil, publicName: "edge.example.net", tunnels: OneTunnel())
        var state = ConfigurationState(catalogue: catalogue)
        let object = ConfigurationObject(
            kind: .backend, id: "bkdtg_000000000000000000000000000", position: 1, createdAt: "2027-01-15T08:00:00Z",
            revision: 1, changedAt: "2027-01-15T08:00:00Z", changedBy: "test",
            document: ["settings": ["labels": ["app": "shop"]]])
        try state.put(object)
        let answer = ConfigurationView(state: state, baseURL: "http://api").document(object)
        #expect(answer["tunnels"] == [["id": "tn_1", "uri": "http://api/tunnels/tn_1"]])
        let record = ConfigurationView(state: state, baseURL: "", nestsRoutes: false).document(object)
        #expect(record["tunnels"] == [])
    }
}

private struct OneTunnel: TunnelDirectory {
    func sessions() -> [TunnelSession] { [] }
    func tunnels() -> [Tunnel] {
        let time = WallTime(seconds: 1_800_000_000)
        return [
            Tunnel(id: "tn_2", startedAt: time, labels: ["app": "blog"]),
            Tunnel(id: "tn_1", startedAt: time, labels: ["app": "shop", "version": "1"]),
        ]
    }
    func ask(_ request: AgentRequest, of session: String) async -> Bool { false }
}
