import EdgeCore
import Shared

/// Rules of IP policies. A rule's action is for life; its network may change.
enum IPPolicyRules: Resource {
    static let kind = ObjectKind.ipPolicyRule
    static let prefixes = ["ipr"]
    private static let texts = IPPolicies.texts

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
        [
            ListOperation(
                path: "/ip_policy_rules", key: "ip_policy_rules", takesFilter: true, includes: { _ in true }, kind: kind
            )
        ]
    }

    static func reads(_ catalogue: Catalogue) -> [ReadOperation] { [.object("/ip_policy_rules/{id}", kind)] }

    static func edits(_ catalogue: Catalogue) -> [Edit] {
        [
            Edit("POST", "/ip_policy_rules") { draft, call in
                let fields = try Fields(call.body, known: TextFields.names + ["cidr", "ip_policy_id", "action"])
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
            Edit("PATCH", "/ip_policy_rules/{id}") { draft, call in
                let object = try draft.require(kind, call.parameter("id"), call)
                let fields = try Fields(call.body, known: TextFields.names + ["cidr"])
                var document = object.document
                try texts.update(&document, fields)
                if let cidr = try fields.string("cidr"), !cidr.isEmpty { document["cidr"] = try network(cidr) }
                if document != object.document {
                    try draft.update(object.id, document: document)
                    try draft.touch(object.parent ?? "")
                }
                return .object(object.id, draft, call)
            },
            Edit("DELETE", "/ip_policy_rules/{id}") { draft, call in
                let object = try draft.require(kind, call.parameter("id"), call)
                draft.remove(object.id)
                try draft.touch(object.parent ?? "")
                return .none()
            },
        ]
    }

    private static func network(_ text: String) throws(Fault) -> JSON {
        .string(try IPNetwork(cidr: text).description)
    }
}
