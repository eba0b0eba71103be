public import EdgeCore
import Shared

/// The admin API: finds the operation of a request, checks what all operations have in common, and runs it.
public final class AdminAPI: Sendable {
    /// Who a peer is, or `nil` for a stranger.
    public typealias Authorize = @Sendable (PeerIdentity) -> Principal?
    /// Told of errors that the client only sees as a bare 500: the operation's id, and the cause.
    public typealias Report = @Sendable (String, any Error) -> Void

    public let operations: [Operation]
    let authorize: Authorize
    let report: Report

    public init(
        operations: [Operation], report: @escaping Report = { _, _ in }, authorize: @escaping Authorize
    ) {
        self.operations = operations
        self.report = report
        self.authorize = authorize
    }

    /// Answers one request.
    public func handle(_ request: HandlerRequest) async -> HandlerResponse {
        HandlerResponse(status: 404)
    }
}
