import EdgeCore
import Shared

/// `POST /selvage/apply`: several writes of the public API in one transaction, all or none.
struct Apply: Sendable {
    static let maximumOperations = 10_000
    /// Bytes that its body may have; the import of a large configuration is one request.
    static let maximumBody = 32 << 20

    private let call: OperationCall
    private let service: ConfigurationService
    private let conditions: WriteConditions
    private let operations: [JSON]

    /// - Throws: 400 for a body of another form.
    init(_ call: OperationCall, _ service: ConfigurationService) throws {
        self.call = call
        self.service = service
        let fields = try Fields(call.body, known: WriteConditions.names + ["operations"])
        conditions = try WriteConditions(fields)
        guard let operations = fields["operations"]?.arrayValue else {
            throw Fields.wrongType("operations", "a list of operations")
        }
        guard operations.count <= Apply.maximumOperations else {
            throw Fault(nil, "One request may have at most \(Apply.maximumOperations) operations.")
        }
        self.operations = operations
    }

    func run() async throws -> HandlerResponse {
        conditions.isDryRun ? try rehearse() : try await carryOut()
    }

    /// Every operation, or in its place what is wrong with its form.
    private func steps() -> [Result<ApplyStep, any Error>] {
        let table = ResourceOperations.edits(service.catalogue)
        var known: Set<String> = []
        return operations.enumerated().map { index, operation in
            let step = Result {
                try ApplyStep(operation, index: index, known: known, table: table, call: call)
            }
            // Also a failed operation gives its name: what needs it follows from the failure.
            if let name = operation["as"]?.stringValue { known.insert(name) }
            return step
        }
    }

    // MARK: All or nothing

    /// Made once per attempt, so that a guard is planned for what the attempt really does.
    private final class Done: Sendable {
        let results: [ApplyAnswer.Result]
        /// As they are kept for the same request again.
        let kept: [ApplyAnswer.Result]
        let plan: GuardPlan?

        init(results: [ApplyAnswer.Result], kept: [ApplyAnswer.Result], plan: GuardPlan?) {
            self.results = results
            self.kept = kept
            self.plan = plan
        }
    }

    private func carryOut() async throws -> HandlerResponse {
        var steps: [ApplyStep] = []
        for (index, step) in self.steps().enumerated() {
            do { steps.append(try step.get()) } catch { throw located(error, index) }
        }
        let write = write(steps)
        return try await service.alone {
            if let earlier = try await conditions.earlierAnswer(call, service, as: SelvageShapes.applied) {
                return earlier
            }
            let outcome = try await service.performAlone(write)
            let revision = outcome.state.revision
            var answer = ApplyAnswer(revision: revision, results: outcome.result.results, guard: nil)
            if let plan = outcome.result.plan, outcome.audit != nil {
                answer.guard = await service.guardStarting?.startGuard(plan)
                let again = ApplyAnswer(revision: revision, results: outcome.result.kept, guard: answer.guard)
                if let final = try conditions.stored(again, call, service) { try await service.store.keep(final) }
            }
            return try .json(encoding: answer, as: SelvageShapes.applied)
        }
    }

    private func write(_ steps: [ApplyStep]) -> ConfigurationService.Write<Done> {
        let author = ConfigurationService.Author(
            principal: call.principal.name, origin: call.principal.origin, command: command,
            role: call.principal.role)
        return ConfigurationService.Write(author: author) { draft in
            try conditions.check(draft.base)
            var results: [ApplyAnswer.Result] = []
            var kept: [ApplyAnswer.Result] = []
            var made: ApplyStep.Made = [:]
            for step in steps {
                do {
                    let (answer, document) = try step.run(&draft, &made)
                    results.append(.init(status: answer.status, body: answer.documentWithSecrets))
                    kept.append(.init(status: answer.status, body: document))
                } catch {
                    throw located(error, step.index)
                }
            }
            let plan = try conditions.plan(draft, command: command, by: call.principal, service)
            return Done(results: results, kept: kept, plan: plan)
        } complete: { transaction, done in
            transaction.guardPlan = done.plan
            let again = ApplyAnswer(revision: transaction.revision, results: done.kept, guard: nil)
            transaction.answer = try conditions.stored(again, call, service)
        }
    }

    private var command: String {
        if let written = conditions.command ?? call.command { return written }
        // The trail shows the first of them; the record's changes tell the rest.
        let list = operations.prefix(50).map { operation in
            let line = ApplyStep.line(operation)
            return "\(line.method) \(line.path)"
        }
        return AdminAPI.sanitise(list.joined(separator: "; ")) ?? "apply"
    }

    /// An error with its place in the request.
    private func located(_ error: any Error, _ index: Int) -> any Error {
        guard error is EdgeCore.Fault || error is APIErrorBody else { return error }
        var body = ApplyRehearsal.body(error)
        let line = ApplyStep.line(operations[index])
        let place = [
            "operation": String(index), "operation_path": "\(line.method) \(line.path)",
            "operation_id": Identity.make("op", time: service.clock()),
        ]
        body.details.merge(place) { old, _ in old }
        return body
    }

    // MARK: Only asked

    private func rehearse() throws -> HandlerResponse {
        let steps = steps()
        let (judged, draft, unserved) = try service.rehearse(call.principal.name) { draft in
            var rehearsal = ApplyRehearsal()
            do { try conditions.check(draft.base) } catch { rehearsal.note(error) }
            for (index, step) in steps.enumerated() {
                switch step {
                case .success(let step): rehearsal.judge(step, &draft)
                case .failure(let error):
                    let operation = operations[index]
                    rehearsal.refuse(
                        index, ApplyStep.line(operation), name: operation["as"]?.stringValue, error)
                }
            }
            do {
                try draft.check()
                _ = try conditions.plan(draft, command: command, by: call.principal, service)
            } catch {
                rehearsal.note(error)
            }
            return rehearsal
        }
        var rehearsal = judged
        for (object, fault) in unserved { rehearsal.note(fault, object: object) }
        let shown = ShownChanges(draft.changes, from: draft.base, to: draft.state, within: .answer)
        return try .json(
            encoding: ApplyAnswer(
                revision: draft.base.revision, results: rehearsal.results, guard: nil, dryRun: true,
                faults: rehearsal.faults, changes: shown.changes, omitted: shown.omitted), as: SelvageShapes.applied)
    }
}
