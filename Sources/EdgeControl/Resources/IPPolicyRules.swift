import EdgeCore
import Shared

extension ObjectKind {
    public static let ipPolicyRule = ObjectKind(rawValue: "ip_policy_rule")
}

/// Rules of IP policies. A rule's action is for life; its network may change.
enum IPPolicyRules: Resource {
    static let kind = ObjectKind.ipPolicyRule
    static let prefixes = ["ipr"]
    private static let texts = IPPolicies.texts
    private static let cidr = Shape.Field("cidr", .text, "a network, written with its lowest address and a mask")
    private static let request = Shape(
        "IPPolicyRuleCreate",
        TextFields.fields + [
            Shape.Field("cidr", .text, required: true, cidr.note), Shape.Field("ip_policy_id", .text, required: true),
            Shape.Field("action", .choice(["allow", "deny"]), required: true),
        ])
    private static let update = Shape("IPPolicyRuleUpdate", TextFields.fields + [cidr])
    private static let answer = Shape.answer(
        "IPPolicyRule",
        [
            cidr, Shape.Field("ip_policy", .object(.reference)),
            Shape.Field("action", .choice(["allow", "deny"])),
        ])

    static func path(of object: ConfigurationObject) -> String { "/ip_policy_rules/\(object.id)" }

    static func names(of object: ConfigurationObject) -> [ObjectName] {
        let cidr = object.document["cidr"]?.stringValue ?? ""
        return [
            ObjectName(
                text: "cidr/\(object.parent ?? "")/\(cidr)",
                taken: Fault(1408, "IP Policy Rule with CIDR '\(cidr)' already exists."))
        ]
    }

    static func render(_ object: ConfigurationObject, in view: ConfigurationView) -> JSON {
        view.frame(
            object,
            [
                "cidr": object.document["cidr"] ?? "", "action": object.document["action"] ?? "",
                "ip_policy": view.reference(object.parent ?? ""),
            ])
    }

    static func lists(_ catalogue: Catalogue) -> [ListOperation] {
        [ListOperation("/ip_policy_rules", key: "ip_policy_rules", of: answer, takesFilter: true, kind: kind)]
    }

    static func reads(_ catalogue: Catalogue) -> [ReadOperation] {
        [.object("/ip_policy_rules/{id}", kind, gives: answer)]
    }

    static func edits(_ catalogue: Catalogue) -> [Edit] {
        [
            Edit("POST", "/ip_policy_rules", .create("Makes a rule.", takes: request, gives: answer)) { draft, call in
                let fields = try Fields(call.body, request)
                var document = try texts.create(fields)
                document["cidr"] = try network(try fields.string("cidr") ?? "")
                let action = try fields.string("action") ?? ""
                guard action == "allow" || action == "deny" else {
                    throw Fault(1422, "An IP Policy Rule must have an 'action' of either 'allow' or 'deny'.")
                }
                document["action"] = .string(action)
                let policy = try fields.string("ip_policy_id") ?? ""
                guard draft.state[policy]?.kind == .ipPolicy else { throw Fault(1402, "IP Policy not found") }
                let object = try draft.create(kind, prefix: prefixes[0], parent: policy, document: .object(document))
                try draft.touch(policy)
                return .object(object.id, status: 201, draft, call)
            },
            Edit("PATCH", "/ip_policy_rules/{id}", .update("Changes a rule.", takes: update, gives: answer)) {
                draft, call in
                let object = try draft.require(kind, call.parameter("id"), call)
                let fields = try Fields(call.body, update)
                var document = object.document
                try texts.update(&document, fields)
                if let cidr = try fields.string("cidr"), !cidr.isEmpty { document["cidr"] = try network(cidr) }
                if document != object.document {
                    try draft.update(object.id, document: document)
                    try draft.touch(object.parent ?? "")
                }
                return .object(object.id, draft, call)
            },
            Edit("DELETE", "/ip_policy_rules/{id}", .delete("Deletes a rule.")) { draft, call in
                let object = try draft.require(kind, call.parameter("id"), call)
                try AccountRestrictions.checkRemoval(of: object, in: draft.state)
                draft.remove(object.id)
                try draft.touch(object.parent ?? "")
                return .none()
            },
        ]
    }

    private static func network(_ text: String) throws(Fault) -> JSON {
        .string(try IPNetwork(cidr: text).description)
    }

    /// The rules of a policy as traffic meets them.
    static func rules(of policy: String, in state: ConfigurationState) -> [IPPolicyRule] {
        state.children(of: policy).compactMap { state[$0] }.compactMap { rule in
            guard let network = try? IPNetwork(cidr: rule.document["cidr"]?.stringValue ?? "") else { return nil }
            return IPPolicyRule(network: network, allows: rule.document["action"] == "allow")
        }
    }
}
