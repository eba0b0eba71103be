/// An answer that the edge makes itself: a status, a stable code, and a short text that tells a client nothing
/// internal. The code goes out as `ngrok-error-code`, which an upstream can never forge.
public struct EdgeError: Error, Hashable, Sendable {
    public let status: Int
    /// `ERR_NGROK_n`; `nil` where the public API has none.
    public let code: String?
    public let title: String

    public init(status: Int, code: String?, title: String) {
        self.status = status
        self.code = code
        self.title = title
    }
}

extension EdgeError {
    public static let badRequest = EdgeError(status: 400, code: "ERR_NGROK_3001", title: "The request is malformed")
    public static let headTooLarge = EdgeError(
        status: 431, code: "ERR_NGROK_3002", title: "The request's header fields are too large")
    public static let requestTimeout = EdgeError(
        status: 408, code: "ERR_NGROK_3009", title: "The request did not arrive in time")
    public static let invalidUpstreamAnswer = EdgeError(
        status: 502, code: "ERR_NGROK_3004", title: "The upstream gave an invalid or incomplete answer")
    public static let upstreamUnreachable = EdgeError(
        status: 502, code: "ERR_NGROK_3005", title: "The edge could not connect to the upstream")
    public static let upstreamRefused = EdgeError(
        status: 502, code: "ERR_NGROK_3006", title: "The upstream refused the connection")
    public static let upstreamTimeout = EdgeError(
        status: 504, code: "ERR_NGROK_3007", title: "The upstream did not answer in time")
    public static let allBackendsFailed = EdgeError(
        status: 502, code: "ERR_NGROK_3008", title: "None of the configured backends could be reached")
    public static let endpointNotFound = EdgeError(
        status: 404, code: "ERR_NGROK_3200", title: "There is no endpoint or route here")
    public static let circuitBreakerTripped = EdgeError(
        status: 503, code: "ERR_NGROK_3202", title: "Circuit breaker tripped")
    /// Refused by the account's rules, whatever the edge's own are.
    public static let entryRestricted = EdgeError(
        status: 403, code: "ERR_NGROK_3203", title: "Your IP address may not reach this server's endpoints")
    public static let ipRestricted = EdgeError(
        status: 403, code: "ERR_NGROK_3205", title: "Your IP address is not allowed here")
    public static let noTunnel = EdgeError(
        status: 503, code: "ERR_NGROK_6515", title: "No tunnel is online for this address")
    /// The tunnel stands, but its agent reaches nobody behind it.
    public static let agentDialFailed = EdgeError(
        status: 502, code: "ERR_NGROK_8012", title: "The agent could not connect to its upstream")
    public static let noBackend = EdgeError(status: 503, code: "ERR_NGROK_724", title: "No backend is available")
    /// A client whose connection was made for one name asks for another (RFC 9110, 15.5.20).
    public static let misdirected = EdgeError(
        status: 421, code: "ERR_NGROK_3201", title: "This connection does not serve that name")

    /// The edge or route has a module enabled that this version cannot run: better no answer than one without it.
    public static func missingModule(_ name: String) -> EdgeError {
        EdgeError(status: 501, code: nil, title: "This endpoint needs the module \(name), which is not available here")
    }
}
