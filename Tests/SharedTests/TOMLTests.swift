import Shared
import Testing

@Suite struct TOMLTests {
    private func value(_ text: String) throws -> TOML.Value.Kind {
        let (root, faults) = TOML.parse("v = \(text)\n")
        try #require(faults.isEmpty, "\(faults)")
        return try #require(root["v"]).kind
    }

    @Test(arguments: [
        ("\"a\\tb\\\"\\\\\\u00e9\\U0001F600\"", "a\tb\"\\é😀"), ("'C:\\dir'", "C:\\dir"), ("\"\"", ""), ("''", ""),
        ("\"# no comment\"", "# no comment"), ("\"žluťoučký\"", "žluťoučký"),
    ])
    func `strings are read with their escapes`(text: String, expected: String) throws {
        #expect(try value(text) == .string(expected))
    }

    @Test(arguments: [
        ("0", 0), ("-17", -17), ("+5", 5), ("1_000_000", 1_000_000), ("0xff", 255), ("0o17", 15), ("0b101", 5),
        ("9223372036854775807", Int64.max), ("-9223372036854775808", Int64.min),
    ])
    func `whole numbers are read`(text: String, expected: Int64) throws {
        #expect(try value(text) == .integer(expected))
    }

    @Test(arguments: [("1.5", 1.5), ("-0.25", -0.25), ("1e3", 1000), ("2.5E-1", 0.25), ("1_0.0_1", 10.01)])
    func `floats are read`(text: String, expected: Double) throws {
        #expect(try value(text) == .float(expected))
    }

    @Test func `a file of settings keeps the line of every value`() throws {
        let (root, faults) = TOML.parse(
            """
            # A node.
            name = "edge-1" # here
            [limits]
            connections = 10_000

            [[listener]]
            kind = "https"
            address = [
                "0.0.0.0", # IPv4
                "::",
            ]
            tls = { minimum = "1.2", tickets = true }
            [[listener]]
            kind = "http"
            [listener.proxy]
            on = false
            """)
        #expect(faults == [])
        #expect(root.keys == ["name", "limits", "listener"])
        #expect(root["name"] == TOML.Value(.string("edge-1"), line: 2))
        #expect(root["limits"]?.line == 3)
        #expect(root["limits"]?.table?["connections"] == TOML.Value(.integer(10_000), line: 4))
        let listeners = try #require(root["listener"]?.array)
        #expect(listeners.map(\.line) == [6, 13])
        let addresses = try #require(listeners[0].table?["address"])
        #expect(addresses.line == 8)
        #expect(addresses.array?.map(\.line) == [9, 10])
        #expect(listeners[0].table?["tls"]?.table?["tickets"]?.boolean == true)
        #expect(listeners[1].table?["proxy"]?.table?["on"]?.line == 16)
    }

    @Test func `dotted keys and quoted keys make tables`() throws {
        let (root, faults) = TOML.parse("a.b = 1\na.\"c d\" = 2\n[x.y]\nz = 3\n[x]\nw = 4\r\n")
        #expect(faults == [])
        #expect(root["a"]?.table?["b"]?.integer == 1)
        #expect(root["a"]?.table?["c d"]?.integer == 2)
        #expect(root["x"]?.table?["y"]?.table?["z"]?.integer == 3)
        #expect(root["x"]?.table?["w"]?.integer == 4)
    }

    @Test(arguments: [
        ("a = 1\na = 2", 2, "key 'a' is given twice, first on line 1"),
        ("[a]\n[a]", 2, "table 'a' is defined twice, first on line 1"),
        ("[[a]]\n[a]", 2, "'a' is an array of tables: write [[a]]"),
        ("a = 1\n[a]", 2, "'a' has a value already, on line 1"),
        ("[a]\n[[a]]", 2, "'a' is no array of tables"),
        ("a = 1\n[a.b]", 2, "'a' is a value already, not a table"),
        ("[a.b]\n[a]\nb = 1", 3, "'b' is a table already, on line 1"),
        ("a = {b = 1}\na.c = 2", 2, "'a' cannot be extended by a dotted key here"),
        ("a = {b = 1, b = 2}", 1, "key 'b' is given twice"),
        ("a = yes", 1, "'yes' is not a value: a string needs quotes"),
        ("a = 01", 1, "'01' is not a number that can be read"),
        ("a = 1__0", 1, "'1__0' is not a number that can be read"),
        ("a = 9223372036854775808", 1, "'9223372036854775808' is not a number that can be read"),
        ("a = 1e999", 1, "'1e999' is not a number that can be read"),
        ("a = 2020-01-01", 1, "'2020-01-01' is not a number that can be read"),
        ("a = nan", 1, "'nan' is not a value: a string needs quotes"),
        ("a =", 1, "expected a value, found the end of the file"),
        ("a", 1, "a key is followed by '=', found the end of the file"),
        ("= 1", 1, "expected a key, found '='"),
        ("a = 1 b = 2", 1, "unexpected 'b' after the value: the line must end here"),
        ("[a", 1, "the header is not closed by ']', found the end of the file"),
        ("a = \"b", 1, "the string is not closed"),
        ("a = \"\\q\"", 1, "unknown escape after '\\': 'q'"),
        ("a = \"\\uD800\"", 1, "the escape names no Unicode character"),
        ("a = \"\"\"b\"\"\"", 1, "strings over several lines are not read"),
        ("a = \"\u{1}\"", 1, "a control character must be written as an escape"),
    ])
    func `a mistake is a fault with its line`(text: String, line: Int, message: String) {
        #expect(TOML.parse(text).faults == [TOML.Fault(line: line, message: message)])
    }

    @Test func `every fault is reported, and the rest is read`() {
        let (root, faults) = TOML.parse("a = \nb = 2\nc = [1,\n  oops,\n  3,\n]\nd = 4\n[e\nf = 5\n[g]\nh = tru\ni = 6")
        #expect(faults.map(\.line) == [1, 4, 8, 11])
        #expect(root.keys == ["b", "d", "g"])
        #expect(root["g"]?.table?["i"]?.integer == 6)
    }

    @Test func `an array that is never closed does not swallow what follows`() {
        let (root, faults) = TOML.parse("a = [1, 2\nb = 3\n[c]\nd = 4\n")
        #expect(faults.map(\.line) == [2])
        #expect(root["c"]?.table?["d"]?.integer == 4)
    }

    @Test func `nesting, keys, faults and length are bounded`() {
        let deep = "a = " + String(repeating: "[", count: 50_000)
        #expect(TOML.parse(deep).faults.first?.message == "values nest deeper than 32")
        let tables = "a = " + String(repeating: "{a=", count: 50_000)
        #expect(TOML.parse(tables).faults.first?.message == "values nest deeper than 32")
        let key = String(repeating: "a.", count: 50_000) + "a = 1"
        #expect(TOML.parse(key).faults.first?.message == "the key has too many parts")
        #expect(TOML.parse(String(repeating: "=\n", count: 5_000)).faults.count == TOML.maximumFaults)
        let large = String(repeating: "#", count: TOML.maximumLength + 1)
        #expect(TOML.parse(large).faults.count == 1)
    }

    /// Deterministic noise: fragments of the grammar in random order, and single bytes changed in a good file.
    @Test func `noise is read or refused, but never traps`() {
        var generator = SplitMix(state: 42)
        let pieces = [
            "a", "b", ".", "=", " ", "\n", "\r\n", "\r", "[", "]", "[[", "]]", "{", "}", ",", "\"", "'", "\\", "\\u12",
            "#", "1", "-", "+", "_", "0x", "1e", "true", "é", "\u{0}", "\u{FEFF}", "\"\"\"", "'''", "\t", "😀",
        ]
        for _ in 0..<20_000 {
            var text = ""
            for _ in 0..<Int.random(in: 0..<24, using: &generator) {
                text += pieces[Int.random(in: 0..<pieces.count, using: &generator)]
            }
            let (_, faults) = TOML.parse(text)
            let lines = text.utf8.count { $0 == 10 } + 1
            #expect(faults.allSatisfy { (1...lines).contains($0.line) }, "\(text.debugDescription): \(faults)")
        }
    }
}

/// A small generator with a fixed seed, so that a failure repeats.
private struct SplitMix: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }
}
