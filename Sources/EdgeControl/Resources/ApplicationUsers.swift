import EdgeCore
import Shared

extension ObjectKind {
    public static let applicationUser = ObjectKind(rawValue: "application_user")
    public static let applicationSession = ObjectKind(rawValue: "application_session")
}

/// People who logged in at an edge. Only a login makes one, and no module logs in yet; deleting one ends its sessions.
///
/// The document has the answer's fields but for `id`, `uri` and `created_at`: `identity_provider` with `name` and `url`,
/// `provider_user_id`, `username`, `email`, `name`, `last_active`, `last_login`.
enum ApplicationUsers: Resource {
    static let kind = ObjectKind.applicationUser
    /// No source tells the public API's.
    static let prefixes = ["appusr"]
    private static let answer = Shape(
        "ApplicationUser",
        [
            Shape.Field("id", .text), Shape.Field("uri", .text),
            Shape.Field(
                "identity_provider",
                .object(Shape("IdentityProvider", [Shape.Field("name", .text), Shape.Field("url", .text)]))),
            Shape.Field("provider_user_id", .text), Shape.Field("username", .text), Shape.Field("email", .text),
            Shape.Field("name", .text), Shape.Field("created_at", .time), Shape.Field("last_active", .time),
            Shape.Field("last_login", .time),
        ])

    static func path(of object: ConfigurationObject) -> String { "/app/users/\(object.id)" }

    static func render(_ object: ConfigurationObject, in view: ConfigurationView) -> JSON {
        let document = object.document
        let provider = document["identity_provider"] ?? [:]
        return [
            "id": .string(object.id), "uri": .string(view.uri(of: object)), "created_at": .string(object.createdAt),
            "identity_provider": ["name": provider["name"] ?? "", "url": provider["url"] ?? ""],
            "provider_user_id": document["provider_user_id"] ?? "", "username": document["username"] ?? "",
            "email": document["email"] ?? "", "name": document["name"] ?? "",
            "last_active": document["last_active"] ?? .string(object.createdAt),
            "last_login": document["last_login"] ?? .string(object.createdAt),
        ]
    }

    static func lists(_ catalogue: Catalogue) -> [ListOperation] {
        [ListOperation("/app/users", key: "application_users", of: answer, kind: kind)]
    }

    static func reads(_ catalogue: Catalogue) -> [ReadOperation] { [.object("/app/users/{id}", kind, gives: answer)] }

    static func edits(_ catalogue: Catalogue) -> [Edit] {
        [
            .deletion("/app/users/{id}", kind, "Deletes a user and ends the user's sessions.")
        ]
    }
}

/// Logins that last. The owner is the user.
///
/// The document has `public_url`, `last_active`, `expires_at`, `edge`, `route` and `endpoint` (identifiers), and
/// `browser_session` with `user_agent`, `ip_address` and `location`. What it mentions may go: a session holds nothing
/// back.
enum ApplicationSessions: Resource {
    static let kind = ObjectKind.applicationSession
    /// No source tells the public API's.
    static let prefixes = ["appses"]
    private static let agentFields = [
        "raw", "browser_name", "browser_version", "device_type", "os_name", "os_version",
    ]
    private static let userAgent = Shape("UserAgent", agentFields.map { Shape.Field($0, .text) })
    private static let location = Shape(
        "Location",
        [
            Shape.Field("country_code", .text), Shape.Field("latitude", .nullable(.number)),
            Shape.Field("longitude", .nullable(.number)), Shape.Field("lat_long_radius_km", .nullable(.integer)),
        ])
    private static let browser = Shape(
        "BrowserSession",
        [
            Shape.Field("user_agent", .object(userAgent)), Shape.Field("ip_address", .text),
            Shape.Field("location", .nullable(.object(location))),
        ])
    private static let answer = Shape(
        "ApplicationSession",
        [
            Shape.Field("id", .text), Shape.Field("uri", .text), Shape.Field("public_url", .text),
            Shape.Field("browser_session", .object(browser)), Shape.Field("application_user", .object(.reference)),
            Shape.Field("created_at", .time), Shape.Field("last_active", .time), Shape.Field("expires_at", .time),
            Shape.Field("endpoint", .nullable(.object(.reference))),
            Shape.Field("edge", .nullable(.object(.reference))),
            Shape.Field("route", .nullable(.object(.reference))),
        ])

    static func path(of object: ConfigurationObject) -> String { "/app/sessions/\(object.id)" }

    static func render(_ object: ConfigurationObject, in view: ConfigurationView) -> JSON {
        let document = object.document
        let mention = { (name: String) -> JSON in
            guard let id = document[name]?.stringValue, view.state[id] != nil else { return .null }
            return view.reference(id)
        }
        return [
            "id": .string(object.id), "uri": .string(view.uri(of: object)), "created_at": .string(object.createdAt),
            "public_url": document["public_url"] ?? "", "browser_session": browser(document["browser_session"] ?? [:]),
            "application_user": view.reference(object.parent ?? ""),
            "last_active": document["last_active"] ?? .string(object.createdAt),
            "expires_at": document["expires_at"] ?? .string(object.createdAt), "endpoint": mention("endpoint"),
            "edge": mention("edge"), "route": mention("route"),
        ]
    }

    private static func browser(_ written: JSON) -> JSON {
        let agent = agentFields.map { ($0, written["user_agent"]?[$0] ?? "") }
        var place = JSON.null
        if let written = written["location"], !written.isNull {
            place = .object(
                Dictionary(
                    uniqueKeysWithValues: location.fields.map { field in
                        (field.name, written[field.name] ?? (field.name == "country_code" ? "" : .null))
                    }))
        }
        return [
            "user_agent": .object(Dictionary(uniqueKeysWithValues: agent)),
            "ip_address": written["ip_address"] ?? "", "location": place,
        ]
    }

    static func lists(_ catalogue: Catalogue) -> [ListOperation] {
        [ListOperation("/app/sessions", key: "application_sessions", of: answer, kind: kind)]
    }

    static func reads(_ catalogue: Catalogue) -> [ReadOperation] {
        [.object("/app/sessions/{id}", kind, gives: answer)]
    }

    static func edits(_ catalogue: Catalogue) -> [Edit] {
        [
            .deletion("/app/sessions/{id}", kind, "Ends a session.")
        ]
    }
}
