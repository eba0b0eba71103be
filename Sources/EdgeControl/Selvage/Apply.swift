import Crypto
import EdgeCore
import Shared

/// `POST /selvage/apply`: several writes of the public API in one transaction, all or none.
struct Apply: Sendable {
    static let maximumOperations = 500
    /// Seconds for which the same idempotency id answers the same.
    static let memory: Int64 = 600

    private let call: OperationCall
    private let service: ConfigurationService
    private let request: ApplyRequest
    private let steps: [(edit: Edit, call: EditCall)]

    /// - Throws: 400 for a body of another shape, 404 for a path without a write operation.
    init(_ call: OperationCall, _ service: ConfigurationService) throws {
        self.call = call
        self.service = service
        let fields = try Fields(call.body, known: ["command", "operations", "guard", "idempotency_id"])
        // A name that is not known may be a misspelt condition: leaving it out would write without it.
        for operation in fields["operations"]?.arrayValue ?? [] {
            _ = try Fields(operation, known: ["method", "path", "body", "if_match"])
        }
        if let wanted = fields["guard"] {
            _ = try Fields(wanted, known: ["seconds", "session", "max_error_rate", "max_p95", "min_samples"])
        }
        do {
            request = try WireJSON.decode(ApplyRequest.self, from: call.body ?? .object([:]))
        } catch {
            throw Fault(213, "The application/json request body could not be parsed: it is no apply request.")
        }
        guard request.operations.count <= Apply.maximumOperations else {
            throw Fault(nil, "One request may have at most \(Apply.maximumOperations) operations.")
        }
        if let id = request.idempotencyID, !(1...64).contains(id.unicodeScalars.count) {
            throw Fault(nil, "An idempotency_id has between 1 and 64 characters.")
        }
        let table = ResourceOperations.edits(service.catalogue)
        steps = try request.operations.enumerated().map { index, operation in
            guard let (edit, parameters) = table.find(method: operation.method, path: operation.path) else {
                throw APIErrorBody(
                    errorCode: nil, statusCode: 404, message: "Not Found",
                    details: ["path": String(operation.path.prefix(1024)), "operation": String(index)])
            }
            let body = operation.method == "DELETE" ? nil : operation.body
            let edited = EditCall(
                parameters: parameters, body: body, baseURL: call.baseURL, ifMatch: operation.ifMatch)
            return (edit, edited)
        }
    }

    func run() async throws -> HandlerResponse {
        try await service.alone {
            if let earlier = try await earlierAnswer() { return earlier }
            let outcome = try await service.performAlone(write)
            var answer = answer(outcome.result, revision: outcome.state.revision)
            if let plan = outcome.result.plan, outcome.audit != nil {
                answer.guard = await service.guardStarting?.startGuard(plan)
                if let final = try storedAnswer(answer) { try await service.store.keep(final) }
            }
            return try .json(encoding: answer)
        }
    }

    // MARK: The transaction

    /// Made once per attempt, so that a guard is planned for what the attempt really does.
    private final class Result: Sendable {
        let answers: [EditAnswer]
        let plan: GuardPlan?

        init(answers: [EditAnswer], plan: GuardPlan?) {
            self.answers = answers
            self.plan = plan
        }
    }

    private var command: String {
        if let written = (request.command ?? call.command).flatMap(AdminAPI.sanitise) { return written }
        let list = request.operations.map { "\($0.method) \($0.path)" }.joined(separator: "; ")
        return AdminAPI.sanitise(list) ?? "apply"
    }

    private var write: ConfigurationService.Write<Result> {
        let author = ConfigurationService.Author(
            principal: call.principal.name, origin: "socket", command: command)
        return ConfigurationService.Write(author: author) { draft in
            var answers: [EditAnswer] = []
            for (index, step) in steps.enumerated() {
                do {
                    answers.append(try step.edit.run(&draft, step.call))
                } catch let fault as Fault {
                    throw APIErrorBody(fault, details: details(index))
                } catch var error as APIErrorBody {
                    error.details.merge(details(index)) { old, _ in old }
                    throw error
                }
            }
            return Result(answers: answers, plan: try plan(draft))
        } complete: { transaction, result in
            transaction.guardPlan = result.plan
            transaction.answer = try storedAnswer(answer(result, revision: transaction.revision))
        }
    }

    /// Where in the request an error is.
    private func details(_ index: Int) -> [String: String] {
        let operation = request.operations[index]
        return [
            "operation": String(index), "operation_path": String("\(operation.method) \(operation.path)".prefix(1024)),
            "operation_id": Identity.make("op", time: service.clock()),
        ]
    }

    private func plan(_ draft: ConfigurationDraft) throws(Fault) -> GuardPlan? {
        guard let wanted = request.guard else { return nil }
        guard let guards = service.guardStarting else {
            throw Fault(nil, "Guards are not available on this server.", status: 503)
        }
        let old = ConfigurationView(state: draft.base, baseURL: "", nestsRoutes: false)
        let new = ConfigurationView(state: draft.state, baseURL: "", nestsRoutes: false)
        let changes = draft.changes.filter(\.isSubstantial).map { change in
            AuditRecord.Change(
                kind: change.kind?.rawValue ?? "", id: change.id, before: change.before.map(old.document),
                after: change.after.map(new.document))
        }
        return try guards.planGuard(wanted, command: command, principal: call.principal.name, changes: changes)
    }

    private func answer(_ result: Result, revision: UInt64) -> ApplyAnswer {
        ApplyAnswer(
            revision: revision, results: result.answers.map { .init(status: $0.status, body: $0.document) }, guard: nil)
    }

    // MARK: The same request again

    private var key: String? { request.idempotencyID.map { "\(call.principal.uid)/\($0)" } }
    /// A hash, as a request may hold a private key.
    private var question: String {
        SHA256.hash(data: (call.body ?? .null).bytes).map { String($0, radix: 16) }.joined(separator: ".")
    }

    private func storedAnswer(_ answer: ApplyAnswer) throws -> StoredAnswer? {
        guard let key else { return nil }
        let body = String(decoding: try WireJSON.encode(answer), as: UTF8.self)
        return StoredAnswer(
            key: key, request: question, body: body, expires: service.clock().seconds + Apply.memory)
    }

    private func earlierAnswer() async throws -> HandlerResponse? {
        guard let key, let earlier = try await service.store.answer(key, now: service.clock()) else { return nil }
        guard earlier.request == question else {
            throw Fault(nil, "This idempotency_id belongs to another request of the last ten minutes.", status: 409)
        }
        return HandlerResponse(
            status: 200, fields: [("content-type", "application/json")], body: .bytes(Array(earlier.body.utf8)))
    }
}
