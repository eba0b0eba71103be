import Crypto
public import EdgeCore
import Foundation
public import Shared

/// Lets in only requests that a known service has signed.
public final class WebhookVerification: PendingModule {
    public static let name = "webhook_verification"
    public static let edgeKinds: Set<EdgeKind> = [.https]
    public static let settings = Shape(
        "EndpointWebhookValidation",
        [
            Shape.Field("provider", .text(maximum: 64), required: true, "a service's name, in any letter case"),
            Shape.Field("secret", .text(maximum: maximumSecret), "what the service signs with; none with sns"),
        ])
    public static let example: JSON = ["provider": "github", "secret": "the secret that GitHub was told"]
    public static let secrets: Set<String> = ["secret"]

    /// Bytes.
    static let maximumSecret = 4096

    /// The services whose way of signing is known.
    static let providers = Set(
        """
        aftership airship alchemy sns autodesk bitbucket bolt box brex buildkite calendly castle chargify circleci
        clearbit clerk coinbase contentful docusign dropbox facebook_graph_api facebook_messenger frameio github gitlab
        go1 heroku hostedhooks hubspot graphcms instagram intercom launch_darkly mailchimp mailgun microsoft_teams
        modern_treasury mongodb mux orb orbit pagerduty pinwheel plivo pusher sendgrid sentry shopify signal_sciences
        slack sonatype square stripe svix terraform tiktok trendmicro_conformity twilio twitter typeform vmware webex
        whatsapp worldline xero zendesk zoom
        """.split(whereSeparator: \.isWhitespace).map(String.init))

    public init(settings: JSON, environment: ModuleEnvironment) throws(Fault) {}

    public static func normalise(_ settings: JSON) throws(Fault) -> JSON {
        let reader = try SettingsReader(settings, Self.settings, subject: "webhook_verification module")
        let written = try reader.string("provider")
        let secret = try reader.string("secret")
        let known = "Supported providers: [\(providers.sorted().joined(separator: ", "))]"
        guard !written.isEmpty else { throw Fault(7029, "You must specify a supported provider name. \(known)") }
        let provider = written.lowercased()
        guard providers.contains(provider) else {
            throw Fault(7030, "Webhook provider \(written.prefix(64)) is not supported. \(known)")
        }
        guard secret.utf8.count <= maximumSecret else {
            throw Fault(nil, "The secret may have at most \(maximumSecret) bytes.")
        }
        guard provider != "sns" else {
            guard secret.isEmpty else { throw Fault(7026, "SNS webhook verification does not accept a secret.") }
            return ["provider": .string(written), "secret": ""]
        }
        guard !secret.isEmpty else { throw Fault(7027, "Webhook verification for \(provider) requires a secret.") }
        if provider == "sendgrid" { try checkKey(secret) }
        return ["provider": .string(written), "secret": .string(secret)]
    }

    /// SendGrid signs with a key of its own (ECDSA, P-256), and what it gives out is the public half.
    private static func checkKey(_ text: String) throws(Fault) {
        let refusal = { (reason: String) in
            Fault(
                7107,
                "The sendgrid verification key is not a base64 encoded ecdsa public key. The following error was "
                    + "encountered while trying to parse it: \"\(reason)\"")
        }
        guard let bytes = Data(base64Encoded: text) else { throw refusal("it is not base64") }
        guard (try? P256.Signing.PublicKey(derRepresentation: bytes)) != nil else {
            throw refusal("it is no public key on the curve P-256")
        }
    }
}
