import EdgeCore
import Shared

extension ObjectKind {
    public static let backend = ObjectKind(rawValue: "backend")
}

/// Backends of every kind that `Backends.kinds` has.
enum BackendObjects: Resource {
    static let kind = ObjectKind.backend
    static var prefixes: [String] { Backends.kinds.map { $0.idPrefix } }
    private static let texts = TextFields(descriptionCode: 6503, metadataCode: 6504)

    static func type(of object: ConfigurationObject) -> (any Backend.Type)? { Backends.kind(of: BackendID(object.id)) }

    static func path(of object: ConfigurationObject) -> String {
        "/backends/\(type(of: object)?.kind ?? "")/\(object.id)"
    }

    static func references(of object: ConfigurationObject, in state: ConfigurationState) -> [ObjectReference] {
        let settings = object.document["settings"] ?? [:]
        return (type(of: object)?.references(settings) ?? []).map {
            ObjectReference(id: $0.rawValue, missing: .missingBackend($0.rawValue))
        }
    }

    static func inUse(_ object: ConfigurationObject, by user: ConfigurationObject) -> Fault {
        Fault(6502, "The backend '\(object.id)' could not be deleted because '\(user.id)' still refers to it.")
    }

    /// References must be backends, must not come back to where they began, and must not nest too deep.
    static func check(_ object: ConfigurationObject, in state: ConfigurationState) throws(Fault) {
        let isWeighted = type(of: object)?.kind == WeightedBackend.kind
        let refused = isWeighted ? 6524 : 6525
        guard !reaches(object.id, from: object.id, in: state) else {
            throw Fault(refused, "The backend '\(object.id)' refers to itself through its backends.")
        }
        let depth = height(object.id, in: state) { state.references(of: $0).map(\.id) }
        let above = height(object.id, in: state) { state.referrers(of: $0, kind: .backend) }
        guard depth + above - 1 <= Backends.maximumDepth else {
            throw Fault(6513, "Backends may nest at most \(Backends.maximumDepth) deep.")
        }
    }

    private static func reaches(_ target: String, from start: String, in state: ConfigurationState) -> Bool {
        var seen: Set<String> = []
        var waiting = state.references(of: start).map(\.id)
        while let id = waiting.popLast() {
            if id == target { return true }
            if seen.insert(id).inserted { waiting += state.references(of: id).map(\.id) }
        }
        return false
    }

    /// The number of levels from `id` on, itself included; ends early past the limit.
    private static func height(
        _ id: String, in state: ConfigurationState, next: (String) -> [String]
    ) -> Int {
        var level: Set<String> = [id]
        var count = 0
        while !level.isEmpty, count <= Backends.maximumDepth {
            count += 1
            level = Set(level.flatMap(next))
        }
        return count
    }

    static func render(_ object: ConfigurationObject, in view: ConfigurationView) -> JSON {
        let settings = object.document["settings"] ?? [:]
        var fields = settings.objectValue ?? [:]
        // A record says what was configured, not what happened to be connected.
        let lookup = view.isRecord ? LiveLookup.nothing : view.state.catalogue.tunnels.lookup
        let live = type(of: object)?.live(settings, lookup, baseURL: view.baseURL) ?? [:]
        fields.merge(live) { kept, _ in kept }
        return view.frame(object, fields)
    }

    static func configure(_ id: String, in state: ConfigurationState, _ configuration: inout Configuration) {
        configuration.backends[BackendID(id)] = state[id].flatMap { object in
            type(of: object).map { type in
                BackendConfiguration(
                    id: BackendID(id), kind: type.kind, settings: object.document["settings"] ?? [:])
            }
        }
    }

    static func lists(_ catalogue: Catalogue) -> [ListOperation] {
        Backends.kinds.map { type in
            let prefix = type.idPrefix + "_"
            return ListOperation("/backends/\(type.kind)", key: "backends", of: answer(type), kind: .backend) {
                $0.id.hasPrefix(prefix)
            }
        }
    }

    static func reads(_ catalogue: Catalogue) -> [ReadOperation] {
        Backends.kinds.map { type in
            ReadOperation(
                path: "/backends/\(type.kind)/{id}", about: .read("Reads a backend.", gives: answer(type))
            ) { view, call in
                let object = try find(type, view.state, call)
                return (view.document(object), object.id)
            }
        }
    }

    static func edits(_ catalogue: Catalogue) -> [Edit] { Backends.kinds.flatMap(edits) }

    private static func answer(_ type: any Backend.Type) -> Shape {
        .answer(type.answered.name, type.answered.fields)
    }

    private static func edits(_ type: any Backend.Type) -> [Edit] {
        let collection = "/backends/\(type.kind)"
        let request = Shape(type.settings.name + "Create", TextFields.fields + type.settings.fields)
        let update = Shape(type.settings.name + "Update", request.fields)
        let answer = answer(type)
        return [
            Edit("POST", collection, .create("Makes a backend.", takes: request, gives: answer)) { draft, call in
                let fields = try Fields(call.body, known: request.names)
                var document = try texts.create(fields)
                var settings = type.defaults
                for name in type.defaults.keys { if let value = fields[name] { settings[name] = value } }
                document["settings"] = try checked(type, .object(settings), in: draft.state)
                let object = try draft.create(.backend, prefix: type.idPrefix, document: .object(document))
                return .object(object.id, status: 201, draft, call)
            },
            Edit(
                "PATCH", collection + "/{id}", .update("Changes a backend.", takes: update, gives: answer)
            ) { draft, call in
                let object = try find(type, draft.state, call)
                try draft.checkMatch(object, call)
                let fields = try Fields(call.body, known: update.names)
                var document = object.document
                try texts.update(&document, fields)
                var update: [String: JSON] = [:]
                for name in type.defaults.keys { if let value = fields[name] { update[name] = value } }
                let merged = type.merge(update, into: document["settings"] ?? [:])
                document["settings"] = try checked(type, merged, in: draft.state)
                try draft.update(object.id, document: document)
                return .object(object.id, draft, call)
            },
            Edit("DELETE", collection + "/{id}", .delete("Deletes a backend that nothing refers to.")) { draft, call in
                let object = try find(type, draft.state, call)
                try draft.checkMatch(object, call)
                draft.remove(object.id)
                return .none()
            },
        ]
    }

    private static func find(
        _ type: any Backend.Type, _ state: ConfigurationState, _ call: EditCall
    ) throws(APIErrorBody) -> ConfigurationObject {
        guard let object = state[call.parameter("id")], object.id.hasPrefix(type.idPrefix + "_") else {
            throw .notFound
        }
        return object
    }

    private static func checked(
        _ type: any Backend.Type, _ settings: JSON, in state: ConfigurationState
    ) throws(Fault) -> JSON {
        let kept = try type.normalise(settings)
        for id in type.references(kept) where Resources.kind(of: id.rawValue) != .backend {
            throw Fault(6526, "The id '\(id.rawValue.prefix(64))' is not a valid backend ID.")
        }
        return kept
    }
}
