/// What the transport tells of itself, as it happens. Sessions are numbered from 0 to `AgentSettings.connections` - 1
/// and keep their number over reconnects; tunnels are named as in their specs. Texts may come from strangers.
public enum AgentEvent: Hashable, Sendable {
    case connecting(session: Int, server: String)
    /// Let in.
    /// - `id`: the session as the server calls it. `rtt`: seconds that the request took there and back, if measured.
    case connected(session: Int, id: String, region: String, rtt: Double?)
    /// The server does not want this session. `code` like `ERR_NGROK_107`, or empty. See `AgentRefusal.isFinal`.
    case refused(session: Int, code: String, text: String)
    /// The connection to the server ended, or there was none to be had. Its tunnels are gone.
    case disconnected(session: Int, reason: String)
    /// The next try begins in so many seconds.
    case retrying(session: Int, seconds: Double)
    /// A heartbeat's way there and back in seconds.
    case latency(session: Int, seconds: Double)
    case tunnelOnline(session: Int, name: String, place: TunnelPlace, id: String)
    /// The server does not open it, or has closed it.
    case tunnelFailed(session: Int, name: String, code: String, text: String)
    /// A visitor's connection came. `client`: their address and port, as the server tells it.
    case connectionOpened(tunnel: String, client: String)
    case connectionClosed(tunnel: String, ConnectionSummary)
    /// Bytes since this tunnel's last such event: told about once a second while there are any, and before
    /// `connectionClosed`, so that long connections count while they last. Nothing else carries them.
    case traffic(tunnel: String, bytesIn: UInt64, bytesOut: UInt64)
    /// The upstream could not be reached, or did not speak TLS as wanted.
    case upstreamFailed(tunnel: String, text: String)
    /// Takes nothing new any more; so many connections are still open.
    case draining(open: Int)
    case stopped
}

/// Where a tunnel's visitors come in.
public enum TunnelPlace: Hashable, Sendable, CustomStringConvertible {
    case url(String)
    case labels([String: String])

    public var description: String {
        switch self {
        case .url(let url): url
        case .labels(let labels): TunnelLabels.text(labels)
        }
    }
}

/// One connection, after it has ended.
public struct ConnectionSummary: Hashable, Sendable {
    /// From the visitor to the upstream.
    public var bytesIn: UInt64
    /// From the upstream to the visitor.
    public var bytesOut: UInt64
    /// Seconds from its opening to its end.
    public var duration: Double
    /// Seconds from its opening to the upstream's first byte; `nil` when there was none.
    public var firstByte: Double?

    public init(bytesIn: UInt64, bytesOut: UInt64, duration: Double, firstByte: Double? = nil) {
        self.bytesIn = bytesIn
        self.bytesOut = bytesOut
        self.duration = duration
        self.firstByte = firstByte
    }
}

/// What a refusal of the server means for going on.
public enum AgentRefusal {
    /// Whether trying again with the same authtoken is of no use: it is none (105), it is not valid or revoked (107), or
    /// none was sent (4018). Everything else, like a limit of sessions (108), may pass.
    public static func isFinal(code: String) -> Bool {
        ["ERR_NGROK_105", "ERR_NGROK_107", "ERR_NGROK_4018"].contains(code)
    }
}
