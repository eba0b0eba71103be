public import EdgeCore
public import Shared

/// Turns WebSocket connections of clients into plain TCP connections to the upstream.
public final class WebsocketTCPConverter: PendingModule {
    public static let name = "websocket_tcp_converter"
    public static let edgeKinds: Set<EdgeKind> = [.https]
    public static let settings = Shape("EndpointWebsocketTCPConverter", [])
    public static let example: JSON = [:]

    public init(settings: JSON, environment: ModuleEnvironment) throws(Fault) {}

    public static func normalise(_ settings: JSON) throws(Fault) -> JSON {
        _ = try SettingsReader(settings, Self.settings, subject: "websocket_tcp_converter module")
        return [:]
    }
}
