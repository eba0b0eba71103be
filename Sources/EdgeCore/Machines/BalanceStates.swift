/// The weights of a weighted backend, compiled.
public final class WeightTable: Sendable {
    /// Divided by their greatest common divisor, so that a cycle is short: 9500:500 is 19:1.
    let weights: [Int64]
    let sum: Int64

    /// - Parameter weights: 0…10000 each.
    public init(_ weights: [Int64]) {
        let divisor = weights.reduce(Int64(0)) { WeightTable.divisor($0, max($1, 0)) }
        self.weights = weights.map { max($0, 0) / max(divisor, 1) }
        sum = self.weights.reduce(0, +)
    }

    /// Whether nothing may be chosen: no child, or every weight is zero.
    public var isEmpty: Bool { sum == 0 }

    private static func divisor(_ one: Int64, _ other: Int64) -> Int64 {
        var (one, other) = (one, other)
        while other != 0 { (one, other) = (other, one % other) }
        return one
    }
}

/// Whose turn it is, for every weighted backend on one loop.
///
/// The turns follow Balinski and Young's quota method ("The Quota Method of Apportionment", 1975): of the children
/// that would not pass their share rounded up, the one is chosen whose share is the most behind. After *every* number
/// of choices, each child has had its exact share rounded up or down; so a canary of 1 % gets its hundredth request,
/// and not one in a lucky thousand.
///
///     weights 3:2   A B A A B | A B A A B | …
///
/// A change of the weights begins a new cycle. Memory: one small state per weighted backend that this loop has used;
/// when their number has doubled, those whose table no snapshot holds any more are dropped.
///
/// Confined to one loop.
public struct BalanceStates: Sendable {
    fileprivate struct Turn: Sendable {
        var slot: Int32
        /// Holds on to the weights it counts for: as long as it does, no other array can lie at the same place, so
        /// that comparing places is enough to know that nothing has changed.
        var weights: [Int64]
        var chosen: [Int64]
        var steps: Int64 = 0
        weak var table: WeightTable?

        init(slot: Int32, table: WeightTable) {
            self.slot = slot
            weights = table.weights
            chosen = Array(repeating: 0, count: table.weights.count)
            self.table = table
        }
    }

    /// The tunnels of every group, as this loop knows them.
    public var tunnels = TunnelTable()
    /// How often each group was chosen from.
    private var groupTurns: [UInt32] = []
    private var turns: [Turn] = []
    /// The place in `turns` by slot, or -1.
    private var places: [Int32] = []
    private var sweepAt = 64
    private let seed: Int

    public init() { seed = 0 }

    /// - Parameter seed: where ties begin, so that several loops do not all begin with the same one of equal children.
    public init(seed: Int) { self.seed = abs(seed % 1024) }

    /// How many states are kept, for tests.
    var count: Int { turns.count }

    /// The index of the child whose turn it is.
    /// - Parameters:
    ///   - slot: the weighted backend's own statistics slot.
    ///   - weights: not empty (`WeightTable.isEmpty`).
    public mutating func next(slot: Int32, weights table: WeightTable) -> Int {
        precondition(!table.isEmpty, "there must be a child to choose")
        let place = place(of: slot, table)
        return turns[place].next(table.sum, seed: seed)
    }

    /// Whose turn it is in a group of equals: the next one's.
    /// - Parameter count: not 0.
    mutating func turn(of group: Int32, among count: Int) -> Int {
        let index = Int(group)
        while groupTurns.count <= index { groupTurns.append(0) }
        defer { groupTurns[index] &+= 1 }
        return Int(groupTurns[index]) % count
    }

    private mutating func place(of slot: Int32, _ table: WeightTable) -> Int {
        let index = Int(slot)
        if index < places.count, places[index] >= 0 {
            let place = Int(places[index])
            turns[place].adopt(table)
            return place
        }
        if turns.count >= sweepAt { sweep() }
        while places.count <= index { places.append(-1) }
        places[index] = Int32(turns.count)
        turns.append(Turn(slot: slot, table: table))
        return turns.count - 1
    }

    private mutating func sweep() {
        turns.removeAll { $0.table == nil }
        for index in places.indices { places[index] = -1 }
        for (place, turn) in turns.enumerated() { places[Int(turn.slot)] = Int32(place) }
        sweepAt = max(64, turns.count * 2)
    }
}

extension BalanceStates.Turn {
    /// Follows a table that replaced the one counted for: equal weights go on, others begin anew.
    @inline(__always)
    fileprivate mutating func adopt(_ table: WeightTable) {
        let isSame = weights.withUnsafeBufferPointer { mine in
            table.weights.withUnsafeBufferPointer { mine.baseAddress == $0.baseAddress }
        }
        guard !isSame else { return }
        guard weights == table.weights else {
            self = Self(slot: slot, table: table)
            return
        }
        weights = table.weights
        self.table = table
    }

    /// One step of the quota method. Products stay below 64 · 10000 · 640000, far from overflow.
    fileprivate mutating func next(_ sum: Int64, seed: Int) -> Int {
        steps += 1
        let total = weights.count
        var best = -1
        weights.withUnsafeBufferPointer { weights in
            chosen.withUnsafeBufferPointer { chosen in
                var index = seed % total
                for _ in 0..<total {
                    // Not past its share rounded up.
                    if chosen[index] * sum < steps * weights[index],
                        best < 0
                            || (chosen[index] + 1) * weights[best] < (chosen[best] + 1) * weights[index]
                    {
                        best = index
                    }
                    index += 1
                    if index == total { index = 0 }
                }
            }
        }
        chosen[best] += 1
        if steps == sum {
            steps = 0
            for index in chosen.indices { chosen[index] = 0 }
        }
        return best
    }
}
