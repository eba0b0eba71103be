public import EdgeCore
public import Shared

/// Removes and adds header fields of the answer, last before it goes to the client. See `HeaderRewrite`.
public final class ResponseHeaders: TrafficModule {
    public static let name = "response_headers"
    public static let edgeKinds: Set<EdgeKind> = [.https]
    public static let phases: ModulePhases = [.response]
    public static let settings = HeaderRewrite.shape("EndpointResponseHeaders")
    public static let example: JSON = [
        "add": ["strict-transport-security": "max-age=31536000"], "remove": ["x-powered-by"],
    ]

    private let rewrite: HeaderRewrite

    public init(settings: JSON, environment: ModuleEnvironment) throws(Fault) {
        rewrite = HeaderRewrite(settings)
    }

    public static func normalise(_ settings: JSON) throws(Fault) -> JSON {
        try HeaderRewrite.normalise(settings, Self.settings, subject: "response_headers module")
    }

    public func onResponse(_ exchange: ExchangeView, note: inout UInt64) -> (any BodyTransform)? {
        rewrite.apply(to: exchange.response, exchange)
        return nil
    }
}
