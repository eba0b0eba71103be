import Testing

@testable import EdgeModules

@Suite struct RegexSyntaxTests {
    @Test(arguments: [
        "", "^$", "curl", "^Mozilla/5\\.0", "(?i)curl|wget", "a|b|", "(|a)b", "a*?b+?c??", "a{3}", "a{2,}", "a{2,5}?",
        "a{", "a{,3}", "{x}", "[a-z]", "[^a-z]", "[]a]", "[^]a]", "[a-]", "[-a]", "[a\\-z]", "[\\d\\w]", "[[:alpha:]]",
        "[[:^digit:]x]", "[\\x41-\\x5A]", "\\d\\D\\s\\S\\w\\W", "\\pL", "\\p{Greek}", "\\P{^Lu}", "\\bbot\\B",
        "\\Aa\\z", "\\Q(((\\E", "\\Q", "\\x41", "\\x{1F600}", "\\012", "\\12", "(?P<name>a)", "(?<name>a)", "(?:a)",
        "(?i-s:a)", "(?s)", "(?U)a", "(((a)))", "a{1000}", "(a{10}){100}", "[[]", "[a[:]]", "é+", "\\.", "\\_",
        "x*|y",
    ])
    func `an expression of RE2 is let through`(pattern: String) {
        #expect(RegexSyntax.mistake(in: pattern) == nil)
    }

    @Test(arguments: [
        "(", ")", "a)", "(a", "[a", "[", "[z-a]", "[a-\\d]", "[[:nope:]]", "*", "+a", "a|*", "(*)", "a**", "a+*",
        "a??+",
        "a{2}{3}", "{2}", "^*?*", "a{1001}", "a{5,2}", "(a{100}){11}", "(?=a)", "(?!a)", "(?<=a)", "(?<!a)", "(?>a)",
        "(a)\\1", "\\8", "\\k<a>", "\\", "\\y", "\\C", "\\x4", "\\xZZ", "\\x{110000}", "\\x{}", "\\x{41", "\\p", "\\p{",
        "\\p{a b}", "(?P<>a)", "(?P<a b>a)", "(?P<a>x)(?P<a>y)", "(?P=a)", "(?z)", "(?i", "(?i-)", "(?#x)", "(?R)",
        "[\\b]", "a{9999999999999999999}", "(?)*",
    ])
    func `what RE2 has no words for is refused`(pattern: String) {
        #expect(RegexSyntax.mistake(in: pattern) != nil)
    }

    @Test func `length and depth are bounded`() {
        #expect(RegexSyntax.mistake(in: String(repeating: "a", count: 1024)) == nil)
        #expect(RegexSyntax.mistake(in: String(repeating: "a", count: 1025)) != nil)
        let nested = { (depth: Int) in String(repeating: "(", count: depth) + String(repeating: ")", count: depth) }
        #expect(RegexSyntax.mistake(in: nested(100)) == nil)
        #expect(RegexSyntax.mistake(in: nested(101)) == "expression nests too deeply")
    }

    @Test func `any text is either an expression or has a mistake, and nothing else happens`() {
        let pieces = [
            "a", "(", ")", "[", "]", "{", "}", "1", ",", "\\", "?", "*", "|", "-", "^", "P", "<", ":", "x", "Q",
        ]
        var state: UInt64 = 42
        for _ in 0..<20_000 {
            var pattern = ""
            for _ in 0..<12 {
                state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
                pattern += pieces[Int(state >> 33) % pieces.count]
            }
            let mistake = RegexSyntax.mistake(in: pattern)
            #expect(mistake != "")
        }
    }
}
