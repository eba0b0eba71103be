public import EdgeCore
public import Shared

/// Lets in only clients with a certificate of one of the given authorities.
public final class MutualTLS: PendingModule {
    public static let name = "mutual_tls"
    public static let edgeKinds: Set<EdgeKind> = [.https, .tls]
    public static let settings = Shape(
        "EndpointMutualTLS",
        [
            Shape.Field(
                "certificate_authority_ids", .list(.text, maximum: maximumAuthorities), required: true, "at least one")
        ])
    public static let example: JSON = ["certificate_authority_ids": ["ca_000000000000000000000000000"]]
    public static let references = [
        ModuleReference(
            field: "certificate_authority_ids", answerField: "certificate_authorities", kind: "certificate_authority",
            missingCode: 7072)
    ]
    public static let needsTermination = true

    static let maximumAuthorities = 10

    public init(settings: JSON, environment: ModuleEnvironment) throws(Fault) {}

    public static func normalise(_ settings: JSON) throws(Fault) -> JSON {
        let reader = try SettingsReader(settings, Self.settings, subject: "mutual_tls module")
        let ids = try reader.strings("certificate_authority_ids")
        // Without any, either nobody or everybody would be let in.
        guard !ids.isEmpty else { throw Fault(nil, "mutual_tls needs at least one certificate authority.") }
        guard ids.count <= maximumAuthorities else {
            throw Fault(
                7075,
                "The Mutual TLS configurations exceeds the limit of \(maximumAuthorities) attached certificate "
                    + "authorities.")
        }
        return ["certificate_authority_ids": .texts(ids)]
    }
}
