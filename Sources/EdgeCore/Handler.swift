import Shared

/// Who is at the other end of a Unix socket, as the kernel says (SO_PEERCRED).
public struct PeerIdentity: Hashable, Sendable {
    public let uid: UInt32
    public let pid: Int32

    public init(uid: UInt32, pid: Int32) {
        self.uid = uid
        self.pid = pid
    }
}

/// A request that the transport hands to a program rather than to an upstream: the admin API's.
public struct HandlerRequest: Sendable {
    public var method: String
    /// As sent, percent-encoded, without the query.
    public var path: String
    /// Without the `?`; empty when absent.
    public var query: String
    /// Names in lower case.
    public var fields: [(name: String, value: String)]
    /// The whole body; at most the listener's body limit (1 MiB unless set).
    public var body: [UInt8]
    /// `nil` when the client did not come over a Unix socket.
    public var peer: PeerIdentity?
    /// Where the connection comes from; `nil` when it came over a Unix socket.
    public var client: IPAddress?
    /// Whether the client came over TLS.
    public var isSecure: Bool

    public init(
        method: String, path: String, query: String = "", fields: [(name: String, value: String)] = [],
        body: [UInt8] = [], peer: PeerIdentity? = nil, client: IPAddress? = nil, isSecure: Bool = false
    ) {
        self.method = method
        self.path = path
        self.query = query
        self.fields = fields
        self.body = body
        self.peer = peer
        self.client = client
        self.isSecure = isSecure
    }

    /// The first field of that (lower-case) name.
    public func field(_ name: String) -> String? { fields.first { $0.name == name }?.value }
}

/// A handler's answer. A streamed body ends when the sequence does; the sequence is cancelled when the client leaves.
public struct HandlerResponse: Sendable {
    public enum Body: Sendable {
        case bytes([UInt8])
        /// Must be bounded by its maker: the transport takes one element at a time and waits for the client.
        case stream(AsyncStream<[UInt8]>)
    }

    public var status: Int
    public var fields: [(name: String, value: String)]
    public var body: Body
    /// Asked before each part of a stream is sent; the stream ends when it may not go on.
    public var mayContinue: @Sendable () -> Bool = { true }

    public init(status: Int, fields: [(name: String, value: String)] = [], body: Body = .bytes([])) {
        self.status = status
        self.fields = fields
        self.body = body
    }
}

public typealias RequestHandler = @Sendable (HandlerRequest) async -> HandlerResponse

/// What the control plane needs of the data plane. Implemented by `EdgeTransport`.
public protocol DataPlane: Sendable {
    /// Puts a snapshot in force on every loop. Returns when every loop has taken it, so that an acknowledged write
    /// already acts on the next request.
    func publish(_ snapshot: Snapshot) async
    /// The counters of every loop, added up.
    func sample() async -> TrafficSample
    /// What could not be put in force (a port in use, a certificate that does not load), by object identifier.
    func problems() async -> [String: String]
    /// What is to be known of each agent connection.
    func agentReadings() async -> [AgentReading]
    /// - Returns: whether there is such a connection. The order is carried out soon.
    func order(_ order: AgentOrder, of connection: UInt64) -> Bool
}

extension DataPlane {
    /// A data plane without agents.
    public func agentReadings() async -> [AgentReading] { [] }
    public func order(_ order: AgentOrder, of connection: UInt64) -> Bool { false }
}
