import Shared

/// Finds an object by its identifier or by the name that people use for it: a host, `host/path` for a route, a
/// description or an address for a backend. The palette and the command line use the same one.
struct Resolver {
    enum Kind: String, CaseIterable {
        case edge, route, backend, policy, domain, certificate
        /// What has traffic, and with it a screen.
        static let served: [Kind] = [.edge, .route, .backend]
    }

    struct Match: Hashable {
        var kind: Kind
        var id: String
        var name: String
    }

    let inventory: Inventory

    /// Everything that has a name, for completion.
    var all: [Match] {
        inventory.edges.map { Match(kind: .edge, id: $0.id, name: Inventory.edgeName($0)) }
            + inventory.routes.map { Match(kind: .route, id: $0.id, name: $0.name) }
            + inventory.backends.map { Match(kind: .backend, id: $0.id, name: Inventory.backendName($0)) }
            + inventory.policies.map { Match(kind: .policy, id: $0.id, name: inventory.name($0.id)) }
            + inventory.domains.map { Match(kind: .domain, id: $0.id, name: inventory.name($0.id)) }
            + inventory.certificates.map { Match(kind: .certificate, id: $0.id, name: $0.id) }
    }

    /// - Throws: `CommandFault` when nothing or more than one thing is called so.
    func find(_ name: String, _ kinds: [Kind] = Kind.served) throws(CommandFault) -> Match {
        let candidates = all.filter { kinds.contains($0.kind) }
        if let exact = candidates.first(where: { $0.id == name }) { return exact }
        var found = candidates.filter { $0.name == name }
        // A host names its edge, and its route `/` where only routes are asked for.
        if found.isEmpty { found = candidates.filter { $0.kind == .route && $0.name == name + "/" } }
        if found.isEmpty, name.count >= 8 { found = candidates.filter { $0.id.hasPrefix(name) } }
        let wanted = kinds.map(\.rawValue).joined(separator: " or ")
        guard let first = found.first else {
            throw CommandFault(.invalid, "no \(wanted) is called \(name)\(hint(name, candidates))")
        }
        guard found.count == 1 else {
            let ids = found.prefix(5).map { "\($0.kind.rawValue) \($0.id)" }.joined(separator: ", ")
            throw CommandFault(.invalid, "\(name) may be any of \(ids): give the id")
        }
        return first
    }

    private func hint(_ name: String, _ candidates: [Match]) -> String {
        let close = candidates.filter { Fuzzy.score(name, in: $0.name) != nil }.prefix(3).map(\.name)
        if !close.isEmpty { return "; did you mean \(close.joined(separator: ", "))?" }
        let known = candidates.map(\.name).joined(separator: ", ")
        return candidates.isEmpty || candidates.count > 4 ? "" : "; there are \(known)"
    }
}

/// Matching by subsequence: the letters of the pattern in their order.
enum Fuzzy {
    /// The higher the better; `nil` when `pattern` is no subsequence of `text`. Letter case does not matter.
    static func score(_ pattern: String, in text: String) -> Int? {
        var score = 0
        var previous = -2
        let letters = Array(text.lowercased())
        var from = 0
        for character in pattern.lowercased() where character != " " {
            guard let place = letters[from...].firstIndex(of: character) else { return nil }
            if place == previous + 1 { score += 5 }
            if place == 0 || !letters[place - 1].isLetter { score += 8 }
            score -= min(place - from, 4)
            previous = place
            from = place + 1
        }
        return score - letters.count / 8
    }
}

/// Why a command cannot be run.
struct CommandFault: Error, Hashable {
    enum Code: Hashable {
        /// It is no command, or has the wrong arguments.
        case usage
        /// It names what does not exist, or asks for what cannot be.
        case invalid
    }

    var code: Code
    var message: String

    init(_ code: Code, _ message: String) {
        self.code = code
        self.message = message
    }
}
