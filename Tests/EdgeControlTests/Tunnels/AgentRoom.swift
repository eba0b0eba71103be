import EdgeCore
import EdgeTunnel
import Foundation
import Shared
import Synchronization
import Testing

@testable import EdgeControl

/// A data plane's side of agents: remembers what it is ordered to do.
final class AgentPlane: DataPlane {
    let orders = Mutex<[(order: AgentOrder, connection: UInt64)]>([])
    let readings = Mutex<[AgentReading]>([])

    func publish(_ snapshot: Snapshot) async {}
    func sample() async -> TrafficSample { TrafficSample() }
    func problems() async -> [String: String] { [:] }
    func agentReadings() async -> [AgentReading] { readings.withLock { $0 } }

    func order(_ order: AgentOrder, of connection: UInt64) -> Bool {
        orders.withLock { $0.append((order, connection)) }
        return true
    }
}

/// A control plane with agents, asked as a data plane asks it.
final class AgentRoom: Sendable {
    let plane = AgentPlane()
    let events = EventLog { Date(timeIntervalSince1970: 1_800_000_000) }
    let service: TunnelService
    let room: ControlRoom
    private let last = Mutex<UInt64>(0)

    init(folder: String? = nil, domain: String? = nil, identity: TunnelIdentity = TunnelIdentity()) async throws {
        service = TunnelService(
            identity: identity,
            surroundings: .init(
                dataPlane: plane, events: events, now: { MonotonicTime(seconds: 1000) },
                wall: { WallTime(seconds: 1_800_000_000) }),
            domain: domain)
        room = try await ControlRoom(
            folder: folder, tunnels: service, operations: AgentOperations(service).operations)
        service.use(room.service)
    }

    /// A credential's identifier and its authtoken.
    func credential(_ acl: [String] = []) async throws -> (id: String, token: String) {
        let made = try await room.call("POST", "/credentials", ["acl": .array(acl.map { .string($0) })])
        return (made.id, made["token"]?.stringValue ?? "")
    }

    /// A new connection that shows a token.
    func show(
        _ token: String, session: String = "", cookie: String = "", configure: (inout AuthRequest) -> Void = { _ in }
    ) async -> (connection: UInt64, outcome: Result<SessionGrant, Refusal>) {
        let number = last.withLock { last in
            last += 1
            return last
        }
        var request = AuthRequest()
        request.authtoken = token
        request.clientID = session
        request.cookie = cookie
        request.agentVersion = "1.4.0"
        request.clientType = "ngrok-python"
        configure(&request)
        let origin = AgentOrigin(connection: number, address: "192.0.2.7", region: "eu")
        return (number, await service.authenticate(request, from: origin))
    }

    /// A connection of an agent that is let in.
    func connect(
        _ token: String, session: String = "", cookie: String = ""
    ) async throws -> (connection: UInt64, reply: AuthReply) {
        let (connection, outcome) = await show(token, session: session, cookie: cookie)
        return (connection, try outcome.get().reply)
    }

    /// The same with a credential of its own that may do anything.
    func connect() async throws -> UInt64 { try await connect(credential().token).connection }

    /// - Returns: the code of the refusal, or its text where it has none; `nil` for a success.
    func refusal(
        binding proto: String, _ options: JSON, on connection: UInt64, pooling: Bool = false
    ) async -> String? {
        switch await bind(proto, options, on: connection, pooling: pooling) {
        case .success: nil
        case .failure(let refusal): refusal.code ?? refusal.text
        }
    }

    func bind(
        _ proto: String, _ options: JSON, on connection: UInt64, pooling: Bool = false,
        configure: (inout BindRequest) -> Void = { _ in }
    ) async -> Result<(BindReply, TunnelGrant), Refusal> {
        var request = BindRequest()
        request.proto = proto
        request.options = options
        request.forwardsTo = "http://localhost:80"
        request.poolingEnabled = pooling
        configure(&request)
        return await service.bind(request, on: connection)
    }

    func label(_ labels: [String: String], on connection: UInt64) async -> Result<TunnelGrant, Refusal> {
        await service.startLabelled(LabelRequest(labels: labels), on: connection)
    }

    var snapshot: Snapshot? { room.dataPlane.last }

    /// The names of the modules that requests to a host pass.
    func modules(_ host: String) -> [String] {
        guard let edge = snapshot?.hosts.lookup(host) else { return [] }
        let path = Array("/".utf8)
        return path.withUnsafeBufferPointer { edge.routes.lookup($0) }?.chain.names ?? []
    }
}
