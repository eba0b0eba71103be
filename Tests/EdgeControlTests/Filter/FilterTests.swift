import Shared
import Testing

@testable import EdgeControl

@Suite struct FilterTests {
    static let reference = Shape("Ref", [Shape.Field("id", .text), Shape.Field("uri", .text)])
    static let shape = Shape(
        "Thing",
        [
            Shape.Field("id", .text), Shape.Field("created_at", .time),
            Shape.Field("type", .choice(["cloud", "edge"])),
            Shape.Field("port", .integer), Shape.Field("share", .number), Shape.Field("pooled", .flag),
            Shape.Field("bindings", .texts), Shape.Field("metadata", .text), Shape.Field("owner_id", .text),
            Shape.Field("domain", .nullable(.object(reference))), Shape.Field("labels", .map(.text)),
            Shape.Field("expires_at", .nullable(.time)),
        ])
    static let object: JSON = [
        "id": "ep_1", "created_at": "2026-01-31T10:00:00Z", "type": "cloud", "port": 443, "share": 0.5, "pooled": true,
        "bindings": ["public", "internal"], "metadata": "größer", "owner_id": "usr_1",
        "domain": ["id": "rd_1", "uri": "http://x/rd_1"], "labels": ["env": "prod"], "expires_at": nil,
    ]
    static let now = WallTime(seconds: 1_769_853_600 + 3600)  // 2026-01-31T11:00:00Z

    static func holds(_ text: String, _ object: JSON = Self.object) throws -> Bool {
        try Filter(text, on: shape, now: now).matches(object)
    }

    static func mistake(_ text: String) -> Filter.Mistake? {
        do throws(Filter.Mistake) {
            _ = try Filter(text, on: shape, now: now)
            return nil
        } catch { return error }
    }

    @Test(arguments: [
        #"obj.type == "cloud""#, #"obj.type != 'edge'"#, #"obj.port == 443 && obj.port >= 443 && obj.port < 444"#,
        "obj.share < 1", "obj.share == 0.5", "obj.port > 442.5", "-1 < obj.port", "obj.pooled", "!!obj.pooled",
        "!(obj.port == 80)", "obj.pooled == true", "true || false && false", #"obj.type in ["cloud", "agent"]"#,
        #""public" in obj.bindings"#, #"!("kubernetes" in obj.bindings)"#, "size(obj.bindings) == 2",
        "obj.bindings.size() == 2", "obj.metadata.size() == 6", #"obj.metadata.startsWith("gr")"#,
        #"obj.metadata.contains("ö")"#, #"obj.metadata.endsWith('ßer')"#, #"obj.metadata.contains("")"#,
        #"obj.metadata == "gr\u00f6\u00dfer""#, "obj.expires_at == null", "obj.domain != null",
        #"obj.domain.id == "rd_1""#, #"obj.domain == "rd_1""#, #"obj.domain in ["rd_1"]"#, #"obj.id == "ep_1""#,
        #"obj.labels.env == "prod""#, #""env" in obj.labels"#, "size(obj.labels) == 1", "obj.labels.none == null",
        #"obj.created_at == timestamp("2026-01-31T10:00:00Z")"#,
        #"obj.created_at == timestamp("2026-01-31T02:00:00-08:00")"#, #"obj.created_at > timestamp("2026-01-31Z")"#,
        #"obj.created_at < timestamp("2026-01-31T10:00:00.000001Z")"#, "obj.created_at < timestamp(time.now)",
        #"obj.created_at > timestamp(time.now).subtract("1h1s")"#,
        #"obj.created_at < timestamp(time.now).subtract("59m")"#, #"timestamp(time.now).add("7d") > obj.created_at"#,
        "timestamp(obj.created_at) <= timestamp(time.now)", #"obj.bindings != """#, #"obj.metadata >= "a""#,
        #"( obj.type=="cloud"||obj.type=="agent" )"#,
    ])
    func `what the public API documents holds`(_ text: String) throws {
        #expect(try Self.holds(text), "\(text)")
    }

    @Test(arguments: [
        "obj.pooled", "obj.port == 0", "obj.port < 1000000", "obj.port >= 0", #"obj.metadata.contains("")"#,
        #"obj.created_at < timestamp(time.now)"#, #""public" in obj.bindings"#, #"obj.type in ["cloud"]"#,
        #"obj.domain == "rd_1""#, "obj.pooled == false", "size(obj.metadata) == 1", #"obj.metadata == """#,
    ])
    func `nothing but null is true of what is null`(_ text: String) throws {
        let absent = JSON.object(Self.object.objectValue?.mapValues { _ in .null } ?? [:])
        #expect(try !Self.holds(text, absent))
        #expect(try !Self.holds(text, [:]))
        #expect(try Self.holds("!(\(text))", absent))
        #expect(try Self.holds("obj.port == null && obj.domain.id == null && size(obj.bindings) == 0", absent))
        #expect(try Self.holds(#"obj.port != 1 && obj.type != "cloud""#, absent))
        #expect(try Self.holds(#"null in [null] && obj.type in [null, "cloud"]"#, absent))
    }

    @Test(
        arguments: [
            ("", 0, "empty"), ("  ", 2, "empty"), ("obj", 0, "name one"), ("obj.port", 0, "condition"),
            ("obj.none == 1", 0, "not known: there are id, created_at"), ("true && obj.x", 8, "'obj.x' is not known"),
            ("obj.port.x == 1", 0, "has no fields"), ("obj.bindings[0] == 1", 12, "index"),
            ("obj.port + 1 == 2", 9, "arithmetic"),
            ("obj.port == - 1 - 2", 16, "not expected"), ("obj.pooled ? true : false", 11, "ternary"),
            ("obj.port = 1", 9, "'=='"), ("obj.pooled & true", 11, "'&&'"), ("type(obj.port) == 1", 0, "not known"),
            (#"obj.type.matches("a")"#, 9, "no function 'matches'"), (#"obj.id.startsWith("ep")"#, 0, "random"),
            (#"obj.domain.id.contains("x")"#, 0, "random"), (#"obj.owner_id.endsWith("x")"#, 0, "random"),
            ("obj.port == \"1\"", 9, "cannot be compared"), ("obj.port < null", 9, "null"),
            ("obj.pooled < true", 11, "neither"),
            (#"obj.created_at < "2026-01-31""#, 15, "timestamp("),
            (#"timestamp("soon") < obj.created_at"#, 10, "RFC 3339"),
            (#"timestamp("2026-02-31T00:00:00Z") < obj.created_at"#, 10, "RFC 3339"),
            (#"timestamp(time.now).add("soon") < obj.created_at"#, 24, "duration"), ("time.now == 1", 0, "time.now"),
            (#"obj.created_at.add("1d") == null"#, 15, "timestamp(…) before"),
            (#"["a"] in obj.bindings"#, 0, "on the right"),
            ("obj.port in [\"a\"]", 9, "never"), ("1 in obj.bindings", 2, "never"),
            ("1 in obj.port", 2, "a list on its right"),
            ("obj.port == 1 == true", 14, "parentheses"), ("(obj.pooled", 11, "')'"),
            ("obj.pooled)", 10, "not expected"),
            ("obj.", 4, "a name"), ("\"abc", 0, "closing quote"), (#""\q" == "a""#, 1, "escape"),
            ("1a == 1", 0, "letter"),
            ("99999999999999999999 == 1", 0, "too large"), ("obj.pooled && ", 14, "the end"),
            ("obj.pooled ö", 11, "no meaning"),
            ("size(obj.port) == 1", 5, "no size"), ("[1] == [1]", 0, "on the right"), ("a.b == 1", 0, "not known"),
            ("obj.pooled.x()", 11, "no function"), (#"timestamp(obj.port) == null"#, 10, "a time"),
            (#""\ud800" == "a""#, 1, "\\u"),
        ] as [(String, Int, String)])
    func `a mistake is told with its place`(_ text: String, _ position: Int, _ reason: String) {
        let found = Self.mistake(text)
        #expect(
            found?.position == position && found?.reason.contains(reason) == true,
            "\(text): \(String(describing: found))")
    }

    @Test func `length, depth and parts are bounded`() throws {
        let deep = { (count: Int) in
            String(repeating: "(", count: count) + "obj.pooled" + String(repeating: ")", count: count)
        }
        #expect(try Self.holds(deep(Filter.maximumDepth - 1)))
        #expect(Self.mistake(deep(Filter.maximumDepth))?.reason.contains("nests") == true)
        #expect(Self.mistake(deep(1500))?.reason.contains("nests") == true)
        #expect(Self.mistake(String(repeating: "!", count: 4000) + "true")?.reason.contains("nests") == true)
        #expect(Self.mistake(String(repeating: "[", count: 4000))?.reason.contains("instead of '['") == true)
        #expect(try Self.holds(String(repeating: "obj.pooled && ", count: 200) + "true"))
        let many = String(repeating: "true || ", count: 400) + "true"
        #expect(Self.mistake(many)?.reason.contains("parts") == true)
        let list = "1 in [" + String(repeating: "1,", count: 400) + "1]"
        #expect(Self.mistake(list)?.reason.contains("parts") == true)
        let long = "obj.metadata == \"" + String(repeating: "x", count: Filter.maximumLength) + "\""
        #expect(Self.mistake(long)?.reason.contains("longer") == true)
    }

    @Test func `a text is looked for as by hand`() throws {
        var source = SeededSource(seed: 7)
        for _ in 0..<2000 {
            let text = source.text("ab", upTo: 12)
            let part = source.text("ab", upTo: 4)
            let object: JSON = ["metadata": .string(text)]
            let isPart = part.isEmpty || (0..<max(text.count, 1)).contains { text.dropFirst($0).hasPrefix(part) }
            #expect(try Self.holds("obj.metadata.contains('\(part)')", object) == isPart, "\(part) in \(text)")
            #expect(try Self.holds("obj.metadata.startsWith('\(part)')", object) == text.hasPrefix(part))
            #expect(
                try Self.holds("obj.metadata.endsWith('\(part)')", object) == (part.isEmpty || text.hasSuffix(part)))
        }
    }

    @Test func `comparisons agree with each other on any two values`() throws {
        let values = ["1", "-1", "1.0", "1.5", "9007199254740993", "'a'", "'b'", "'é'", "'e\u{301}'", "''"]
        for one in values {
            for other in values {
                let test = { (operation: String) in try Self.holds("\(one) \(operation) \(other)", Self.object) }
                guard Self.mistake("\(one) < \(other)") == nil else { continue }
                let (less, equal, greater) = (try test("<"), try test("=="), try test(">"))
                #expect([less, equal, greater].count { $0 } == 1, "\(one) and \(other)")
                #expect(try test("<=") == (less || equal) && test(">=") == (greater || equal))
                #expect(try test("!=") == !equal)
            }
        }
    }

    @Test func `whatever is written is read or refused, and De Morgan's laws hold`() throws {
        var source = SeededSource(seed: 42)
        var read = 0
        for _ in 0..<5000 {
            let one = source.expression()
            let other = source.expression()
            guard Self.mistake(one) == nil, Self.mistake(other) == nil else { continue }
            read += 1
            for object in [Self.object, [:]] {
                #expect(
                    try Self.holds("!((\(one)) && (\(other)))", object)
                        == Self.holds("!(\(one)) || !(\(other))", object), "\(one), \(other)")
                #expect(try Self.holds("!!(\(one))", object) == Self.holds(one, object))
            }
        }
        #expect(read > 500)
    }

    @Test func `any bytes are read or refused`() {
        var source = SeededSource(seed: 3)
        for _ in 0..<3000 {
            let text = source.text("obj.portid\"'()[]!=<>&|,. 0159-enulltimsap\\uö\u{0}", upTo: 40)
            if let mistake = Self.mistake(text) {
                #expect((0...text.utf8.count).contains(mistake.position) && !mistake.reason.isEmpty)
            }
        }
    }
}

/// Repeatable chance.
struct SeededSource {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func below(_ bound: Int) -> Int {
        state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        return Int(state >> 33) % bound
    }

    mutating func text(_ letters: String, upTo length: Int) -> String {
        let letters = Array(letters)
        return String((0..<below(length + 1)).map { _ in letters[below(letters.count)] })
    }

    mutating func pick(_ words: [String]) -> String { words[below(words.count)] }

    /// Mostly well-formed.
    mutating func expression(depth: Int = 0) -> String {
        let operand = { (source: inout SeededSource) in
            source.pick([
                "obj.port", "obj.type", "obj.share", "obj.metadata", "obj.pooled", "obj.domain", "obj.domain.id", "443",
                "'cloud'", "null", "true", "obj.created_at", "timestamp(time.now)", "size(obj.bindings)", "0.5",
            ])
        }
        switch below(depth > 3 ? 4 : 8) {
        case 0: return "\(operand(&self)) \(pick(["==", "!=", "<", "<=", ">", ">="])) \(operand(&self))"
        case 1: return "\(operand(&self)) in \(pick(["['cloud', null]", "obj.bindings", "[1, 443]"]))"
        case 2: return "\(operand(&self)).\(pick(["contains", "startsWith", "endsWith"]))('c')"
        case 3: return "obj.pooled"
        case 4: return "!(\(expression(depth: depth + 1)))"
        case 5: return "(\(expression(depth: depth + 1)))"
        default: return "\(expression(depth: depth + 1)) \(pick(["&&", "||"])) \(expression(depth: depth + 1))"
        }
    }
}
