import Shared
import Testing

@testable import EdgeCore

/// Tunnel groups without a transport: which tunnels a selector takes in, and who gets how much.
@Suite struct TunnelGroupsTests {
    private let groups = TunnelGroups()

    private func backend(_ labels: JSON, id: BackendID = "bkdtg_1") throws -> TunnelGroupBackend {
        try TunnelGroupBackend(
            id: id, settings: ["labels": labels],
            environment: BackendEnvironment(slots: SlotTable(), tunnels: groups) { _ in nil })
    }

    private func tunnel(_ id: String, _ labels: [String: String]) -> TunnelTarget {
        TunnelTarget(id: id, labels: labels)
    }

    /// Identifiers in the order in which so many choices begin with them.
    private func choose(_ backend: TunnelGroupBackend, _ count: Int, _ states: inout BalanceStates) -> [String] {
        states.tunnels = groups.table
        return (0..<count).map { _ in
            var path = SelectionPath()
            guard case .tunnels(let tunnels, let first) = backend.choose(&states, &path) else { return "none" }
            return tunnels[first].id
        }
    }

    @Test(
        arguments: [
            (["app": "shop"], true), (["app": "shop", "version": "2"], true), (["app": "Shop"], false),
            (["version": "2"], false), ([:], false), (["App": "shop"], false), (["app": "shop "], false),
        ] as [([String: String], Bool)])
    func `C24 C25 C26 a tunnel is in a group when it has all of its labels`(
        _ labels: [String: String], _ isIn: Bool
    ) throws {
        let backend = try backend(["app": "shop"])
        groups.add(tunnel("tn_1", labels))
        var states = BalanceStates()
        #expect(choose(backend, 1, &states) == [isIn ? "tn_1" : "none"])
    }

    @Test func `a selector without labels takes in no tunnel`() throws {
        let backend = try backend([:])
        groups.add(tunnel("tn_1", ["app": "shop"]))
        groups.add(tunnel("tn_2", [:]))
        var states = BalanceStates()
        #expect(choose(backend, 1, &states) == ["none"])
    }

    @Test func `C21 three tunnels get a third each, exactly`() throws {
        let backend = try backend(["app": "shop"])
        for id in ["tn_1", "tn_2", "tn_3"] { groups.add(tunnel(id, ["app": "shop"])) }
        var states = BalanceStates()
        let chosen = choose(backend, 30_000, &states)
        for id in ["tn_1", "tn_2", "tn_3"] { #expect(chosen.count { $0 == id } == 10_000) }
    }

    @Test func `C23 a tunnel that comes or goes is in the next choices, or in none`() throws {
        let backend = try backend(["app": "shop"])
        let tunnels = (1...3).map { tunnel("tn_\($0)", ["app": "shop", "version": "\($0)"]) }
        groups.add(tunnels[0])
        var states = BalanceStates()
        #expect(Set(choose(backend, 10, &states)) == ["tn_1"])
        groups.add(tunnels[1])
        groups.add(tunnels[2])
        #expect(Set(choose(backend, 3, &states)) == ["tn_1", "tn_2", "tn_3"])
        groups.remove([tunnels[0], tunnels[2]])
        #expect(Set(choose(backend, 10, &states)) == ["tn_2"])
        groups.remove([tunnels[1]])
        #expect(choose(backend, 1, &states) == ["none"])
    }

    @Test func `C22 one tunnel is in every group that its labels match`() throws {
        let backends = [try backend(["app": "shop"]), try backend(["version": "1"]), try backend(["app": "desk"])]
        groups.add(tunnel("tn_1", ["app": "shop", "version": "1"]))
        var states = BalanceStates()
        #expect(backends.map { choose($0, 1, &states)[0] } == ["tn_1", "tn_1", "none"])
    }

    @Test func `tunnels that were there before a group are in it`() throws {
        groups.add(tunnel("tn_1", ["app": "shop"]))
        let backend = try backend(["app": "shop"])
        var states = BalanceStates()
        #expect(choose(backend, 1, &states) == ["tn_1"])
    }

    @Test func `a group's number is another's when nobody uses it any more`() throws {
        var numbers: Set<Int32> = []
        for index in 0..<1000 {
            let use = groups.use(["app": "\(index)"])
            numbers.insert(use.number)
        }
        #expect(numbers.count == 1)
        let first = groups.use(["app": "a"])
        let again = groups.use(["app": "a"])
        let other = groups.use(["app": "b"])
        #expect(first.number == again.number && first.number != other.number)
    }

    @Test func `two tunnels of one identifier are told apart`() throws {
        let backend = try backend(["app": "shop"])
        let old = tunnel("tn_1", ["app": "shop"])
        groups.add(old)
        groups.add(tunnel("tn_1", ["app": "shop"]))
        groups.remove([old])
        var states = BalanceStates()
        #expect(choose(backend, 1, &states) == ["tn_1"])
    }
}
