/// Staged weights of one weighted backend: nothing is changed before they are applied.
///
/// Shares are kept in hundredths of a percent and always sum to exactly 100 %.
struct WeightEdit: Sendable, Hashable {
    let backendID: String
    /// Children, by identifier.
    let children: [String]
    /// The weights that the operator saw, and the revision that they had.
    private(set) var base: [Int64]
    private(set) var revision: UInt64
    private(set) var shares: [Int]
    private(set) var locked: Set<Int> = []
    /// Counts the applies of this edit, so that a lost answer can be asked for again under the same id.
    var attempt = 0

    /// `nil` for a backend without children.
    init?(backendID: String, weights: [(id: String, weight: Int64)], revision: UInt64) {
        guard !weights.isEmpty else { return nil }
        self.backendID = backendID
        children = weights.map(\.id)
        base = weights.map { max(0, $0.weight) }
        self.revision = revision
        shares = Percent.apportion(base.map { Int(clamping: $0) }, total: Percent.whole)
    }

    /// Shares in force, in hundredths of a percent; all 0 when every weight is 0.
    var baseShares: [Int] {
        base.allSatisfy { $0 == 0 }
            ? base.map { _ in 0 } : Percent.apportion(base.map { Int(clamping: $0) }, total: Percent.whole)
    }

    var isChanged: Bool { shares != baseShares }

    /// Moves one share; the others that are not locked give way in proportion.
    /// - Returns: `false`, and nothing changed, when it is locked or nobody else can give way.
    @discardableResult
    mutating func set(_ index: Int, to wanted: Int) -> Bool {
        guard shares.indices.contains(index), !locked.contains(index) else { return false }
        let others = shares.indices.filter { $0 != index && !locked.contains($0) }
        guard !others.isEmpty else { return false }
        let free = Percent.whole - locked.reduce(0) { $0 + shares[$1] }
        let value = min(max(0, wanted), free)
        let rest = Percent.apportion(others.map { shares[$0] }, total: free - value)
        shares[index] = value
        for (place, other) in others.enumerated() { shares[other] = rest[place] }
        return true
    }

    mutating func move(_ index: Int, by units: Int) -> Bool {
        guard shares.indices.contains(index) else { return false }
        return set(index, to: shares[index] + units)
    }

    /// Rounds every share to whole percents.
    mutating func normalise() {
        shares = Percent.apportion(shares, total: 100).map { $0 * 100 }
    }

    mutating func toggleLock(_ index: Int) {
        if locked.remove(index) == nil { locked.insert(index) }
    }

    /// Stages given weights, e.g. those of before; children that they do not name get nothing.
    mutating func stage(_ weights: [String: Int64]) {
        shares = Percent.apportion(children.map { Int(clamping: max(0, weights[$0] ?? 0)) }, total: Percent.whole)
    }

    /// Takes over what somebody else has applied meanwhile, and keeps the staged shares.
    /// - Returns: `false` when the children are not the same any more.
    mutating func rebase(on weights: [(id: String, weight: Int64)], revision: UInt64) -> Bool {
        let known = Dictionary(weights.map { ($0.id, $0.weight) }, uniquingKeysWith: { first, _ in first })
        let ordered = children.compactMap { known[$0] }
        guard ordered.count == children.count, known.count == children.count else { return false }
        base = ordered.map { max(0, $0) }
        self.revision = revision
        attempt += 1
        return true
    }

    /// What the API is sent.
    var weights: [String: Int64] {
        Dictionary(zip(children, shares.map(Int64.init)), uniquingKeysWith: { first, _ in first })
    }

    /// The largest step that any share makes, in hundredths of a percent.
    var largestStep: Int { zip(shares, baseShares).map { abs($0 - $1) }.max() ?? 0 }
}
