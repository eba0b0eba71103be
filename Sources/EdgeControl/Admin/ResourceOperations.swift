import EdgeCore
import Shared

/// The public API's operations, made of the resources' lists, reads and edits.
public enum ResourceOperations {
    /// Every operation on the configuration's objects.
    public static func all(_ service: ConfigurationService) -> [Operation] {
        Resources.all.flatMap { resource in
            resource.lists(service.catalogue).map { operation($0, service) }
                + resource.reads(service.catalogue).map { operation($0, service) }
                + resource.edits(service.catalogue).map { operation($0, service) }
        }
    }

    static func edits(_ catalogue: Catalogue) -> PathTable<Edit> {
        PathTable(Resources.all.flatMap { $0.edits(catalogue) }.map { ($0.method, $0.path, $0) })
    }

    private static func operation(_ edit: Edit, _ service: ConfigurationService) -> Operation {
        Operation(edit.method, edit.path, role: .operator, edit.about) { call in
            try noQuery(call)
            let request = EditCall(
                parameters: call.parameters, body: call.body, baseURL: call.baseURL, ifMatch: call.ifMatch)
            let author = ConfigurationService.Author(
                principal: call.principal.name, origin: "socket", command: command(call))
            let outcome = try await service.perform(
                ConfigurationService.Write(author: author) { try edit.run(&$0, request) })
            let answer = outcome.result
            guard let document = answer.document else { return HandlerResponse(status: answer.status) }
            let tag = answer.object.flatMap { outcome.state[$0] }.map { etag($0.revision) } ?? []
            return .json(document, status: answer.status, fields: tag)
        }
    }

    private static func operation(_ read: ReadOperation, _ service: ConfigurationService) -> Operation {
        Operation("GET", read.path, role: .viewer, read.about) { call in
            try noQuery(call)
            let state = service.state
            let view = ConfigurationView(state: state, baseURL: call.baseURL)
            let (document, id) = try read.body(view, EditCall(parameters: call.parameters))
            return .json(document, fields: state[id].map { etag($0.revision) } ?? [])
        }
    }

    private static func operation(_ list: ListOperation, _ service: ConfigurationService) -> Operation {
        Operation("GET", list.path, role: .viewer, list.about) { call in
            let page = try ListPage(call, of: list, now: service.clock())
            let view = ConfigurationView(state: service.state, baseURL: call.baseURL)
            return .json(try await page.answer(list, view))
        }
    }

    private static func etag(_ revision: UInt64) -> [(name: String, value: String)] { [("etag", "\"\(revision)\"")] }

    private static func noQuery(_ call: OperationCall) throws(Fault) {
        guard let name = call.query.keys.sorted().first else { return }
        throw Fault(231, "The query parameter '\(name.prefix(64))' is not known.")
    }

    /// What the audit trail shows of a write that does not name its command.
    static func command(_ call: OperationCall) -> String {
        call.command ?? AdminAPI.sanitise("\(call.request.method) \(call.request.path)") ?? call.request.method
    }
}
