import Testing

@testable import EdgeCore

final class Named: Sendable {
    let name: String
    init(_ name: String) { self.name = name }
}

@Suite struct HostTableTests {
    private func table(_ names: [String]) -> HostTable<Named> { HostTable(names.map { ($0, Named($0)) }) }

    @Test(arguments: [
        ("example.com", "example.com"), ("example.com.", "example.com"), ("a.example.com", "a.example.com"),
        ("b.example.com", "*.example.com"), ("x.y.z.example.com", "*.example.com"),
        ("x.b.a.example.com", "*.a.example.com"), ("deep.x.b.a.example.com", "*.a.example.com"),
        ("only.test", nil), ("x.only.test", "*.only.test"), ("", nil), (".", nil), ("com", nil),
        (".example.com", nil), ("xexample.com", nil), ("example.com.evil", nil), ("[::1]", nil),
    ])
    func `an exact name wins, then the longest wildcard, at any depth but not at its apex`(
        name: String, expected: String?
    ) {
        let table = table(["example.com", "a.example.com", "*.example.com", "*.a.example.com", "*.only.test"])
        #expect(table.lookup(name)?.name == expected)
    }

    @Test func `an empty table has no names`() { #expect(table([]).lookup("example.com") == nil) }

    @Test func `names of absurd length find nothing`() {
        let table = table(["*.example.com"])
        #expect(table.lookup(String(repeating: "a.", count: 120) + "example.com")?.name == "*.example.com")
        #expect(table.lookup(String(repeating: "a.", count: 4000) + "example.com") == nil)
    }

    @Test func `the table agrees with a search through all names`() {
        var chance = Chance(4)
        let labels = ["a", "b", "cc", "www", "x-1"]
        let name = { (chance: inout Chance, depth: ClosedRange<Int>) in
            (0..<Int.random(in: depth, using: &chance)).map { _ in labels.randomElement(using: &chance) ?? "" }
                .joined(separator: ".")
        }
        for _ in 0..<50 {
            var names: Set<String> = []
            for _ in 0..<Int.random(in: 1...60, using: &chance) {
                names.insert((Bool.random(using: &chance) ? "*." : "") + name(&chance, 1...4))
            }
            let table = table(names.sorted())
            for _ in 0..<200 {
                let wanted = name(&chance, 1...6)
                let wildcards = names.filter { $0.hasPrefix("*.") && wanted.hasSuffix($0.dropFirst()) }
                let expected = names.contains(wanted) ? wanted : wildcards.max { $0.utf8.count < $1.utf8.count }
                #expect(table.lookup(wanted)?.name == expected)
            }
        }
    }
}
