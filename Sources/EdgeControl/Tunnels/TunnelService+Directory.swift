import EdgeCore
import EdgeTunnel
public import Shared
import Synchronization

/// What others may see of agents.
extension TunnelService: TunnelDirectory {
    public func sessions() -> [TunnelSession] {
        state.withLock { Array($0.sessions.values) }.map(Self.shown).sorted { $0.id > $1.id }
    }

    private static func shown(_ session: Session) -> TunnelSession {
        TunnelSession(
            id: session.id, agentVersion: session.request.agentVersion, credentialID: session.credential.id,
            ip: session.origin.address, metadata: session.request.metadata, os: session.request.os,
            region: session.origin.region, startedAt: session.startedAt)
    }

    public func tunnels() -> [Tunnel] {
        let all = state.withLock { $0.sessions.values.flatMap { $0.tunnels.values.map(\.tunnel) } }
        let groups = groups
        return all.map { tunnel in
            var tunnel = tunnel
            tunnel.backendIDs = groups.filter { group in
                !group.labels.isEmpty && group.labels.allSatisfy { tunnel.labels[$0.key] == $0.value }
            }.map(\.id)
            return tunnel
        }.sorted { $0.id > $1.id }
    }

    private var groups: [(id: BackendID, labels: [String: String])] {
        (configuration?.configuration.backends.values.map { $0 } ?? [])
            .filter { $0.kind == TunnelGroupBackend.kind && !$0.isEphemeral }
            .map { ($0.id, ($0.settings["labels"]?.objectValue ?? [:]).compactMapValues(\.stringValue)) }
            .sorted { $0.0 < $1.0 }
    }

    public func ask(_ request: AgentRequest, of session: String) async -> Bool {
        let order: AgentOrder =
            switch request {
            case .stop: .stop
            case .restart: .restart
            case .update: .update
            }
        return give(order, session)
    }

    /// - Returns: whether there is such a session.
    func give(_ order: AgentOrder, _ session: String) -> Bool {
        let connections = state.withLock { state in
            state.sessions.values.filter { $0.id == session }.map(\.origin.connection)
        }
        return connections.reduce(false) { surroundings.dataPlane.order(order, of: $1) || $0 }
    }

    public func endpoints() -> [BoundEndpoint] {
        let sessions = state.withLock { Array($0.sessions.values) }
        let bound = configuration?.published.withLock { $0.bound } ?? [:]
        return sessions.flatMap { session in
            session.tunnels.values.compactMap { held in
                guard let endpoint = held.hostport.flatMap({ bound[$0] }) else { return nil }
                return BoundEndpoint(
                    endpoint: endpoint, tunnel: held.tunnel, credentialID: session.credential.id)
            }
        }.sorted { $0.tunnel.id > $1.tunnel.id }
    }

    /// Every agent as operators see it, those with the most streams first.
    public func statuses() async -> [AgentStatus] {
        let readings = Dictionary(
            await surroundings.dataPlane.agentReadings().map { ($0.connection, $0) }, uniquingKeysWith: { $1 })
        return state.withLock { Array($0.sessions.values) }.map { status($0, readings[$0.origin.connection]) }
            .sorted { ($0.streams, $1.id) > ($1.streams, $0.id) }
    }

    private func status(_ session: Session, _ reading: AgentReading?) -> AgentStatus {
        let clean = { (text: String) in DisplayText.clean(text, limit: 255) }
        let tunnels = session.tunnels.values.map(\.tunnel).sorted { $0.id < $1.id }.prefix(64).map { tunnel in
            AgentStatus.Tunnel(
                id: tunnel.id, proto: tunnel.proto, url: tunnel.publicURL, labels: tunnel.labels,
                forwardsTo: clean(tunnel.forwardsTo))
        }
        return AgentStatus(
            id: session.id, state: reading?.isDraining == true ? .draining : .online,
            version: clean(session.request.agentVersion), client: clean(session.request.clientType),
            os: clean(session.request.os), ip: session.origin.address, region: session.origin.region,
            credentialID: session.credential.id, metadata: clean(session.request.metadata),
            uptime: reading?.uptime ?? 0, rtt: reading?.roundTrip, streams: reading?.streams ?? 0,
            streamLimit: reading?.streamLimit ?? 0, opened: reading?.opened ?? 0, bytesIn: reading?.bytesIn ?? 0,
            bytesOut: reading?.bytesOut ?? 0, reconnects: session.reconnects, tunnels: tunnels)
    }
}
