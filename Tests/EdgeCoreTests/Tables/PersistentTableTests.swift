import Testing

@testable import EdgeCore

@Suite struct PersistentTableTests {
    @Test func `a copy keeps what it had`() {
        var table: PersistentTable<String, Int> = ["a": 1, "b": 2]
        let before = table
        table["a"] = nil
        table["b", default: 0] += 5
        table["c", default: 7] += 1
        #expect(before["a"] == 1 && before["b"] == 2 && before.count == 2)
        #expect(table["a"] == nil && table["b"] == 7 && table["c"] == 8)
        #expect(Set(table.keys) == ["b", "c"] && table.values.reduce(0, +) == 15)
    }

    @Test func `of equal keys in a literal the last counts`() {
        let table: PersistentTable<String, Int> = ["a": 1, "a": 2]
        #expect(table["a"] == 2 && table.count == 1)
    }

    @Test func `sets under a key come with their first member and go with their last`() {
        var table: PersistentTable<String, PersistentSet<Int>> = [:]
        table.remove(1, at: "a")
        table.insert(1, at: "a")
        table.insert(2, at: "a")
        table.insert(2, at: "a")
        #expect(table["a"]?.count == 2)
        table.remove(1, at: "a")
        #expect(table["a"]?.contains(2) == true && table["a"]?.contains(1) == false)
        table.remove(2, at: "a")
        #expect(table.isEmpty)
    }
}
