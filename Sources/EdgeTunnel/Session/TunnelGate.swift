/// Where an agent connection comes from.
public struct AgentOrigin: Hashable, Sendable {
    /// The connection's number: never used again while the server runs.
    public let connection: UInt64
    /// Without a port.
    public let address: String
    public let region: String

    public init(connection: UInt64, address: String, region: String) {
        self.connection = connection
        self.address = address
        self.region = region
    }
}

/// What an Auth is answered with when it is let in.
public struct SessionGrant: Sendable {
    public var reply: AuthReply
    /// Connections that this one takes the place of.
    public var replaces: [UInt64]

    public init(reply: AuthReply, replaces: [UInt64] = []) {
        self.reply = reply
        self.replaces = replaces
    }
}

/// What a tunnel is to the data plane.
public struct TunnelGrant: Hashable, Sendable {
    /// `tn_…`, as the agent knows it.
    public var id: String
    /// What groups match: for an endpoint of the agent's own, a label that no agent can give itself.
    public var labels: [String: String]
    /// Whether the agent has bound an endpoint of its own.
    public var isEndpoint: Bool
    /// Version of the PROXY protocol that the upstream wants, 0 for none.
    public var proxyProtocol: Int
    public var speaksHTTP2: Bool

    public init(
        id: String, labels: [String: String], isEndpoint: Bool = false, proxyProtocol: Int = 0,
        speaksHTTP2: Bool = false
    ) {
        self.id = id
        self.labels = labels
        self.isEndpoint = isEndpoint
        self.proxyProtocol = proxyProtocol
        self.speaksHTTP2 = speaksHTTP2
    }
}

/// Who decides about agents: the control plane. Asked from loops, which do not wait: answers come when they come, and
/// agents are patient (agent-protocol.md 8.2).
public protocol TunnelGate: Sendable {
    /// Whether an agent may connect from this address at all. Asked before anything is read; must not block.
    func admits(_ address: String) -> Bool
    func authenticate(_ request: AuthRequest, from origin: AgentOrigin) async -> Result<SessionGrant, Refusal>
    func bind(_ request: BindRequest, on connection: UInt64) async -> Result<(BindReply, TunnelGrant), Refusal>
    func startLabelled(_ request: LabelRequest, on connection: UInt64) async -> Result<TunnelGrant, Refusal>
    func patch(_ request: PatchRequest, on connection: UInt64) async -> Refusal?
    /// The tunnel serves no more.
    func unbound(_ id: String, on connection: UInt64) async
    /// The connection is over, with all its tunnels.
    func ended(_ connection: UInt64, reason: String) async
}
