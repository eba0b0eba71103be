public import Shared

/// The compiled backends of one snapshot by small numbers, which a backend keeps for the process's life.
///
/// Routes hold the number and not the backend, so that a new weight compiles one backend and none of the routes that
/// share it. An exchange looks its backend up once, in the snapshot that it began with: two array reads and no lock.
public struct BackendTable: Sendable {
    /// The number of no backend.
    public static let none: Int32 = -1
    private static let shift = 6
    private static let width = 1 << shift

    /// What a backend was made from, also when that failed.
    private struct Links: Sendable {
        var references: [BackendID]
        /// How many backends the longest line down from it has, itself included.
        var height: Int
    }

    /// In chunks, so that a change copies one of them and not every entry.
    private var chunks: ContiguousArray<ContiguousArray<(any Backend)?>> = []
    private var numbers: PersistentTable<BackendID, Int32> = [:]
    /// Of backends that refer to others.
    private var links: PersistentTable<BackendID, Links> = [:]
    private var referrers: PersistentTable<BackendID, PersistentSet<BackendID>> = [:]

    public init() {}

    /// - Parameter number: a route's or an edge's, or `none`.
    @inline(__always)
    public subscript(number: Int32) -> (any Backend)? {
        let index = Int(number)
        guard index >= 0, index >> BackendTable.shift < chunks.count else { return nil }
        return chunks[index >> BackendTable.shift][index & (BackendTable.width - 1)]
    }

    public subscript(id: BackendID) -> (any Backend)? { numbers[id].flatMap { self[$0] } }

    /// The backend's number, new when it was not known: also for one that does not exist yet.
    mutating func number(of id: BackendID) -> Int32 {
        if let number = numbers[id] { return number }
        let number = numbers.count
        numbers[id] = Int32(number)
        if number >> BackendTable.shift >= chunks.count {
            chunks.append(ContiguousArray(repeating: nil, count: BackendTable.width))
        }
        return Int32(number)
    }

    /// - Parameters:
    ///   - references: the backends that this one refers to, also those that do not exist.
    ///   - height: see `height(of:)`.
    mutating func set(_ backend: (any Backend)?, _ id: BackendID, references: [BackendID], height: Int) {
        let index = Int(number(of: id))
        chunks[index >> BackendTable.shift][index & (BackendTable.width - 1)] = backend
        for child in links[id]?.references ?? [] { referrers.remove(id, at: child) }
        links[id] = references.isEmpty ? nil : Links(references: references, height: height)
        for child in references { referrers.insert(id, at: child) }
    }

    /// How many backends lie in the longest line from this one down.
    func height(of id: BackendID) -> Int { links[id]?.height ?? 1 }

    /// These and every backend that refers to one of them, directly or through others.
    func affected(by changed: some Sequence<BackendID>) -> Set<BackendID> {
        var found: Set<BackendID> = []
        var waiting = Array(changed)
        while let id = waiting.popLast() {
            guard found.insert(id).inserted, let above = referrers[id] else { continue }
            waiting.append(contentsOf: above)
        }
        return found
    }
}
