import Shared
import Testing

@testable import SelvageAgent

@Suite struct AgentFileTests {
    private func faults(_ text: String) -> [String] {
        AgentFile.read(text).faults.map { "\($0.line): \($0.message)" }
    }

    @Test func `a whole file is read into settings and tunnels`() throws {
        let (read, faults) = AgentFile.read(
            """
            server = "edge.example"
            authtoken_file = "/etc/selvage/token"
            trust = "/etc/selvage/ca.pem"
            metadata = "host 7"
            connections = 2
            heartbeat_interval = "5s"

            [[tunnel]]
            name = "dashboard"
            labels = { app = "dashboard", version = "1" }
            upstream = 80
            proxy_proto = 2
            [[tunnel]]
            name = "api"
            kind = "https"
            url = "https://api.example"
            upstream = "https://localhost:8443"
            upstream_ca = "/ca.pem"
            upstream_server_name = "api.internal"
            basic_auth = "user:password1"
            request_header_add = ["x-a:1", "X-B: 2"]
            pooling = true
            forwards_proto = "http2"
            [tunnel.oauth]
            provider = "google"
            allow_domains = "example.org"
            [[tunnel]]
            name = "db"
            kind = "tls"
            upstream = "5432"
            terminate_tls_cert = "/c.pem"
            terminate_tls_key = "/k.pem"
            """)
        #expect(faults == [])
        let file = try #require(read)
        #expect(file.settings.server?.description == "edge.example:4443")
        #expect(file.settings.authtoken == .file("/etc/selvage/token"))
        #expect(file.settings.trust == .file("/etc/selvage/ca.pem"))
        #expect(file.settings.connections == 2)
        #expect(file.settings.heartbeatInterval == .seconds(5))
        #expect(file.settings.heartbeatTolerance == nil)
        #expect(file.tunnels.map(\.name) == ["dashboard", "api", "db"])
        #expect(file.tunnels[0].kind == .labelled(["app": "dashboard", "version": "1"]))
        #expect(file.tunnels[0].upstream.description == "http://localhost:80")
        #expect(file.tunnels[0].proxyProtocol == .version2)
        let api = file.tunnels[1]
        #expect(api.verification == .init(trust: .file("/ca.pem"), serverName: "api.internal"))
        #expect(api.modules.requestHeaders.add.map(\.name) == ["x-a", "x-b"])
        #expect(api.modules.oauth?.domains == ["example.org"])
        #expect(api.pooling && api.forwardsProto == .http2)
        #expect(file.tunnels[2].upstream.description == "tcp://localhost:5432")
        #expect(file.tunnels[2].termination == .agent(CertificateFiles(certificate: "/c.pem", key: "/k.pem")))
    }

    @Test func `every mistake is told at once, each with its line, and a slip with what was meant`() {
        let text = """
            sever = "edge.example"
            trust = "ca.pem"
            connections = 17
            heartbeat_interval = "20m"
            [[tunnel]]
            name = "one"
            kind = "https"
            upstraem = "80"
            [[tunnel]]
            name = "two"
            kind = "tcp"
            upstream = "tcp://db"
            compresion = true
            [[tunnel]]
            name = "three"
            kind = "tcp"
            upstream = "22"
            compression = true
            [[tunnel]]
            name = "three"
            labels = ["app=a", "app=b"]
            upstream = "80"
            """
        #expect(
            faults(text) == [
                "1: unknown key 'sever': did you mean 'server'?",
                "2: trust: it is \"system\", \"insecure\", or the absolute path of a PEM file",
                "3: connections must be a whole number from 1 to 16, not 17",
                "4: heartbeat_interval must be from 1 s to 10 minutes",
                "5: tunnel.upstream is missing: it must be an address like \"localhost:80\"",
                "8: unknown key 'tunnel.upstraem': did you mean 'upstream'?",
                "12: upstream: 'db': tcp needs a port, like tcp://db:5000",
                "13: unknown key 'tunnel.compresion': did you mean 'compression'?",
                "18: compression: endpoints of the kind tcp do not have it",
                "21: labels: label 'app' is given twice, as 'a' and as 'b'",
            ])
    }

    @Test func `two tunnels of one name are refused`() {
        let tunnel = "[[tunnel]]\nname = \"a\"\nlabels = \"x=y\"\nupstream = 80\n"
        #expect(faults(tunnel + tunnel) == ["5: a tunnel 'a' stands on line 1 already"])
    }

    @Test(arguments: [
        ("kind = \"https\"\nlabels = \"a=b\"", "4: labels: labels are for tunnels of the kind labelled"),
        ("kind = \"labelled\"", "1: tunnel.labels is missing: a labelled tunnel needs one at least"),
        ("", "1: tunnel.kind is missing: it must be labelled, https, http, tls or tcp"),
        ("labels = \"a=b\"\nurl = \"x.example\"", "4: url: a labelled tunnel has no address: edges do"),
        (
            "kind = \"tls\"\nterminate_tls_cert = \"/c\"",
            "1: tunnel.terminate_tls_key is missing: the agent needs a certificate and its key"
        ),
        (
            "kind = \"https\"\nupstream_tls_verify = true",
            "4: upstream_tls_verify: there is no certificate to verify: the upstream http://localhost:80 is reached without TLS"
        ),
        (
            "labels = { a = 1 }",
            "3: tunnel.labels must be a table of strings, like { app = \"dashboard\" }, not a table"
        ),
        (
            "kind = \"https\"\nwebhook_secret = \"s\"",
            "4: webhook_secret: webhook_secret has no meaning without a provider"
        ),
        (
            "kind = \"https\"\noidc = { client_id = \"x\" }",
            "4: tunnel.oidc.issuer_url is missing: it must be the issuer's URL"
        ),
    ])
    func `what does not go together in a tunnel is told on its line`(lines: String, expected: String) {
        let head = "[[tunnel]]\nname = \"a\"\n"
        let upstream = "\nupstream = 80\n"
        #expect(faults(head + lines + upstream) == [expected])
    }

    @Test func `a mistake in a secret does not show the secret`() {
        let all = faults(
            "authtoken = \"a secret token\"\n[[tunnel]]\nname = \"a\"\nkind = \"https\"\nupstream = 80\nbasic_auth = \"user:hunter2\""
        )
        #expect(all.count == 2)
        #expect(!all.joined().contains("hunter2") && !all.joined().contains("secret token"))
    }

    @Test func `a file holds a secret when it has an authtoken or a module's secret`() {
        let tunnel = "[[tunnel]]\nname = \"a\"\nkind = \"https\"\nupstream = 80\n"
        #expect(AgentFile.read("authtoken = \"t0ken\"").file?.holdsSecrets == true)
        #expect(AgentFile.read("authtoken_file = \"/t\"\n" + tunnel).file?.holdsSecrets == false)
        #expect(AgentFile.read(tunnel + "basic_auth = \"user:password1\"").file?.holdsSecrets == true)
    }

    @Test func `named tunnels are started, all without names, and a wrong name names the nearest`() throws {
        let text = ["dashboard", "api"].map { "[[tunnel]]\nname = \"\($0)\"\nlabels = \"a=b\"\nupstream = 80\n" }
        let file = try #require(AgentFile.read(text.joined()).file)
        #expect(try file.tunnels(named: []).map(\.name) == ["dashboard", "api"])
        #expect(try file.tunnels(named: ["api", "api"]).map(\.name) == ["api"])
        let fault = try #require(throws: AgentFault.self) { try file.tunnels(named: ["dashbord"]) }
        #expect(fault.message.contains("did you mean 'dashboard'?"))
        #expect(throws: AgentFault.self) { try AgentFile().tunnels(named: []) }
    }
}
