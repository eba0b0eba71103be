import EdgeCore
import Shared

extension ObjectKind {
    public static let apiKey = ObjectKind(rawValue: "api_key")
}

/// API keys: who may use the API over TLS, and in which role.
enum APIKeys: Resource {
    static let kind = ObjectKind.apiKey
    static let prefixes = ["ak"]
    static let access = ObjectAccess.entry
    private static let texts = TextFields(descriptionCode: 604, metadataCode: 605)
    private static let role = Shape.Field("role", .choice(Role.allCases.map(\.rawValue)), "ours: `admin` unless given")
    private static let request = Shape(
        "APIKeyCreate",
        TextFields.fields + [Shape.Field("owner_id", .text, "who answers for it; the caller unless given"), role])
    private static let update = Shape("APIKeyUpdate", TextFields.fields + [role])
    private static let answer = Shape.answer(
        "APIKey",
        [Shape.Field("token", .nullable(.text), "shown once, when it is made"), Shape.Field("owner_id", .text), role])

    static func path(of object: ConfigurationObject) -> String { "/api_keys/\(object.id)" }

    static func render(_ object: ConfigurationObject, in view: ConfigurationView) -> JSON {
        view.frame(
            object,
            [
                "token": .null, "owner_id": object.document["owner_id"] ?? "",
                "role": object.document["role"] ?? .string(Role.admin.rawValue),
            ])
    }

    static func lists(_ catalogue: Catalogue) -> [ListOperation] {
        [ListOperation("/api_keys", key: "keys", of: answer, takesFilter: true, kind: kind)]
    }

    static func reads(_ catalogue: Catalogue) -> [ReadOperation] { [.object("/api_keys/{id}", kind, gives: answer)] }

    static func edits(_ catalogue: Catalogue) -> [Edit] {
        [
            Edit("POST", "/api_keys", .create("Makes an API key.", takes: request, gives: answer)) { draft, call in
                let fields = try Fields(call.body, request)
                var document = try texts.create(fields)
                let owner = try TokenOwner.id(try fields.string("owner_id"), call, draft.catalogue)
                let role = try role(fields, call) ?? min(.admin, call.principal?.role ?? .admin)
                document["owner_id"] = .string(owner)
                document["role"] = .string(role.rawValue)
                if let limit = draft.catalogue.owners.role(of: owner), role > limit {
                    throw Fault(635, "The owner \(owner) of the API key is \(limit.rawValue) and cannot give it more.")
                }
                return try makeToken(kind, prefixes[0], document, &draft, call)
            },
            Edit("PATCH", "/api_keys/{id}", .update("Changes an API key.", takes: update, gives: answer)) {
                draft, call in
                let object = try draft.require(kind, call.parameter("id"), call)
                let fields = try Fields(call.body, update)
                var document = object.document
                try texts.update(&document, fields)
                if let role = try role(fields, call) { document["role"] = .string(role.rawValue) }
                try draft.update(object.id, document: document)
                return .object(object.id, draft, call)
            },
            .deletion("/api_keys/{id}", kind, "Deletes an API key: it is refused at once."),
        ]
    }

    /// Nobody gives a key more than what they may do themselves.
    private static func role(_ fields: Fields, _ call: EditCall) throws(Fault) -> Role? {
        guard let text = try fields.string("role") else { return nil }
        guard let role = Role(rawValue: text) else {
            let names = Role.allCases.map(\.rawValue).joined(separator: ", ")
            throw Fault(215, "The value provided for the request parameter 'role' is invalid. Valid roles: \(names).")
        }
        if let own = call.principal?.role, role > own {
            throw Fault(nil, "You are \(own.rawValue) and cannot make a key that is \(text).", status: 403)
        }
        return role
    }

    /// A new object with a token that only this answer shows.
    static func makeToken(
        _ kind: ObjectKind, _ prefix: String, _ document: [String: JSON], _ draft: inout ConfigurationDraft,
        _ call: EditCall
    ) throws(Fault) -> EditAnswer {
        let secret = draft.effects.makeSecret()
        let object = try draft.create(
            kind, prefix: prefix, document: .object(document), secret: ["sha256": .string(AccessToken.hash(secret))])
        var answer = EditAnswer.object(object.id, status: 201, draft, call)
        answer.secrets = ["token": .string(AccessToken.text(id: object.id, secret: secret))]
        return answer
    }

    // MARK: Letting in

    /// The key with this token, looked up by the token's first part; `nil` when there is none.
    static func key(identity: String, secret: String, in state: ConfigurationState) -> ConfigurationObject? {
        let object = state["ak_" + identity]
        guard AccessToken.isRight(secret, kept: object?.secret?["sha256"]?.stringValue) else { return nil }
        return object
    }

    static func owner(of key: ConfigurationObject) -> String { key.document["owner_id"]?.stringValue ?? "" }

    static func role(of key: ConfigurationObject) -> Role {
        key.document["role"]?.stringValue.flatMap(Role.init(rawValue:)) ?? .viewer
    }
}

/// Who answers for a key or a credential.
enum TokenOwner {
    /// - Throws: 634 when nobody is known by that identifier.
    static func id(_ wanted: String?, _ call: EditCall, _ catalogue: Catalogue) throws(Fault) -> String {
        let caller = call.principal?.ownerID ?? ""
        guard let wanted, !wanted.isEmpty else {
            guard !caller.isEmpty else { throw Fault(634, "It is not known who would answer for it.") }
            return caller
        }
        guard wanted == caller || catalogue.owners.role(of: wanted) != nil else {
            throw Fault(634, "The owner '\(wanted.prefix(64))' is not known.")
        }
        return wanted
    }
}
