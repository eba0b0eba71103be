import EdgeCore
import EdgeModules
import Shared
import Testing

@Suite struct StandardModulesTests {
    private let registry = StandardModules.registry

    @Test func `C16 each module works on the edge kinds that can carry it`() {
        #expect(registry["ip_restriction"]?.edgeKinds == [.https, .tls, .tcp])
        #expect(registry["mutual_tls"]?.edgeKinds == [.https, .tls])
        #expect(registry["traffic_policy"]?.edgeKinds == [.https, .tls, .tcp])
        let onHTTP = registry.modules.filter { $0.edgeKinds == [.https] }.map { $0.name }
        #expect(onHTTP.count == registry.modules.count - 3)
    }

    @Test func `answers meet compression before response_headers, requests meet request_headers last`() {
        let names = registry.modules.map { $0.name }
        #expect(
            names == [
                "mutual_tls", "response_headers", "ip_restriction", "basic_auth", "user_agent_filter",
                "webhook_verification", "oauth", "oidc", "saml", "traffic_policy", "websocket_tcp_converter",
                "circuit_breaker",
                "compression", "request_headers",
            ])
    }

    @Test func `every module works with its own example, and keeping it changes nothing`() throws {
        let rules = [IPPolicyRule(network: try IPNetwork(cidr: "0.0.0.0/0"), allows: true)]
        let environment = environment(["ipp_000000000000000000000000000": rules])
        for module in registry.modules {
            let kept = try module.normalise(module.example)
            #expect(try module.normalise(kept) == kept)
            _ = try module.init(settings: kept, environment: environment)
            #expect(fault(module, ["no_such_field": 1]) == "ERR_NGROK_214")
            #expect(fault(module, [1]) == "ERR_NGROK_212")
        }
    }

    @Test func `C19 a request meets the chain in order, and stops at the first that refuses it`() throws {
        let documents: [String: JSON] = [
            "ip_restriction": ["ip_policy_ids": ["ipp_none"]],
            "circuit_breaker": CircuitBreaking.example,
            "request_headers": ["add": ["x-late": "1"], "remove": []],
        ]
        let breakers = CircuitBreakers()
        let chain = try registry.chain(documents, environment: environment(["ipp_none": []], breakers: breakers))
        #expect(chain.names == ["ip_restriction", "circuit_breaker", "request_headers"])
        let view = exchange()
        guard case .reject(let error) = chain.onRequest(view) else {
            Issue.record("expected a refusal")
            return
        }
        #expect(error == .ipRestricted)
        #expect(view.passed == 0)
        #expect(values(view.request, "x-late").isEmpty)
        // Nobody behind the refusal hears of the outcome.
        chain.onOutcome(view, .failed(error))
        #expect(breakers.statuses(now: view.now).first?.total == 0)
    }

    @Test func `a disabled module is not in the chain`() throws {
        let chain = try registry.chain(
            ["compression": ["enabled": false], "response_headers": nil], environment: environment())
        #expect(chain.names.isEmpty)
    }
}
