/// Names and values in a fixed number of small tables by hash, so that a change makes one of them anew.
struct NameShards: Sendable {
    typealias Value = AnyObject & Sendable

    struct Entry {
        let bytes: [UInt8]
        let hash: UInt64
        let value: any Value
    }

    /// What goes and what comes, by shard.
    struct Update {
        fileprivate var gone: [Int: [Entry]] = [:]
        fileprivate var come: [Int: [Entry]] = [:]

        mutating func add(_ entry: Entry, _ isGone: Bool) {
            if isGone {
                gone[NameShards.place(entry.hash), default: []].append(entry)
            } else {
                come[NameShards.place(entry.hash), default: []].append(entry)
            }
        }
    }

    /// Ten thousand names give 80 a shard, which are made anew in a few microseconds.
    private static let bits: UInt64 = 7

    /// Immutable; shared by tables that have it in common.
    private final class Shard: Sendable {
        let index: NameIndex
        let values: ContiguousArray<any Value>

        init(_ entries: [Entry]) {
            index = NameIndex(
                entries.enumerated().map { (bytes: $1.bytes, hash: $1.hash, number: Int32($0)) })
            values = ContiguousArray(entries.map(\.value))
        }

        var entries: [Entry] {
            index.names.map { Entry(bytes: $0.bytes, hash: $0.hash, value: values[Int($0.number)]) }
        }

        static let empty = Shard([])
    }

    /// Empty, or one per value of the hash's highest bits.
    private var shards: ContiguousArray<Shard> = []

    var isEmpty: Bool { shards.isEmpty }

    mutating func apply(_ update: Update) {
        guard !update.gone.isEmpty || !update.come.isEmpty else { return }
        if shards.isEmpty {
            guard !update.come.isEmpty else { return }
            shards = ContiguousArray(repeating: Shard.empty, count: 1 << Int(NameShards.bits))
        }
        for place in Set(update.gone.keys).union(update.come.keys) {
            var entries = shards[place].entries
            for entry in update.gone[place] ?? [] {
                entries.removeAll { $0.value === entry.value && $0.bytes == entry.bytes }
            }
            entries += update.come[place] ?? []
            shards[place] = entries.isEmpty ? .empty : Shard(entries)
        }
    }

    /// The value of `name`, whose hash is given.
    @inline(__always)
    func find(_ name: UnsafeBufferPointer<UInt8>, hash: UInt64) -> AnyObject? {
        guard !shards.isEmpty else { return nil }
        return withShard(hash) { shard in
            shard.index.find(name, hash: hash).map { shard.values[Int($0)] }
        }
    }

    @inline(__always)
    func contains(_ name: UnsafeBufferPointer<UInt8>, hash: UInt64) -> Bool {
        guard !shards.isEmpty else { return false }
        return withShard(hash) { $0.index.find(name, hash: hash) != nil }
    }

    /// All loops look into the same shards: counting references to them would make the loops wait for one another.
    @inline(__always)
    private func withShard<Result>(_ hash: UInt64, _ body: (Shard) -> Result) -> Result {
        shards.withUnsafeBufferPointer { shards in
            Unmanaged.passUnretained(shards[NameShards.place(hash)])._withUnsafeGuaranteedRef(body)
        }
    }

    /// From the top of the word: the places within a shard are taken from the middle.
    @inline(__always)
    private static func place(_ hash: UInt64) -> Int {
        Int(truncatingIfNeeded: (hash &* 0x9E37_79B9_7F4A_7C15) >> (64 - bits))
    }

    /// The longest run of entries that a probe may pass, for tests.
    var longestProbe: Int { shards.reduce(0) { max($0, $1.index.longestProbe) } }

    /// How many shards are the same ones, for tests.
    func sharedShards(with other: NameShards) -> Int { zip(shards, other.shards).count { $0 === $1 } }
}
