import Testing

@testable import EdgeTransport

@Suite struct ChunkQueueTests {
    private func append(_ bytes: [UInt8], _ queue: inout ChunkQueue) { bytes.withUnsafeBytes { queue.append($0) } }

    private func chunk(_ bytes: [UInt8]) -> Chunk {
        let chunk = Chunk(capacity: max(1, bytes.count))
        bytes.withUnsafeBytes { chunk.append($0) }
        return chunk
    }

    private func drain(_ queue: inout ChunkQueue, by most: Int = .max) -> [UInt8] {
        var all: [UInt8] = []
        while let bytes = queue.take(most) {
            #expect(bytes.count > 0 && bytes.count <= most)
            all += bytes
        }
        return all
    }

    @Test(arguments: [1, 7, 4096, 5000, Int.max])
    func `bytes come out in order, whatever the pieces`(most: Int) {
        var queue = ChunkQueue()
        var expected: [UInt8] = []
        for size in [1, 4095, 1, 10, 70_000, 3, 65_536, 100_000] {
            let bytes = Tunnels.text(size, seed: UInt64(size))
            append(bytes, &queue)
            expected += bytes
        }
        #expect(queue.count == expected.count)
        let got = drain(&queue, by: most)
        #expect(Tunnels.fingerprint(got) == Tunnels.fingerprint(expected))
        #expect(queue.isEmpty)
    }

    @Test func `what is shown stays where it is while more is appended`() {
        var queue = ChunkQueue()
        append([1, 2, 3], &queue)
        let shown = queue.take()
        for _ in 0..<100 { append(Array(repeating: 9, count: 1000), &queue) }
        #expect(shown.map { Array($0) } == [1, 2, 3])
        #expect(queue.count == 100_000)
        let rest = drain(&queue)
        #expect(rest == Array(repeating: 9, count: 100_000))
    }

    @Test func `chunks that are handed over are in order with bytes that are copied`() {
        var queue = ChunkQueue()
        append([1, 2], &queue)
        queue.append(chunk([3, 4, 5]))
        append([6], &queue)
        queue.append(chunk([7]))
        let got = drain(&queue, by: 2)
        #expect(got == [1, 2, 3, 4, 5, 6, 7])
    }

    @Test func `all of it is taken as it is where it is one piece, and put together where it is not`() {
        var queue = ChunkQueue()
        let none = queue.takeAll()
        #expect(none == nil)
        let one = chunk([1, 2, 3])
        queue.append(one)
        let whole = queue.takeAll()
        #expect(whole === one && queue.isEmpty)
        queue.append(one)
        let first = queue.take(1).map { Array($0) }
        #expect(first == [1])
        append([4, 5], &queue)
        let rest = queue.takeAll().map { Array($0.bytes) }
        #expect(rest == [2, 3, 4, 5] && queue.isEmpty)
    }

    @Test func `many small chunks leave nothing behind`() {
        var queue = ChunkQueue()
        var expected: [UInt8] = []
        var got: [UInt8] = []
        for number in 0..<1000 {
            let byte = UInt8(truncatingIfNeeded: number)
            queue.append(chunk([byte, byte]))
            expected += [byte, byte]
            if number % 3 > 0, let bytes = queue.take(3) { got += bytes }
        }
        got += drain(&queue)
        #expect(Tunnels.fingerprint(got) == Tunnels.fingerprint(expected))
    }
}
