import EdgeCore
import Shared

extension ObjectKind {
    public static let route = ObjectKind(rawValue: "route")
}

/// Routes of HTTPS edges. They have no list of their own: the edge's document holds them.
enum HTTPSRoutes: Resource {
    static let kind = ObjectKind.route
    static let prefixes = ["edghtsrt"]
    static let maximumPerEdge = 200
    /// Characters of a match.
    static let maximumMatch = 1024
    private static let collection = "/edges/https/{edge_id}/routes"
    private static let legacy: Set<String> = ["policy"]

    static func path(of object: ConfigurationObject) -> String {
        "/edges/https/\(object.parent ?? "")/routes/\(object.id)"
    }

    static func names(of object: ConfigurationObject) -> [ObjectName] {
        let match = object.document["match"]?.stringValue ?? ""
        return [
            ObjectName(
                text: "match/\(object.parent ?? "")\(match)",
                taken: Fault(7126, "The edge already has a route that matches '\(match.prefix(128))'."))
        ]
    }

    static func references(of object: ConfigurationObject, in state: ConfigurationState) -> [ObjectReference] {
        ModuleSlot.all(.route, state.catalogue).flatMap { $0.references(object.document["modules"]?[$0.name]) }
    }

    static func check(_ object: ConfigurationObject, in state: ConfigurationState) throws(Fault) {
        try ModuleSlot.all(.route, state.catalogue).check(object.document["modules"] ?? [:])
    }

    static func render(_ object: ConfigurationObject, in view: ConfigurationView) -> JSON {
        var fields: [String: JSON] = [
            "edge_id": .string(object.parent ?? ""), "match_type": object.document["match_type"] ?? "",
            "match": object.document["match"] ?? "",
        ]
        // A page of edges holds a thousand routes: no table grows on the way.
        fields.reserveCapacity(24)
        let modules = object.document["modules"]
        for slot in ModuleSlot.all(.route, view.state.catalogue) {
            fields[slot.name] = slot.render(modules?[slot.name], of: object.id, in: view)
        }
        return view.frame(object, fields)
    }

    static func reads(_ catalogue: Catalogue) -> [ReadOperation] {
        [
            ReadOperation(
                path: collection + "/{id}", about: .read("Reads a route.", gives: answer(catalogue))
            ) { view, call in
                let object = try find(.route, view.state, call)
                return (view.document(object), object.id)
            }
        ] + ModuleOperations(.route, catalogue).reads
    }

    static func edits(_ catalogue: Catalogue) -> [Edit] {
        let slots = ModuleSlot.all(.route, catalogue)
        let request = Shape("HTTPSEdgeRouteCreate", fields(slots, areRequired: true))
        let update = Shape("HTTPSEdgeRouteUpdate", fields(slots, areRequired: false))
        let answer = answer(catalogue)
        return [
            Edit("POST", collection, .create("Makes a route.", takes: request, gives: answer)) { draft, call in
                let id = try create(&draft, call, slots, request)
                return .object(id, status: 201, draft, call)
            },
            Edit(
                "PATCH", collection + "/{id}",
                .update("Changes a route; a module that is named is replaced whole.", takes: update, gives: answer)
            ) { draft, call in
                let route = try find(.route, draft.state, call)
                try draft.checkMatch(route, call)
                try change(route, &draft, call, slots, update)
                return .object(route.id, draft, call)
            },
            Edit("DELETE", collection + "/{id}", .delete("Deletes a route.")) { draft, call in
                let route = try find(.route, draft.state, call)
                try draft.checkMatch(route, call)
                draft.remove(route.id)
                try draft.touch(route.parent ?? "")
                return .none()
            },
        ] + ModuleOperations(.route, catalogue).edits
    }

    private static func fields(_ slots: [ModuleSlot], areRequired: Bool) -> [Shape.Field] {
        let types = RouteConfiguration.MatchType.allCases.map { $0.rawValue }
        return TextFields.fields + [
            Shape.Field("match_type", .choice(areRequired ? types : types + [""]), required: areRequired),
            Shape.Field("match", .text(maximum: maximumMatch), required: areRequired, "a path that begins with /"),
        ] + slots.requestFields
    }

    static func answer(_ catalogue: Catalogue) -> Shape {
        .answer(
            "HTTPSEdgeRoute",
            [Shape.Field("edge_id", .text), Shape.Field("match_type", .text), Shape.Field("match", .text)]
                + ModuleSlot.all(.route, catalogue).answerFields)
    }

    private static func create(
        _ draft: inout ConfigurationDraft, _ call: EditCall, _ slots: [ModuleSlot], _ shape: Shape
    ) throws -> String {
        let edge = try draft.require(.httpsEdge, call.parameter("edge_id"), EditCall())
        let fields = try Fields(call.body, shape, legacy: legacy)
        guard draft.state.children(of: edge.id).count < maximumPerEdge else {
            throw Fault(7128, "An edge is limited to a maximum of \(maximumPerEdge) routes.")
        }
        var document = try EdgeWrites.texts.create(fields)
        document["match_type"] = try matchType(try fields.string("match_type") ?? "")
        document["match"] = try match(try fields.string("match") ?? "")
        document["modules"] = try slots.modules(from: fields, onto: [:])
        let route = try draft.create(.route, prefix: prefixes[0], parent: edge.id, document: .object(document))
        try draft.touch(edge.id)
        return route.id
    }

    private static func change(
        _ route: ConfigurationObject, _ draft: inout ConfigurationDraft, _ call: EditCall, _ slots: [ModuleSlot],
        _ shape: Shape
    ) throws {
        let fields = try Fields(call.body, shape, legacy: legacy)
        var document = route.document
        try EdgeWrites.texts.update(&document, fields, emptyKeeps: true)
        // The official Python client sends "" for what its caller left out.
        if let type = try fields.string("match_type"), !type.isEmpty {
            document["match_type"] = try matchType(type)
        }
        if let path = try fields.string("match"), !path.isEmpty { document["match"] = try match(path) }
        document["modules"] = try slots.modules(from: fields, onto: document["modules"] ?? [:])
        guard document.canonical != route.document else { return }
        try draft.update(route.id, document: document)
        try draft.touch(route.parent ?? "")
    }

    private static func matchType(_ text: String) throws(Fault) -> JSON {
        guard RouteConfiguration.MatchType(rawValue: text) != nil else {
            throw Fault(7130, "The match_type '\(text.prefix(32))' must be one of 'exact_path', 'path_prefix'.")
        }
        return .string(text)
    }

    private static func match(_ text: String) throws(Fault) -> JSON {
        guard !text.isEmpty else { throw Fault(7123, "A route needs a match.") }
        guard text.unicodeScalars.count <= maximumMatch else {
            throw Fault(7135, "The match of a route is limited to \(maximumMatch) characters.")
        }
        let isPath =
            text.utf8.first == UInt8(ascii: "/")
            && text.unicodeScalars.allSatisfy { $0.value > 0x20 && $0.value != 0x7F && $0 != "?" && $0 != "#" }
        guard isPath else {
            throw Fault(7131, "The match '\(text.prefix(128))' must be a path that begins with '/'.")
        }
        return .string(text)
    }

    /// The edge or route that a request's path names.
    /// - Throws: 404, or 400 ERR_NGROK_7110 when the route is another edge's.
    static func find(_ owner: ModuleOwner, _ state: ConfigurationState, _ call: EditCall) throws -> ConfigurationObject
    {
        guard let object = state[call.parameter("id")], object.kind == owner.kind else {
            guard owner == .route, state[call.parameter("edge_id")]?.kind == .httpsEdge else {
                throw APIErrorBody.notFound
            }
            throw Fault(7124, "The edge route '\(call.parameter("id").prefix(64))' could not be found.", status: 404)
        }
        if let parent = object.parent, parent != call.parameter("edge_id") {
            guard state[call.parameter("edge_id")]?.kind == .httpsEdge else { throw APIErrorBody.notFound }
            throw Fault(
                7110, "The request edge ID '\(call.parameter("edge_id"))' does not match the route edge ID '\(parent)'."
            )
        }
        return object
    }
}
