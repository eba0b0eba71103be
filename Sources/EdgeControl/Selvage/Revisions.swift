import EdgeCore
import Shared

/// Reads earlier revisions of the configuration. What is shown is what a `GET` would have answered: never a secret.
struct Revisions: Sendable {
    static let maximumPage = 1000
    let service: ConfigurationService
    /// Who asks: objects that they may not read are not shown.
    var role = Role.viewer

    // MARK: What there is

    func list(limit: Int, before: UInt64?) async throws -> RevisionPage {
        // Asked first: a revision that is dropped meanwhile is then shown as kept, and refused when it is asked for.
        let oldest = try await service.store.oldestRevision()
        let records = try await service.store.revisionRecords(limit: limit + 1, before: before)
        let page = records.prefix(limit).map { record in
            RevisionListing(
                revision: record.revision, at: record.at, principal: record.principal, origin: record.origin,
                command: record.command, auditID: record.audit, objects: record.objects,
                isKept: record.revision >= oldest)
        }
        return RevisionPage(
            current: service.revision, oldest: oldest, revisions: page,
            nextBefore: records.count > limit ? page.last?.revision : nil)
    }

    /// - Throws: 404 for an object that never was, or is longer gone than history is kept.
    func history(of id: String, limit: Int, before: UInt64?) async throws -> ObjectHistory {
        let revisions = try await service.store.history(of: id, limit: limit + 1, before: before)
        let state = service.state
        let view = ConfigurationView(state: state, baseURL: "", nestsRoutes: false)
        guard let kind = state[id]?.kind ?? revisions.first?.change.kind, mayRead(kind) else {
            throw APIErrorBody.notFound
        }
        let page = revisions.prefix(limit).map { revision in
            ObjectRevisionListing(
                revision: revision.record.revision, at: revision.record.at, principal: revision.record.principal,
                origin: revision.record.origin, command: revision.record.command, auditID: revision.record.audit,
                change: Revisions.kind(of: revision.change), document: revision.change.after.map(view.document))
        }
        return ObjectHistory(
            kind: kind.rawValue, id: id, exists: state[id] != nil, history: page,
            nextBefore: revisions.count > limit ? page.last?.revision : nil)
    }

    private func mayRead(_ kind: ObjectKind) -> Bool { Resources.of(kind).access.read <= role }

    private static func kind(of change: ObjectChange) -> ObjectChangeKind {
        change.before == nil ? .added : change.after == nil ? .removed : .changed
    }

    // MARK: What is different

    func difference(from: UInt64, to: UInt64, limit: Int, after: String?) async throws -> ConfigurationDiff {
        let state = service.state
        try await check(from, state)
        try await check(to, state)
        let range = RevisionRange(after: min(from, to), through: max(from, to))
        var changes = try await service.store.changes(range, after: after, limit: limit + 1)
        let next = changes.count > limit ? changes[limit - 1].id : nil
        changes = Array(changes.prefix(limit))
        if from > to { changes = changes.map { ObjectChange(before: $0.after, after: $0.before) } }
        let view = ConfigurationView(state: state, baseURL: "", nestsRoutes: false)
        return ConfigurationDiff(
            from: from, to: to,
            objects: changes.filter { $0.kind.map(mayRead) ?? false }.compactMap { Revisions.difference($0, view) },
            nextAfter: next)
    }

    /// `nil` for an object that is the same in both, or is in neither.
    private static func difference(_ change: ObjectChange, _ view: ConfigurationView) -> ObjectDifference? {
        guard change.before != nil || change.after != nil, change.isSubstantial else { return nil }
        let before = change.before.map(view.document)
        let after = change.after.map(view.document)
        let isChanged = before != nil && after != nil
        return ObjectDifference(
            kind: change.kind?.rawValue ?? "", id: change.id, change: kind(of: change), before: before, after: after,
            fields: isChanged ? FieldDifferences.between(before ?? .null, after ?? .null) : [],
            isSecretChanged: isChanged && change.before?.secret != change.after?.secret)
    }

    /// - Throws: 404 for a revision that is yet to come, 410 for one that is not kept any more.
    func check(_ revision: UInt64, _ state: ConfigurationState) async throws {
        guard revision <= state.revision else {
            throw Fault(nil, "There is no revision \(revision): the latest is \(state.revision).", status: 404)
        }
        let oldest = try await service.store.oldestRevision()
        guard revision >= oldest else {
            throw Fault(
                nil, "The configuration at revision \(revision) is not kept any more: the oldest is \(oldest).",
                status: 410)
        }
    }
}
