/// Identifiers in the order of a number, e.g. in which they were made.
///
/// In chunks, so that a change copies one of them and the list of chunks, never every entry; and so that a page
/// begins where it belongs without walking there.
public struct OrderedIndex: Sendable {
    private struct Entry: Sendable, Comparable {
        let position: Int64
        let id: String

        static func < (one: Entry, other: Entry) -> Bool {
            one.position != other.position ? one.position < other.position : one.id < other.id
        }
    }

    /// Entries of a chunk; a full one is cut in two.
    static let chunkLimit = 256

    /// None is empty.
    private var chunks: [[Entry]] = []
    public private(set) var count = 0

    public init() {}

    public mutating func insert(_ id: String, at position: Int64) {
        let entry = Entry(position: position, id: id)
        guard let last = chunks.last, let newest = last.last else {
            chunks = [[entry]]
            count = 1
            return
        }
        count += 1
        // Nearly always: only what is put back after a removal goes elsewhere.
        if newest < entry {
            if last.count < OrderedIndex.chunkLimit {
                chunks[chunks.count - 1].append(entry)
            } else {
                chunks.append([entry])
            }
            return
        }
        let chunk = OrderedIndex.first(in: chunks) { $0[$0.count - 1] >= entry }
        let place = OrderedIndex.first(in: chunks[chunk]) { $0 >= entry }
        chunks[chunk].insert(entry, at: place)
        guard chunks[chunk].count > OrderedIndex.chunkLimit else { return }
        let middle = OrderedIndex.chunkLimit / 2
        chunks.insert(Array(chunks[chunk][middle...]), at: chunk + 1)
        chunks[chunk].removeSubrange(middle...)
    }

    /// Does nothing when it is not there.
    public mutating func remove(_ id: String, at position: Int64) {
        let entry = Entry(position: position, id: id)
        let chunk = OrderedIndex.first(in: chunks) { $0[$0.count - 1] >= entry }
        guard chunk < chunks.count else { return }
        let place = OrderedIndex.first(in: chunks[chunk]) { $0 >= entry }
        guard place < chunks[chunk].count, chunks[chunk][place] == entry else { return }
        count -= 1
        if chunks[chunk].count == 1 {
            chunks.remove(at: chunk)
        } else {
            chunks[chunk].remove(at: place)
        }
    }

    /// Every identifier, lowest position first.
    public var ids: [String] { chunks.flatMap { chunk in chunk.map(\.id) } }

    /// Identifiers from the highest position down, beginning below `limit`; made as they are asked for.
    public func descending(below limit: Int64? = nil) -> some Sequence<String> {
        var chunk = chunks.count
        var place = 0
        if let limit {
            chunk = OrderedIndex.first(in: chunks) { $0[$0.count - 1].position >= limit }
            place = chunk < chunks.count ? OrderedIndex.first(in: chunks[chunk]) { $0.position >= limit } : 0
        }
        return sequence(state: (chunks: chunks, chunk: chunk, place: place)) { state in
            while state.place == 0 {
                guard state.chunk > 0 else { return nil }
                state.chunk -= 1
                state.place = state.chunks[state.chunk].count
            }
            state.place -= 1
            return state.chunks[state.chunk][state.place].id
        }
    }

    /// How many chunks there are, for tests.
    var chunkCount: Int { chunks.count }

    /// The first index at which `holds`, which does from there on.
    private static func first<Element>(in elements: [Element], where holds: (Element) -> Bool) -> Int {
        var low = 0
        var high = elements.count
        while low < high {
            let middle = (low + high) / 2
            if holds(elements[middle]) { high = middle } else { low = middle + 1 }
        }
        return low
    }
}
