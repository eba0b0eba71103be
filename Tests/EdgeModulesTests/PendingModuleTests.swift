import EdgeCore
import EdgeModules
import Shared
import Testing

@Suite struct PendingModuleTests {
    private static let pending = StandardModules.registry.modules.filter { $0 is any PendingModule.Type }

    private func refusal(_ verdict: Verdict) -> EdgeError? {
        guard case .reject(let error) = verdict else { return nil }
        return error
    }

    @Test func `the modules that cannot run yet are these`() {
        let names = PendingModuleTests.pending.map { $0.name }
        #expect(
            names == [
                "mutual_tls", "user_agent_filter", "webhook_verification", "oauth", "oidc", "saml", "traffic_policy",
                "websocket_tcp_converter",
            ])
    }

    @Test(arguments: pending.map { $0.name })
    func `a request that meets one is answered 501 with its name, a connection is closed`(name: String) throws {
        let module = try #require(StandardModules.registry[name])
        let kept = try module.normalise(module.example)
        let chain = try StandardModules.registry.chain([name: kept], environment: environment())
        let error = refusal(chain.onRequest(exchange()))
        #expect(error?.status == 501)
        #expect(error?.title.contains(name) == true)
        // The public API has no code for it.
        #expect(error?.code == nil)
        #expect(!chain.admits(connection("192.0.2.1")))
    }

    @Test func `what is switched off stops nothing`() throws {
        var documents: [String: JSON] = [:]
        for module in PendingModuleTests.pending {
            documents[module.name] = try module.normalise(module.example)
            documents[module.name]?["enabled"] = false
        }
        let chain = try StandardModules.registry.chain(documents, environment: environment())
        #expect(chain.names.isEmpty)
        #expect(chain.admits(connection("192.0.2.1")))
    }

    @Test func `beside other modules the request is refused before the breaker counts it`() throws {
        for module in PendingModuleTests.pending {
            let breakers = CircuitBreakers()
            let documents: [String: JSON] = [
                module.name: try module.normalise(module.example), "circuit_breaker": CircuitBreaking.example,
                "compression": [:], "request_headers": ["add": ["x-late": "1"], "remove": []],
                "response_headers": ["add": ["x-last": "1"], "remove": []],
            ]
            let chain = try StandardModules.registry.chain(documents, environment: environment(breakers: breakers))
            let view = exchange()
            let error = refusal(chain.onRequest(view))
            #expect(error == .missingModule(module.name))
            chain.onOutcome(view, .failed(.missingModule(module.name)))
            #expect(breakers.statuses(now: view.now).first?.total == 0)
            #expect(values(view.request, "x-late").isEmpty)
        }
    }

    @Test func `a stranger is turned away before anything says what is missing`() throws {
        let documents: [String: JSON] = [
            "oauth": try OAuth.normalise(OAuth.example), "ip_restriction": ["ip_policy_ids": ["ipp_none"]],
        ]
        let chain = try StandardModules.registry.chain(documents, environment: environment(["ipp_none": []]))
        #expect(refusal(chain.onRequest(exchange())) == .ipRestricted)
    }
}
