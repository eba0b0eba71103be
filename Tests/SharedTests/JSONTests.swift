import Foundation
import Shared
import Testing

@Suite struct JSONTests {
    @Test(arguments: [
        "null", "true", "1", "-9223372036854775808", "0.5", "\"a\\n\\u00e4\"", "[]", "{}", "[1,[2,{\"a\":null}]]",
        "{\"a\":1,\"b\":{\"c\":[true,false]}}", "\"/path\"",
    ])
    func `a document survives being read and written`(text: String) throws {
        let value = try JSON(parsing: Array(text.utf8))
        #expect(try JSON(parsing: value.bytes) == value)
        if !text.contains("u00e4") { #expect(value.text == text) }
    }

    @Test(arguments: ["", "{", "{\"a\":}", "[1 2]", "nul", "{} {}", "{a:1}", "\"\u{1}\""])
    func `what is no JSON is refused`(text: String) {
        #expect(throws: (any Error).self) { try JSON(parsing: Array(text.utf8)) }
    }

    @Test func `absent and null are different`() throws {
        let value = try JSON(parsing: Array(#"{"a":null}"#.utf8))
        #expect(value["a"] == .null)
        #expect(value["b"] == nil)
        #expect(value["a"]?.isNull == true)
    }

    @Test func `whole numbers keep their identity`() throws {
        #expect(try JSON(parsing: Array("1".utf8)) == .int(1))
        #expect(try JSON(parsing: Array("true".utf8)) == .bool(true))
        #expect(JSON.double(3).intValue == 3)
        #expect(JSON.double(3.5).intValue == nil)
        #expect(JSON.int(3).doubleValue == 3)
    }

    @Test func `keys are sorted, so that equal documents have equal bytes`() {
        let one: JSON = ["b": 1, "a": 2]
        let other: JSON = ["a": 2, "b": 1]
        #expect(one.bytes == other.bytes)
        #expect(one.text == #"{"a":2,"b":1}"#)
    }

    @Test func `a member can be set and removed`() {
        var value: JSON = ["a": 1]
        value["b"] = "x"
        value["a"] = nil
        #expect(value == ["b": "x"])
        var scalar: JSON = 1
        scalar["a"] = 2
        #expect(scalar == 1)
    }

    @Test(
        arguments: [
            ["text": .string(String(String.UnicodeScalarView((0...0x17F).compactMap { UnicodeScalar($0) })))],
            ["wide": "日本語 \u{1F600} \u{2028} e\u{301}", "": "empty key", "a\"b\\c\n": nil],
            ["numbers": [0, -1, 9_223_372_036_854_775_807, 0.5, -0.25, 1e100, 1e-7, 3.0, 123456789.125]],
            ["nested": [["a": [[], [:], nil, true, false]], "x/y"]],
        ] as [JSON])
    func `documents are written as Foundation writes them`(document: JSON) throws {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        #expect(document.text == String(decoding: try encoder.encode(document), as: UTF8.self))
    }

    @Test func `what is not finite is null`() {
        #expect(JSON.array([.double(.nan), .double(.infinity)]).text == "[null,null]")
    }
}
