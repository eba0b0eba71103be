import Shared
import Testing

@testable import EdgeCore

@Suite struct EntryRulesTests {
    private let compiler = SnapshotCompiler(
        modules: ModuleRegistry([]), slots: SlotTable(), breakers: CircuitBreakers())
    private let home = IPAddress("10.1.2.3") ?? .unspecified
    private let guest = IPAddress("10.9.9.9") ?? .unspecified
    private let stranger = IPAddress("192.0.2.1") ?? .unspecified

    private func rule(_ cidr: String, allows: Bool = true) -> IPPolicyRule {
        IPPolicyRule(network: try! IPNetwork(cidr: cidr), allows: allows)
    }

    private func configuration(isEnforced: Bool = true) -> Configuration {
        var configuration = Configuration()
        configuration.policies["ipp_1"] = [rule("10.0.0.0/8")]
        configuration.policies["ipp_2"] = [rule("10.9.0.0/16", allows: false), rule("10.9.9.9/32")]
        configuration.entry = EntryRestriction(id: "ipx_1", isEnforced: isEnforced, policies: ["ipp_1", "ipp_2"])
        return configuration
    }

    @Test func `without a restriction there is nothing to ask`() {
        #expect(compiler.compile(Configuration(), touched: nil, previous: nil).entry == nil)
        #expect(Snapshot.empty.entry == nil)
    }

    @Test func `the rules of all policies count together, and a denial beats any permission`() throws {
        let entry = try #require(compiler.compile(configuration(), touched: nil, previous: nil).entry)
        #expect(entry.admits(home))
        #expect(!entry.admits(guest))
        #expect(!entry.admits(stranger))
        #expect(!entry.admits(IPAddress(high: 0, low: 1)))
    }

    @Test func `a policy without rules lets nobody in`() throws {
        var wanted = configuration()
        wanted.policies = ["ipp_1": [], "ipp_2": []]
        let entry = try #require(compiler.compile(wanted, touched: nil, previous: nil).entry)
        #expect(!entry.admits(home))
    }

    @Test func `one that is not enforced admits everybody, and notes who would be refused`() throws {
        let entry = try #require(compiler.compile(configuration(isEnforced: false), touched: nil, previous: nil).entry)
        #expect(entry.admits(stranger) && entry.admits(guest) && entry.admits(home))
        #expect(!entry.allows(stranger))
        let seen = try #require(entry.takeStrangers())
        #expect(seen.count == 2)
        #expect(seen.latest == guest)
        #expect(entry.takeStrangers() == nil)
    }

    @Test func `only what touches the restriction makes its rules anew, and a change forgets nobody`() throws {
        var wanted = configuration()
        let first = compiler.compile(wanted, touched: nil, previous: nil)
        let other = compiler.compile(wanted, touched: ["bkdsc_1", "ipp_9"], previous: first)
        #expect(other.entry === first.entry)
        #expect(other.entry?.admits(stranger) == false)
        wanted.policies["ipp_1"] = [rule("192.0.2.0/24")]
        let second = compiler.compile(wanted, touched: ["ipp_1"], previous: other)
        #expect(second.entry?.admits(stranger) == true)
        #expect(second.entry?.admits(home) == false)
        #expect(second.entry?.takeStrangers()?.count == 2)
        wanted.entry?.isEnforced = false
        let third = compiler.compile(wanted, touched: ["ipx_1"], previous: second)
        #expect(third.entry?.admits(home) == true)
        wanted.entry = nil
        #expect(compiler.compile(wanted, touched: ["ipx_1"], previous: third).entry == nil)
    }
}
