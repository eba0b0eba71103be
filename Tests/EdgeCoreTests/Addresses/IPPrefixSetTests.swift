import Testing

@testable import EdgeCore

@Suite struct IPPrefixSetTests {
    private func network(_ chance: inout Chance) -> IPNetwork {
        // Few different bits, so that networks lie in one another.
        if Bool.random(using: &chance) {
            let bits = UInt32(truncatingIfNeeded: chance.next()) & 0x0F0F_00FF
            return IPNetwork(address: IPAddress(v4: bits), prefixLength: 96 + Int.random(in: 0...32, using: &chance))
        }
        let address = IPAddress(high: chance.next() & 0xF000_00F0_0000_000F, low: chance.next() & 0xF)
        return IPNetwork(address: address, prefixLength: Int.random(in: 0...128, using: &chance))
    }

    @Test func `C86 the set agrees with a list of its networks`() {
        var chance = Chance(2)
        for size in [0, 1, 2, 5, 40, 300] {
            for _ in 0..<20 {
                let networks = (0..<size).map { _ in network(&chance) }
                let set = IPPrefixSet(networks)
                for _ in 0..<200 {
                    let address = network(&chance).address
                    let expected = networks.filter { $0.contains(address) }.map(\.prefixLength).max()
                    #expect(set.longestMatch(address) == expected)
                    #expect(set.contains(address) == (expected != nil))
                }
            }
        }
    }

    @Test func `the longest network wins whatever the order of insertion`() throws {
        let texts = ["10.0.0.0/8", "10.1.0.0/16", "10.1.2.0/24", "0.0.0.0/0"]
        let address = try #require(IPAddress("10.1.2.3"))
        for order in [texts, texts.reversed()] {
            let set = IPPrefixSet(try order.map { try IPNetwork(cidr: $0) })
            #expect(set.longestMatch(address) == 120)
            #expect(set.longestMatch(try #require(IPAddress("11.0.0.1"))) == 96)
        }
    }

    @Test func `a lookup visits few nodes among many networks`() {
        var chance = Chance(3)
        let networks = (0..<20_000).map { _ in
            IPNetwork(address: IPAddress(v4: UInt32(truncatingIfNeeded: chance.next())), prefixLength: 120)
        }
        let set = IPPrefixSet(networks)
        // Random keys make a trie of about log2(n) levels: 15 here. A list walk would be 20,000.
        let most = networks.map { set.visits($0.address) }.max() ?? 0
        #expect(most <= 40)
        #expect(networks.allSatisfy { set.contains($0.address) })
    }
}
