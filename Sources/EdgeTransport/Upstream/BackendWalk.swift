import EdgeCore

/// Finds the next thing to try for one request or connection: follows a backend's choices down to an address, a tunnel
/// or an answer, and remembers what failover backends and tunnel groups on the way still have to offer.
struct BackendWalk {
    enum Step {
        case dial(Target)
        case enter(TunnelTarget)
        case respond(FixedResponse)
        case none(EdgeError)
    }

    private enum Offer {
        case backends([any Backend])
        case tunnels([TunnelTarget], first: Int)

        var count: Int {
            switch self {
            case .backends(let backends): backends.count
            case .tunnels(let tunnels, _): min(tunnels.count, BackendWalk.maximumTunnels)
            }
        }
    }

    private struct Legs {
        let offer: Offer
        var next: Int
        let pathLength: Int
    }

    /// Tunnels of one group that are tried for one request: as many agents whose upstream is away are no accident.
    private static let maximumTunnels = 8

    private var legs: [Legs] = []
    private(set) var path = SelectionPath()
    /// Whether more than one leg of a failover was offered.
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

    /// After a dial failure: the next leg of the innermost failover backend or tunnel group that has one; `nil` when
    /// none is left.
    mutating func next(_ balance: inout BalanceStates) -> Step? {
        while var current = legs.popLast() {
            guard current.next < current.offer.count else { continue }
            let index = current.next
            current.next += 1
            path.truncate(to: current.pathLength)
            legs.append(current)
            switch current.offer {
            case .backends(let backends):
                if index > 0 { triedSeveral = true }
                return follow(backends[index].choose(&balance, &path), &balance)
            case .tunnels(let tunnels, let first): return .enter(tunnels[(first + index) % tunnels.count])
            }
        }
        return nil
    }

    private mutating func follow(_ choice: Choice, _ balance: inout BalanceStates) -> Step {
        switch choice {
        case .dial(let target): return .dial(target)
        case .respond(let response): return .respond(response)
        case .none(let error): return next(&balance) ?? .none(error)
        case .inOrder(let backends):
            legs.append(Legs(offer: .backends(backends), next: 0, pathLength: path.count))
            return next(&balance) ?? .none(.noBackend)
        case .tunnels(let tunnels, let first):
            // The usual case, one tunnel that works, costs no memory.
            if tunnels.count > 1 {
                legs.append(Legs(offer: .tunnels(tunnels, first: first), next: 1, pathLength: path.count))
            }
            return .enter(tunnels[first])
        }
    }
}
