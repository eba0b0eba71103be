public import EdgeCore
public import Shared

/// Lets in clients by what they call themselves.
public final class UserAgentFilter: PendingModule {
    public static let name = "user_agent_filter"
    public static let edgeKinds: Set<EdgeKind> = [.https]
    public static let settings = Shape(
        "EndpointUserAgentFilter",
        [
            Shape.Field("allow", patterns, "regular expressions; what one matches is let in"),
            Shape.Field("deny", patterns, "regular expressions; what one matches, and none of allow, is not"),
        ])
    public static let example: JSON = ["allow": ["^Mozilla/"], "deny": ["(?i)curl", "bot\\b"]]

    private static let patterns = Schema.list(
        .text(maximum: RegexSyntax.maximumLength), maximum: maximumPatterns)
    static let maximumPatterns = 100

    public init(settings: JSON, environment: ModuleEnvironment) throws(Fault) {}

    public static func normalise(_ settings: JSON) throws(Fault) -> JSON {
        let reader = try SettingsReader(settings, Self.settings, subject: "user_agent_filter module")
        var kept: [String: JSON] = [:]
        for name in ["allow", "deny"] {
            let patterns = try reader.strings(name)
            guard patterns.count <= maximumPatterns else {
                throw Fault(nil, "\(name) may have at most \(maximumPatterns) regular expressions.")
            }
            for pattern in patterns {
                guard let mistake = RegexSyntax.mistake(in: pattern) else { continue }
                throw Fault(
                    2090,
                    "The user agent filter regular expression \(pattern.prefix(128)) is an invalid regular expression: "
                        + "\(mistake).")
            }
            kept[name] = .texts(patterns)
        }
        return .object(kept)
    }
}
