import ArgumentParser
import SelvageAgent
import Testing

@testable import Agent

@Suite struct CommandTests {
    private func tunnel(_ arguments: [String]) throws -> TunnelSpec {
        let command = try AgentCommand.parseAsRoot(arguments)
        switch command {
        case let command as TunnelCommand: return try command.spec()
        case let command as HTTPCommand: return try command.spec()
        case let command as TCPCommand: return try command.spec()
        case let command as TLSCommand: return try command.spec()
        default: throw AgentFault("\(type(of: command))")
        }
    }

    private func refusal(_ arguments: [String]) throws -> String {
        let error = try #require(throws: (any Error).self) { try tunnel(arguments) }
        #expect(AgentCommand.exitCode(for: error) == .validationFailure)
        return AgentCommand.message(for: error)
    }

    // MARK: Claims

    @Test(arguments: [
        ["--label=app=dashboard,version=1"], ["--label", "app=dashboard,version=1"],
        ["--label=app=dashboard", "--label=version=1"],
    ])
    func `C27, C29: tunnel 80 with labels in the comma form or repeated starts a labelled tunnel`(
        labels: [String]
    ) throws {
        let spec = try tunnel(["tunnel", "80"] + labels)
        #expect(spec.kind == .labelled(["app": "dashboard", "version": "1"]))
        #expect(spec.upstream.description == "http://localhost:80")
        #expect(try tunnel(["tunnel"] + labels + ["80"]) == spec)
    }

    @Test func `C30: help tunnel documents the tunnel command, with its labels and its argument`() throws {
        let error = try #require(throws: (any Error).self) {
            var command = try AgentCommand.parseAsRoot(["help", "tunnel"])
            try command.run()
        }
        #expect(AgentCommand.exitCode(for: error).isSuccess)
        let text = AgentCommand.fullMessage(for: error)
        for part in [
            "Opens a labelled tunnel", "tunnel 80 --label=\"app=dashboard,version=1\"", "--label <key=value,…>",
            "<address>", "--proxy-proto", "--authtoken-file", "--terminate-tls-cert", "NGROK_AUTHTOKEN",
        ] {
            #expect(text.contains(part), "\(part) is missing in:\n\(text)")
        }
    }

    @Test func `the help lists every command`() {
        let text = AgentCommand.helpMessage()
        for name in ["tunnel", "http", "tcp", "tls", "start", "diagnose", "check", "version"] {
            #expect(text.contains("\n  \(name) "), "\(name)")
        }
    }

    // MARK: Tunnels

    @Test func `every option of an upstream reaches the tunnel`() throws {
        let spec = try tunnel([
            "tunnel", "https://10.0.0.7", "--label", "a=b", "--name", "n", "--tunnel-metadata", "m", "--proxy-proto",
            "1", "--upstream-tls-verify", "--upstream-server-name", "app.internal", "--forwards-proto", "http2",
            "--terminate-tls-cert", "c.pem", "--terminate-tls-key", "k.pem",
        ])
        #expect(spec.name == "n" && spec.metadata == "m")
        #expect(spec.proxyProtocol == .version1)
        #expect(spec.verification == .init(trust: .system, serverName: "app.internal"))
        #expect(spec.forwardsProto == .http2)
        #expect(spec.termination == .agent(CertificateFiles(certificate: "c.pem", key: "k.pem")))
        let other = try tunnel(["tcp", "tls://db:5432", "--upstream-ca", "ca.pem"])
        #expect(other.verification.trust == .file("ca.pem"))
    }

    @Test func `an HTTP endpoint takes every module`() throws {
        let spec = try tunnel([
            "http", "8080", "--url", "https://app.example", "--basic-auth", "user:password1", "--compression",
            "--circuit-breaker", "0.5", "--request-header-add", "x-a:1", "--request-header-remove", "x-b",
            "--response-header-add", "x-c:1", "--response-header-remove", "x-d", "--allow-cidr", "10.0.0.0/8",
            "--allow-cidr", "::1/128", "--deny-cidr", "10.1.0.0/16", "--allow-user-agent", "curl",
            "--deny-user-agent", "bot", "--webhook-provider", "github", "--webhook-secret", "s",
            "--websocket-tcp-converter", "--mutual-tls-ca", "ca.pem", "--oauth", "google", "--client-id", "i",
            "--client-secret", "s", "--allow-email", "a@b", "--allow-domain", "b", "--scope", "x",
            "--traffic-policy-file", "p.yml", "--pooling",
        ])
        let modules = spec.modules
        #expect(spec.kind == .endpoint(.https, try EndpointAddress("app.example", for: .https)))
        #expect(modules.basicAuth.map(\.user) == ["user"])
        #expect(modules.compression && modules.circuitBreaker == 0.5 && spec.pooling)
        #expect(modules.requestHeaders.add.map(\.name) == ["x-a"] && modules.requestHeaders.remove == ["x-b"])
        #expect(modules.responseHeaders.add.map(\.name) == ["x-c"] && modules.responseHeaders.remove == ["x-d"])
        #expect(modules.addresses == .init(allow: ["10.0.0.0/8", "::1/128"], deny: ["10.1.0.0/16"]))
        #expect(modules.userAgents == .init(allow: ["curl"], deny: ["bot"]))
        #expect(modules.webhook?.provider == "github" && modules.websocketTCPConverter)
        #expect(modules.mutualTLSFile == "ca.pem" && modules.trafficPolicyFile == "p.yml")
        let login = try #require(modules.oauth)
        #expect(login.provider == "google" && login.clientID == "i" && login.clientSecret.text == "s")
        #expect(login.emails == ["a@b"] && login.domains == ["b"] && login.scopes == ["x"])
        #expect(modules.oidc == nil)
    }

    @Test func `the kind of an HTTP endpoint is what its URL says, https otherwise`() throws {
        #expect(try tunnel(["http", "80"]).kind == .endpoint(.https, nil))
        #expect(try tunnel(["http", "80", "--scheme", "http"]).kind == .endpoint(.http, nil))
        #expect(try tunnel(["http", "80", "--url", "http://a.example"]).kindName == "http")
        #expect(try refusal(["http", "80", "--scheme", "https", "--url", "http://a.example"]).contains("--url: "))
    }

    @Test func `a TLS endpoint passes TLS through unless told where it ends`() throws {
        let passed = try tunnel(["tls", "443"])
        #expect(passed.termination == .upstream && passed.upstream.description == "tls://localhost:443")
        #expect(try tunnel(["tls", "443", "--terminate-at-edge"]).termination == .edge)
        let agent = try tunnel(["tls", "80", "--terminate-tls-cert", "c", "--terminate-tls-key", "k"])
        #expect(agent.upstream.description == "tcp://localhost:80")
        let both = ["tls", "80", "--terminate-at-edge", "--terminate-tls-cert", "c", "--terminate-tls-key", "k"]
        #expect(try refusal(both).contains("--terminate-at-edge or --terminate-tls-cert"))
    }

    @Test(arguments: [
        (["tunnel", "80"], "--label: a labelled tunnel needs at least one label"),
        (["tunnel", "80", "--label", "app"], "--label: label 'app' has no '='"),
        (["tunnel", "http://a/b", "--label", "a=b"], "has no path"),
        (["tunnel", "80", "--label", "a=b", "--upstream-tls-verify"], "--upstream-tls-verify: "),
        (["tunnel", "80", "--label", "a=b", "--proxy-proto", "3"], "--proxy-proto"),
        (["tunnel", "80", "--label", "a=b", "--terminate-tls-cert", "c"], "need each other"),
        (["tunnel", "80", "--label", "a=b", "--connections", "17"], "from 1 to 16"),
        (["tunnel", "80", "--label", "a=b", "--ca", "f", "--insecure"], "--insecure"),
        (["tunnel", "80", "--label", "a=b", "--authtoken", "a", "--authtoken-file", "b"], "give one"),
        (["tunnel", "80", "--label", "a=b", "--server", "https://x"], "no URL"),
        (["tunnel", "80", "--lable", "a=b"], "--lable"), (["tunnel"], "Missing expected argument"),
        (["http", "80", "--basic-auth", "user:short"], "--basic-auth: "),
        (["http", "80", "--client-id", "x"], "without --oauth or --oidc"),
        (["http", "80", "--webhook-secret", "x"], "--webhook-provider"),
        (["http", "80", "--circuit-breaker", "2"], "--circuit-breaker: "),
        (["tcp", "22", "--url", "tcp://a.example"], "--url: "),
        (["tls", "80", "--mutual-tls-ca", "f"], "--mutual-tls-ca: "),
        (["start"], "--config"), (["check"], "--config"),
    ])
    func `a wrong command line is refused, and names the option`(arguments: [String], part: String) throws {
        let message = try refusal(arguments)
        #expect(message.contains(part), "\(message)")
    }

    @Test func `options of the server reach the settings`() throws {
        let arguments = [
            "tunnel", "80", "--label", "a=b", "--server", "edge.example:9", "--authtoken", "t0ken", "--ca", "ca.pem",
            "--metadata", "m", "--connections", "3",
        ]
        let command = try #require(try AgentCommand.parseAsRoot(arguments) as? TunnelCommand)
        let settings = try command.server.draft().settings(files: Files.read)
        #expect(settings.server.description == "edge.example:9" && settings.authtoken.secret == "t0ken")
        #expect(settings.trust == .file("ca.pem") && settings.metadata == "m" && settings.connections == 3)
        let insecure = try #require(
            try AgentCommand.parseAsRoot(["tunnel", "80", "--label", "a=b", "--insecure"]) as? TunnelCommand)
        #expect(try insecure.server.draft().trust == .insecure)
    }

    @Test func `times are written as RFC 3339 has them`() {
        #expect(Clock.text(seconds: 1_795_223_700, nanoseconds: 250_999_999) == "2026-11-21T01:15:00.250Z")
        #expect(Clock.text(seconds: 951_782_400, nanoseconds: 0) == "2000-02-29T00:00:00.000Z")
    }

    @Test func `the locale decides whether more than ASCII is drawn`() {
        #expect(StatusTerminal.isUnicode(["LANG": "C.UTF-8"]))
        #expect(StatusTerminal.isUnicode(["LC_ALL": "", "LANG": "de_DE.utf8"]))
        #expect(!StatusTerminal.isUnicode(["LC_ALL": "C", "LANG": "C.UTF-8"]))
        #expect(!StatusTerminal.isUnicode([:]))
    }
}
