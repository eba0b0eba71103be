import EdgeCore
import Shared

extension ObjectKind {
    public static let eventDestination = ObjectKind(rawValue: "event_destination")
}

/// Where events go, and with which rights. Nothing is sent there by this version of the server.
enum EventDestinations: Resource {
    static let kind = ObjectKind.eventDestination
    static let prefixes = ["ed"]
    /// The public API documents no codes for texts that are too long here.
    private static let texts = TextFields(descriptionCode: nil, metadataCode: nil)
    private static let fields =
        TextFields.fields + [
            Shape.Field("format", .text, "json, in any case of letters"),
            Shape.Field("target", .object(EventTarget.shape), "exactly one member; which one is for life"),
        ]
    private static let request = Shape("EventDestinationCreate", fields)
    private static let update = Shape("EventDestinationUpdate", fields)
    private static let answer = Shape.answer(
        "EventDestination",
        [Shape.Field("format", .choice(["json"])), Shape.Field("target", .object(EventTarget.shape))])

    static func path(of object: ConfigurationObject) -> String { "/event_destinations/\(object.id)" }

    static func inUse(_ object: ConfigurationObject, by user: ConfigurationObject) -> Fault {
        Fault(
            5112,
            "Event Destination \"\(object.id)\" cannot be deleted because it is still in use by at least one Event "
                + "Subscription, '\(user.id)'.")
    }

    static func render(_ object: ConfigurationObject, in view: ConfigurationView) -> JSON {
        view.frame(
            object,
            [
                "format": object.document["format"] ?? "",
                "target": EventTarget.render(object.document["target"] ?? [:]),
            ])
    }

    static func lists(_ catalogue: Catalogue) -> [ListOperation] {
        [ListOperation("/event_destinations", key: "event_destinations", of: answer, takesFilter: true, kind: kind)]
    }

    static func reads(_ catalogue: Catalogue) -> [ReadOperation] {
        [.object("/event_destinations/{id}", kind, gives: answer)]
    }

    static func edits(_ catalogue: Catalogue) -> [Edit] {
        [
            Edit(
                "POST", "/event_destinations", .create("Makes a destination.", takes: request, gives: answer),
                body: create),
            Edit(
                "PATCH", "/event_destinations/{id}", .update("Changes a destination.", takes: update, gives: answer),
                body: change),
            .deletion("/event_destinations/{id}", kind, "Deletes a destination that no subscription uses."),
        ]
    }

    @Sendable
    private static func create(_ draft: inout ConfigurationDraft, _ call: EditCall) throws -> EditAnswer {
        let fields = try Fields(call.body, request)
        var document = try texts.create(fields)
        document["format"] = try format(try fields.string("format") ?? "")
        let target = try EventTarget(fields["target"] ?? [:], keeping: nil)
        document["target"] = target.document
        let object = try draft.create(
            kind, prefix: prefixes[0], document: .object(document), secret: target.secret)
        return .object(object.id, status: 201, draft, call)
    }

    @Sendable
    private static func change(_ draft: inout ConfigurationDraft, _ call: EditCall) throws -> EditAnswer {
        let object = try draft.require(kind, call.parameter("id"), call)
        let fields = try Fields(call.body, update)
        var document = object.document
        try texts.update(&document, fields)
        if let written = try fields.string("format"), !written.isEmpty { document["format"] = try format(written) }
        var secret = object.secret
        if let written = fields["target"] {
            let target = try EventTarget(written, keeping: object)
            document["target"] = target.document
            secret = target.secret
        }
        try draft.update(object.id, document: document, secret: secret)
        return .object(object.id, draft, call)
    }

    private static func format(_ written: String) throws(Fault) -> JSON {
        guard written.lowercased() == "json" else {
            throw Fault(
                235,
                "The Format '\(written.prefix(32))' is missing or is not a valid Event Destination Format. Supported "
                    + "formats are: json.")
        }
        return "json"
    }
}
