import Shared
import Synchronization
import Testing

@testable import EdgeControl

@Suite struct TunnelTests {
    private static let sessions = (0..<5).reversed().map { number in
        TunnelSession(
            id: Identity.ksuid(time: WallTime(seconds: 1_800_000_000 + number), random: (1, 2)).prefixed("ts"),
            agentVersion: "3.\(number).0", credentialID: "cr_000000000000000000000000000", ip: "192.0.2.1", os: "linux",
            region: "us", startedAt: WallTime(seconds: 1_800_000_000 + number))
    }
    private static let tunnels = (0..<3).reversed().map { number in
        Tunnel(
            id: Identity.ksuid(time: WallTime(seconds: 1_800_000_000 + number), random: (3, 4)).prefixed("tn"),
            sessionID: sessions[0].id, startedAt: WallTime(seconds: 1_800_000_000 + number), labels: ["app": "web"],
            forwardsTo: "http://localhost:80")
    }

    private static func room() async throws -> (ControlRoom, FakeDirectory) {
        let directory = FakeDirectory(sessions: sessions, tunnels: tunnels)
        return (try await ControlRoom(tunnels: directory), directory)
    }

    @Test func `a server without agents has empty lists`() async throws {
        let room = try await ControlRoom()
        for key in ["tunnels", "tunnel_sessions"] {
            let list = try await room.call("GET", "/\(key)")
            #expect(
                list.body == .object([key: [], "next_page_uri": nil, "uri": .string("http://admin.local:80/\(key)")]))
        }
        let path = "/tunnel_sessions/ts_000000000000000000000000000"
        #expect(try await room.call("GET", path).status == 404)
        #expect(try await room.call("POST", path + "/stop").status == 404)
    }

    @Test func `sessions and tunnels are read and listed with every field`() async throws {
        let (room, _) = try await Self.room()
        let base = "http://admin.local:80"
        let session = try await room.call("GET", "/tunnel_sessions/\(Self.sessions[0].id)")
        #expect(
            session.body == [
                "id": .string(Self.sessions[0].id), "uri": .string("\(base)/tunnel_sessions/\(Self.sessions[0].id)"),
                "agent_version": "3.4.0", "ip": "192.0.2.1", "metadata": "", "os": "linux", "region": "us",
                "started_at": "2027-01-15T08:00:04Z", "transport": "ngrok/2",
                "credential": [
                    "id": "cr_000000000000000000000000000",
                    "uri": .string("\(base)/credentials/cr_000000000000000000000000000"),
                ],
            ])
        let tunnel = try await room.call("GET", "/tunnels/\(Self.tunnels[2].id)")
        #expect(
            tunnel.body == [
                "id": .string(Self.tunnels[2].id), "public_url": "", "started_at": "2027-01-15T08:00:00Z",
                "metadata": "", "proto": "", "region": "", "endpoint": nil, "labels": ["app": "web"], "backends": [],
                "forwards_to": "http://localhost:80",
                "tunnel_session": ["id": .string(Self.sessions[0].id), "uri": session["uri"] ?? ""],
            ])
        let first = try await room.call("GET", "/tunnels?limit=2")
        #expect(first["tunnels"]?.arrayValue?.count == 2)
        #expect(first["next_page_uri"] == .string("\(base)/tunnels?before_id=\(Self.tunnels[1].id)&limit=2"))
        let rest = try await room.call("GET", "/tunnels?before_id=\(Self.tunnels[1].id)&limit=2")
        #expect(rest["tunnels"] == [tunnel.body] && rest["next_page_uri"] == .null)
        let filter = PercentEncoding.encode(
            #"obj.agent_version == "3.2.0" || obj.started_at < timestamp("2027-01-15T08:00:01Z")"#)
        let some = try await room.call("GET", "/tunnel_sessions?filter=\(filter)")
        #expect(some["tunnel_sessions"]?.arrayValue?.map { $0["agent_version"] } == ["3.2.0", "3.0.0"])
        #expect(try await room.call("GET", "/tunnels?filter=true").code == "ERR_NGROK_231")
        #expect(try await room.call("DELETE", "/tunnels/\(Self.tunnels[0].id)").status == 404)
    }

    @Test(arguments: AgentRequest.allCases)
    func `an agent is asked, with and without a body, and only by who may`(request: AgentRequest) async throws {
        let (room, directory) = try await Self.room()
        let path = "/tunnel_sessions/\(Self.sessions[1].id)/\(request.rawValue)"
        #expect(try await room.call("POST", path).status == 204)
        #expect(try await room.call("POST", path, [:]).status == 204)
        #expect(directory.asked.withLock { $0 } == [request, request])
        #expect(try await room.call("POST", path, ["force": true]).code == "ERR_NGROK_214")
        #expect(try await room.call("POST", path, uid: 1002).status == 403)
        let other = "/tunnel_sessions/ts_000000000000000000000000000/\(request.rawValue)"
        #expect(try await room.call("POST", other).status == 404)
        #expect(directory.asked.withLock { $0.count } == 2)
    }
}

private final class FakeDirectory: TunnelDirectory {
    private let held: (sessions: [TunnelSession], tunnels: [Tunnel])
    let asked = Mutex<[AgentRequest]>([])

    init(sessions: [TunnelSession], tunnels: [Tunnel]) { held = (sessions, tunnels) }

    func sessions() -> [TunnelSession] { held.sessions }
    func tunnels() -> [Tunnel] { held.tunnels }

    func ask(_ request: AgentRequest, of session: String) async -> Bool {
        guard self.session(session) != nil else { return false }
        asked.withLock { $0.append(request) }
        return true
    }
}

extension String {
    fileprivate func prefixed(_ prefix: String) -> String { prefix + "_" + self }
}
