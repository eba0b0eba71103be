/// One connected agent, as operators see it: part of each tick and of `GET /selvage/agents`.
public struct AgentStatus: Codable, Sendable, Hashable {
    /// One tunnel of the agent.
    public struct Tunnel: Codable, Sendable, Hashable {
        public var id: String
        /// `https`, `http`, `tls` or `tcp` with an endpoint of its own; empty when it is labelled.
        public var proto: String
        /// Empty when it is labelled.
        public var url: String
        public var labels: [String: String]
        /// What the agent says of where it forwards to.
        public var forwardsTo: String

        public init(
            id: String, proto: String = "", url: String = "", labels: [String: String] = [:], forwardsTo: String = ""
        ) {
            self.id = id
            self.proto = proto
            self.url = url
            self.labels = labels
            self.forwardsTo = forwardsTo
        }

        enum CodingKeys: String, CodingKey {
            case id, proto, url, labels
            case forwardsTo = "forwards_to"
        }
    }

    public enum State: String, Codable, Sendable, CaseIterable {
        case online
        /// Gets nothing new; what is open may finish.
        case draining
    }

    /// The tunnel session's identifier.
    public var id: String
    public var state: State
    /// As the agent tells it, e.g. `1.4.0` and `ngrok-python`.
    public var version: String
    public var client: String
    public var os: String
    /// Where it comes from, without a port.
    public var ip: String
    public var region: String
    public var credentialID: String
    public var metadata: String
    /// Seconds since this connection was accepted.
    public var uptime: Double
    /// Milliseconds of the latest heartbeat's way there and back; `nil` before the first.
    public var rtt: Double?
    /// Streams open now, and how many there may be.
    public var streams: Int
    public var streamLimit: Int
    /// Streams opened since the connection was accepted.
    public var opened: UInt64
    /// From visitors to the agent, and back.
    public var bytesIn: UInt64
    public var bytesOut: UInt64
    /// How often this session has come back after its connection ended, since the server started.
    public var reconnects: UInt64
    public var tunnels: [Tunnel]

    public init(
        id: String, state: State = .online, version: String = "", client: String = "", os: String = "",
        ip: String = "", region: String = "", credentialID: String = "", metadata: String = "", uptime: Double = 0,
        rtt: Double? = nil, streams: Int = 0, streamLimit: Int = 0, opened: UInt64 = 0, bytesIn: UInt64 = 0,
        bytesOut: UInt64 = 0, reconnects: UInt64 = 0, tunnels: [Tunnel] = []
    ) {
        self.id = id
        self.state = state
        self.version = version
        self.client = client
        self.os = os
        self.ip = ip
        self.region = region
        self.credentialID = credentialID
        self.metadata = metadata
        self.uptime = uptime
        self.rtt = rtt
        self.streams = streams
        self.streamLimit = streamLimit
        self.opened = opened
        self.bytesIn = bytesIn
        self.bytesOut = bytesOut
        self.reconnects = reconnects
        self.tunnels = tunnels
    }

    enum CodingKeys: String, CodingKey {
        case id, state, version, client, os, ip, region, metadata, uptime, rtt, streams, opened, reconnects, tunnels
        case credentialID = "credential_id"
        case streamLimit = "stream_limit"
        case bytesIn = "bytes_in"
        case bytesOut = "bytes_out"
    }
}
