public import EdgeCore
public import Shared

/// Removes and adds header fields of the request, last before it goes upstream. See `HeaderRewrite`.
public final class RequestHeaders: TrafficModule {
    public static let name = "request_headers"
    public static let edgeKinds: Set<EdgeKind> = [.https]
    public static let phases: ModulePhases = [.request]
    public static let settings = HeaderRewrite.shape("EndpointRequestHeaders")
    public static let example: JSON = ["add": ["x-client-ip": "${conn.client_ip}"], "remove": ["x-internal"]]

    private let rewrite: HeaderRewrite

    public init(settings: JSON, environment: ModuleEnvironment) throws(Fault) {
        rewrite = HeaderRewrite(settings)
    }

    public static func normalise(_ settings: JSON) throws(Fault) -> JSON {
        try HeaderRewrite.normalise(settings, Self.settings, subject: "request_headers module")
    }

    public func onRequest(_ exchange: ExchangeView, note: inout UInt64) -> Verdict {
        rewrite.apply(to: exchange.request, exchange)
        return .proceed
    }
}
