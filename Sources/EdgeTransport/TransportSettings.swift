public import EdgeCore
public import Shared

/// What the data plane reads once, at its start. Durations are milliseconds, sizes bytes.
public struct TransportSettings: Sendable {
    /// Event loops; one per core serves best.
    public var loops = 1
    public var verifyUpstreamTLS = false

    // Deadlines.
    public var handshakeTimeout: UInt64 = 10_000
    public var requestHeadTimeout: UInt64 = 10_000
    /// Longest pause within a body, in either direction.
    public var bodyProgressTimeout: UInt64 = 30_000
    public var dialTimeout: UInt64 = 3_000
    /// From the request's end to the answer's first byte.
    public var firstByteTimeout: UInt64 = 60_000
    /// A client connection between requests.
    public var idleTimeout: UInt64 = 60_000
    /// A relayed connection (TCP and TLS edges, upgrades) on which nothing passes.
    public var relayIdleTimeout: UInt64 = 3_600_000

    // Bounds.
    /// Client connections per server.
    public var maxConnections = 50_000
    public var maxHeadBytes = 32 << 10
    public var maxFields = 128
    public var queueHighWater = 256 << 10
    /// Concurrent streams of one HTTP/2 connection.
    public var maxStreams: UInt32 = 128
    /// A request's body to a handler (the admin API).
    public var maxHandlerBody = 1 << 20
    /// Paths that take a larger body. Of clients whom nobody vouches for, no more than half of what may be received
    /// from all of them at once.
    public var largeHandlerBodies: [String: Int] = [:]

    // Upstream pools.
    /// Idle connections kept per loop and target, and for how long.
    public var idleUpstreams = 1024
    public var upstreamIdleTimeout: UInt64 = 30_000
    /// How often session-ticket keys change.
    public var ticketKeyRotation: UInt64 = 12 * 3_600_000

    /// Where TCP edges listen.
    public var tcpAddresses: [IPAddress] = [IPAddress(v4: 0), .unspecified]
    public var tcpRegion = Region("us")

    public init() {}
}

/// A listening socket and what it is for.
public struct ListenerSettings: Sendable {
    public enum Kind: Sendable, Hashable {
        /// TLS: HTTPS and TLS edges, by server name.
        case https
        /// Cleartext HTTP that answers with a redirect to HTTPS.
        case redirect
        /// Cleartext HTTP (1.1, or 2 with prior knowledge) for HTTPS edges, behind something else that ends TLS.
        case cleartext
    }

    public var kind: Kind
    public var address: SocketAddress
    public var region: Region
    /// A socket handed over by the service manager, already listening; it is used instead of `address`.
    public var inherited: Int32?
    /// The port that redirects name; 443 is left out.
    public var redirectPort: UInt16

    public init(
        kind: Kind, address: SocketAddress, region: Region, inherited: Int32? = nil, redirectPort: UInt16 = 443
    ) {
        self.kind = kind
        self.address = address
        self.region = region
        self.inherited = inherited
        self.redirectPort = redirectPort
    }
}
