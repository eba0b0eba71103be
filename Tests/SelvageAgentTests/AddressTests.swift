import Testing

@testable import SelvageAgent

@Suite struct AddressTests {
    @Test(arguments: [
        ("80", "http://localhost:80"), ("localhost:8080", "http://localhost:8080"), ("[::1]:80", "http://[::1]:80"),
        ("http://app.internal", "http://app.internal:80"), ("HTTPS://App.Internal", "https://app.internal:443"),
        ("https://10.0.0.7:8443/", "https://10.0.0.7:8443"), ("tcp://db:5432", "tcp://db:5432"),
        ("tls://[2001:db8::1]:636", "tls://[2001:db8::1]:636"), ("unix:/run/app.sock", "unix:/run/app.sock"),
        ("unix:///run/app.sock", "unix:/run/app.sock"),
    ])
    func `an upstream is a port, a host and port, a URL without a path, or a socket`(
        text: String, expected: String
    ) throws {
        #expect(try UpstreamAddress(text).description == expected)
    }

    @Test(arguments: [
        ("", "is missing"), ("0", "no port"), ("70000", "no port"), ("tcp://db", "needs a port"),
        ("::1:80", "stands in brackets"), ("[::1:80", "has no ']'"), ("[1.2.3.4]:80", "no IPv6"),
        ("http://a/b", "has no path"), ("a/b", "has no path"), ("http://u:p@a", "no user name"),
        ("file:///srv", "is not served"), ("ftp://a", "begins with http://"), ("unix:app.sock", "whole path"),
        ("a b:80", "no host name"), ("1.2.3:80", "no IPv4"), (":80", "host is missing"), ("a:", "no port"),
        ("a:+80", "no port"), ("-a:80", "no host name"),
    ])
    func `an upstream that cannot be is refused with what is wrong`(text: String, part: String) throws {
        let fault = try #require(throws: AgentFault.self) { try UpstreamAddress(text) }
        #expect(fault.message.contains(part), "\(fault.message)")
    }

    @Test func `a password in an upstream's address is not repeated in the message`() throws {
        let fault = try #require(throws: AgentFault.self) { try UpstreamAddress("http://me:hunter22@a") }
        #expect(!fault.message.contains("hunter22"))
    }

    @Test func `what an address without a scheme means depends on the kind of tunnel`() {
        let files = CertificateFiles(certificate: "c", key: "k")
        #expect(UpstreamAddress.Scheme.usual(for: .endpoint(.tcp, nil), .upstream) == .tcp)
        #expect(UpstreamAddress.Scheme.usual(for: .endpoint(.tls, nil), .upstream) == .tls)
        #expect(UpstreamAddress.Scheme.usual(for: .endpoint(.tls, nil), .agent(files)) == .tcp)
        #expect(UpstreamAddress.Scheme.usual(for: .labelled(["a": "b"]), .upstream) == .http)
    }

    @Test(arguments: [
        ("edge.example", "edge.example:4443"), ("Edge.Example:443", "edge.example:443"),
        ("[2001:db8::1]", "[2001:db8::1]:4443"), ("192.0.2.1:9", "192.0.2.1:9"),
    ])
    func `a server has port 4443 unless another is given`(text: String, expected: String) throws {
        #expect(try ServerAddress(text).description == expected)
    }

    @Test func `a server given as a URL is refused, and told how it is written`() throws {
        let fault = try #require(throws: AgentFault.self) { try ServerAddress("https://edge.example") }
        #expect(fault.message.contains("edge.example:4443"))
    }

    @Test func `an endpoint's address is a name, or for TCP a name with a port`() throws {
        #expect(try EndpointAddress("https://D.Example/", for: .https).description == "d.example")
        #expect(try EndpointAddress("*.d.example", for: .tls).description == "*.d.example")
        #expect(try EndpointAddress("https://d.example:443", for: .https).port == nil)
        #expect(try EndpointAddress("tcp://1.tcp.example:12345", for: .tcp).description == "1.tcp.example:12345")
        for (text, proto) in [
            ("http://d.example", TunnelSpec.Proto.https), ("d.example:8443", .https), ("1.tcp.example", .tcp),
            ("d.example/path", .https), ("*.tcp.example:1", .tcp), ("", .https),
        ] {
            #expect(throws: AgentFault.self, "\(text)") { try EndpointAddress(text, for: proto) }
        }
    }

    // MARK: Labels

    @Test(arguments: [
        ["app=dashboard,version=1"], ["app=dashboard", "version=1"], [" app = dashboard , version=1", "app=dashboard"],
    ])
    func `labels come with commas between, or one by one`(arguments: [String]) throws {
        #expect(try TunnelLabels.parse(arguments) == ["app": "dashboard", "version": "1"])
    }

    @Test(arguments: [
        (["app"], "no '='"), (["app=a", "app=b"], "given twice"), ([], "at least one"), (["=x"], "no key"),
        (["a=b=c"], "more than one"), (["a=b,"], "no '='"),
        (["a=" + String(repeating: "é", count: 128)], "longer than 255 bytes"),
        ((0..<33).map { "k\($0)=v" }, "at most 32"),
    ])
    func `labels that cannot be are refused with what is wrong`(arguments: [String], part: String) throws {
        let fault = try #require(throws: AgentFault.self) { try TunnelLabels.parse(arguments) }
        #expect(fault.message.contains(part), "\(fault.message)")
        #expect(fault.key == "labels")
    }

    @Test func `32 labels of 255 bytes are allowed`() throws {
        let value = String(repeating: "v", count: 255)
        #expect(try TunnelLabels.parse((0..<32).map { "k\($0)=\(value)" }).count == 32)
    }
}
