import EdgeCore
import Shared

/// The public API's operations, made of the resources' lists, reads and edits.
public enum ResourceOperations {
    /// Every operation on the configuration's objects, and on what agents have here.
    public static func all(_ service: ConfigurationService) -> [Operation] {
        let stored = Resources.all.flatMap { resource in
            let access = resource.access
            return resource.lists(service.catalogue).map { operation($0, service, role: access.read) }
                + resource.reads(service.catalogue).map { operation($0, service, role: access.read) }
                + resource.edits(service.catalogue).map { operation($0, service, role: access.write) }
        }
        let tunnels = TunnelOperations(service.catalogue.tunnels)
        return stored + tunnels.lists.map { operation($0, service, role: .viewer) }
            + tunnels.reads.map { operation($0, service, role: .viewer) } + tunnels.requests
    }

    static func edits(_ catalogue: Catalogue) -> PathTable<Edit> {
        let edits = Resources.all.flatMap { resource in
            resource.edits(catalogue).map { edit in
                var edit = edit
                edit.role = resource.access.write
                return edit
            }
        }
        return PathTable(edits.map { ($0.method, $0.path, $0) })
    }

    private static func operation(_ edit: Edit, _ service: ConfigurationService, role: Role) -> Operation {
        Operation(edit.method, edit.path, role: role, edit.about) { call in
            let request = EditCall(
                parameters: call.parameters, body: call.body, baseURL: call.baseURL, ifMatch: call.ifMatch,
                principal: call.principal)
            let author = ConfigurationService.Author(
                principal: call.principal.name, origin: call.principal.origin, command: command(call),
                role: call.principal.role)
            let outcome = try await service.perform(
                ConfigurationService.Write(author: author) { try edit.run(&$0, request) })
            let answer = outcome.result
            guard let document = answer.documentWithSecrets else { return HandlerResponse(status: answer.status) }
            let tag = answer.object.flatMap { outcome.state[$0] }.map { etag($0.revision) } ?? []
            return .json(document, status: answer.status, fields: tag)
        }
    }

    private static func operation(
        _ read: ReadOperation, _ service: ConfigurationService, role: Role
    ) -> Operation {
        Operation("GET", read.path, role: role, read.about) { call in
            let state = service.state
            let view = ConfigurationView(
                state: state, baseURL: call.baseURL, hidesSecrets: call.principal.role == .viewer)
            let (document, id) = try read.body(view, EditCall(parameters: call.parameters))
            return .json(document, fields: state[id].map { etag($0.revision) } ?? [])
        }
    }

    private static func operation(
        _ list: ListOperation, _ service: ConfigurationService, role: Role
    ) -> Operation {
        Operation("GET", list.path, role: role, list.about) { call in
            let page = try ListPage(call, of: list, now: service.clock())
            let view = ConfigurationView(
                state: service.state, baseURL: call.baseURL, hidesSecrets: call.principal.role == .viewer)
            return .json(try await page.answer(list, view))
        }
    }

    private static func etag(_ revision: UInt64) -> [(name: String, value: String)] { [("etag", "\"\(revision)\"")] }

    /// What the audit trail shows of a write that does not name its command.
    static func command(_ call: OperationCall) -> String {
        call.command ?? AdminAPI.sanitise("\(call.request.method) \(call.request.path)") ?? call.request.method
    }
}
