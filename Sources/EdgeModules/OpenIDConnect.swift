public import EdgeCore
import Foundation
public import Shared

/// Lets in only those who have logged in with an OpenID Connect provider.
public final class OpenIDConnect: PendingModule {
    public static let name = "oidc"
    public static let edgeKinds: Set<EdgeKind> = [.https]
    public static let settings = Shape(
        "EndpointOIDC",
        LoginSettings.fields + [
            Shape.Field("issuer", .text(maximum: maximumIssuer), required: true, "where the provider describes itself"),
            Shape.Field("client_id", .text(maximum: LoginSettings.maximumText), required: true),
            Shape.Field("client_secret", .text(maximum: LoginSettings.maximumText), required: true),
            Shape.Field(
                "scopes", .list(.text(maximum: LoginSettings.maximumText), maximum: LoginSettings.maximumTexts)),
        ])
    public static let example: JSON = [
        "issuer": "https://accounts.example.com", "client_id": "client-id", "client_secret": "client-secret",
        "scopes": ["openid", "profile"], "options_passthrough": false, "cookie_prefix": "", "inactivity_timeout": 0,
        "maximum_duration": 0,
    ]
    public static let secrets: Set<String> = ["client_secret"]
    public static let group: ModuleGroup? = LoginSettings.group

    /// Bytes.
    static let maximumIssuer = 255

    public init(settings: JSON, environment: ModuleEnvironment) throws(Fault) {}

    /// The provider is not asked: it may be out of reach while an edge is set up.
    public static func normalise(_ settings: JSON) throws(Fault) -> JSON {
        let reader = try SettingsReader(settings, Self.settings, subject: "oidc module")
        var kept = try LoginSettings.normalise(reader)
        let issuer = try reader.string("issuer")
        guard !issuer.isEmpty else { throw Fault(7088, "The OIDC issuer property is required.") }
        guard issuer.utf8.count <= maximumIssuer else {
            throw Fault(
                7087,
                "The specified OIDC issuer has a maximum length of \(maximumIssuer) bytes. The specified value is "
                    + "\(issuer.utf8.count) bytes.")
        }
        guard isIssuer(issuer) else {
            throw Fault(nil, "The OIDC issuer must be a URL like https://accounts.example.com, without a query.")
        }
        let id = try LoginSettings.text("client_id", reader)
        guard !id.isEmpty else { throw Fault(7089, "The OIDC Client ID property is required.") }
        let secret = try LoginSettings.text("client_secret", reader)
        guard !secret.isEmpty else { throw Fault(7090, "The OIDC Client Secret property is required.") }
        kept["issuer"] = .string(issuer)
        kept["client_id"] = .string(id)
        kept["client_secret"] = .string(secret)
        kept["scopes"] = .texts(try LoginSettings.texts("scopes", reader))
        return .object(kept)
    }

    /// OpenID Connect Core, 2 (`iss`): scheme, host, and optionally port and path. Plain `http` is let through, for
    /// providers inside a private network.
    private static func isIssuer(_ text: String) -> Bool {
        guard text.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F }), !text.contains("?"), !text.contains("#"),
            let parts = URLComponents(string: text), let scheme = parts.scheme?.lowercased(), let host = parts.host
        else { return false }
        return ["https", "http"].contains(scheme) && !host.isEmpty && parts.user == nil && parts.password == nil
    }
}
