/// A mistake in a configuration document, as the admin API reports it (api.md 1.3): 400 unless said otherwise.
public struct Fault: Error, Hashable, Sendable {
    /// `ERR_NGROK_n`, or `nil` where the public API gives none.
    public let code: String?
    public let status: Int
    public let message: String

    public init(_ code: Int?, _ message: String, status: Int = 400) {
        self.code = code.map { "ERR_NGROK_\($0)" }
        self.status = status
        self.message = message
    }
}
