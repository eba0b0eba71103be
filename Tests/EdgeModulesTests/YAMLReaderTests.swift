import Shared
import Testing

@testable import EdgeModules

@Suite struct YAMLReaderTests {
    private func read(_ text: String) throws -> JSON { try YAMLReader.read(Array(text.utf8)) }

    @Test func `maps, lists and scalars are what they stand for`() throws {
        let text = """
            # a comment
            a: 1
            b: [x, "1", 'it''s', true, null, ~, -2.5, yes, 0x10, 1e3]
            c:
              - d: |
                  two
                  lines
              - >-
                folded
                text
            e:
            "f g": {}
            """
        #expect(
            try read(text) == [
                "a": 1, "b": ["x", "1", "it's", true, nil, nil, -2.5, "yes", "0x10", 1000.0],
                "c": [["d": "two\nlines\n"], "folded text"], "e": nil, "f g": [:],
            ])
        #expect(try read("") == .null)
        #expect(try read("--- plain\n...\n") == "plain")
        #expect(try read("1.2.3") == "1.2.3")
    }

    @Test func `a mistake tells its line`() {
        let mistake = #expect(throws: YAMLReader.Mistake.self) { try read("a: 1\nb: [\n") }
        #expect(mistake?.line == 3)
        let twice = #expect(throws: YAMLReader.Mistake.self) { try read("a: 1\nb: 2\na: 3\n") }
        #expect(twice?.reason == "the key \"a\" is there twice")
    }

    @Test(arguments: [
        "a: &x 1", "a: &x [1]\nb: *x", "*x", "a: !!binary aGk=", "!mine {}", "--- 1\n--- 2\n", "? [a]\n: 1", "{a: 1",
        "a: b: c", "\tx: 1", "\u{7f}: 1\u{1}",
    ])
    func `anchors, aliases, tags, several documents and nonsense are refused`(text: String) {
        #expect(throws: YAMLReader.Mistake.self) { try read(text) }
    }

    @Test func `depth and size are bounded`() throws {
        let nested = { (depth: Int) in String(repeating: "[", count: depth) + String(repeating: "]", count: depth) }
        _ = try read(nested(32))
        #expect(throws: YAMLReader.Mistake.self) { try read(nested(34)) }
        #expect(throws: YAMLReader.Mistake.self) { try read(String(repeating: "- ", count: 30_000)) }
        #expect(throws: YAMLReader.Mistake.self) { try read(String(repeating: "[", count: 60_000)) }
        #expect(throws: YAMLReader.Mistake.self) { try read("[" + String(repeating: "1,", count: 25_000) + "1]") }
    }
}
