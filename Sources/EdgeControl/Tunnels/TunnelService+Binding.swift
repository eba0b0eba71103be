import EdgeCore
public import EdgeTunnel
import Shared
import Synchronization

/// What agents bind: labels, and endpoints of their own.
extension TunnelService {
    /// Tunnels of one session.
    static let maximumTunnels = 1024

    // MARK: Labels

    public func startLabelled(
        _ request: LabelRequest, on connection: UInt64
    ) async -> Result<TunnelGrant, Refusal> {
        do throws(Refusal) {
            return .success(try label(request, on: connection))
        } catch {
            return .failure(error)
        }
    }

    private func label(_ request: LabelRequest, on connection: UInt64) throws(Refusal) -> TunnelGrant {
        do throws(Fault) {
            _ = try TunnelGroupBackend.normalise(["labels": .object(request.labels.mapValues { .string($0) })])
        } catch {
            throw Refusal(error)
        }
        guard !request.labels.isEmpty else { throw Refusal(nil, "A labelled tunnel needs at least one label.") }
        let outcome = state.withLock { state -> Result<String, Refusal> in
            guard let session = state.sessions[connection] else { return .failure(Self.noSession) }
            guard session.tunnels.count < Self.maximumTunnels else { return .failure(Self.tooMany) }
            if let refused = session.credential.refusedLabel(of: request.labels) { return .failure(refused) }
            let held = session.hold(request, identity)
            state.sessions[connection]?.tunnels[held.tunnel.id] = held
            return .success(held.tunnel.id)
        }
        return TunnelGrant(
            id: try outcome.get(), labels: request.labels, proxyProtocol: request.proxyProtocol,
            speaksHTTP2: request.forwardsProto == "http2")
    }

    private static let noSession = Refusal(nil, "The session is over.")
    private static let tooMany = Refusal(nil, "A session may have at most \(maximumTunnels) tunnels.")

    // MARK: Endpoints

    public func bind(
        _ request: BindRequest, on connection: UInt64
    ) async -> Result<(BindReply, TunnelGrant), Refusal> {
        do {
            return .success(try await bound(request, on: connection))
        } catch let refusal as Refusal {
            return .failure(refusal)
        } catch let fault as Fault {
            return .failure(Refusal(fault))
        } catch {
            return .failure(Refusal(nil, "The endpoint could not be put in force."))
        }
    }

    private func bound(_ request: BindRequest, on connection: UInt64) async throws -> (BindReply, TunnelGrant) {
        guard let configuration, let session = state.withLock({ $0.sessions[connection] }) else {
            throw Self.noSession
        }
        guard session.tunnels.count < Self.maximumTunnels else { throw Self.tooMany }
        let id = try tunnelID(request, session)
        var source = SystemRandomNumberGenerator()
        let bound = configuration.published.withLock { $0.bound }
        let endpoint = try EndpointRequest(
            request: request, catalogue: configuration.catalogue, state: configuration.state, domain: domain
        ).endpoint(id: identity.endpoint, isTaken: { bound[$0] != nil }, chance: { source.next() })
        try session.credential.check(endpoint.url)
        let key = ServerKey(connection: connection, tunnel: id)
        try await serve(endpoint, by: key, request, configuration)
        let tunnel = Tunnel(
            id: id, sessionID: session.id, endpointID: endpoint.id, publicURL: endpoint.url.text,
            proto: request.proto, startedAt: surroundings.wall(), metadata: request.metadata,
            region: session.origin.region, forwardsTo: request.forwardsTo)
        let isHeld = state.withLock { state in
            state.sessions[connection]?.tunnels[id] = Held(tunnel: tunnel, hostport: endpoint.hostport)
            return state.sessions[connection] != nil
        }
        guard isHeld else {
            // The connection ended meanwhile.
            await release(Held(tunnel: tunnel, hostport: endpoint.hostport), connection)
            throw Self.noSession
        }
        let reply = BindReply(
            id: id, url: endpoint.url.text, proto: request.proto,
            options: request.options(assigned: endpoint.url), token: identity.token(tunnel: id, session: session.id))
        return (
            reply,
            TunnelGrant(
                id: id, labels: [EphemeralEndpoint.label: endpoint.id], isEndpoint: true,
                proxyProtocol: request.proxyProtocol, speaksHTTP2: request.forwardsProto == "http2")
        )
    }

    /// A tunnel that is taken up again keeps its identifier, which the agent goes on using whatever is answered.
    private func tunnelID(_ request: BindRequest, _ session: Session) throws(Refusal) -> String {
        guard !request.id.isEmpty else { return Identity.make("tn", time: surroundings.wall()) }
        guard Identity.prefix(of: request.id) == "tn",
            identity.isRight(request.token, identity.token(tunnel: request.id, session: session.id))
        else { throw Refusal(nil, "The tunnel \(request.id.prefix(64)) was not this session's.") }
        return request.id
    }

    /// Puts the endpoint in force, or joins those that serve it already.
    private func serve(
        _ endpoint: EphemeralEndpoint, by key: ServerKey, _ request: BindRequest, _ configuration: ConfigurationService
    ) async throws {
        let hostport = endpoint.hostport
        let joins = state.withLock { state in
            guard let servers = state.servers[hostport], !servers.isEmpty else {
                state.servers[hostport] = [key]
                return false
            }
            // An agent that comes back finds its own earlier connection here, which is about to end.
            let isOwn = servers.contains { $0.tunnel == key.tunnel }
            guard isOwn || request.poolingEnabled else { return false }
            state.servers[hostport]?.insert(key)
            return true
        }
        guard !joins else { return }
        do {
            if let refusal = try await configuration.bind(endpoint) { throw refusal }
        } catch {
            state.withLock { state in
                state.servers[hostport]?.remove(key)
                if state.servers[hostport]?.isEmpty == true { state.servers[hostport] = nil }
            }
            throw error
        }
    }

    public func patch(_ request: PatchRequest, on connection: UInt64) async -> Refusal? {
        if request.trafficPolicy != nil || request.poolingEnabled != nil {
            return Refusal(nil, "This server changes no traffic policy and no pooling of a tunnel that runs.")
        }
        let isKnown = state.withLock { state in
            guard state.sessions[connection]?.tunnels[request.id] != nil else { return false }
            if let metadata = request.metadata {
                state.sessions[connection]?.tunnels[request.id]?.tunnel.metadata = metadata
            }
            return true
        }
        return isKnown ? nil : Refusal(nil, "There is no tunnel \(request.id.prefix(64)).")
    }
}

extension TunnelService.Session {
    /// A labelled tunnel of this session: the same one as before for an agent that has come back.
    func hold(_ request: LabelRequest, _ identity: TunnelIdentity) -> TunnelService.Held {
        let taken = Set(tunnels.values.filter { $0.request == request }.map(\.ordinal))
        let ordinal = (0...taken.count).first { !taken.contains($0) } ?? taken.count
        let id = identity.tunnel(request, session: self.id, started: startedAt(of: self.id), ordinal: ordinal)
        let tunnel = Tunnel(
            id: id, sessionID: self.id, startedAt: startedAt, metadata: request.metadata, region: origin.region,
            labels: request.labels, forwardsTo: request.forwardsTo)
        return TunnelService.Held(tunnel: tunnel, request: request, ordinal: ordinal)
    }

    /// A tunnel's identifier says when its session began, the first time.
    private func startedAt(of id: String) -> WallTime { Identity.time(of: id) ?? startedAt }
}

extension Credential {
    /// - Returns: why the labels may not be bound; `nil` when all of them may.
    func refusedLabel(of labels: [String: String]) -> Refusal? {
        guard !rules.isEmpty else { return nil }
        for (name, value) in labels where !rules.contains(where: { $0.permits(label: name, value: value) }) {
            return Refusal(399, "The ACL of this authtoken does not permit the label \(name)=\(value).")
        }
        return nil
    }

    func check(_ url: EndpointURL) throws(Refusal) {
        guard !rules.isEmpty else { return }
        let isPermitted = rules.contains { rule in
            url.scheme == .tcp ? rule.permits(host: url.host, port: url.port) : rule.permits(domain: url.host)
        }
        guard isPermitted else { throw Refusal(398, "The ACL of this authtoken does not permit \(url.text).") }
    }
}

extension BindRequest {
    /// The options as they were sent, with the address that the endpoint got: agents ask for the answer's when they come
    /// back (agent-protocol.md 6.4).
    func options(assigned url: EndpointURL) -> JSON {
        var options = self.options.objectValue ?? [:]
        let name = url.scheme == .tcp ? "Addr" : "Hostname"
        options[name] = .string(url.scheme == .tcp ? url.hostport : url.host)
        if url.scheme != .tcp { options["Subdomain"] = "" }
        let defaults: [String: JSON] =
            switch url.scheme {
            case .http, .https: ["Auth": "", "HostHeaderRewrite": false, "ProxyProto": 0]
            case .tls: ["ProxyProto": 0, "MutualTLSAtAgent": false]
            case .tcp: ["ProxyProto": 0]
            }
        return .object(options.merging(defaults) { kept, usual in kept.isNull ? usual : kept })
    }

    /// Version of the PROXY protocol, 0 for none.
    var proxyProtocol: Int {
        let value = (options.objectValue ?? [:]).first { $0.key.lowercased() == "proxyproto" }?.value.intValue
        return value.map { (0...2).contains($0) ? Int($0) : 0 } ?? 0
    }
}
