import EdgeCore
import Shared

extension ObjectKind {
    public static let ipRestriction = ObjectKind(rawValue: "ip_restriction")
}

/// IP restrictions: from where the API, the edges and the agents may be reached at all.
enum AccountRestrictions: Resource {
    static let kind = ObjectKind.ipRestriction
    static let prefixes = ["ipx"]
    static let access = ObjectAccess.entry

    enum Place: String, CaseIterable {
        case dashboard, api, agent, endpoints
    }

    private static let texts = TextFields(descriptionCode: 1673, metadataCode: 1674)
    private static let type = Place.allCases.map(\.rawValue)
    private static let enforced = Shape.Field("enforced", .flag, "false only warns")
    private static let request = Shape(
        "IPRestrictionCreate",
        TextFields.fields + [
            Shape.Field("type", .text, required: true, type.joined(separator: ", ")), enforced,
            Shape.Field("ip_policy_ids", .texts, required: true, "one or more"),
        ])
    private static let update = Shape(
        "IPRestrictionUpdate",
        TextFields.fields + [enforced, Shape.Field("ip_policy_ids", .texts, "an empty list leaves them as they are")])
    private static let answer = Shape.answer(
        "IPRestriction",
        [
            enforced, Shape.Field("type", .choice(type)),
            Shape.Field("ip_policies", .list(.object(.reference))),
        ])

    static func path(of object: ConfigurationObject) -> String { "/ip_restrictions/\(object.id)" }

    static func names(of object: ConfigurationObject) -> [ObjectName] {
        let type = object.document["type"]?.stringValue ?? ""
        return [
            ObjectName(
                text: "ip_restriction/\(type)",
                taken: Fault(
                    1802, "Only one IP Restriction is allowed per type. Delete or update the one of type '\(type)'."))
        ]
    }

    static func references(of object: ConfigurationObject, in state: ConfigurationState) -> [ObjectReference] {
        policies(of: object).map { id in
            ObjectReference(
                id: id, missing: Fault(1801, "The IP Policy '\(id.prefix(64))' of the IP Restriction does not exist."))
        }
    }

    static func render(_ object: ConfigurationObject, in view: ConfigurationView) -> JSON {
        view.frame(
            object,
            [
                "enforced": object.document["enforced"] ?? false, "type": object.document["type"] ?? "",
                "ip_policies": .array(policies(of: object).map(view.reference)),
            ])
    }

    static func lists(_ catalogue: Catalogue) -> [ListOperation] {
        [ListOperation("/ip_restrictions", key: "ip_restrictions", of: answer, takesFilter: true, kind: kind)]
    }

    static func reads(_ catalogue: Catalogue) -> [ReadOperation] {
        [.object("/ip_restrictions/{id}", kind, gives: answer)]
    }

    static func edits(_ catalogue: Catalogue) -> [Edit] {
        [
            Edit("POST", "/ip_restrictions", .create("Makes an IP restriction.", takes: request, gives: answer)) {
                draft, call in
                let fields = try Fields(call.body, request)
                var document = try texts.create(fields)
                let text = try fields.string("type") ?? ""
                guard Place(rawValue: text) != nil else {
                    let names = type.joined(separator: ", ")
                    throw Fault(
                        1803, "The provided IP Restriction type '\(text.prefix(64))' is invalid. Valid types: \(names)."
                    )
                }
                document["type"] = .string(text)
                document["enforced"] = .bool(try fields.bool("enforced") ?? false)
                document["ip_policy_ids"] = try policies(fields) ?? []
                guard document["ip_policy_ids"] != [] else { throw noPolicy }
                let object = try draft.create(kind, prefix: prefixes[0], document: .object(document))
                return .object(object.id, status: 201, draft, call)
            },
            Edit("PATCH", "/ip_restrictions/{id}", .update("Changes a restriction.", takes: update, gives: answer)) {
                draft, call in
                let object = try draft.require(kind, call.parameter("id"), call)
                let fields = try Fields(call.body, update)
                var document = object.document
                try texts.update(&document, fields)
                if let enforced = try fields.bool("enforced") { document["enforced"] = .bool(enforced) }
                // The official Python client sends an empty list when it was not asked to change anything.
                if let policies = try policies(fields), policies != [] { document["ip_policy_ids"] = policies }
                try draft.update(object.id, document: document)
                return .object(object.id, draft, call)
            },
            .deletion("/ip_restrictions/{id}", kind, "Deletes an IP restriction."),
        ]
    }

    private static let noPolicy = Fault(1804, "An IP Restriction must specify at least one IP Policy.")
    private static let maximumPolicies = 100

    private static func policies(_ fields: Fields) throws(Fault) -> JSON? {
        guard let ids = try fields.strings("ip_policy_ids") else { return nil }
        guard ids.count <= maximumPolicies else {
            throw Fault(nil, "An IP Restriction takes at most \(maximumPolicies) IP Policies, not \(ids.count).")
        }
        for id in ids where Identity.prefix(of: id) != "ipp" {
            throw Fault(1801, "The IP Policy '\(id.prefix(64))' of the IP Restriction does not exist.")
        }
        // Named twice is the same as named once.
        var known: Set<String> = []
        return .array(ids.filter { known.insert($0).inserted }.map { .string($0) })
    }

    private static func policies(of object: ConfigurationObject) -> [String] {
        (object.document["ip_policy_ids"]?.arrayValue ?? []).compactMap(\.stringValue)
    }

    // MARK: Letting in

    /// The restriction of a place, if there is one.
    private static func restriction(_ place: Place, in state: ConfigurationState) -> EntryRestriction? {
        guard let object = state.owner(of: "ip_restriction/\(place.rawValue)").flatMap({ state[$0] }) else {
            return nil
        }
        return EntryRestriction(
            id: object.id, isEnforced: object.document["enforced"] == true,
            policies: policies(of: object).map { IPPolicyID($0) })
    }

    /// Restrictions of the type `endpoints` act on traffic.
    static func configure(_ id: String, in state: ConfigurationState, _ configuration: inout Configuration) {
        configuration.entry = restriction(.endpoints, in: state)
    }

    /// A place's restriction and its rules, ready to be asked; `nil` when there is none.
    static func rules(
        _ place: Place, in state: ConfigurationState
    ) -> (restriction: EntryRestriction, rules: AddressRules)? {
        guard let restriction = restriction(place, in: state) else { return nil }
        let rules = restriction.policies.flatMap { IPPolicyRules.rules(of: $0.rawValue, in: state) }
        return (restriction, AddressRules(rules))
    }

    /// What is said when the only rule of a policy is to be deleted: without it nobody could use the dashboard.
    static func checkRemoval(of rule: ConfigurationObject, in state: ConfigurationState) throws(Fault) {
        guard let policy = rule.parent, state.children(of: policy).count == 1,
            let user = state.referrers(of: policy, kind: kind).first(where: {
                state[$0]?.document["type"]?.stringValue == Place.dashboard.rawValue
            })
        else { return }
        throw Fault(
            1419,
            "Cannot delete only rule ('\(rule.id)') in use by dashboard IP Restriction ('\(user)'). Detach the IP Policy "
                + "first.")
    }
}
