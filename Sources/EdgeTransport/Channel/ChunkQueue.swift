/// Bytes in a place that does not move, handed from one loop to another without being copied again.
///
/// `@unchecked Sendable`: written by its maker, and only read once it was handed over.
final class Chunk: @unchecked Sendable {
    private let memory: UnsafeMutableRawBufferPointer
    private(set) var count = 0

    init(capacity: Int) { memory = .allocate(byteCount: capacity, alignment: 16) }
    deinit { memory.deallocate() }

    var room: Int { memory.count - count }
    var bytes: UnsafeMutableRawBufferPointer { UnsafeMutableRawBufferPointer(rebasing: memory[0..<count]) }

    func append(_ bytes: UnsafeRawBufferPointer) {
        UnsafeMutableRawBufferPointer(rebasing: memory[count...]).copyMemory(from: bytes)
        count += bytes.count
    }
}

/// Bytes in order, in chunks: what a reader is shown stays where it is until it reads on.
struct ChunkQueue {
    private static let usual = 4 << 10
    private static let large = 64 << 10

    private var chunks: [Chunk] = []
    private var first = 0
    /// Bytes of the first chunk that were read, and those that were shown last.
    private var offset = 0
    private var shown = 0
    private(set) var count = 0

    var isEmpty: Bool { count == 0 }

    mutating func append(_ bytes: UnsafeRawBufferPointer) {
        count += bytes.count
        var rest = bytes
        if let last = chunks.last, last.room > 0 {
            let fits = min(last.room, rest.count)
            last.append(UnsafeRawBufferPointer(rebasing: rest[0..<fits]))
            rest = UnsafeRawBufferPointer(rebasing: rest[fits...])
        }
        guard rest.count > 0 else { return }
        let chunk = Chunk(capacity: max(rest.count, chunks.isEmpty ? Self.usual : Self.large))
        chunk.append(rest)
        chunks.append(chunk)
    }

    /// A chunk that nobody else writes to.
    mutating func append(_ chunk: Chunk) {
        count += chunk.count
        chunks.append(chunk)
    }

    /// What comes next and lies in one piece, at most `most` bytes: read with this call, and valid until the next.
    mutating func take(_ most: Int = .max) -> UnsafeMutableRawBufferPointer? {
        drop()
        guard first < chunks.count else { return nil }
        let chunk = chunks[first]
        shown = min(most, chunk.count - offset)
        count -= shown
        return UnsafeMutableRawBufferPointer(rebasing: chunk.bytes[offset..<(offset + shown)])
    }

    /// All of it as one chunk, without copying where it is one already.
    mutating func takeAll() -> Chunk? {
        drop()
        defer { removeAll() }
        guard count > 0 else { return nil }
        if chunks.count - first == 1, offset == 0 { return chunks[first] }
        let all = Chunk(capacity: count)
        for (index, chunk) in chunks[first...].enumerated() {
            all.append(UnsafeRawBufferPointer(rebasing: chunk.bytes[(index == 0 ? offset : 0)...]))
        }
        return all
    }

    mutating func removeAll() { self = ChunkQueue() }

    private mutating func drop() {
        offset += shown
        shown = 0
        while first < chunks.count, offset == chunks[first].count {
            first += 1
            offset = 0
        }
        if first == chunks.count {
            chunks.removeAll(keepingCapacity: true)
            first = 0
        } else if first > 32 {
            chunks.removeFirst(first)
            first = 0
        }
    }
}
