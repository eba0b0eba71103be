import EdgeCore

/// How the end of a message's body is found (RFC 9112, 6.3).
enum BodyFraming: Equatable, Sendable {
    /// There is no body, whatever the fields say.
    case none
    /// Exactly so many bytes follow; at most `Int64.max`.
    case length(UInt64)
    case chunked
    /// Answers only: the body ends with the connection.
    case untilClose

    /// The framing in which a body that came in this one goes on to a client: a body that ended with its connection
    /// becomes chunked, so that the client's connection stays usable; HTTP/1.0 knows no chunks.
    func towardsClient(isHTTP10: Bool) -> BodyFraming {
        switch self {
        case .none, .length: self
        case .chunked, .untilClose: isHTTP10 ? .untilClose : .chunked
        }
    }
}

/// Bounds of one message's head.
struct HeadLimits: Sendable {
    /// The whole head with its empty line, in bytes. Beyond it: 431, or an invalid answer.
    var maxHeadBytes = 32 << 10
    /// How many fields. Beyond it: 431, or an invalid answer.
    var maxFields = 128
    /// The request target, in bytes. Beyond it: 414.
    var maxTargetBytes = 8 << 10

    /// What a chunked body may bring after its last chunk, in bytes.
    static let maxTrailerBytes = 8 << 10
}

/// What a request's head says about its message and connection. Its parts are in the `MessageHead`.
struct ScannedRequest: Equatable, Sendable {
    /// Bytes of the head, a tolerated empty line before it included.
    var consumed = 0
    var framing = BodyFraming.none
    var isHTTP10 = false
    /// Whether the client wants its connection kept after this exchange.
    var keepAlive = true
    /// `Expect: 100-continue` on HTTP/1.1 with a body to come. Another expectation is refused with 417; one without
    /// meaning is ignored, and its field left out of the head.
    var expectsContinue = false
    /// `Connection: upgrade` together with `Upgrade`, HTTP/1.1 only.
    var isUpgrade = false
    var isHead = false
}

enum RequestScan: Sendable {
    /// The head is not complete; nothing wrong so far.
    case incomplete
    case complete(ScannedRequest)
    /// To be answered with this error and the connection closed.
    case invalid(EdgeError)
}

/// What an answer's head says. Its status and fields are in the `MessageHead`.
struct ScannedResponse: Equatable, Sendable {
    var consumed = 0
    var framing = BodyFraming.none
    /// Whether the upstream connection may serve another exchange; never for `untilClose`.
    var keepAlive = true
    /// Status 101 with `Connection: upgrade` and `Upgrade`: what follows belongs to the other protocol.
    var isUpgrade = false
    /// 100…199 but 101: the final answer is still to come.
    var isInterim = false
}

enum ResponseScan: Sendable {
    case incomplete
    case complete(ScannedResponse)
    /// Always 502: `EdgeError.invalidUpstreamAnswer`.
    case invalid(EdgeError)
}

extension EdgeError {
    static let targetTooLong = EdgeError(
        status: 414, code: "ERR_NGROK_3003", title: "The request's target is too long")
    static let expectationFailed = EdgeError(
        status: 417, code: "ERR_NGROK_3011", title: "The request expects what this edge does not do")
    static let versionNotSupported = EdgeError(
        status: 505, code: "ERR_NGROK_3012", title: "The request's HTTP version is not supported")
    static let connectRefused = EdgeError(
        status: 405, code: "ERR_NGROK_3013", title: "This edge is not a forward proxy")
}
