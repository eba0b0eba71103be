import EdgeCore
import Shared

/// Which part of a list a request wants, and the answer to it.
struct ListPage {
    static let maximum = 100
    /// For how long one request may look for objects that its filter wants, the turns of others not counted: on a busy
    /// machine it would otherwise be refused for work that it did not do.
    static let deadline = Duration.seconds(10)
    private let limit: Int
    private let scope: ListScope
    private let filter: Filter?
    /// What the next page's address repeats: everything that the client gave but `before_id`.
    private let repeated: String

    /// - Parameter now: what `time.now` means in a filter.
    /// - Throws: 400 for a parameter that has no valid value.
    init(_ call: OperationCall, of list: ListOperation, now: WallTime) throws {
        let choices = list.choices.map(\.name)
        let written = try call.single("limit")
        limit = try ListPage.limit(written)
        let before = try call.single("before_id") ?? ""
        guard before.isEmpty || Identity.prefix(of: before) != nil else {
            throw Fault(215, "The value provided for the request parameter 'before_id' is invalid.")
        }
        let expression = try call.single("filter") ?? ""
        filter = expression.isEmpty ? nil : try ListPage.filter(expression, on: list.item, now: now)
        var chosen: [String: [String]] = [:]
        for name in choices {
            let values = (call.query[name] ?? []).filter { !$0.isEmpty }
            guard values.count <= ListPage.maximum else {
                throw Fault(nil, "The query parameter \(name) may be given at most \(ListPage.maximum) times.")
            }
            if !values.isEmpty { chosen[name] = values }
        }
        scope = ListScope(before: before.isEmpty ? nil : before, choices: chosen)

        var repeated = written.map { [("limit", $0)] } ?? []
        if !expression.isEmpty { repeated.append(("filter", expression)) }
        for name in choices { repeated += (chosen[name] ?? []).map { (name, $0) } }
        self.repeated = repeated.map { "&\($0.0)=\(PercentEncoding.encode($0.1))" }.joined()
    }

    private static func limit(_ written: String?) throws(Fault) -> Int {
        guard let written else { return maximum }
        guard let limit = Int(written) else {
            throw Fault(244, "The value '\(written.prefix(32))' of the query parameter limit is not a number.")
        }
        guard (1...maximum).contains(limit) else {
            throw Fault(233, "The query parameter limit must be between 1 and \(maximum), but is \(limit).")
        }
        return limit
    }

    private static func filter(_ text: String, on item: Shape, now: WallTime) throws(APIErrorBody) -> Filter {
        do throws(Filter.Mistake) {
            return try Filter(text, on: item, now: now)
        } catch {
            throw APIErrorBody(
                errorCode: "invalid_cel_expression", statusCode: 400,
                message: "Invalid CEL query: \(error.reason) (at byte \(error.position)).",
                details: ["position": String(error.position)])
        }
    }

    /// The page. Without a filter it renders what it holds and nothing else. With one it goes on until it knows of one
    /// object more than it holds, or that there is none: so a page that is empty is always the last.
    /// - Throws: 503 when a filter finds too little in too long.
    func answer(_ list: ListOperation, _ view: ConfigurationView) async throws -> JSON {
        var documents: [JSON] = []
        var last = ""
        var next = JSON.null
        let uri = view.baseURL + list.path
        var turn = ContinuousClock.now
        var spent = Duration.zero
        var count = 0
        for element in list.elements(view, scope) {
            var document: JSON?
            if let filter {
                count += 1
                if count.isMultiple(of: 256) {
                    spent += ContinuousClock.now - turn
                    try await pause(spent)
                    turn = ContinuousClock.now
                }
                let rendered = element.document()
                guard filter.matches(rendered) else { continue }
                document = rendered
            }
            guard documents.count < limit else {
                next = .string("\(uri)?before_id=\(last)\(repeated)")
                break
            }
            documents.append(document ?? element.document())
            last = element.id
        }
        return [list.key: .array(documents), "uri": .string(uri), "next_page_uri": next]
    }

    /// Lets others have their turn.
    private func pause(_ spent: Duration) async throws {
        try Task.checkCancellation()
        guard spent < ListPage.deadline else {
            throw Fault(nil, "The filter took too long over too many objects. Ask for less at once.", status: 503)
        }
        await Task.yield()
    }
}
