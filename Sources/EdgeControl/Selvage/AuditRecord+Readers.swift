import EdgeCore
import Shared

extension AuditRecord {
    /// The record as one role may see it. Of an object that the role may not read only the kind and the identifier
    /// stay: that it was changed is no secret, what it holds may be.
    func shown(to role: Role) -> AuditRecord {
        guard changes.contains(where: { !AuditRecord.mayRead($0.kind, role) }) else { return self }
        var record = self
        record.changes = changes.map { change in
            guard !AuditRecord.mayRead(change.kind, role) else { return change }
            return Change(kind: change.kind, id: change.id, before: nil, after: nil)
        }
        return record
    }

    /// Deeds that are no change of an object, e.g. a breaker's forcing, have a kind of their own; everybody may see it.
    private static func mayRead(_ kind: String, _ role: Role) -> Bool {
        readers[kind].map { $0 <= role } ?? true
    }

    private static let readers = Dictionary(
        uniqueKeysWithValues: Resources.all.map { ($0.kind.rawValue, $0.access.read) })
}
