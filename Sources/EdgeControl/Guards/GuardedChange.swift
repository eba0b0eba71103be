public import Shared

/// Which objects' traffic tells whether a change was good.
///
/// A change of weights is told by the children that get more than before: the others can only get better. Any other
/// change is told by the changed object itself. Objects without traffic of their own (domains, certificates, policies)
/// tell nothing: their guard watches the deadline and the operator alone.
public enum GuardedChange {
    /// Identifiers of edges, routes and backends, sorted.
    public static func watched(_ changes: [AuditRecord.Change]) -> [String] {
        Set(changes.flatMap(watched)).sorted()
    }

    private static func watched(_ change: AuditRecord.Change) -> [String] {
        switch change.kind {
        case "backend":
            guard let after = change.after else { return [] }
            let children = raised(before: change.before, after: after)
            return children.isEmpty ? [change.id] : children
        case "https_edge", "tls_edge", "tcp_edge", "route":
            return change.after == nil ? [] : [change.id]
        default: return []
        }
    }

    /// The children whose weight or share of the traffic went up.
    private static func raised(before: JSON?, after: JSON) -> [String] {
        guard after["backends"]?.objectValue != nil else { return [] }
        let old = shares(before)
        return shares(after).compactMap { id, share in
            let earlier = old[id] ?? Share(weight: 0, part: 0)
            // Shares are compared with a little slack, because 1/3 of one sum is not quite 1/3 of another.
            let isRaised = share.weight > earlier.weight || share.part > earlier.part + 1e-9
            return isRaised && share.weight > 0 ? id : nil
        }
    }

    private struct Share {
        var weight: Int64
        var part: Double
    }

    private static func shares(_ document: JSON?) -> [String: Share] {
        let children = document.map(LiveConfiguration.shares) ?? []
        let sum = children.reduce(0.0) { $0 + Double($1.weight) }
        return Dictionary(
            children.map { child in
                (
                    child.backendID.rawValue,
                    Share(weight: child.weight, part: sum > 0 ? Double(child.weight) / sum : 0)
                )
            }, uniquingKeysWith: { first, _ in first })
    }
}
