import Foundation
import Shared
import Testing

@testable import SelvageAgent

@Suite struct RequestTests {
    static let pem = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"
    static let files: FileReader = { (path: String) throws(AgentFault) in
        switch path {
        case "ca.pem": return Array(pem.utf8)
        case "policy.yml": return Array("on_http_request: []\n".utf8)
        case "binary": return [0xFF, 0xFE]
        default: throw AgentFault("\(path): no such file")
        }
    }

    private func spec(_ proto: TunnelSpec.Proto, _ url: String? = nil) throws -> TunnelSpec {
        let address = try url.map { try EndpointAddress($0, for: proto) }
        return TunnelSpec(
            name: "n", kind: .endpoint(proto, address), upstream: try UpstreamAddress("http://127.0.0.1:8080"))
    }

    private func parsed(_ text: String) throws -> JSON { try JSON(parsing: Array(text.utf8)) }

    @Test func `C27: a labelled tunnel's request carries its labels and nothing of modules`() throws {
        var spec = TunnelSpec(
            name: "n", kind: .labelled(["app": "dashboard", "version": "1"]), upstream: try UpstreamAddress("80"))
        spec.metadata = "tm"
        spec.forwardsProto = .http2
        #expect(
            try spec.request(files: Self.files)
                == parsed(
                    """
                    {"Labels":{"app":"dashboard","version":"1"},"ForwardsTo":"http://localhost:80",
                     "ForwardsProto":"http2","Metadata":"tm","ProxyProto":0}
                    """))
    }

    @Test func `an endpoint without options asks for nothing: every object is null`() throws {
        #expect(
            try spec(.https).request(files: Self.files)
                == parsed(
                    """
                    {"Id":"","Proto":"https","ForwardsTo":"http://127.0.0.1:8080","ForwardsProto":"",
                     "Opts":{"Hostname":"","Auth":"","Subdomain":"","HostHeaderRewrite":false,"LocalUrlScheme":null,
                      "ProxyProto":0,"Compression":null,"CircuitBreaker":null,"IPRestriction":null,"BasicAuth":null,
                      "OAuth":null,"OIDC":null,"WebhookVerification":null,"MutualTLSCA":null,"RequestHeaders":null,
                      "ResponseHeaders":null,"WebsocketTCPConverter":null,"UserAgentFilter":null,"TrafficPolicy":null},
                     "Extra":{"Token":"","IPPolicyRef":"","Metadata":"","Bindings":[],"Name":"n"}}
                    """))
    }

    @Test func `an HTTPS endpoint's options are the protocol's, each in its form`() throws {
        var spec = try spec(.https, "https://d.example.test")
        spec.proxyProtocol = .version2
        spec.modules = try allModules()
        let options = try #require(try spec.request(files: Self.files)["Opts"])
        let expected = try parsed(
            """
            {"Hostname":"d.example.test","Auth":"","Subdomain":"","HostHeaderRewrite":false,"LocalUrlScheme":null,
             "ProxyProto":2,"Compression":{},"CircuitBreaker":{"error_threshold":0.5},
             "IPRestriction":{"allow_cidrs":["0.0.0.0/0"],"deny_cidrs":["10.1.1.1/32"]},
             "BasicAuth":{"credentials":[{"username":"user","cleartext_password":"password1"}]},
             "OAuth":{"provider":"google","client_id":"id","client_secret":"s","allow_emails":["a@b"],
              "allow_domains":["b"],"scopes":["x"]},
             "OIDC":{"issuer_url":"https://i"},
             "WebhookVerification":{"provider":"twilio","secret":"s"},
             "MutualTLSCA":{"mutual_tls_ca":"\(Data(Self.pem.utf8).base64EncodedString())"},
             "RequestHeaders":{"add":["x-a:2"],"remove":["x-b"]},"ResponseHeaders":{"add":["x-c:3"]},
             "WebsocketTCPConverter":{},"UserAgentFilter":{"allow":["^curl"],"deny":["bot"]},
             "TrafficPolicy":"on_http_request: []\\n"}
            """)
        #expect(options == expected)
    }

    private func allModules() throws -> EndpointModules {
        var modules = EndpointModules()
        modules.basicAuth = [try .init("user:password1")]
        modules.compression = true
        modules.circuitBreaker = 0.5
        modules.addresses = .init(allow: ["0.0.0.0/0"], deny: ["10.1.1.1/32"])
        modules.userAgents = .init(allow: ["^curl"], deny: ["bot"])
        var login = EndpointModules.Login(provider: "google", clientID: "id", clientSecret: Secret("s"))
        login.emails = ["a@b"]
        login.domains = ["b"]
        login.scopes = ["x"]
        modules.oauth = login
        modules.oidc = .init(provider: "https://i")
        modules.webhook = .init(provider: "twilio", secret: Secret("s"))
        modules.mutualTLSFile = "ca.pem"
        modules.requestHeaders.add = [try .init("X-A: 2")]
        modules.requestHeaders.remove = ["x-b"]
        modules.responseHeaders.add = [try .init("x-c:3")]
        modules.websocketTCPConverter = true
        modules.trafficPolicyFile = "policy.yml"
        return modules
    }

    @Test func `a TCP endpoint asks for its address`() throws {
        let request = try spec(.tcp, "1.tcp.example.test:12345").request(files: Self.files)
        #expect(
            request["Opts"]
                == (try parsed(
                    #"{"Addr":"1.tcp.example.test:12345","ProxyProto":0,"IPRestriction":null,"TrafficPolicy":null}"#)))
    }

    @Test func `a TLS endpoint ends TLS at the server only when asked to, and never sends a key`() throws {
        var spec = try spec(.tls, "t.example.test")
        let passed = try #require(try spec.request(files: Self.files)["Opts"])
        #expect(
            passed
                == (try parsed(
                    """
                    {"Hostname":"t.example.test","Subdomain":"","ProxyProto":0,"MutualTLSAtAgent":false,
                     "MutualTLSAtEdge":null,"TLSTermination":null,"IPRestriction":null,"TrafficPolicy":null}
                    """)))
        spec.termination = .agent(CertificateFiles(certificate: "c.pem", key: "k.pem"))
        #expect(try spec.request(files: Self.files)["Opts"]?["TLSTermination"] == .null)
        spec.termination = .edge
        #expect(try spec.request(files: Self.files)["Opts"]?["TLSTermination"] == [:])
    }

    @Test func `binding again keeps the identifier and the token; pooling is said only when wanted`() throws {
        var spec = try spec(.http)
        #expect(try spec.request(files: Self.files)["Extra"]?["PoolingEnabled"] == nil)
        spec.pooling = true
        let request = try spec.request(id: "i1", token: "t1", files: Self.files)
        #expect(request["Id"] == "i1")
        #expect(request["Extra"]?["Token"] == "t1")
        #expect(request["Extra"]?["PoolingEnabled"] == true)
    }

    @Test(arguments: ["missing.pem", "policy.yml"])
    func `a file of authorities that is none is refused`(path: String) throws {
        var spec = try spec(.https)
        spec.modules.mutualTLSFile = path
        let fault = try #require(throws: AgentFault.self) { try spec.request(files: Self.files) }
        #expect(fault.message.contains(path))
    }

    @Test func `a traffic policy that is no text is refused`() throws {
        var spec = try spec(.https)
        spec.modules.trafficPolicyFile = "binary"
        #expect(throws: AgentFault.self) { try spec.request(files: Self.files) }
    }

    // MARK: What goes together

    private func keys(_ spec: TunnelSpec) -> [String] { spec.faults.compactMap(\.key) }

    @Test func `a plain spec has no faults`() throws {
        #expect(try spec(.https).faults.isEmpty)
        #expect(try spec(.tcp).faults.isEmpty)
    }

    @Test func `modules of a labelled tunnel are refused: they stand on the edge`() throws {
        var spec = TunnelSpec(name: "n", kind: .labelled(["a": "b"]), upstream: try UpstreamAddress("80"))
        #expect(spec.faults.isEmpty)
        spec.modules.compression = true
        spec.modules.addresses.allow = ["::/0"]
        spec.pooling = true
        spec.termination = .edge
        #expect(Set(keys(spec)) == ["compression", "allow_cidr", "pooling", "terminate_at"])
    }

    @Test func `what only HTTP has is refused on TCP and TLS`() throws {
        var spec = try spec(.tcp)
        spec.modules = try allModules()
        spec.modules.oidc = nil
        spec.forwardsProto = .http2
        let expected: Set<String> = [
            "basic_auth", "compression", "circuit_breaker", "request_header_add", "request_header_remove",
            "response_header_add", "allow_user_agent", "deny_user_agent", "webhook_provider",
            "websocket_tcp_converter", "mutual_tls_ca", "oauth", "forwards_proto",
        ]
        #expect(Set(keys(spec)) == expected)
    }

    @Test func `values out of their range are refused, each by its key`() throws {
        var spec = try spec(.https)
        spec.name = "a\u{7}"
        spec.metadata = String(repeating: "m", count: 4097)
        spec.modules.circuitBreaker = 1.5
        spec.modules.addresses = .init(allow: ["10.0.0.0/33"], deny: ["nowhere", "::1/129", "::1", "10.0.0.0/8"])
        spec.modules.webhook = .init(provider: "github", secret: Secret(""))
        spec.modules.requestHeaders.add = [try .init("a:1"), try .init("A:2")]
        spec.verification = .init(trust: .system, serverName: "no name")
        #expect(
            keys(spec).sorted() == [
                "allow_cidr", "circuit_breaker", "deny_cidr", "deny_cidr", "metadata", "name", "request_header_add",
                "upstream_server_name", "upstream_tls_verify", "webhook_secret",
            ])
    }

    @Test(arguments: ["nobody", ":password1", "user:short", "user:" + String(repeating: "x", count: 129)])
    func `a credential without a name or with a bad password is refused without showing it`(text: String) throws {
        let fault = try #require(throws: AgentFault.self) { try EndpointModules.Credential(text) }
        #expect(!fault.message.contains("short") && !fault.message.contains("xxxx"))
    }

    @Test(arguments: ["x", "a b:1", "a:b\u{1}", ":v", "a:b\r\nc:d"])
    func `a header that no message may hold is refused`(text: String) {
        #expect(throws: AgentFault.self) { try EndpointModules.Field(text) }
    }

    @Test func `secrets of modules are in no description or dump`() throws {
        var spec = try spec(.https)
        spec.modules = try allModules()
        spec.modules.webhook = .init(provider: "github", secret: Secret("hush-hush"))
        var dumped = ""
        dump(spec, to: &dumped)
        for text in ["\(spec)", String(reflecting: spec), dumped] {
            #expect(!text.contains("password1") && !text.contains("hush-hush"))
            #expect(text.contains("github"))
        }
    }
}
