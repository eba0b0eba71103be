public import EdgeCore
public import EdgeTunnel
import Shared
import Synchronization

/// Agents: who may come in, what they may bind, which tunnels they hold. Nothing of it is stored; what an agent has to
/// find again after a restart follows from a key (`TunnelIdentity`).
public final class TunnelService: Sendable {
    /// One connection of an agent.
    struct Session: Sendable {
        let origin: AgentOrigin
        let request: AuthRequest
        let id: String
        let credential: Credential
        let startedAt: WallTime
        let reconnects: UInt64
        /// By identifier.
        var tunnels: [String: Held] = [:]
    }

    /// A tunnel of a session.
    struct Held: Sendable {
        var tunnel: Tunnel
        /// Of labelled tunnels: which of several equal ones it is.
        var request: LabelRequest?
        var ordinal = 0
        /// Of endpoints: the host and port that it shares in serving.
        var hostport: String?
    }

    struct State {
        var sessions: [UInt64: Session] = [:]
        /// How often sessions have come back, the latest last.
        var returns: [(id: String, count: UInt64)] = []
        /// Tunnels that serve an endpoint, by host and port.
        var servers: [String: Set<ServerKey>] = [:]
        var restriction: (revision: UInt64, entry: (restriction: EntryRestriction, rules: AddressRules)?)?
        var told: [String: MonotonicTime] = [:]
    }

    struct ServerKey: Hashable, Sendable {
        let connection: UInt64
        let tunnel: String
    }

    /// What the service needs of the rest.
    public struct Surroundings: Sendable {
        public var dataPlane: any DataPlane
        public var events: EventLog
        public var now: @Sendable () -> MonotonicTime
        public var wall: @Sendable () -> WallTime

        public init(
            dataPlane: any DataPlane, events: EventLog, now: @escaping @Sendable () -> MonotonicTime,
            wall: @escaping @Sendable () -> WallTime = { .now() }
        ) {
            self.dataPlane = dataPlane
            self.events = events
            self.now = now
            self.wall = wall
        }
    }

    static let maximumReturns = 4096

    let identity: TunnelIdentity
    let surroundings: Surroundings
    /// The domain below which agents get names that they do not choose.
    let domain: String?
    let state = Mutex(State())
    private let held = Mutex<ConfigurationService?>(nil)

    public init(identity: TunnelIdentity, surroundings: Surroundings, domain: String? = nil) {
        self.identity = identity
        self.surroundings = surroundings
        self.domain = domain
    }

    /// The configuration knows this service as its directory, so that it comes later.
    public func use(_ configuration: ConfigurationService) { held.withLock { $0 = configuration } }

    var configuration: ConfigurationService? { held.withLock { $0 } }

    /// Ends the sessions of credentials that are gone. Called after each write.
    public func configurationChanged() {
        guard let current = configuration?.state else { return }
        let gone = state.withLock { state in
            state.sessions.values.filter { current[$0.credential.id] == nil }.map(\.origin.connection)
        }
        for connection in gone { _ = surroundings.dataPlane.order(.disconnect, of: connection) }
    }

    func tellOnceAMinute(_ kind: String, _ object: String, _ text: String) {
        let now = surroundings.now()
        let isDue = state.withLock { state in
            if let last = state.told[kind], now.seconds(since: last) < 60 { return false }
            state.told[kind] = now
            return true
        }
        if isDue { surroundings.events.record(.warn, kind: kind, object: object, text: text) }
    }
}

// MARK: - Coming in

extension TunnelService: TunnelGate {
    /// Restrictions of the type `agent`.
    public func admits(_ address: String) -> Bool {
        guard let configuration = configuration?.state, let address = IPAddress(address) else { return false }
        let entry = state.withLock { state in
            if state.restriction?.revision != configuration.revision {
                state.restriction = (configuration.revision, AccountRestrictions.rules(.agent, in: configuration))
            }
            return state.restriction?.entry
        }
        guard let (restriction, rules) = entry, !rules.admits(address) else { return true }
        guard restriction.isEnforced else {
            tellOnceAMinute(
                "ip_restriction.would_refuse", restriction.id,
                "an agent came from \(address), which no IP policy allows")
            return true
        }
        tellOnceAMinute("ip_restriction.refused", restriction.id, "an agent was refused that came from \(address)")
        return false
    }

    public func authenticate(
        _ request: AuthRequest, from origin: AgentOrigin
    ) async -> Result<SessionGrant, Refusal> {
        guard let configuration else { return .failure(Refusal(nil, "The server is starting.")) }
        guard let credential = configuration.state.credential(for: request.authtoken) else {
            tellOnceAMinute(
                "agent.refused", "", "an agent with a wrong authtoken came from \(origin.address)")
            return .failure(Self.refusal(of: request.authtoken))
        }
        let returned = isReturn(request, credential)
        let id = returned ? request.clientID : Identity.make("ts", time: surroundings.wall())
        let replaces = admit(id, request, credential, origin, returned)
        let kept = DisplayText.clean("\(request.clientType) \(request.agentVersion)", limit: 80)
        surroundings.events.record(
            .info, kind: "agent.connected", object: id,
            text: "\(returned ? "the agent is back" : "an agent connected") from \(origin.address): \(kept)")
        let reply = AuthReply(
            clientID: id, cookie: identity.cookie(session: id, credential: credential.id), region: origin.region,
            accountName: credential.ownerID,
            extension: request.extension.map { Extension(streams: min($0.streams, Extension.largestStreams)) })
        return .success(SessionGrant(reply: reply, replaces: replaces))
    }

    private static func refusal(of token: String) -> Refusal {
        PresentedCredential(["Bearer " + token]).isToken
            ? Refusal(107, "The authtoken is not valid: its credential was deleted, or never existed.")
            : Refusal(105, "What was given as authtoken is none: copy it as it was shown when the credential was made.")
    }

    /// Whether it takes a session up again that this server gave to the same credential.
    private func isReturn(_ request: AuthRequest, _ credential: Credential) -> Bool {
        Identity.prefix(of: request.clientID) == "ts"
            && identity.isRight(
                request.cookie, identity.cookie(session: request.clientID, credential: credential.id))
    }

    private func admit(
        _ id: String, _ request: AuthRequest, _ credential: Credential, _ origin: AgentOrigin, _ returned: Bool
    ) -> [UInt64] {
        state.withLock { state in
            let count = state.countReturn(of: id, returned)
            let replaced = state.sessions.values.filter { $0.id == id && $0.request.leg == request.leg }
            var request = request
            // Neither is needed any more, and what is not kept cannot be shown.
            request.authtoken = ""
            request.cookie = ""
            state.sessions[origin.connection] = Session(
                origin: origin, request: request, id: id, credential: credential, startedAt: surroundings.wall(),
                reconnects: count)
            return replaced.map(\.origin.connection)
        }
    }

    public func ended(_ connection: UInt64, reason: String) async {
        guard let session = state.withLock({ $0.sessions.removeValue(forKey: connection) }) else { return }
        surroundings.events.record(
            .info, kind: "agent.disconnected", object: session.id,
            text: "the agent from \(session.origin.address) is gone: \(reason)")
        for tunnel in session.tunnels.values { await release(tunnel, connection) }
    }

    public func unbound(_ id: String, on connection: UInt64) async {
        let held = state.withLock { $0.sessions[connection]?.tunnels.removeValue(forKey: id) }
        if let held { await release(held, connection) }
    }

    /// The last tunnel of an endpoint takes it along.
    func release(_ held: Held, _ connection: UInt64) async {
        guard let hostport = held.hostport else { return }
        let isLast = state.withLock { state in
            state.servers[hostport]?.remove(ServerKey(connection: connection, tunnel: held.tunnel.id))
            guard state.servers[hostport]?.isEmpty == true else { return false }
            state.servers[hostport] = nil
            return true
        }
        guard isLast else { return }
        do { try await configuration?.unbind(hostport) } catch {
            surroundings.events.record(
                .warn, kind: "agent.endpoint", object: hostport, text: "the endpoint could not be taken out: \(error)")
        }
    }
}

extension TunnelService.State {
    /// - Returns: how often the session has come back by now.
    fileprivate mutating func countReturn(of id: String, _ returned: Bool) -> UInt64 {
        guard returned else { return 0 }
        let index = returns.firstIndex { $0.id == id }
        let count = (index.map { returns.remove(at: $0).count } ?? 0) + 1
        returns.append((id, count))
        if returns.count > TunnelService.maximumReturns { returns.removeFirst() }
        return count
    }
}

extension PresentedCredential {
    fileprivate var isToken: Bool { if case .token = self { true } else { false } }
}
