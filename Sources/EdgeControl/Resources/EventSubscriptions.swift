import EdgeCore
import Shared

extension ObjectKind {
    public static let eventSubscription = ObjectKind(rawValue: "event_subscription")
}

/// Which events go to which destinations. Its sources, one per type of event, are part of its document.
enum EventSubscriptions: Resource {
    static let kind = ObjectKind.eventSubscription
    static let prefixes = ["esb"]
    /// Destinations of one subscription.
    static let maximumDestinations = 16
    /// The public API documents no codes for texts that are too long here.
    private static let texts = TextFields(descriptionCode: nil, metadataCode: nil)
    private static let sourceRequest = Shape(
        "EventSourceReplace", [Shape.Field("type", .choice(EventTypes.all), "the event's type")])
    private static let source = Shape("EventSource", [Shape.Field("type", .text), Shape.Field("uri", .text)])
    private static let sourceList = Shape(
        "EventSourceList", [Shape.Field("sources", .list(.object(source))), Shape.Field("uri", .text)])
    private static let fields =
        TextFields.fields + [
            Shape.Field(
                "sources", .list(.object(sourceRequest), maximum: EventTypes.all.count),
                "each type once; empty in an update to keep them"),
            Shape.Field("destination_ids", .list(.text, maximum: maximumDestinations)),
        ]
    private static let request = Shape("EventSubscriptionCreate", fields)
    private static let update = Shape("EventSubscriptionUpdate", fields)
    private static let answer = Shape.answer(
        "EventSubscription",
        [
            Shape.Field("sources", .list(.object(source))),
            Shape.Field("destinations", .list(.object(.reference))),
        ])

    static func path(of object: ConfigurationObject) -> String { "/event_subscriptions/\(object.id)" }

    static func types(of object: ConfigurationObject) -> [String] {
        (object.document["sources"]?.arrayValue ?? []).compactMap(\.stringValue)
    }

    private static func destinations(of object: ConfigurationObject) -> [String] {
        (object.document["destination_ids"]?.arrayValue ?? []).compactMap(\.stringValue)
    }

    static func references(of object: ConfigurationObject, in state: ConfigurationState) -> [ObjectReference] {
        destinations(of: object).map { ObjectReference(id: $0, missing: missing($0)) }
    }

    private static func missing(_ id: String) -> Fault {
        Fault(5103, "No event destinations with ID: '\(id.prefix(64))' associated with this account.")
    }

    static func render(_ object: ConfigurationObject, in view: ConfigurationView) -> JSON {
        view.frame(
            object,
            [
                "sources": .array(types(of: object).map { render($0, of: object, in: view) }),
                "destinations": .array(destinations(of: object).map(view.reference)),
            ])
    }

    private static func render(_ type: String, of object: ConfigurationObject, in view: ConfigurationView) -> JSON {
        ["type": .string(type), "uri": .string("\(view.uri(of: object))/sources/\(type)")]
    }

    static func lists(_ catalogue: Catalogue) -> [ListOperation] {
        [ListOperation("/event_subscriptions", key: "event_subscriptions", of: answer, takesFilter: true, kind: kind)]
    }

    static func reads(_ catalogue: Catalogue) -> [ReadOperation] {
        [
            .object("/event_subscriptions/{id}", kind, gives: answer),
            // The documented list has neither pages nor `next_page_uri`.
            ReadOperation(
                path: "/event_subscriptions/{subscription_id}/sources",
                about: .read("Lists the sources of a subscription.", gives: sourceList)
            ) { view, call in
                let object = try owner(view.state, call)
                let sources = types(of: object).map { render($0, of: object, in: view) }
                return (["sources": .array(sources), "uri": .string(view.uri(of: object) + "/sources")], object.id)
            },
            ReadOperation(
                path: "/event_subscriptions/{subscription_id}/sources/{type}",
                about: .read("Reads a source.", gives: source)
            ) { view, call in
                let object = try owner(view.state, call)
                return (render(try type(of: object, call), of: object, in: view), object.id)
            },
        ]
    }

    static func edits(_ catalogue: Catalogue) -> [Edit] { objectEdits + sourceEdits }

    private static var objectEdits: [Edit] {
        [
            Edit("POST", "/event_subscriptions", .create("Makes a subscription.", takes: request, gives: answer)) {
                draft, call in
                let fields = try Fields(call.body, request)
                var document = try texts.create(fields)
                document["sources"] = try sources(fields) ?? []
                document["destination_ids"] = try destinationIDs(fields, in: draft.state) ?? []
                let object = try draft.create(kind, prefix: prefixes[0], document: .object(document))
                return .object(object.id, status: 201, draft, call)
            },
            Edit("PATCH", "/event_subscriptions/{id}", .update("Changes it.", takes: update, gives: answer)) {
                draft, call in
                let object = try draft.require(kind, call.parameter("id"), call)
                let fields = try Fields(call.body, update)
                var document = object.document
                try texts.update(&document, fields)
                // The official Python client sends an empty list of sources unasked.
                if let sources = try sources(fields), sources != [] { document["sources"] = sources }
                if let ids = try destinationIDs(fields, in: draft.state) { document["destination_ids"] = ids }
                try draft.update(object.id, document: document)
                return .object(object.id, draft, call)
            },
            .deletion("/event_subscriptions/{id}", kind, "Deletes a subscription."),
        ]
    }

    private static var sourceEdits: [Edit] {
        let collection = "/event_subscriptions/{subscription_id}/sources"
        return [
            Edit("POST", collection, .create("Adds a source.", takes: sourceRequest, gives: source)) { draft, call in
                let object = try owner(draft.state, call)
                try draft.checkMatch(object, call)
                let type = try EventTypes.check(try Fields(call.body, sourceRequest).string("type") ?? "")
                guard !types(of: object).contains(type) else { throw duplicate }
                try write(types(of: object) + [type], to: object, &draft)
                return answer(type, of: object, status: 201, draft, call)
            },
            // A source is its type and nothing else, so this documented operation has nothing to change.
            Edit(
                "PATCH", collection + "/{type}",
                .update("Reads it.", takes: Shape("EventSourceUpdate", []), gives: source)
            ) { draft, call in
                let object = try owner(draft.state, call)
                try draft.checkMatch(object, call)
                _ = try Fields(call.body, known: [])
                return answer(try type(of: object, call), of: object, status: 200, draft, call)
            },
            Edit("DELETE", collection + "/{type}", .delete("Takes a source away.")) { draft, call in
                let object = try owner(draft.state, call)
                try draft.checkMatch(object, call)
                let type = try type(of: object, call)
                try write(types(of: object).filter { $0 != type }, to: object, &draft)
                return .none()
            },
        ]
    }

    private static func answer(
        _ type: String, of object: ConfigurationObject, status: Int, _ draft: ConfigurationDraft, _ call: EditCall
    ) -> EditAnswer {
        let view = ConfigurationView(state: draft.state, baseURL: call.baseURL)
        return EditAnswer(status: status, document: render(type, of: object, in: view), object: object.id)
    }

    private static func write(
        _ types: [String], to object: ConfigurationObject, _ draft: inout ConfigurationDraft
    ) throws(Fault) {
        var document = object.document
        document["sources"] = .array(types.map { .string($0) })
        try draft.update(object.id, document: document)
    }

    // MARK: Reading requests

    private static func owner(_ state: ConfigurationState, _ call: EditCall) throws(Fault) -> ConfigurationObject {
        let id = call.parameter("subscription_id")
        guard let object = state[id], object.kind == kind else {
            throw Fault(5123, "Event Subscription '\(id.prefix(64))' not found.", status: 404)
        }
        return object
    }

    private static func type(of object: ConfigurationObject, _ call: EditCall) throws(Fault) -> String {
        let type = call.parameter("type")
        guard types(of: object).contains(type) else {
            throw Fault(
                5125, "Source '\(type.prefix(64))' not found on Event Subscription '\(object.id)'.", status: 404)
        }
        return type
    }

    private static let duplicate = Fault(
        5127, "The event type for each source must be unique within a subscription.")

    private static func sources(_ fields: Fields) throws(Fault) -> JSON? {
        guard let entries = fields["sources"]?.arrayValue else { return nil }
        var types: [String] = []
        for entry in entries {
            let type = try EventTypes.check(try Fields(entry, sourceRequest).string("type") ?? "")
            guard !types.contains(type) else { throw duplicate }
            types.append(type)
        }
        return .array(types.map { .string($0) })
    }

    private static func destinationIDs(_ fields: Fields, in state: ConfigurationState) throws(Fault) -> JSON? {
        guard let ids = try fields.strings("destination_ids") else { return nil }
        guard ids.count <= maximumDestinations else {
            throw Fault(
                5126, "You have reached the maximum of \(maximumDestinations) destinations on a subscription.")
        }
        var kept: [String] = []
        for id in ids where !kept.contains(id) {
            guard state[id]?.kind == .eventDestination else { throw missing(id) }
            kept.append(id)
        }
        return .array(kept.map { .string($0) })
    }
}

/// The types of events that the public API documents. Edges and backends have none.
enum EventTypes {
    static let all: [String] =
        objects.flatMap { object in ["created", "updated", "deleted"].map { "\(object)_\($0).v0" } } + [
            "agent_session_start.v0", "agent_session_stop.v0", "http_request_complete.v0",
            "tcp_connection_closed.v0",
        ]

    private static let objects = [
        "api_key", "certificate_authority", "domain", "event_destination", "event_subscription", "ip_policy",
        "ip_policy_rule", "ip_restriction", "ssh_certificate_authority", "ssh_host_certificate", "ssh_public_key",
        "ssh_user_certificate", "tcp_address", "tls_certificate", "tunnel_credential",
    ]

    static func check(_ type: String) throws(Fault) -> String {
        guard all.contains(type) else {
            throw Fault(
                238,
                "The provided event type: '\(type.prefix(64))' is not valid. Valid event types are "
                    + "\(all.joined(separator: ", ")).")
        }
        return type
    }
}
