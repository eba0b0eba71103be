import EdgeCore
import EdgeModules
import Shared
import Testing

@Suite struct IPRestrictionTests {
    private func module(_ policies: [[(String, Bool)]]) throws -> IPRestriction {
        var all: [String: [IPPolicyRule]] = [:]
        for (number, rules) in policies.enumerated() {
            all["ipp_\(number)"] = try rules.map {
                IPPolicyRule(network: try IPNetwork(cidr: $0.0), allows: $0.1)
            }
        }
        let ids = JSON.array(all.keys.sorted().map { .string($0) })
        return try IPRestriction(settings: ["ip_policy_ids": ids], environment: environment(all))
    }

    @Test func `C86 allowed is who some rule allows and none denies, whatever policy it is in`() throws {
        let module = try module([
            [("10.0.0.0/8", true), ("2001:db8::/32", true)], [("10.1.0.0/16", false), ("10.1.2.3/32", true)],
        ])
        let expected = [
            "10.0.0.1": true, "10.2.0.1": true, "11.0.0.1": false, "10.1.0.1": false,
            // Denied by the shorter network, although the longer one allows it.
            "10.1.2.3": false, "2001:db8::1": true, "2001:db9::1": false, "::ffff:10.0.0.1": true,
        ]
        for (address, isAllowed) in expected {
            #expect(module.admits(connection(address)) == isAllowed, "\(address)")
            let view = exchange(client: address)
            var note: UInt64 = 0
            switch module.onRequest(view, note: &note) {
            case .proceed: #expect(isAllowed)
            case .reject(let error): #expect(!isAllowed && error.status == 403 && error.code == "ERR_NGROK_3205")
            case .respond: Issue.record("not an answer of this module")
            }
            #expect(view.variables.first?.value == (isAllowed ? "allow" : "deny"))
        }
    }

    @Test func `C69 a list that allows only IPv4 shuts out IPv6, even from the whole of it`() throws {
        let module = try module([[("0.0.0.0/0", true)]])
        #expect(module.admits(connection("192.0.2.1")))
        #expect(!module.admits(connection("2001:db8::1")))
    }

    @Test func `forwarded headers do not count`() throws {
        let module = try module([[("10.0.0.0/8", true)]])
        let view = exchange(request: [("x-forwarded-for", "10.0.0.1")], client: "192.0.2.1")
        var note: UInt64 = 0
        guard case .reject = module.onRequest(view, note: &note) else {
            Issue.record("expected a refusal")
            return
        }
    }

    @Test func `without rules, or without a known source, nobody is allowed`() throws {
        #expect(try !module([[]]).admits(connection("10.0.0.1")))
        let view = exchange()
        view.connection = nil
        var note: UInt64 = 0
        guard case .reject = try module([[("0.0.0.0/0", true), ("::/0", true)]]).onRequest(view, note: &note) else {
            Issue.record("expected a refusal")
            return
        }
    }

    @Test func `settings are checked with their codes`() throws {
        #expect(fault(IPRestriction.self, [:]) == "ERR_NGROK_7025")
        #expect(fault(IPRestriction.self, ["ip_policy_ids": []]) == "ERR_NGROK_7025")
        #expect(fault(IPRestriction.self, ["ip_policy_ids": nil]) == "ERR_NGROK_7025")
        let many = JSON.array((0..<11).map { .string("ipp_\($0)") })
        #expect(fault(IPRestriction.self, ["ip_policy_ids": many]) == "ERR_NGROK_7013")
        #expect(fault(IPRestriction.self, ["ip_policy_ids": [1]]) == "ERR_NGROK_212")
        #expect(fault(IPRestriction.self, ["ip_policy_ids": ["ipp_1"]]) == nil)
        let missing = #expect(throws: Fault.self) {
            try IPRestriction(settings: ["ip_policy_ids": ["ipp_x"]], environment: environment())
        }
        #expect(missing?.code == "ERR_NGROK_7007")
    }
}
