import EdgeCore
import Shared

/// `PUT`, `GET` and `DELETE` of every slot of one kind of owner.
struct ModuleOperations: Sendable {
    private let owner: ModuleOwner
    private let slots: [ModuleSlot]

    init(_ owner: ModuleOwner, _ catalogue: Catalogue) {
        self.owner = owner
        slots = ModuleSlot.all(owner, catalogue)
    }

    private var base: String {
        switch owner {
        case .edge(let kind): "/edges/\(kind.rawValue)/{id}"
        case .route: "/edges/https/{edge_id}/routes/{id}"
        }
    }

    var edits: [Edit] {
        slots.flatMap { slot in
            [
                Edit(
                    "PUT", "\(base)/\(slot.name)",
                    .update("Replaces the module.", takes: slot.request, gives: slot.answer)
                ) { draft, call in
                    let object = try require(&draft, call)
                    try write(
                        slot.name, try slot.keep(call.body, over: object.document["modules"]?[slot.name]), to: object,
                        &draft)
                    let view = ConfigurationView(state: draft.state, baseURL: call.baseURL)
                    let kept = draft.state[object.id]?.document["modules"]?[slot.name]
                    return EditAnswer(
                        status: 200, document: slot.render(kept, of: object.id, in: view), object: object.id)
                },
                // Removing what is not there succeeds: clients that bring a route in line remove every module that
                // they do not want.
                Edit("DELETE", "\(base)/\(slot.name)", .delete("Removes the module.")) { draft, call in
                    try write(slot.name, nil, to: try require(&draft, call), &draft)
                    return .none()
                },
            ]
        }
    }

    var reads: [ReadOperation] {
        slots.map { slot in
            ReadOperation(
                path: "\(base)/\(slot.name)",
                about: .read("Reads the module; 404 when it is not set.", gives: slot.answer)
            ) { view, call in
                let object = try HTTPSRoutes.find(owner, view.state, call)
                guard let kept = object.document["modules"]?[slot.name], !kept.isNull else {
                    throw APIErrorBody.notFound
                }
                return (slot.render(kept, of: object.id, in: view), object.id)
            }
        }
    }

    private func require(_ draft: inout ConfigurationDraft, _ call: EditCall) throws -> ConfigurationObject {
        let object = try HTTPSRoutes.find(owner, draft.state, call)
        try draft.checkMatch(object, call)
        return object
    }

    private func write(
        _ name: String, _ kept: JSON?, to object: ConfigurationObject, _ draft: inout ConfigurationDraft
    ) throws(Fault) {
        var document = object.document
        var modules = document["modules"] ?? [:]
        modules[name] = kept
        document["modules"] = modules
        guard document.canonical != object.document else { return }
        try draft.update(object.id, document: document)
        if let parent = object.parent { try draft.touch(parent) }
    }
}
