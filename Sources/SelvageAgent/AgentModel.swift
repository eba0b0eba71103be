/// What the agent is doing, made up from its events: what the status screen shows.
public struct AgentModel: Hashable, Sendable {
    public enum State: Hashable, Sendable {
        case connecting
        case online
        /// Some sessions stand, others do not.
        case degraded
        /// None stands. `until`: when the next try begins, if known, on the clock of the events.
        case offline(until: Double?)
        case draining
        case stopped
    }

    public struct Session: Hashable, Sendable {
        public var id = ""
        public var region = ""
        /// Seconds of the latest heartbeat.
        public var latency: Double?
        public var isConnected = false
        /// When the next try begins.
        public var retryAt: Double?
    }

    public struct Tunnel: Hashable, Sendable {
        public var name: String
        /// Where visitors come in; `nil` until the server has told.
        public var place: TunnelPlace?
        public var forwardsTo: String
        /// The sessions that it is online in.
        public var sessions: Set<Int> = []
        /// Why the server does not open it.
        public var failure: String?
        public var open = 0
        public var total: UInt64 = 0
        public var bytesIn: UInt64 = 0
        public var bytesOut: UInt64 = 0

        public var isOnline: Bool { !sessions.isEmpty }
    }

    public struct Mishap: Hashable, Sendable {
        public var time: Double
        public var text: String
        /// How often it came in a row.
        public var count = 1
    }

    /// Per second.
    public struct Rates: Hashable, Sendable {
        public var bytesIn = 0.0
        public var bytesOut = 0.0
        public var connections = 0.0
    }

    /// How many of the last errors are kept.
    public static let maximumMishaps = 20
    /// Longer texts of errors are cut, in characters: they come from strangers.
    public static let maximumText = 400

    public let server: String
    public private(set) var sessions: [Session]
    public private(set) var tunnels: [Tunnel]
    /// The latest last.
    public private(set) var mishaps: [Mishap] = []
    /// When the oldest standing session began to stand.
    public private(set) var onlineSince: Double?
    public private(set) var reconnects: UInt64 = 0
    private var ending: State?
    private var recent: RecentTraffic
    private var durations = RecentValues()
    private var firstBytes = RecentValues()
    private var places: [String: Int] = [:]

    /// - Parameter now: seconds on a clock that only moves forward, as in every call.
    public init(settings: AgentSettings, tunnels: [TunnelSpec], now: Double) {
        server = settings.server.description
        sessions = Array(repeating: Session(), count: max(1, settings.connections))
        recent = RecentTraffic(start: now)
        self.tunnels = tunnels.map { Tunnel(name: $0.name, forwardsTo: $0.upstream.description) }
        for (index, tunnel) in tunnels.enumerated() { places[tunnel.name] = index }
    }

    public var state: State {
        if let ending { return ending }
        let standing = sessions.count { $0.isConnected }
        if standing == sessions.count { return .online }
        if standing > 0 { return .degraded }
        let next = sessions.compactMap(\.retryAt).min()
        return next == nil && mishaps.isEmpty ? .connecting : .offline(until: next)
    }

    public var region: String { sessions.first { $0.isConnected }?.region ?? "" }
    /// The best of all sessions, in seconds.
    public var latency: Double? { sessions.filter(\.isConnected).compactMap(\.latency).min() }
    public var open: Int { tunnels.reduce(0) { $0 + $1.open } }
    public var total: UInt64 { tunnels.reduce(0) { $0 &+ $1.total } }
    public var bytesIn: UInt64 { tunnels.reduce(0) { $0 &+ $1.bytesIn } }
    public var bytesOut: UInt64 { tunnels.reduce(0) { $0 &+ $1.bytesOut } }

    /// Means of the last ten seconds.
    public func rates(now: Double) -> Rates { recent.rates(now: now) }
    /// Seconds that `share` of the last 512 connections did not exceed.
    public func duration(_ share: Double) -> Double? { durations.percentile(share) }
    public func firstByte(_ share: Double) -> Double? { firstBytes.percentile(share) }

    // MARK: Events

    public mutating func take(_ event: AgentEvent, now: Double) {
        switch event {
        case .connecting(let session, _): change(session) { $0.retryAt = nil }
        case .connected(let session, let id, let region, let rtt): connected(session, id, region, rtt, now)
        case .refused(let session, let code, let text):
            note(code.isEmpty ? text : "\(text) (\(code))", now)
            drop(session)
        case .disconnected(let session, let reason):
            note(reason, now)
            drop(session)
        case .retrying(let session, let seconds): change(session) { $0.retryAt = now + seconds }
        case .latency(let session, let seconds): change(session) { $0.latency = seconds }
        case .draining: ending = .draining
        case .stopped: ending = .stopped
        default: takeTunnel(event, now)
        }
    }

    private mutating func takeTunnel(_ event: AgentEvent, _ now: Double) {
        switch event {
        case .tunnelOnline(let session, let name, let place, _):
            change(name) { tunnel in
                tunnel.place = place
                tunnel.failure = nil
                tunnel.sessions.insert(session)
            }
        case .tunnelFailed(let session, let name, let code, let text):
            let failure = code.isEmpty ? text : "\(text) (\(code))"
            change(name) { tunnel in
                tunnel.failure = String(failure.prefix(AgentModel.maximumText))
                tunnel.sessions.remove(session)
            }
            note("\(name): \(failure)", now)
        case .connectionOpened(let name, _):
            change(name) { tunnel in
                tunnel.open += 1
                tunnel.total &+= 1
            }
            recent.add(opened: 1, now: now)
        case .connectionClosed(let name, let summary):
            change(name) { $0.open = max(0, $0.open - 1) }
            durations.add(summary.duration)
            if let firstByte = summary.firstByte { firstBytes.add(firstByte) }
        case .traffic(let name, let bytesIn, let bytesOut):
            change(name) { tunnel in
                tunnel.bytesIn &+= bytesIn
                tunnel.bytesOut &+= bytesOut
            }
            recent.add(bytesIn: bytesIn, bytesOut: bytesOut, now: now)
        case .upstreamFailed(let name, let text): note("\(name): \(text)", now)
        default: break
        }
    }

    private mutating func connected(_ session: Int, _ id: String, _ region: String, _ rtt: Double?, _ now: Double) {
        guard sessions.indices.contains(session) else { return }
        if !sessions[session].id.isEmpty { reconnects &+= 1 }
        if onlineSince == nil { onlineSince = now }
        sessions[session] = Session(id: id, region: region, latency: rtt, isConnected: true)
    }

    private mutating func drop(_ session: Int) {
        change(session) { value in
            value.isConnected = false
            value.latency = nil
        }
        for index in tunnels.indices { tunnels[index].sessions.remove(session) }
        if !sessions.contains(where: \.isConnected) { onlineSince = nil }
    }

    private mutating func change(_ session: Int, _ body: (inout Session) -> Void) {
        if sessions.indices.contains(session) { body(&sessions[session]) }
    }

    private mutating func change(_ name: String, _ body: (inout Tunnel) -> Void) {
        if let place = places[name] { body(&tunnels[place]) }
    }

    /// The same text again counts up, so that a server that is away does not push out everything else.
    private mutating func note(_ text: String, _ now: Double) {
        let text = String(text.prefix(AgentModel.maximumText))
        if let last = mishaps.indices.last, mishaps[last].text == text {
            mishaps[last].count += 1
            mishaps[last].time = now
            return
        }
        mishaps.append(Mishap(time: now, text: text))
        if mishaps.count > AgentModel.maximumMishaps { mishaps.removeFirst() }
    }
}
