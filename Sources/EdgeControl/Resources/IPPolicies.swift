import EdgeCore
import Shared

extension ObjectKind {
    public static let ipPolicy = ObjectKind(rawValue: "ip_policy")
}

/// IP policies: named lists of rules.
enum IPPolicies: Resource {
    static let kind = ObjectKind.ipPolicy
    static let prefixes = ["ipp"]
    static let texts = TextFields(descriptionCode: 1673, metadataCode: 1674)
    private static let legacy: Set<String> = ["action"]
    private static let request = Shape("IPPolicyCreate", TextFields.fields)
    private static let update = Shape("IPPolicyUpdate", TextFields.fields)
    private static let answer = Shape.answer("IPPolicy", [])

    static func path(of object: ConfigurationObject) -> String { "/ip_policies/\(object.id)" }

    static func inUse(_ object: ConfigurationObject, by user: ConfigurationObject) -> Fault {
        Fault(1420, "Cannot delete IP Policy ('\(object.id)') because it is referenced by '\(user.id)'.")
    }

    static func render(_ object: ConfigurationObject, in view: ConfigurationView) -> JSON { view.frame(object, [:]) }

    static func configure(_ id: String, in state: ConfigurationState, _ configuration: inout Configuration) {
        configuration.policies[IPPolicyID(id)] = state[id].map { _ in IPPolicyRules.rules(of: id, in: state) }
    }

    static func lists(_ catalogue: Catalogue) -> [ListOperation] {
        [ListOperation("/ip_policies", key: "ip_policies", of: answer, takesFilter: true, kind: kind)]
    }

    static func reads(_ catalogue: Catalogue) -> [ReadOperation] { [.object("/ip_policies/{id}", kind, gives: answer)] }

    static func edits(_ catalogue: Catalogue) -> [Edit] {
        [
            Edit("POST", "/ip_policies", .create("Makes an IP policy.", takes: request, gives: answer)) { draft, call in
                let document = try texts.create(try Fields(call.body, request, legacy: legacy))
                let object = try draft.create(kind, prefix: prefixes[0], document: .object(document))
                return .object(object.id, status: 201, draft, call)
            },
            Edit("PATCH", "/ip_policies/{id}", .update("Changes an IP policy.", takes: update, gives: answer)) {
                draft, call in
                let object = try draft.require(kind, call.parameter("id"), call)
                var document = object.document
                try texts.update(&document, try Fields(call.body, update, legacy: legacy))
                try draft.update(object.id, document: document)
                return .object(object.id, draft, call)
            },
            .deletion("/ip_policies/{id}", kind, "Deletes an IP policy and its rules."),
        ]
    }
}
