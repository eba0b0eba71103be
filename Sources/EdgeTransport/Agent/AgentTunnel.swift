import EdgeCore
public import EdgeTunnel
public import Shared

/// A tunnel that an agent holds: what it asks the server for, and what becomes of its visitors.
public struct AgentTunnel: Sendable {
    public enum Request: Sendable {
        /// A `StartTunnelWithLabel`.
        case labelled(JSON)
        /// A `Bind`; after the first time with what the last answer said.
        case endpoint(JSON)
    }

    public enum Use: Sendable {
        /// Bytes are carried to an upstream and back.
        case forward(AgentUpstream)
        /// The program itself serves the visitors.
        case serve(@Sendable (TunnelConnection) -> Void)
    }

    public var request: Request
    public var use: Use
    /// Ends visitors' TLS here, where the edge passes it through.
    public var certificate: HandlerCertificate?

    public init(_ request: Request, _ use: Use, certificate: HandlerCertificate? = nil) {
        self.request = request
        self.use = use
        self.certificate = certificate
    }
}

/// Where an agent forwards to.
public final class AgentUpstream: Sendable {
    let host: String
    let port: UInt16
    let isUnixSocket: Bool
    private let context: TLSContext?
    private let isVerified: Bool
    private let serverName: String
    /// Read once: an agent dials for each of its visitors.
    private let address: IPAddress?

    /// - Parameters:
    ///   - host: a name, an address, or with `port` 0 the path of a Unix socket.
    ///   - trust: `nil` for an upstream without TLS.
    ///   - serverName: asked for and verified instead of `host`.
    ///   - protocols: offered by ALPN, the best first.
    /// - Throws: when the authorities cannot be used.
    public init(
        host: String, port: UInt16, trust: TLSTrust? = nil, serverName: String? = nil, protocols: [String] = []
    ) throws {
        self.host = host
        self.port = port
        isUnixSocket = port == 0
        address = IPAddress(host)
        context = try trust.map { trust in
            do throws(TLSError) { return try TLSContext.client(trust, protocols: protocols) } catch {
                throw HandlerCertificate.Failure(description: "\(error)")
            }
        }
        isVerified = trust.map { $0 != .anyone } ?? false
        self.serverName = serverName ?? (port == 0 ? "localhost" : host)
    }

    var place: DialPlace {
        let tls = context.map { ClientTLS($0, host: serverName, isVerified: isVerified) }
        return isUnixSocket
            ? DialPlace(unixSocket: host, tls: tls)
            : DialPlace(host: host, port: port, tls: tls, address: address)
    }
}

/// What an agent's connection tells of itself. Tunnels are named by their place in the list.
public enum AgentLinkEvent: Sendable {
    case accepted(AuthReply)
    case refused(Refusal)
    /// The tunnel is open. `reply` is that of a `Bind`.
    case bound(Int, id: String, reply: BindReply?)
    case bindFailed(Int, Refusal)
    /// The server has closed a tunnel.
    case stopped(Int, message: String)
    case opened(Int, client: String)
    case traffic(Int, bytesIn: UInt64, bytesOut: UInt64)
    /// Seconds; `firstByte` from the opening to the upstream's first byte.
    case closed(Int, bytesIn: UInt64, bytesOut: UInt64, duration: Double, firstByte: Double?)
    case upstreamFailed(Int, String)
    case command(ServerCommand)
    case latency(nanoseconds: UInt64)
    /// The server takes no new visitors here: connect again, and let what is open finish.
    case draining
    /// The last event.
    case ended(reason: String)
}
