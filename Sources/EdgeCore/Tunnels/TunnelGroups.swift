import Synchronization

/// The tunnels that serve, and the groups that selectors make of them.
///
/// Groups are computed, never stored: each change of the tunnels or of the selectors gives a new `TunnelTable`, which the
/// transport hands to every loop. Loops read theirs without a lock.
public final class TunnelGroups: Sendable {
    private struct Group {
        var labels: [String: String]
        var users: Int
    }

    private struct State {
        var groups: [Int32: Group] = [:]
        var numbers: [[String: String]: Int32] = [:]
        /// Groups by one of their labels, so that a tunnel is compared with few of them.
        var index: [Label: Set<Int32>] = [:]
        var free: [Int32] = []
        /// In the order in which they came.
        var tunnels: [TunnelTarget] = []
        var table = TunnelTable()

        /// The groups that have all their labels among these.
        func matching(_ tunnel: TunnelTarget) -> [Int32] {
            tunnel.labels.flatMap { index[Label($0)] ?? [] }.filter { number in
                groups[number].map { tunnel.matches($0.labels) } ?? false
            }
        }
    }

    private struct Label: Hashable {
        let name: String
        let value: String

        init(_ label: (key: String, value: String)) {
            name = label.key
            value = label.value
        }

        /// The one label under which a group is found; `nil` for a selector without any, which no tunnel matches.
        static func of(_ labels: [String: String]) -> Label? { labels.min { $0.key < $1.key }.map(Label.init) }
    }

    private let state = Mutex(State())

    public init() {}

    /// The groups as they are now.
    public var table: TunnelTable { state.withLock { $0.table } }

    /// A tunnel begins to serve.
    public func add(_ tunnel: TunnelTarget) {
        state.withLock { state in
            state.tunnels.append(tunnel)
            for number in state.matching(tunnel) { state.table.sets[Int(number)].append(tunnel) }
            state.table.version += 1
        }
    }

    /// Tunnels serve no more.
    public func remove(_ gone: [TunnelTarget]) {
        guard !gone.isEmpty else { return }
        state.withLock { state in
            state.tunnels.removeAll { tunnel in gone.contains { $0 === tunnel } }
            for number in Set(gone.flatMap { state.matching($0) }) {
                state.table.sets[Int(number)].removeAll { tunnel in gone.contains { $0 === tunnel } }
            }
            state.table.version += 1
        }
    }

    /// The number under which `TunnelTable` has the tunnels with all of these labels, for as long as the use lasts.
    func use(_ labels: [String: String]) -> TunnelGroupUse {
        let number = state.withLock { state -> Int32 in
            if let number = state.numbers[labels] {
                state.groups[number]?.users += 1
                return number
            }
            let number = state.free.popLast() ?? Int32(state.table.sets.count)
            if Int(number) == state.table.sets.count { state.table.sets.append([]) }
            state.numbers[labels] = number
            state.groups[number] = Group(labels: labels, users: 1)
            if let label = Label.of(labels) { state.index[label, default: []].insert(number) }
            state.table.sets[Int(number)] = state.tunnels.filter { $0.matches(labels) }
            state.table.version += 1
            return number
        }
        return TunnelGroupUse(groups: self, number: number)
    }

    fileprivate func release(_ number: Int32) {
        state.withLock { state in
            guard var group = state.groups[number] else { return }
            group.users -= 1
            state.groups[number] = group.users > 0 ? group : nil
            guard group.users == 0 else { return }
            state.numbers[group.labels] = nil
            if let label = Label.of(group.labels) {
                state.index[label]?.remove(number)
                if state.index[label]?.isEmpty == true { state.index[label] = nil }
            }
            state.table.sets[Int(number)] = []
            state.table.version += 1
            state.free.append(number)
        }
    }
}

/// Holds a group's number: when nobody does any more, another selector may have it.
final class TunnelGroupUse: Sendable {
    private let groups: TunnelGroups
    let number: Int32

    fileprivate init(groups: TunnelGroups, number: Int32) {
        self.groups = groups
        self.number = number
    }

    deinit { groups.release(number) }
}

/// The tunnels of every group at one moment.
public struct TunnelTable: Sendable {
    /// Grows with each change: a loop keeps the latest.
    public fileprivate(set) var version: UInt64 = 0
    fileprivate var sets: ContiguousArray<[TunnelTarget]> = []

    public init() {}

    @inline(__always)
    subscript(number: Int32) -> [TunnelTarget] {
        let index = Int(number)
        return index >= 0 && index < sets.count ? sets[index] : []
    }
}
