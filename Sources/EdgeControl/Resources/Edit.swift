import EdgeCore
import Shared

/// One request to write, as the pure part of a write sees it.
struct EditCall: Sendable {
    var parameters: [String: String] = [:]
    var body: JSON?
    var baseURL = "http://selvage"
    /// The revision that the writer saw, or `*`.
    var ifMatch: String?
    /// Who writes; `nil` for the server itself.
    var principal: Principal?

    func parameter(_ name: String) -> String { parameters[name] ?? "" }
}

/// What a write answers when its transaction was committed.
struct EditAnswer: Sendable {
    var status: Int
    var document: JSON?
    /// The object whose revision is the answer's `ETag`.
    var object: String?
    /// Fields that only this one answer shows, in place of what the document has: fresh secrets. Kept nowhere.
    var secrets: [String: JSON] = [:]

    /// What the writer is answered.
    var documentWithSecrets: JSON? {
        guard !secrets.isEmpty, let members = document?.objectValue else { return document }
        return .object(members.merging(secrets) { _, secret in secret })
    }

    static func none() -> EditAnswer { EditAnswer(status: 204) }

    /// The object as it is now.
    static func object(_ id: String, status: Int = 200, _ draft: ConfigurationDraft, _ call: EditCall) -> EditAnswer {
        let view = ConfigurationView(state: draft.state, baseURL: call.baseURL)
        return EditAnswer(status: status, document: view.document(id: id), object: id)
    }
}

/// One write operation: a function from a draft and a request to the draft after it and an answer.
///
/// A request alone and one of many in an apply run the same function.
struct Edit: Sendable {
    typealias Body = @Sendable (inout ConfigurationDraft, EditCall) throws -> EditAnswer

    let method: String
    let path: String
    let about: OperationDescription
    /// The lowest role that may do it: its resource's.
    var role = Role.operator
    private let body: Body

    init(_ method: String, _ path: String, _ about: OperationDescription, body: @escaping Body) {
        self.method = method
        self.path = path
        self.about = about
        self.body = body
    }

    /// The usual deletion: the object `{id}` of one kind, with what belongs to it.
    static func deletion(_ path: String, _ kind: ObjectKind, _ summary: String) -> Edit {
        Edit("DELETE", path, .delete(summary)) { draft, call in
            draft.remove(try draft.require(kind, call.parameter("id"), call).id)
            return .none()
        }
    }

    /// Runs the write and checks what it left against the whole configuration.
    /// - Throws: `Fault` or `APIErrorBody`; the draft is then to be thrown away.
    func run(_ draft: inout ConfigurationDraft, _ call: EditCall) throws -> EditAnswer {
        // RFC 9110, 13.1.1: nothing matches what does not exist yet, nor does `*`.
        if method == "POST", let ifMatch = call.ifMatch {
            throw APIErrorBody(
                errorCode: nil, statusCode: 412,
                message: "If-Match '\(ifMatch.prefix(64))' cannot be met: the object is yet to be made.")
        }
        let answer = try body(&draft, call)
        try draft.check()
        return answer
    }
}

extension ConfigurationDraft {
    /// The object that a write is about.
    /// - Throws: 404 when there is none of that kind, 412 when the writer saw another revision.
    func require(_ kind: ObjectKind, _ id: String, _ call: EditCall) throws -> ConfigurationObject {
        guard let object = state[id], object.kind == kind else { throw APIErrorBody.notFound }
        try checkMatch(object, call)
        return object
    }

    /// RFC 9110, 13.1.1. The revision compared is that before the transaction, which is what the writer can have seen.
    func checkMatch(_ object: ConfigurationObject, _ call: EditCall) throws(APIErrorBody) {
        guard let ifMatch = call.ifMatch else { return }
        let current = base[object.id]?.revision ?? object.revision
        let tags = ifMatch.split(separator: ",").map { $0.trimmingSpaces }
        let matches = tags.contains { tag in
            tag == "*" || tag == "\"\(current)\"" || tag == String(current)
        }
        guard !matches else { return }
        throw APIErrorBody(
            errorCode: nil, statusCode: 412,
            message: "\(object.id) was changed by \(object.changedBy) at \(object.changedAt): it is at revision "
                + "\(current), not \(ifMatch.prefix(64)).",
            details: ["id": object.id, "revision": String(current), "changed_by": object.changedBy])
    }
}

/// A read of one object, or of a part of it.
struct ReadOperation: Sendable {
    let path: String
    let about: OperationDescription
    /// The answer, and the object whose revision is its `ETag`; throws 404.
    let body: @Sendable (ConfigurationView, EditCall) throws -> (document: JSON, object: String)

    /// The usual read: the object `{id}` of one kind.
    static func object(_ path: String, _ kind: ObjectKind, gives answer: Shape) -> ReadOperation {
        ReadOperation(path: path, about: .read("Reads one object.", gives: answer)) { view, call in
            guard let object = view.state[call.parameter("id")], object.kind == kind else {
                throw APIErrorBody.notFound
            }
            return (view.document(object), object.id)
        }
    }
}
