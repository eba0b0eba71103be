public import EdgeCore
public import Shared

/// Lets in only those who have logged in with a SAML 2.0 identity provider.
public final class SAML: PendingModule {
    public static let name = "saml"
    public static let edgeKinds: Set<EdgeKind> = [.https]
    public static let settings = Shape(
        "EndpointSAML",
        LoginSettings.fields + [
            Shape.Field(
                "idp_metadata", .text(maximum: SAMLMetadata.maximumLength), required: true,
                "the identity provider's EntityDescriptor, XML"),
            Shape.Field("force_authn", .flag, "whether the provider is to ask even who is logged in there"),
            Shape.Field("allow_idp_initiated", .flag, "true unless given"),
            Shape.Field(
                "authorized_groups",
                .list(.text(maximum: LoginSettings.maximumText), maximum: LoginSettings.maximumTexts),
                "none means everybody"),
            Shape.Field("nameid_format", .choice(nameFormats + [""]), "persistent unless given"),
        ])
    public static let example: JSON = [
        "idp_metadata": .string(SAMLMetadata.example), "force_authn": false, "allow_idp_initiated": true,
        "authorized_groups": [], "nameid_format": .string(nameFormats[0]), "options_passthrough": false,
        "cookie_prefix": "", "inactivity_timeout": 0, "maximum_duration": 0,
    ]
    public static let group: ModuleGroup? = LoginSettings.group

    /// How a provider may name users; the first one unless told otherwise.
    static let nameFormats = [
        "urn:oasis:names:tc:SAML:2.0:nameid-format:persistent", "urn:oasis:names:tc:SAML:2.0:nameid-format:transient",
        "urn:oasis:names:tc:SAML:1.1:nameid-format:emailAddress",
        "urn:oasis:names:tc:SAML:1.1:nameid-format:unspecified",
    ]

    public init(settings: JSON, environment: ModuleEnvironment) throws(Fault) {}

    public static func normalise(_ settings: JSON) throws(Fault) -> JSON {
        let reader = try SettingsReader(settings, Self.settings, subject: "saml module")
        var kept = try LoginSettings.normalise(reader)
        let metadata = try reader.string("idp_metadata")
        guard !metadata.isEmpty else {
            throw Fault(7091, "One of the SAML IdP Metadata or IdP Metadata URL properties must be specified.")
        }
        let length = metadata.utf8.count
        guard length <= SAMLMetadata.maximumLength else {
            throw Fault(
                7080,
                "The SAML metadata exceeds the maximum length of \(SAMLMetadata.maximumLength) bytes, got \(length).")
        }
        do throws(SAMLMetadata.Mistake) {
            _ = try SAMLMetadata(metadata)
        } catch {
            throw Fault(7083, "Failed to parse the SAML IdP metadata: \(error.reason).")
        }
        let format = try reader.string("nameid_format")
        guard format.isEmpty || nameFormats.contains(format) else {
            throw Fault(1693, "\"\(format.prefix(128))\" is not a supported SAML nameid format.")
        }
        kept["idp_metadata"] = .string(metadata)
        kept["force_authn"] = .bool(try reader.bool("force_authn", default: false))
        kept["allow_idp_initiated"] = .bool(try reader.bool("allow_idp_initiated", default: true))
        kept["authorized_groups"] = .texts(try LoginSettings.texts("authorized_groups", reader))
        kept["nameid_format"] = .string(format.isEmpty ? nameFormats[0] : format)
        return .object(kept)
    }

    // MARK: What an identity provider has to be told

    public static let answerFields = [
        Shape.Field("entity_id", .text), Shape.Field("assertion_consumer_service_url", .text),
        Shape.Field("single_logout_url", .text), Shape.Field("metadata_url", .text),
        Shape.Field("request_signing_certificate_pem", .text),
    ]

    public static func answer(_ facts: AnswerFacts) -> [String: JSON] {
        let entity = "https://\(facts.publicName)/saml/\(facts.ownerID)"
        return [
            "entity_id": .string(entity), "metadata_url": .string(entity),
            "assertion_consumer_service_url": .string(entity + "/acs"), "single_logout_url": .string(entity + "/slo"),
            "request_signing_certificate_pem": .string(facts.signingCertificatePEM),
        ]
    }
}
