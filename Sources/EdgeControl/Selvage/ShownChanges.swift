import Shared

/// What a write did, as records and answers show it: documents as the API answers them, with relative addresses, as
/// a record belongs to no client; without routes in their edge, as a route is a change of its own; and bounded.
struct ShownChanges: Sendable {
    /// How much is shown.
    struct Bounds {
        var count: Int
        var bytes: Int

        /// Records go to every open stream, which holds no more than a few MiB for a reader.
        static let record = Bounds(count: 500, bytes: 512 << 10)
        static let answer = Bounds(count: 1000, bytes: 4 << 20)
        static let all = Bounds(count: .max, bytes: .max)
    }

    private(set) var changes: [AuditRecord.Change] = []
    /// How many more there are.
    private(set) var omitted = 0

    init(
        _ changes: [ObjectChange], from base: ConfigurationState, to state: ConfigurationState, within bounds: Bounds
    ) {
        let old = ConfigurationView(state: base, baseURL: "", nestsRoutes: false)
        let new = ConfigurationView(state: state, baseURL: "", nestsRoutes: false)
        var bytes = 0
        for change in changes where change.isSubstantial {
            guard omitted == 0, self.changes.count < bounds.count else {
                omitted += 1
                continue
            }
            let shown = AuditRecord.Change(
                kind: change.kind?.rawValue ?? "", id: change.id, before: change.before.map(old.document),
                after: change.after.map(new.document))
            if bounds.bytes < .max { bytes += ShownChanges.size(shown) }
            guard bytes <= bounds.bytes else {
                omitted += 1
                continue
            }
            self.changes.append(shown)
        }
    }

    private static func size(_ change: AuditRecord.Change) -> Int {
        (change.before?.bytes.count ?? 0) + (change.after?.bytes.count ?? 0)
    }
}
