public import Shared

extension Backends {
    /// Checks that no backend leads back to itself through `changed`, and that the nesting it is part of is not too
    /// deep.
    /// - Parameter backends: every backend, as they would be after the change.
    /// - Throws: 6524 (weighted) or 6525 (failover) for a cycle; 6513 when more than `maximumDepth` backends lie in
    ///   one line.
    public static func checkGraph(
        _ backends: [BackendID: BackendConfiguration], changed: BackendID
    ) throws(Fault) {
        guard let subject = backends[changed] else { return }
        var children: [BackendID: [BackendID]] = [:]
        var parents: [BackendID: [BackendID]] = [:]
        for (id, backend) in backends {
            children[id] = kind(named: backend.kind)?.references(backend.settings) ?? []
            for child in children[id] ?? [] { parents[child, default: []].append(id) }
        }
        var below: [BackendID: Int] = [:]
        var above: [BackendID: Int] = [:]
        guard let down = depth(changed, children, &below),
            let up = depth(changed, parents, &above)
        else {
            let code = subject.kind == FailoverBackend.kind ? 6525 : 6524
            throw Fault(code, "The backend \(changed) would lead back to itself.")
        }
        let lines = down + up - 1
        guard lines <= maximumDepth else {
            throw Fault(6513, "Backends would nest \(lines) deep; the limit is \(maximumDepth).")
        }
    }

    /// How many backends the longest line from `start` has; `nil` when the line is a circle.
    ///
    /// A depth of -1 marks a backend that is being visited.
    private static func depth(
        _ start: BackendID, _ edges: [BackendID: [BackendID]], _ known: inout [BackendID: Int]
    ) -> Int? {
        if let depth = known[start] { return depth < 0 ? nil : depth }
        known[start] = -1
        var deepest = 0
        for next in edges[start] ?? [] {
            guard let depth = depth(next, edges, &known) else { return nil }
            deepest = max(deepest, depth)
        }
        known[start] = deepest + 1
        return deepest + 1
    }
}
