/// A tunnel that traffic can be sent into. What carries it is the transport's, which alone makes and understands its
/// subclasses.
open class TunnelTarget: @unchecked Sendable {
    /// The tunnel's identifier, `tn_…`.
    public let id: String
    public let labels: [String: String]

    public init(id: String, labels: [String: String]) {
        self.id = id
        self.labels = labels
    }

    /// Whether it carries every one of these labels (claims C24 to C26). No labels match no tunnel.
    public func matches(_ selector: [String: String]) -> Bool {
        !selector.isEmpty && selector.allSatisfy { labels[$0.key] == $0.value }
    }
}
