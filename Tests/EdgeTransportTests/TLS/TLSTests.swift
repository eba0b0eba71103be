import EdgeCore
import EdgeTesting
import EdgeTransport
import Shared
import Testing

/// TLS handshakes with the system's openssl and curl.
@Suite struct TLSTests {
    private func handshake(_ port: UInt16, _ name: String, _ options: [String] = []) throws -> Command {
        try Command.run(["openssl", "s_client", "-connect", "127.0.0.1:\(port)", "-servername", name] + options)
    }

    @Test func `C74 each name gets its own certificate, and a swap acts on the next handshake`() async throws {
        try await withEdge { configuration in
            configuration.addDomain("one.example.com", id: "rd_1")
            configuration.addDomain("*.two.example.com", id: "rd_2")
        } _: { edge in
            let one = try await onThread { try handshake(edge.httpsPort, "one.example.com") }
            #expect(one.output.contains("CN = one.example.com"))
            let two = try await onThread { try handshake(edge.httpsPort, "a.b.two.example.com") }
            #expect(two.output.contains("CN = *.two.example.com"))
            await edge.change { configuration in
                let other = ThrowAwayCertificate.make(["swapped.example.com"], id: "cert_other")
                configuration.certificates[other.id] = other
                configuration.domains["rd_1"]?.certificate = other.id
            }
            let swapped = try await onThread { try handshake(edge.httpsPort, "one.example.com") }
            #expect(swapped.output.contains("CN = swapped.example.com"))
        }
    }

    @Test func `an edge that brings a certificate of its own shows that, and not its domain's`() async throws {
        try await withEdge { configuration in
            configuration.addProxy("one.example.com", to: 1)
        } _: { edge in
            await edge.change { configuration in
                let own = ThrowAwayCertificate.make(["own.example.com"], id: "cert_own")
                configuration.certificates[own.id] = own
                configuration.edges["edghts_1"]?.certificate = own.id
            }
            let own = try await onThread { try handshake(edge.httpsPort, "one.example.com") }
            #expect(own.output.contains("CN = own.example.com"))
            await edge.change { $0.edges["edghts_1"]?.certificate = nil }
            let domains = try await onThread { try handshake(edge.httpsPort, "one.example.com") }
            #expect(domains.output.contains("CN = one.example.com"))
        }
    }

    @Test func `an unknown name is refused with an alert before any certificate is shown`() async throws {
        try await withEdge {
            $0.addDomain("one.example.com")
        } _: { edge in
            let result = try await onThread { try handshake(edge.httpsPort, "unknown.example.com") }
            #expect(result.errors.contains("unrecognized name"))
            #expect(!result.output.contains("BEGIN CERTIFICATE"))
        }
    }

    @Test(arguments: ["-tls1_2", "-tls1_3"])
    func `a session is resumed by its ticket`(version: String) async throws {
        let upstream = try FakeUpstream { _ in HandlerResponse(status: 200) }
        try await withEdge { configuration in
            configuration.addProxy("one.example.com", to: upstream.port)
        } _: { edge in
            let result = try await onThread {
                try Command.run(
                    [
                        "sh", "-c",
                        """
                        f=$(mktemp); trap 'rm -f $f' EXIT
                        r='GET / HTTP/1.1\\r\\nHost: one.example.com\\r\\nConnection: close\\r\\n\\r\\n'
                        c="openssl s_client -ign_eof -connect 127.0.0.1:\(edge.httpsPort) -servername one.example.com \(version)"
                        printf "$r" | $c -sess_out $f >/dev/null 2>&1
                        printf "$r" | $c -sess_in $f 2>/dev/null | grep -c Reused
                        """,
                    ])
            }
            #expect(result.output == "1\n")
        }
    }

    @Test func `TLS 1.1 is refused, as is what lies below an edge's own floor`() async throws {
        try await withEdge { configuration in
            configuration.addDomain("one.example.com")
            configuration.addEdge(host: "one.example.com", backend: "bkdsc_a")
            configuration.addStatic("bkdsc_a", port: 1)
            configuration.edges["edghts_1"]?.modules["tls_termination"] = ["enabled": true, "min_version": "1.3"]
        } _: { edge in
            let old = try await onThread {
                try Command.curl("one.example.com", port: edge.httpsPort, ["--tls-max", "1.2"])
            }
            #expect(old.status != 0)
            let new = try await onThread {
                try Command.curl("one.example.com", port: edge.httpsPort, ["-o", "/dev/null"])
            }
            #expect(new.status == 0)
        }
    }

    @Test func `a name of another edge on the same connection is misdirected`() async throws {
        let upstream = try FakeUpstream { _ in HandlerResponse(status: 200) }
        try await withEdge { configuration in
            configuration.addDomain("one.example.com", id: "rd_1")
            configuration.addDomain("two.example.com", id: "rd_2")
            configuration.addStatic("bkdsc_a", port: upstream.port)
            configuration.addEdge("edghts_1", host: "one.example.com", backend: "bkdsc_a")
            configuration.addEdge("edghts_2", host: "two.example.com", backend: "bkdsc_a")
        } _: { edge in
            let result = try await onThread {
                try Command.curl(
                    "one.example.com", port: edge.httpsPort, ["-H", "Host: two.example.com", "-w", "%{http_code}"])
            }
            #expect(result.output.hasSuffix("421"))
            #expect(upstream.requests.value == 0)
        }
    }
}
