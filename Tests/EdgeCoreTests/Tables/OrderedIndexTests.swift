import Testing

@testable import EdgeCore

@Suite struct OrderedIndexTests {
    @Test func `it agrees with a sorted array through thousands of insertions and removals`() {
        var chance = Chance(3)
        var index = OrderedIndex()
        var model: [(position: Int64, id: String)] = []
        for _ in 0..<4000 {
            if Int.random(in: 0..<3, using: &chance) == 0, let gone = model.randomElement(using: &chance) {
                index.remove(gone.id, at: gone.position)
                model.removeAll { $0.id == gone.id }
            } else {
                let position = Int64.random(in: 0..<100_000, using: &chance)
                let id = "\(position)-\(model.count)"
                index.insert(id, at: position)
                model.append((position, id))
            }
        }
        model.sort { ($0.position, $0.id) < ($1.position, $1.id) }
        #expect(index.ids == model.map(\.id))
        #expect(index.count == model.count)
        #expect(Array(index.descending()) == model.reversed().map(\.id))
        for limit in [-1, 0, 1, 50_000, 99_999, 200_000, model[7].position] as [Int64] {
            let expected = model.reversed().filter { $0.position < limit }.map(\.id)
            #expect(Array(index.descending(below: limit)) == expected)
        }
    }

    @Test func `objects made one after the other fill their chunks`() {
        var index = OrderedIndex()
        for position in 0..<1024 { index.insert("\(position)", at: Int64(position)) }
        #expect(index.chunkCount == 1024 / OrderedIndex.chunkLimit)
        for position in 0..<1024 { index.remove("\(position)", at: Int64(position)) }
        #expect(index.chunkCount == 0 && index.count == 0)
        #expect(Array(index.descending()).isEmpty)
    }

    @Test func `what is not there is not removed`() {
        var index = OrderedIndex()
        index.remove("a", at: 1)
        index.insert("a", at: 1)
        index.remove("a", at: 2)
        index.remove("b", at: 1)
        #expect(index.ids == ["a"] && index.count == 1)
    }

    @Test func `a copy keeps what it had`() {
        var index = OrderedIndex()
        for position in 0..<600 { index.insert("\(position)", at: Int64(position)) }
        let before = index
        index.remove("300", at: 300)
        index.insert("new", at: 600)
        #expect(before.ids == (0..<600).map(String.init))
        #expect(index.count == 600 && index.ids.last == "new")
    }
}
