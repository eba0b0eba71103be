import EdgeCore
public import EdgeTransport
import EdgeTunnel
import Synchronization

/// A real agent on a loop of its own, over real TLS: one connection, which is not made again when it ends.
public final class TestAgent: Sendable {
    private let loop: AgentLoop
    private let handle: AgentLinkHandle
    private let told: Told

    private final class Told: Sendable {
        let events = Mutex<[AgentLinkEvent]>([])
    }

    fileprivate init(_ edge: TestEdge, _ tunnels: [AgentTunnel], token: String) throws {
        var auth = AuthRequest()
        auth.authtoken = token
        auth.extension = Extension()
        let told = Told()
        self.told = told
        loop = try AgentLoop()
        handle = try loop.connect(
            AgentLinkSettings(
                host: "127.0.0.1", port: edge.agentPort, trust: .authorities(pem: edge.agentAuthority), auth: auth,
                tunnels: tunnels)
        ) { event in told.events.withLock { $0.append(event) } }
    }

    deinit { handle.close() }

    /// What it was told so far.
    public var events: [AgentLinkEvent] { told.events.withLock { $0 } }
    /// Closes at once; visitors are cut.
    public func close() { handle.close() }
    /// Takes nothing new, and closes when its visitors have finished.
    public func drain() { handle.drain() }
    public func openConnections() async -> Int { await handle.openConnections() }

    public var isAccepted: Bool { events.contains { if case .accepted = $0 { true } else { false } } }
    /// Identifiers of the tunnels that are open.
    public var tunnels: [String] { events.compactMap { if case .bound(_, let id, _) = $0 { id } else { nil } } }
    public var isDraining: Bool { events.contains { if case .draining = $0 { true } else { false } } }
    /// Why the connection is over; `nil` while it is not.
    public var endReason: String? {
        events.lazy.compactMap { if case .ended(let reason) = $0 { reason } else { nil } }.first
    }
}

extension TestEdge {
    /// Connects an agent, and returns when its tunnels serve on every loop. One at a time: it is the change of the groups
    /// that is waited for.
    /// - Parameter opening: how many of the tunnels are let open; all of them by default.
    @discardableResult
    public func connect(
        _ tunnels: [AgentTunnel], token: String = TestGate.token, opening: Int? = nil
    ) async throws -> TestAgent {
        let opening = opening ?? tunnels.count
        let before = self.tunnels.table.version
        let agent = try TestAgent(self, tunnels, token: token)
        agents.withLock { $0.append(agent) }
        try await eventually("the agent's tunnels are open") {
            if let reason = agent.endReason { throw RawSocket.Failure(description: "no agent: \(reason)") }
            return agent.isAccepted && agent.tunnels.count == opening
                && self.tunnels.table.version >= before + UInt64(opening)
        }
        await publishTunnels()
        return agent
    }

    /// An agent with one labelled tunnel to an upstream at 127.0.0.1.
    /// - Parameter proxyProtocol: version of the header that the upstream wants, 0 for none.
    @discardableResult
    public func connect(
        _ labels: [String: String], to port: UInt16, trust: TLSTrust? = nil, proxyProtocol: Int = 0
    ) async throws -> TestAgent {
        var request = LabelRequest(labels: labels)
        request.proxyProtocol = proxyProtocol
        let upstream = try AgentUpstream(host: "127.0.0.1", port: port, trust: trust)
        return try await connect([AgentTunnel(.labelled(request.document), .forward(upstream))])
    }
}
