import EdgeCore
import Shared

extension ObjectKind {
    public static let credential = ObjectKind(rawValue: "credential")
}

/// Tunnel credentials, also called authtokens: which agents may come, and what they may bind.
enum Credentials: Resource {
    static let kind = ObjectKind.credential
    static let prefixes = ["cr"]
    static let access = ObjectAccess.entry
    private static let texts = TextFields(descriptionCode: 604, metadataCode: 605)
    private static let rules = Shape.Field(
        "acl", .texts, "`*`, or `bind:` and a domain, `*.domain`, `host:port` or `label=value`; empty for anything")
    private static let request = Shape(
        "CredentialCreate",
        TextFields.fields + [rules, Shape.Field("owner_id", .text, "who answers for it; the caller unless given")])
    private static let update = Shape("CredentialUpdate", TextFields.fields + [rules])
    private static let answer = Shape.answer(
        "Credential",
        [Shape.Field("token", .nullable(.text), "shown once, when it is made"), rules, Shape.Field("owner_id", .text)])

    static func path(of object: ConfigurationObject) -> String { "/credentials/\(object.id)" }

    static func render(_ object: ConfigurationObject, in view: ConfigurationView) -> JSON {
        view.frame(
            object,
            ["token": .null, "acl": object.document["acl"] ?? [], "owner_id": object.document["owner_id"] ?? ""])
    }

    static func lists(_ catalogue: Catalogue) -> [ListOperation] {
        [ListOperation("/credentials", key: "credentials", of: answer, takesFilter: true, kind: kind)]
    }

    static func reads(_ catalogue: Catalogue) -> [ReadOperation] { [.object("/credentials/{id}", kind, gives: answer)] }

    static func edits(_ catalogue: Catalogue) -> [Edit] {
        [
            Edit("POST", "/credentials", .create("Makes a tunnel credential.", takes: request, gives: answer)) {
                draft, call in
                let fields = try Fields(call.body, request)
                var document = try texts.create(fields)
                document["acl"] = try acl(fields) ?? []
                document["owner_id"] = .string(try TokenOwner.id(try fields.string("owner_id"), call, draft.catalogue))
                return try APIKeys.makeToken(kind, prefixes[0], document, &draft, call)
            },
            Edit("PATCH", "/credentials/{id}", .update("Changes a credential.", takes: update, gives: answer)) {
                draft, call in
                let object = try draft.require(kind, call.parameter("id"), call)
                let fields = try Fields(call.body, update)
                var document = object.document
                try texts.update(&document, fields)
                if let rules = try acl(fields) { document["acl"] = rules }
                try draft.update(object.id, document: document)
                return .object(object.id, draft, call)
            },
            .deletion("/credentials/{id}", kind, "Deletes a credential."),
        ]
    }

    private static func acl(_ fields: Fields) throws(Fault) -> JSON? {
        guard let rules = try fields.strings("acl") else { return nil }
        guard rules.count <= BindRule.maximumRules else {
            throw Fault(600, "An ACL may have at most \(BindRule.maximumRules) rules, not \(rules.count).")
        }
        for rule in rules where BindRule(rule) == nil {
            throw Fault(
                600,
                "Invalid ACL rule '\(rule.prefix(300))'. A rule is '*', or 'bind:' and a domain, an address with its "
                    + "port, or a label.")
        }
        return .array(rules.map { .string($0) })
    }
}

/// A credential that an agent has shown.
public struct Credential: Sendable, Hashable {
    public let id: String
    /// What the agent may bind; empty for anything.
    public let rules: [BindRule]
    public let ownerID: String
}

extension ConfigurationState {
    /// The credential with this authtoken, looked up by its first part; `nil` when there is none.
    public func credential(for token: String) -> Credential? {
        guard case .token(let identity, let secret) = PresentedCredential(["Bearer " + token]) else { return nil }
        return credential(identity: identity, secret: secret)
    }

    func credential(identity: String, secret: String) -> Credential? {
        let object = self["cr_" + identity]
        guard AccessToken.isRight(secret, kept: object?.secret?["sha256"]?.stringValue), let object else { return nil }
        let rules = (object.document["acl"]?.arrayValue ?? []).compactMap(\.stringValue)
        // A rule that cannot be read any more must not turn into a permission.
        return Credential(
            id: object.id, rules: rules.map { BindRule($0) ?? .nothing },
            ownerID: object.document["owner_id"]?.stringValue ?? "")
    }
}
