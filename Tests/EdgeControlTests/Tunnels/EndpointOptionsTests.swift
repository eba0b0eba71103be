import EdgeCore
import EdgeTesting
import EdgeTunnel
import Foundation
import Shared
import Testing

@testable import EdgeControl

/// The options of endpoints that agents bind: what they do, and how they are answered.
@Suite struct EndpointOptionsTests {
    private static let host = "app.example.com"

    private func room() async throws -> (AgentRoom, UInt64) {
        let agents = try await AgentRoom()
        _ = try await agents.room.make("/reserved_domains", ["domain": .string(Self.host)])
        return (agents, try await agents.connect())
    }

    /// As the official agent sends them (agent-protocol.md 6.4).
    private static let usual: [String: JSON] = [
        "Hostname": .string(host), "Auth": "", "Subdomain": "", "HostHeaderRewrite": false, "LocalUrlScheme": nil,
        "ProxyProto": 0, "Compression": nil, "CircuitBreaker": nil, "IPRestriction": nil, "BasicAuth": nil,
        "OAuth": nil, "OIDC": nil, "WebhookVerification": nil, "MutualTLSCA": nil, "RequestHeaders": nil,
        "ResponseHeaders": nil,
        "WebsocketTCPConverter": nil, "UserAgentFilter": nil, "TrafficPolicy": "",
    ]

    private func options(_ more: [String: JSON]) -> JSON { .object(Self.usual.merging(more) { $1 }) }

    @Test func `each option is a module of the endpoint, and alone`() async throws {
        let (agents, connection) = try await room()
        let cases: [(option: String, value: JSON, module: String)] = [
            ("Compression", [:], "compression"), ("CircuitBreaker", ["error_threshold": 0.5], "circuit_breaker"),
            ("IPRestriction", ["allow_cidrs": ["192.0.2.0/24"], "deny_cidrs": ["192.0.2.1/32"]], "ip_restriction"),
            (
                "BasicAuth", ["credentials": [["username": "user", "cleartext_password": "password1"]]],
                "basic_auth"
            ),
            ("RequestHeaders", ["add": ["x-a: 2", "x-b:"], "remove": ["x-c"]], "request_headers"),
            ("ResponseHeaders", ["add": ["x-c:3"], "remove": ["x-d"]], "response_headers"),
            ("UserAgentFilter", ["allow": ["^curl"], "deny": ["bot"]], "user_agent_filter"),
            ("WebsocketTCPConverter", [:], "websocket_tcp_converter"),
        ]
        for (option, value, module) in cases {
            let bound = await agents.bind("https", options([option: value]), on: connection)
            guard case .success(let (reply, _)) = bound else {
                Issue.record("\(option): \(bound)")
                continue
            }
            #expect(agents.modules(Self.host) == [module], "\(option)")
            #expect(reply.options[option] == value)
            await agents.service.unbound(reply.id, on: connection)
        }
        let plain = try await agents.bind("https", options([:]), on: connection).get().0
        #expect(agents.modules(Self.host) == [])
        await agents.service.unbound(plain.id, on: connection)
    }

    @Test func `settings of options reach their modules`() async throws {
        let (agents, connection) = try await room()
        let all: [String: JSON] = [
            "IPRestriction": ["allow_cidrs": ["192.0.2.0/24"], "deny_cidrs": ["192.0.2.1/32"]],
            "RequestHeaders": ["add": ["x-a: 2", "x-b:"], "remove": ["x-c"]],
            "CircuitBreaker": ["error_threshold": 0.25],
        ]
        _ = try await agents.bind("https", options(all), on: connection).get()
        let configuration = try #require(agents.snapshot?.configuration)
        let edge = try #require(configuration.edges.values.first { $0.isEphemeral })
        let modules = try #require(edge.routes.first?.modules)
        #expect(modules["request_headers"]?["add"] == ["x-a": "2", "x-b": ""])
        #expect(modules["request_headers"]?["remove"] == ["x-c"])
        #expect(modules["circuit_breaker"]?["error_threshold_percentage"] == 0.25)
        let policy = modules["ip_restriction"]?["ip_policy_ids"]?.arrayValue?.first?.stringValue ?? ""
        let rules = try #require(configuration.policies[IPPolicyID(policy)])
        #expect(rules.map { "\($0.network) \($0.allows)" } == ["192.0.2.0/24 true", "192.0.2.1/32 false"])
    }

    @Test func `settings that a module refuses refuse the endpoint`() async throws {
        let (agents, connection) = try await room()
        let cases: [(String, JSON)] = [
            ("CircuitBreaker", ["error_threshold": 2]), ("IPRestriction", ["allow_cidrs": ["no network"]]),
            ("BasicAuth", ["credentials": [["username": "user", "cleartext_password": "short"]]]),
            ("BasicAuth", ["credentials": []]), ("RequestHeaders", ["add": ["no colon"]]),
            ("UserAgentFilter", ["allow": ["("]]),
        ]
        for (option, value) in cases {
            let refused = await agents.refusal(binding: "https", options([option: value]), on: connection)
            #expect(refused != nil, "\(option) \(value.text)")
            #expect(agents.snapshot?.hosts.lookup(Self.host) == nil, "\(option)")
        }
        #expect(agents.service.tunnels().isEmpty)
    }

    @Test func `an agent's own authorities let nobody in before there is a module that looks at them`() async throws {
        let (agents, connection) = try await room()
        _ = try await agents.bind("https", options(["MutualTLSCA": ["mutual_tls_ca": "eA=="]]), on: connection).get()
        #expect(agents.modules(Self.host).contains("mutual_tls"))
    }

    // MARK: The echo

    @Test func `options are answered completely, with the address that was given`() async throws {
        let (agents, connection) = try await room()
        let sent = options([
            "Hostname": "", "URL": "https://App.example.com", "ProxyProto": 2, "Compression": [:], "Unknown": ["a": 1],
            "BasicAuth": ["credentials": [["username": "user", "cleartext_password": "password1"]]],
        ])
        let (reply, grant) = try await agents.bind("https", sent, on: connection).get()
        var expected = sent.objectValue ?? [:]
        expected["Hostname"] = .string(Self.host)
        #expect(reply.options == .object(expected))
        #expect(grant.proxyProtocol == 2)
        let document = reply.document
        #expect(document["Extra"]?["Token"] == .string(reply.token) && document["Error"] == "")
    }

    @Test func `what agents require of an answer's options is there with its type, though they sent none`() async throws
    {
        let (agents, connection) = try await room()
        let null: JSON = [
            "Hostname": .string(Self.host), "Auth": nil, "HostHeaderRewrite": nil, "ProxyProto": nil, "Subdomain": nil,
        ]
        for options in [null, ["Hostname": .string(Self.host)]] {
            let reply = try await agents.bind("https", options, on: connection).get().0
            let expected: [String: JSON] = [
                "Hostname": .string(Self.host), "Auth": "", "Subdomain": "", "HostHeaderRewrite": false,
                "ProxyProto": 0,
            ]
            for (name, value) in expected { #expect(reply.options[name] == value, "\(name)") }
            await agents.service.unbound(reply.id, on: connection)
        }
        let tcp = try await agents.bind("tcp", [:], on: connection).get().0
        #expect(tcp.options["Addr"] == .string(String(tcp.url.dropFirst("tcp://".count))))
        #expect(tcp.options["ProxyProto"] == 0)
        let tls = try await agents.bind("tls", ["Hostname": .string(Self.host)], on: connection).get().0
        #expect(tls.options["MutualTLSAtAgent"] == false && tls.options["ProxyProto"] == 0)
    }

    // MARK: TLS

    @Test func `a TLS endpoint is passed through unless the agent asks for termination`() async throws {
        let (agents, connection) = try await room()
        let passing = try await agents.bind("tls", ["Hostname": .string(Self.host)], on: connection).get().0
        #expect(agents.snapshot?.hosts.lookup(Self.host)?.termination == .atUpstream)
        await agents.service.unbound(passing.id, on: connection)
        let ending: JSON = ["Hostname": .string(Self.host), "TLSTermination": [:]]
        let reply = try await agents.bind("tls", ending, on: connection).get().0
        #expect(agents.snapshot?.hosts.lookup(Self.host)?.termination == .atEdge)
        #expect(reply.options["TLSTermination"] == [:])
        await agents.service.unbound(reply.id, on: connection)
    }

    @Test func `an agent's own certificate is served while its tunnel is there, and echoed with its key`() async throws
    {
        let (agents, connection) = try await room()
        let own = ThrowAwayCertificate.make([Self.host])
        let base64 = { (text: String) in JSON.string(Data(text.utf8).base64EncodedString()) }
        let termination: JSON = ["cert": base64(own.chainPEM), "key": base64(own.keyPEM)]
        let options: JSON = ["Hostname": .string(Self.host), "TLSTermination": termination]
        let reply = try await agents.bind("tls", options, on: connection).get().0
        #expect(agents.snapshot?.hosts.lookup(Self.host)?.certificate?.chainPEM == own.chainPEM)
        #expect(reply.options["TLSTermination"] == termination)
        await agents.service.unbound(reply.id, on: connection)
        #expect(agents.snapshot?.hosts.lookup(Self.host) == nil)
        // The domain keeps its own.
        let kept = agents.snapshot?.certificates.lookup(Self.host)?.chainPEM
        #expect(kept != nil && kept != own.chainPEM)
        let garbage: JSON = ["Hostname": .string(Self.host), "TLSTermination": ["cert": "***", "key": "***"]]
        #expect(await agents.refusal(binding: "tls", garbage, on: connection) != nil)
    }
}
