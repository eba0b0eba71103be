public import EdgeTunnel
import Synchronization

/// Decides about a test's agents: lets in whoever shows the token, grants every labelled tunnel, and keeps in mind what
/// happened.
public final class TestGate: TunnelGate {
    public static let token = "the-token-of-tests"

    private struct State {
        var authRefusal: Refusal?
        var tunnelRefusals: [[String: String]: Refusal] = [:]
        var sessions: [String] = []
        var requests: [AuthRequest] = []
        var connections: [UInt64] = []
        var labels: [LabelRequest] = []
        var unbound: [String] = []
        var ended: [(connection: UInt64, reason: String)] = []
        var tunnels = 0
    }

    private let state = Mutex(State())
    private let streams: Int
    private let isExtended: Bool

    /// - Parameters:
    ///   - streams: of a session, at most.
    ///   - isExtended: whether agents of ours are met as such; else as official ones.
    public init(streams: Int = 16_384, isExtended: Bool = true) {
        self.streams = streams
        self.isExtended = isExtended
    }

    // MARK: What the test says, and what it asks

    /// What the next Auths are refused with; `nil` lets them in again.
    public func refuse(_ refusal: Refusal?) { state.withLock { $0.authRefusal = refusal } }
    /// What tunnels with just these labels are refused with.
    public func refuse(_ labels: [String: String], _ refusal: Refusal) {
        state.withLock { $0.tunnelRefusals[labels] = refusal }
    }

    /// Auths, refused ones among them, the first one first.
    public var requests: [AuthRequest] { state.withLock { $0.requests } }
    /// Numbers of the connections that were let in.
    public var connections: [UInt64] { state.withLock { $0.connections } }
    public var labels: [LabelRequest] { state.withLock { $0.labels } }
    public var unbound: [String] { state.withLock { $0.unbound } }
    public var ended: [(connection: UInt64, reason: String)] { state.withLock { $0.ended } }

    // MARK: TunnelGate

    public func admits(_ address: String) -> Bool { true }

    public func authenticate(
        _ request: AuthRequest, from origin: AgentOrigin
    ) async -> Result<SessionGrant, Refusal> {
        state.withLock { state in
            state.requests.append(request)
            if let refusal = state.authRefusal { return .failure(refusal) }
            guard request.authtoken == Self.token else {
                return .failure(Refusal(107, "The authtoken is not valid."))
            }
            let isReturn = state.sessions.contains(request.clientID) && request.cookie == cookie(request.clientID)
            let id = isReturn ? request.clientID : "ts_\(state.sessions.count + 1)"
            if !isReturn { state.sessions.append(id) }
            state.connections.append(origin.connection)
            let agreed = request.extension.map { Extension(streams: min($0.streams, streams)) }
            return .success(
                SessionGrant(
                    reply: AuthReply(
                        clientID: id, cookie: cookie(id), region: origin.region, extension: isExtended ? agreed : nil)))
        }
    }

    private func cookie(_ session: String) -> String { "cookie of \(session)" }

    public func bind(
        _ request: BindRequest, on connection: UInt64
    ) async -> Result<(BindReply, TunnelGrant), Refusal> {
        .failure(Refusal(nil, "This gate has no endpoints."))
    }

    public func startLabelled(_ request: LabelRequest, on connection: UInt64) async -> Result<TunnelGrant, Refusal> {
        state.withLock { state in
            if let refusal = state.tunnelRefusals[request.labels] { return .failure(refusal) }
            state.labels.append(request)
            state.tunnels += 1
            return .success(
                TunnelGrant(
                    id: "tn_\(state.tunnels)", labels: request.labels, proxyProtocol: request.proxyProtocol,
                    speaksHTTP2: request.forwardsProto == "http2"))
        }
    }

    public func patch(_ request: PatchRequest, on connection: UInt64) async -> Refusal? { nil }
    public func unbound(_ id: String, on connection: UInt64) async { state.withLock { $0.unbound.append(id) } }

    public func ended(_ connection: UInt64, reason: String) async {
        state.withLock { $0.ended.append((connection, reason)) }
    }
}
