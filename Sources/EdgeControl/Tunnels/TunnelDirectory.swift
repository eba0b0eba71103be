import EdgeCore
public import Shared

/// What the control plane knows of agents: who is connected, and which tunnels they hold. Nothing of it is stored.
///
/// Calls must not block for long: they are made while a request waits. Both lists are newest first.
public protocol TunnelDirectory: Sendable {
    func sessions() -> [TunnelSession]
    func tunnels() -> [Tunnel]
    func session(_ id: String) -> TunnelSession?
    func tunnel(_ id: String) -> Tunnel?
    /// Asks the agent of a session to do something, and returns when it was asked.
    /// - Returns: whether there is such a session.
    func ask(_ request: AgentRequest, of session: String) async -> Bool
    /// Endpoints that agents have bound, newest first.
    func endpoints() -> [BoundEndpoint]
}

extension TunnelDirectory {
    public func session(_ id: String) -> TunnelSession? { sessions().first { $0.id == id } }
    public func tunnel(_ id: String) -> Tunnel? { tunnels().first { $0.id == id } }
    public func endpoints() -> [BoundEndpoint] { [] }

    /// What answers about backends may show of it.
    var lookup: LiveLookup {
        LiveLookup { selector in
            let matching = tunnels().filter { tunnel in selector.allSatisfy { tunnel.labels[$0.key] == $0.value } }
            return matching.reversed().map(\.id)
        }
    }
}

/// What an agent can be asked to do. The raw value is the last part of the operation's path.
public enum AgentRequest: String, Sendable, CaseIterable, Hashable {
    case stop, restart, update
}

/// One connected agent.
public struct TunnelSession: Sendable, Hashable {
    /// `ts_` and a KSUID of the second in which it connected.
    public var id: String
    public var agentVersion: String
    /// The credential with which it came in.
    public var credentialID: String?
    public var ip: String
    public var metadata: String
    public var os: String
    public var region: String
    public var startedAt: WallTime
    public var transport: String

    public init(
        id: String, agentVersion: String = "", credentialID: String? = nil, ip: String = "", metadata: String = "",
        os: String = "", region: String = "", startedAt: WallTime, transport: String = "ngrok/2"
    ) {
        self.id = id
        self.agentVersion = agentVersion
        self.credentialID = credentialID
        self.ip = ip
        self.metadata = metadata
        self.os = os
        self.region = region
        self.startedAt = startedAt
        self.transport = transport
    }
}

/// One tunnel of an agent: labelled, or with an endpoint of its own.
public struct Tunnel: Sendable, Hashable {
    /// `tn_` and a KSUID.
    public var id: String
    public var sessionID: String?
    public var endpointID: String?
    /// Empty when it is labelled.
    public var publicURL: String
    public var proto: String
    public var startedAt: WallTime
    public var metadata: String
    public var region: String
    public var labels: [String: String]
    /// Tunnel groups that it is in.
    public var backendIDs: [BackendID]
    /// What the agent says of where it forwards to.
    public var forwardsTo: String

    public init(
        id: String, sessionID: String? = nil, endpointID: String? = nil, publicURL: String = "", proto: String = "",
        startedAt: WallTime, metadata: String = "", region: String = "", labels: [String: String] = [:],
        backendIDs: [BackendID] = [], forwardsTo: String = ""
    ) {
        self.id = id
        self.sessionID = sessionID
        self.endpointID = endpointID
        self.publicURL = publicURL
        self.proto = proto
        self.startedAt = startedAt
        self.metadata = metadata
        self.region = region
        self.labels = labels
        self.backendIDs = backendIDs
        self.forwardsTo = forwardsTo
    }
}

/// A server without agents.
public struct EmptyTunnelDirectory: TunnelDirectory {
    public init() {}
    public func sessions() -> [TunnelSession] { [] }
    public func tunnels() -> [Tunnel] { [] }
    public func ask(_ request: AgentRequest, of session: String) async -> Bool { false }
}
