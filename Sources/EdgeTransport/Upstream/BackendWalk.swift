import EdgeCore

/// Finds the next thing to try for one request or connection: follows a backend's choices down to an address or an
/// answer, and remembers what failover backends on the way still have to offer.
struct BackendWalk {
    enum Step {
        case dial(Target)
        case respond(FixedResponse)
        case none(EdgeError)
    }

    private struct Legs {
        let backends: [any Backend]
        var next: Int
        let pathLength: Int
    }

    private var legs: [Legs] = []
    private(set) var path = SelectionPath()
    /// Whether more than one leg was offered.
    private(set) var triedSeveral = false

    mutating func reset() {
        if !legs.isEmpty { legs.removeAll(keepingCapacity: true) }
        path = SelectionPath()
        triedSeveral = false
    }

    mutating func first(_ backend: (any Backend)?, _ balance: inout BalanceStates) -> Step {
        guard let backend else { return .none(.noBackend) }
        return follow(backend.choose(&balance, &path), &balance)
    }

    /// After a dial failure: the next leg of the innermost failover backend that has one; `nil` when none is left.
    mutating func next(_ balance: inout BalanceStates) -> Step? {
        while var current = legs.popLast() {
            guard current.next < current.backends.count else { continue }
            let backend = current.backends[current.next]
            current.next += 1
            if current.next > 1 { triedSeveral = true }
            path.truncate(to: current.pathLength)
            legs.append(current)
            return follow(backend.choose(&balance, &path), &balance)
        }
        return nil
    }

    private mutating func follow(_ choice: Choice, _ balance: inout BalanceStates) -> Step {
        switch choice {
        case .dial(let target): return .dial(target)
        case .respond(let response): return .respond(response)
        case .none(let error): return next(&balance) ?? .none(error)
        case .inOrder(let backends):
            legs.append(Legs(backends: backends, next: 0, pathLength: path.count))
            return next(&balance) ?? .none(.noBackend)
        }
    }
}
