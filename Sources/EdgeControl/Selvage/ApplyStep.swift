import EdgeCore
import Shared

/// One operation of an apply: what it says, and the write of the public API that it means.
struct ApplyStep: Sendable {
    let index: Int
    let method: String
    let path: String
    /// What later operations call the object that this one makes.
    let name: String?
    private let edit: Edit
    private let call: EditCall
    private let references: [Placeholders.Reference]

    /// Objects that earlier operations have made, by name.
    typealias Made = [String: String]

    private static let members: Set<String> = ["method", "path", "body", "if_match", "as"]

    /// What can be said of an operation whatever is wrong with it.
    static func line(_ operation: JSON) -> (method: String, path: String) {
        (
            String((operation["method"]?.stringValue ?? "").prefix(32)),
            String((operation["path"]?.stringValue ?? "").prefix(1024))
        )
    }

    /// - Parameter known: names that earlier operations give.
    /// - Throws: 400 for another form or a name that nobody gives, 404 for a path without a write operation, 403 for
    ///   one that the caller may not use.
    init(
        _ operation: JSON, index: Int, known: Set<String>, table: PathTable<Edit>, call: OperationCall
    ) throws {
        self.index = index
        guard let members = operation.objectValue else { throw Fields.wrongType("operations", "a list of objects") }
        // A name that is not known may be a misspelt condition: leaving it out would write without it.
        if let unknown = members.keys.sorted().first(where: { !ApplyStep.members.contains($0) }) {
            throw Fault(214, "The request body has the unknown field '\(unknown.prefix(64))'.")
        }
        let text = { (name: String) throws(Fault) -> String? in
            guard let value = members[name], !value.isNull else { return nil }
            guard let text = value.stringValue else { throw Fields.wrongType(name, "a string") }
            return text
        }
        method = try text("method") ?? ""
        path = try text("path") ?? ""
        guard let (edit, parameters) = table.find(method: method, path: path) else {
            throw APIErrorBody(
                errorCode: nil, statusCode: 404, message: "Not Found", details: ["path": String(path.prefix(1024))])
        }
        guard call.principal.role >= edit.role else {
            let message = "\(call.principal.name) is \(call.principal.role.rawValue); this needs \(edit.role.rawValue)."
            throw Fault(nil, message, status: 403)
        }
        self.edit = edit
        let body = method == "DELETE" ? nil : members["body"]
        self.call = EditCall(
            parameters: parameters, body: body, baseURL: call.baseURL, ifMatch: try text("if_match"),
            principal: call.principal)
        name = try text("as")
        if let name {
            guard Placeholders.isName(name) else {
                throw Fault(nil, "'as' must be a letter and up to 63 letters, digits, '_' or '-'.")
            }
            guard method == "POST" else { throw Fault(nil, "Only an operation that makes an object may have 'as'.") }
            guard !known.contains(name) else { throw Fault(nil, "Two operations are called '\(name)'.") }
        }
        var references = try body.map(Placeholders.references) ?? []
        for value in parameters.values { if let found = try Placeholders.reference(value) { references.append(found) } }
        if let missing = references.first(where: { !known.contains($0.name) }) {
            throw Fault(nil, "No earlier operation is called '\(missing.name)'.")
        }
        self.references = references
    }

    /// The names that this operation needs.
    var needs: [String] { references.map(\.name) }

    /// - Returns: the answer, and as what it is kept for the same request again: without what is shown only once.
    func run(_ draft: inout ConfigurationDraft, _ made: inout Made) throws -> (answer: EditAnswer, kept: JSON?) {
        let answer = try edit.run(&draft, try filled(draft, made))
        if let name, let object = answer.object { made[name] = object }
        guard answer.status == 201, let object = answer.object else { return (answer, answer.document) }
        return (answer, ConfigurationView(state: draft.state, baseURL: call.baseURL).document(id: object))
    }

    private func filled(_ draft: ConfigurationDraft, _ made: Made) throws -> EditCall {
        let view = ConfigurationView(state: draft.state, baseURL: call.baseURL)
        var filled = call
        if let body = call.body {
            filled.body = try Placeholders.substitute(body) { try ApplyStep.value(of: $0, made, view) }
        }
        var parameters: [String: String] = [:]
        for (name, text) in call.parameters {
            parameters[name] = try Placeholders.substitute(text: text) { try ApplyStep.value(of: $0, made, view) }
        }
        filled.parameters = parameters
        return filled
    }

    private static func value(
        of reference: Placeholders.Reference, _ made: Made, _ view: ConfigurationView
    ) throws(Fault) -> JSON {
        guard let id = made[reference.name] else {
            throw Fault(nil, "No object was made under the name '\(reference.name)'.")
        }
        guard let field = reference.field else { return .string(id) }
        let value = view.document(id: id)?[field]
        guard let value, !value.isNull, value.arrayValue == nil, value.objectValue == nil else {
            throw Fault(nil, "The object '\(reference.name)' has no field '\(field)' with one value.")
        }
        return value
    }

    // MARK: Blame

    /// What others could have needed of this operation: identifiers in its path, and names that its body gives.
    var words: [String] {
        let names = ["domain", "name", "addr"].compactMap { call.body?[$0]?.stringValue }
        return call.parameters.values + names.map { $0.lowercased() }
    }

    func isAbout(_ word: String) -> Bool { call.parameters.values.contains(word) }
}
