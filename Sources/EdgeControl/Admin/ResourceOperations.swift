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
            let page = try ListPage(call, takesFilter: list.takesFilter)
            let view = ConfigurationView(state: service.state, baseURL: call.baseURL)
            let (ids, next) = page.select(list, in: view.state)
            let uri = call.baseURL + list.path
            return .json([
                list.key: .array(ids.compactMap { view.document(id: $0) }),
                "uri": .string(uri),
                "next_page_uri": next.map { .string(uri + "?" + $0) } ?? .null,
            ])
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

extension ListOperation {
    fileprivate var about: OperationDescription {
        var query = [
            Shape.Field("before_id", .text, "what is older than this object"),
            Shape.Field("limit", .integer(1...Int64(ListPage.maximum)), "objects in a page"),
        ]
        if takesFilter { query.append(Shape.Field("filter", .text, "a CEL expression on `obj`")) }
        let page = Shape(
            item.name + "List",
            [
                Shape.Field(key, .list(.object(item))), Shape.Field("uri", .text),
                Shape.Field("next_page_uri", .nullable(.text)),
            ])
        return OperationDescription("Lists objects, newest first.", query: query, gives: .object(page))
    }
}

/// Which part of a list a request wants.
struct ListPage {
    static let maximum = 100
    private let limit: Int
    /// Whether the client named the limit: then the next page's address does so too.
    private let isLimitGiven: Bool
    private let before: String?

    init(_ call: OperationCall, takesFilter: Bool) throws {
        let known = takesFilter ? ["before_id", "limit", "filter"] : ["before_id", "limit"]
        if let name = call.query.keys.sorted().first(where: { !known.contains($0) }) {
            throw Fault(231, "The query parameter '\(name.prefix(64))' is not known.")
        }
        let written = try call.single("limit") ?? ""
        isLimitGiven = !written.isEmpty
        guard let limit = written.isEmpty ? ListPage.maximum : Int(written) else {
            throw Fault(244, "The value '\(written.prefix(32))' of the query parameter limit is not a number.")
        }
        guard (1...ListPage.maximum).contains(limit) else {
            throw Fault(233, "The query parameter limit must be between 1 and \(ListPage.maximum), but is \(limit).")
        }
        self.limit = limit
        let before = try call.single("before_id") ?? ""
        guard before.isEmpty || Identity.prefix(of: before) != nil else {
            throw Fault(215, "The value provided for the request parameter 'before_id' is invalid.")
        }
        self.before = before.isEmpty ? nil : before
        if let filter = try call.single("filter"), !filter.isEmpty {
            throw APIErrorBody(
                errorCode: "invalid_cel_expression", statusCode: 400,
                message: "Filters are not available in this version of the server.")
        }
    }

    /// Identifiers of the page, newest first, and the query of the next page when there is one.
    func select(_ list: ListOperation, in state: ConfigurationState) -> (ids: [String], next: String?) {
        let position = before.flatMap { state.position(of: $0) }
        var ids: [String] = []
        for id in state.ids(list.kind).reversed() {
            guard let object = state[id], list.includes(object) else { continue }
            if let position {
                guard object.position < position else { continue }
            } else if let before {
                // The object is long gone: its identifier still tells the second in which it was made.
                guard id < before else { continue }
            }
            guard ids.count < limit else {
                let last = ids.last ?? ""
                return (ids, "before_id=\(last)" + (isLimitGiven ? "&limit=\(limit)" : ""))
            }
            ids.append(id)
        }
        return (ids, nil)
    }
}
