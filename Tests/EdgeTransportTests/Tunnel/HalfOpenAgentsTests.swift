import EdgeCore
import Testing

@testable import EdgeTransport

/// Who has to go when too many agents have shown no token yet.
@Suite struct HalfOpenAgentsTests {
    private func address(_ number: UInt32) -> IPAddress { IPAddress(v4: 0x0A00_0000 + number) }

    @Test func `below the limit nobody has to go`() {
        var agents = HalfOpenAgents(limit: 3)
        let evicted = (0..<3).map { _ in agents.add(address(1)).evicted }
        #expect(evicted == [nil, nil, nil] && agents.count == 3)
    }

    @Test func `the oldest of whoever has most goes, and not the one who came alone`() {
        var agents = HalfOpenAgents(limit: 4)
        let alone = agents.add(address(1)).number
        let many = (0..<3).map { _ in agents.add(address(2)).number }
        let other = agents.add(address(3))
        #expect(other.evicted == many[0])
        let next = agents.add(address(2))
        #expect(next.evicted == many[1])
        #expect(agents.count == 4)
        agents.remove(alone)
        #expect(agents.count == 3)
        let last = agents.add(address(4))
        #expect(last.evicted == nil)
    }

    @Test func `who has shown a token counts no more`() {
        var agents = HalfOpenAgents(limit: 2)
        let first = agents.add(address(1))
        _ = agents.add(address(2))
        agents.remove(first.number)
        // Once more does no harm.
        agents.remove(first.number)
        #expect(agents.count == 1)
        let evicted = [agents.add(address(3)).evicted, agents.add(address(4)).evicted]
        #expect(evicted[0] == nil && evicted[1] != nil)
    }

    @Test func `a flood from one address never drives out the others`() {
        var agents = HalfOpenAgents(limit: 100)
        var others: Set<UInt64> = []
        for number in 0..<20 { others.insert(agents.add(address(100 + UInt32(number))).number) }
        var evicted: Set<UInt64> = []
        for _ in 0..<10_000 { if let number = agents.add(address(1)).evicted { evicted.insert(number) } }
        #expect(evicted.isDisjoint(with: others))
        #expect(evicted.count == 10_000 - 80 && agents.count == 100)
    }
}
