public import EdgeCore
public import Shared

/// Lets in only those who have logged in with an identity provider and are on its lists.
public final class OAuth: PendingModule {
    public static let name = "oauth"
    public static let edgeKinds: Set<EdgeKind> = [.https]
    public static let settings = Shape(
        "EndpointOAuth",
        [Shape.Field("provider", .object(OAuthProvider.shape), required: true, "exactly one of them")]
            + LoginSettings.fields
            + [
                Shape.Field(
                    "auth_check_interval", .integer(0...Int64(UInt32.max)), "seconds; 0 checks only at the login")
            ])
    public static let example: JSON = [
        "provider": [
            "google": [
                "client_id": "client-id", "client_secret": "client-secret", "scopes": [], "email_addresses": [],
                "email_domains": ["example.com"],
            ]
        ],
        "options_passthrough": false, "cookie_prefix": "ngrok.", "inactivity_timeout": 0, "maximum_duration": 0,
        "auth_check_interval": 0,
    ]
    public static let secrets: Set<String> = ["client_secret"]
    public static let group: ModuleGroup? = LoginSettings.group

    public init(settings: JSON, environment: ModuleEnvironment) throws(Fault) {}

    public static func normalise(_ settings: JSON) throws(Fault) -> JSON {
        let reader = try SettingsReader(settings, Self.settings, subject: "oauth module")
        var kept = try LoginSettings.normalise(reader, cookiePrefix: "ngrok.")
        if let interval = reader["auth_check_interval"]?.intValue, interval < 0 {
            throw Fault(7035, "Invalid edge module, OAuth auth check interval must be at least 0, was \(interval).")
        }
        kept["auth_check_interval"] = .int(try LoginSettings.seconds("auth_check_interval", reader))
        kept["provider"] = try OAuthProvider.normalise(try reader.object("provider") ?? [:])
        return .object(kept)
    }
}
