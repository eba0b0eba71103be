import EdgeCore
import Shared

/// `POST /selvage/revert`: the configuration as it was at an earlier revision, as a new revision; or one object of it,
/// with its parts. Checked like every write.
struct Revert: Sendable {
    private let call: OperationCall
    private let service: ConfigurationService
    private let conditions: WriteConditions
    private let revision: UInt64
    private let object: String?

    /// - Throws: 400 for a body of another form.
    init(_ call: OperationCall, _ service: ConfigurationService) throws {
        self.call = call
        self.service = service
        let fields = try Fields(call.body, known: WriteConditions.names + ["revision", "id"])
        conditions = try WriteConditions(fields)
        guard let revision = fields["revision"]?.intValue, revision >= 0 else {
            throw Fields.wrongType("revision", "a revision")
        }
        self.revision = UInt64(revision)
        object = try fields.string("id")
    }

    func run() async throws -> HandlerResponse {
        if conditions.isDryRun {
            let wanted = try await wanted()
            return try rehearse(wanted)
        }
        return try await service.alone {
            if let earlier = try await conditions.earlierAnswer(call, service, as: SelvageShapes.reverted) {
                return earlier
            }
            let outcome = try await service.performAlone(write(try await wanted()))
            var answer = answer(outcome.result.shown, revision: outcome.state.revision)
            if let plan = outcome.result.plan, outcome.audit != nil {
                answer.guard = await service.guardStarting?.startGuard(plan)
                if let final = try conditions.stored(answer, call, service) { try await service.store.keep(final) }
            }
            return try .json(encoding: answer, as: SelvageShapes.reverted)
        }
    }

    private struct Done: Sendable {
        var shown: ShownChanges
        var plan: GuardPlan?
    }

    private var command: String {
        conditions.command ?? call.command ?? ["revert \(revision)", object].compactMap(\.self).joined(separator: " ")
    }

    /// Objects as they were then, and as they are now.
    private struct Wanted: Sendable {
        var changes: [ObjectChange]
        /// The revision that `changes` end with.
        var current: UInt64
    }

    private func wanted() async throws -> Wanted {
        let state = service.state
        try await Revisions(service: service).check(revision, state)
        let range = RevisionRange(after: revision, through: state.revision, object: object)
        let changes = try await service.store.changes(range, after: nil, limit: nil)
        if let object, state[object] == nil, !changes.contains(where: { $0.id == object }) {
            throw APIErrorBody.notFound
        }
        return Wanted(changes: changes.filter(mayChange), current: state.revision)
    }

    /// Keys and other objects that only an administrator may write stay as they are: what was revoked stays revoked.
    private func mayChange(_ change: ObjectChange) -> Bool {
        change.kind.map { Resources.of($0).access.write < .admin } ?? true
    }

    private var author: ConfigurationService.Author {
        ConfigurationService.Author(
            principal: call.principal.name, origin: "revert", command: command, role: call.principal.role)
    }

    private func apply(_ wanted: Wanted, _ draft: inout ConfigurationDraft) throws {
        guard draft.base.revision == wanted.current else {
            throw Fault(nil, "The configuration is being changed by another server. Try again.", status: 503)
        }
        try draft.revert(wanted.changes.filter { !Revert.isDone($0, in: draft.state) })
        try draft.check()
    }

    private static func isDone(_ change: ObjectChange, in state: ConfigurationState) -> Bool {
        switch (change.before, state[change.id]) {
        case (nil, nil): true
        case (let before?, let current?): before.hasSameContent(as: current)
        default: false
        }
    }

    private func write(_ wanted: Wanted) -> ConfigurationService.Write<Done> {
        return ConfigurationService.Write(author: author) { draft in
            try conditions.check(draft.base)
            try apply(wanted, &draft)
            let plan = try conditions.plan(draft, command: command, by: call.principal, service)
            let shown = ShownChanges(draft.changes, from: draft.base, to: draft.state, within: .answer)
            return Done(shown: shown, plan: plan)
        } complete: { transaction, done in
            transaction.guardPlan = done.plan
            let answer = answer(done.shown, revision: transaction.revision)
            transaction.answer = try conditions.stored(answer, call, service)
        }
    }

    private func rehearse(_ wanted: Wanted) throws -> HandlerResponse {
        let (faults, draft, unserved) = try service.rehearse(call.principal.name) { draft in
            var faults: [any Error] = []
            do { try conditions.check(draft.base) } catch { faults.append(error) }
            do {
                try draft.attempt { draft in
                    try apply(wanted, &draft)
                    try author.checkRole(draft.changes)
                }
                _ = try conditions.plan(draft, command: command, by: call.principal, service)
            } catch {
                faults.append(error)
            }
            return faults
        }
        let shown = ShownChanges(draft.changes, from: draft.base, to: draft.state, within: .answer)
        var answer = answer(shown, revision: draft.base.revision)
        answer.dryRun = true
        var rehearsal = ApplyRehearsal()
        for fault in faults { rehearsal.note(fault) }
        for (object, fault) in unserved { rehearsal.note(fault, object: object) }
        answer.faults = rehearsal.faults
        return try .json(encoding: answer, as: SelvageShapes.reverted)
    }

    private func answer(_ shown: ShownChanges, revision: UInt64) -> RevertAnswer {
        RevertAnswer(
            revision: revision, dryRun: false, changes: shown.changes, omitted: shown.omitted, faults: [], guard: nil)
    }
}
