import EdgeControl
import Shared

/// What the process reads once at start, from the file that `--config` names. Every value has a default that suits
/// most machines, but for the listeners and the data folder. docs/configuration.md is the operator's view of this.
struct ServerSettings: Sendable {
    /// This server's name in statistics and in the console; the machine's host name unless set.
    var node: String
    /// Region of all traffic, unless a listener has its own.
    var region = Region("us")
    /// Event loops; `nil` for one per core.
    var loops: Int?
    /// Configuration store, certificates and the lock.
    var dataFolder: String
    var admin: Admin
    var listeners: [Listener] = []
    /// Where TCP edges may listen; `nil` when this server offers no TCP addresses.
    var tcp: TCPAddresses?
    /// Where agents come in; `nil` when this server takes none.
    var agents: Agents?
    var limits = Limits()
    /// How much of the configuration's past is kept.
    var history = HistoryLimits()
    var timeouts = Timeouts()
    var upstream = Upstream()

    /// Where traffic comes in: the server's own region, then those of its listeners.
    var regions: [Region] {
        var regions = [region]
        for other in listeners.map(\.region) + [agents?.region] {
            if let other, !regions.contains(other) { regions.append(other) }
        }
        return regions
    }

    /// The admin API: its Unix socket, where the peer's user id decides, as the kernel tells it, and if wanted TLS, where
    /// API keys do.
    struct Admin: Sendable, Hashable {
        var socket: String
        /// The socket file's permission bits.
        var mode: UInt16 = 0o660
        /// User ids. Root and the server's own user are administrators in any case; who is in no list has no access.
        var admins: [UInt32] = []
        var operators: [UInt32] = []
        var viewers: [UInt32] = []
        /// Where it is served over TLS; nowhere unless set.
        var listen: [Place] = []
        /// Names and addresses that its certificate is for.
        var hosts: [String] = []
        /// A certificate of the operator's own; the internal authority's unless set.
        var certificate: CertificateFiles?
        /// What one API key may ask for in any 60 seconds, and at the same time; 0 for any number.
        var requestsPerMinute = 0
        var concurrentRequests = 64
    }

    /// An address and a port to listen on.
    struct Place: Sendable, Hashable {
        var address: String
        var port: UInt16
    }

    /// A PEM chain, leaf first, and its PEM key.
    struct CertificateFiles: Sendable, Hashable {
        var chain: String
        var key: String
    }

    struct Listener: Sendable, Hashable {
        enum Kind: String, Sendable, CaseIterable {
            case https, http
        }

        /// What a cleartext listener does with a request.
        enum Cleartext: String, Sendable, CaseIterable {
            /// Sends the client to the same URL over HTTPS.
            case redirect
            /// Serves HTTPS edges without TLS: behind another terminator, or for measuring.
            case serve
        }

        enum Origin: Sendable, Hashable {
            case bind(addresses: [String], port: UInt16)
            /// A socket that systemd passes, by the name that `FileDescriptorName=` gives it.
            case inherited(name: String)
        }

        var kind: Kind
        var origin: Origin
        var region: Region?
        var cleartext: Cleartext = .redirect
        /// Where a redirect points; the first HTTPS listener's port unless set.
        var redirectPort: UInt16 = 443
        /// Where it stands in the file, for messages about binding.
        var line: Int
    }

    struct TCPAddresses: Sendable, Hashable {
        /// The host part of reserved addresses, e.g. `tcp.edge.example`.
        var publicHost: String
        var addresses: [String] = ["0.0.0.0", "::"]
        var ports: ClosedRange<UInt16>
    }

    /// Bounds on memory and on what a peer may ask for. Sizes are in bytes.
    struct Limits: Sendable, Hashable {
        /// Client connections of the whole server.
        var connections = 50_000
        /// A request's line and fields, and those of an upstream's answer.
        var headBytes = 32 << 10
        var fields = 128
        /// Past this much queued towards one side, the other is no longer read.
        var queueBytes = 256 << 10
        /// Concurrent HTTP/2 streams on one client connection.
        var h2Streams = 128
        /// A request's body on the admin socket.
        var adminBodyBytes = 1 << 20
    }

    /// Deadlines: nothing waits for ever.
    struct Timeouts: Sendable, Hashable {
        var tlsHandshake: Duration = .seconds(10)
        /// From the first byte of a request to the end of its head.
        var requestHead: Duration = .seconds(10)
        /// Without a byte of body in either direction.
        var bodyProgress: Duration = .seconds(30)
        var upstreamDial: Duration = .seconds(3)
        /// From the end of the request to the head of the upstream's answer.
        var firstByte: Duration = .seconds(60)
        /// Between two requests of a client connection.
        var keepAlive: Duration = .seconds(60)
        /// Without a byte on an upgraded connection (WebSocket), or on a TLS or TCP edge's.
        var upgradeIdle: Duration = .seconds(3600)
        /// What is open when the server is told to stop may take this long to finish.
        var drain: Duration = .seconds(30)
    }

    struct Upstream: Sendable, Hashable {
        /// Idle connections that each loop keeps per target.
        var idleConnections = 1024
        /// How long one is kept.
        var idle: Duration = .seconds(30)
        /// Whether a TLS upstream's certificate must be valid for its host name.
        var verifyTLS = false
    }
}
