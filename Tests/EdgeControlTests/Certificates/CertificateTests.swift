import EdgeCore
import EdgeTesting
import Foundation
import Shared
import Synchronization
import Testing

@testable import EdgeControl

@Suite struct CertificateTests {
    private static let now = WallTime(seconds: 1_800_000_000)

    private func authority() throws -> InternalAuthority { try InternalAuthority(now: CertificateTests.now) }

    @Test func `C75 a new domain has a certificate of the internal authority at once`() async throws {
        let room = try await ControlRoom()
        let domain = try await room.call("POST", "/reserved_domains", ["domain": "www.example.com"])
        let keys: Set<String> = [
            "id", "uri", "created_at", "description", "metadata", "domain", "region", "cname_target", "certificate",
            "certificate_management_policy", "certificate_management_status", "acme_challenge_cname_target",
            "resolves_to",
        ]
        #expect(Set(domain.body.objectValue?.keys.map(\.self) ?? []) == keys)
        #expect(domain["certificate_management_policy"] == ["authority": "letsencrypt", "private_key_type": "ecdsa"])
        // 90 days and an hour of life; a third of it is left at the renewal.
        #expect(domain["certificate_management_status"]?["renews_at"] == "2027-03-16T07:40:00Z")
        let id = domain["certificate"]?["id"]?.stringValue ?? ""
        let certificate = try await room.call("GET", "/tls_certificates/\(id)")
        #expect(certificate["subject_common_name"] == "www.example.com")
        #expect(certificate["subject_alternative_names"] == ["dns_names": ["www.example.com"], "ips": []])
        #expect(certificate["not_after"] == "2027-04-15T08:00:00Z")
        #expect(certificate["private_key_type"] == "ecdsa")
        #expect(certificate["key_usages"] == ["digitalSignature"])
        #expect(certificate["extended_key_usages"] == ["serverAuth"])
        let material = room.dataPlane.last?.certificates.lookup("www.example.com")
        #expect(material?.id.rawValue == id)
        try await openssl(verify: material?.chainPEM ?? "", authority: room.service.authority.certificatePEM)
    }

    /// A second implementation's opinion.
    private func openssl(verify chain: String, authority: String) async throws {
        let scratch = try ScratchFolder()
        let folder = scratch.path
        try chain.write(toFile: folder + "/chain.pem", atomically: true, encoding: .utf8)
        try authority.write(toFile: folder + "/ca.pem", atomically: true, encoding: .utf8)
        let verified = try await onThread {
            try Command.run([
                "openssl", "verify", "-attime", "1800000001", "-purpose", "sslserver", "-verify_hostname",
                "www.example.com", "-x509_strict", "-CAfile", folder + "/ca.pem", folder + "/chain.pem",
            ])
        }
        #expect(verified.status == 0, "\(verified.errors)")
    }

    @Test func `no answer and no record ever holds a private key`() async throws {
        let room = try await ControlRoom()
        let own = try authority().issue("own.example.com", .ecdsa, CertificateTests.now)
        let body: JSON = ["certificate_pem": .string(own.chainPEM), "private_key_pem": .string(own.keyPEM)]
        let upload = try await room.call("POST", "/tls_certificates", body)
        #expect(upload.status == 201)
        _ = try await room.make("/reserved_domains", ["domain": "www.example.com"])
        for path in ["/selvage/configuration", "/selvage/audit", "/tls_certificates"] {
            #expect(try await room.call("GET", path).body.text.contains("PRIVATE KEY") == false)
        }
        #expect(upload.body.text.contains("PRIVATE KEY") == false)
        #expect(String(describing: room.service.configuration).contains("PRIVATE KEY") == false)
    }

    @Test func `a certificate of the operator's own is attached, swapped live and protected while in use`() async throws
    {
        let room = try await ControlRoom()
        let domain = try await room.make("/reserved_domains", ["domain": "www.example.com"])
        let managed = try await room.call("GET", "/reserved_domains/\(domain)")["certificate"]?["id"]?.stringValue ?? ""
        let inUse = try await room.call("DELETE", "/tls_certificates/\(managed)")
        #expect(inUse.code == "ERR_NGROK_1966")
        #expect(
            try await room.call("DELETE", "/reserved_domains/\(domain)/certificate").code == "ERR_NGROK_436")

        var ids: [String] = []
        for _ in 0..<2 {
            let own = try authority().issue("www.example.com", .ecdsa, CertificateTests.now)
            ids.append(
                try await room.make(
                    "/tls_certificates",
                    ["certificate_pem": .string(own.chainPEM), "private_key_pem": .string(own.keyPEM)]))
        }
        for id in ids {
            let swapped = try await room.call(
                "PATCH", "/reserved_domains/\(domain)", ["certificate_id": .string(id)])
            #expect(swapped["certificate"]?["id"]?.stringValue == id)
            #expect(swapped["certificate_management_policy"] == .null)
            #expect(swapped["certificate_management_status"] == .null)
            #expect(room.dataPlane.last?.certificates.lookup("www.example.com")?.id.rawValue == id)
        }
        // The one that was made for the domain is gone, the operator's first is not.
        #expect(try await room.call("GET", "/tls_certificates/\(managed)").status == 404)
        #expect(try await room.call("DELETE", "/tls_certificates/\(ids[0])").status == 204)
        #expect(try await room.call("DELETE", "/tls_certificates/\(ids[1])").status == 400)
        let back = try await room.call(
            "PATCH", "/reserved_domains/\(domain)", ["certificate_management_policy": ["authority": "letsencrypt"]])
        #expect(back["certificate_management_status"]?["provisioning_job"] == .null)
        #expect(try await room.call("DELETE", "/tls_certificates/\(ids[1])").status == 204)
        #expect(
            try await room.call("DELETE", "/reserved_domains/\(domain)/certificate_management_policy").status == 204)
        #expect(try await room.call("GET", "/reserved_domains/\(domain)")["certificate"] == .null)
        #expect(room.service.state.objects(.certificate).isEmpty)
    }

    @Test func `a managed certificate goes with its domain, and with an RSA key when the policy says so`() async throws
    {
        let room = try await ControlRoom()
        let policy: JSON = ["authority": "letsencrypt", "private_key_type": "rsa"]
        let domain = try await room.call(
            "POST", "/reserved_domains", ["domain": "*.example.com", "certificate_management_policy": policy])
        let id = domain["certificate"]?["id"]?.stringValue ?? ""
        let certificate = try await room.call("GET", "/tls_certificates/\(id)")
        #expect(certificate["private_key_type"] == "rsa")
        #expect(certificate["subject_alternative_names"]?["dns_names"] == ["*.example.com"])
        #expect(try await room.call("DELETE", "/reserved_domains/\(domain.id)").status == 204)
        #expect(room.service.state.count == 0)
        let both: JSON = [
            "domain": "a.example.com", "certificate_id": .string(id), "certificate_management_policy": policy,
        ]
        #expect(try await room.call("POST", "/reserved_domains", both).code == "ERR_NGROK_434")
        let gone: JSON = ["domain": "a.example.com", "certificate_id": .string(id)]
        #expect(try await room.call("POST", "/reserved_domains", gone).code == "ERR_NGROK_1965")
        let authority: JSON = ["domain": "a.example.com", "certificate_management_policy": ["authority": "acme"]]
        #expect(try await room.call("POST", "/reserved_domains", authority).code == "ERR_NGROK_1908")
        let type: JSON = ["domain": "a.example.com", "certificate_management_policy": ["private_key_type": "dsa"]]
        #expect(try await room.call("POST", "/reserved_domains", type).code == "ERR_NGROK_1909")
    }

    @Test func `a certificate is renewed when a third of its life is left, and not before`() async throws {
        let room = try await ControlRoom()
        let domain = try await room.make("/reserved_domains", ["domain": "www.example.com"])
        let first = room.dataPlane.last?.certificates.lookup("www.example.com")?.id
        let due = 1_800_000_000 + 60 * 86_400 - 1200
        room.now.withLock { $0 = WallTime(seconds: Int64(due) - 1) }
        #expect(try await room.service.renewDueCertificates() == [])
        #expect(room.service.revision == 1)
        room.now.withLock { $0 = WallTime(seconds: Int64(due)) }
        #expect(try await room.service.renewDueCertificates() == ["www.example.com"])
        let second = room.dataPlane.last?.certificates.lookup("www.example.com")?.id
        #expect(second != nil && second != first)
        #expect(room.service.state.ids(.certificate) == [second?.rawValue ?? ""])
        #expect(try await room.service.renewDueCertificates() == [])
        let audit = room.audited.withLock { $0.last }
        #expect(audit?.origin == "renewal")
        #expect(audit?.changes.contains { $0.id == domain } == true)
    }

    @Test func `the authority is the same after a restart and can be downloaded`() async throws {
        let room = try await ControlRoom()
        let pem = room.service.authority.certificatePEM
        #expect(try InternalAuthority(folder: room.folder, now: CertificateTests.now).certificatePEM == pem)
        #expect(try await room.call("GET", "/selvage/ca").body == .string(pem))
        #expect(try await room.call("GET", "/selvage/authority")["certificate_pem"] == .string(pem))
        try "nonsense".write(toFile: room.folder + "/authority.key", atomically: true, encoding: .utf8)
        let failure = #expect(throws: InternalAuthority.Failure.self) {
            try InternalAuthority(folder: room.folder, now: CertificateTests.now)
        }
        #expect(failure?.description.contains(room.folder) == true)
    }

    @Test func `an upload that cannot serve is refused with its code`() async throws {
        let one = try authority().issue("one.example.com", .ecdsa, CertificateTests.now)
        let two = try authority().issue("two.example.com", .ecdsa, CertificateTests.now)
        let leaf = String(one.chainPEM.prefix(upTo: one.chainPEM.range(of: "-----END CERTIFICATE-----\n")!.upperBound))
        let root = one.chainPEM.replacingOccurrences(of: leaf, with: "")
        let header = "-----BEGIN EC PRIVATE KEY-----\n"
        let cases: [(chain: String, key: String, code: String)] = [
            ("", one.keyPEM, "1919"), ("hello", one.keyPEM, "1922"),
            ("-----BEGIN CERTIFICATE-----\n%%%\n-----END CERTIFICATE-----\n", one.keyPEM, "1920"),
            ("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", one.keyPEM, "1900"),
            (leaf.replacingOccurrences(of: "CERTIFICATE", with: "X509 CRL"), one.keyPEM, "1911"),
            (String(repeating: leaf, count: 200), one.keyPEM, "1921"),
            (
                leaf.replacingOccurrences(of: "CERTIFICATE-----\nM", with: "CERTIFICATE-----\nA: b\n\nM"), one.keyPEM,
                "1910"
            ),
            (leaf, "", "1901"), (leaf, header + "AAAA\n-----END EC PRIVATE KEY-----\n", "1903"),
            (leaf, "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n", "1902"),
            (leaf, header + "Proc-Type: 4,ENCRYPTED\n\nAAAA\n-----END EC PRIVATE KEY-----\n", "1902"),
            (leaf, two.keyPEM, "1923"), (leaf, leaf, "1924"), (one.keyPEM, leaf, "1925"),
            (root + leaf, one.keyPEM, "1926"), (leaf + two.chainPEM, one.keyPEM, "1926"),
        ]
        for (chain, key, code) in cases {
            let fault = #expect(throws: Fault.self) { try CertificateUpload.read(chainPEM: chain, keyPEM: key) }
            #expect(fault?.code == "ERR_NGROK_\(code)")
        }
        #expect(throws: Never.self) { try CertificateUpload.read(chainPEM: leaf, keyPEM: one.keyPEM) }
        #expect(throws: Never.self) { try CertificateUpload.read(chainPEM: one.chainPEM, keyPEM: one.keyPEM) }
    }

    @Test(arguments: [
        ["genpkey", "-algorithm", "ed25519"], ["genrsa", "-traditional", "2048"], ["genrsa", "2048"],
        ["ecparam", "-name", "prime256v1", "-genkey"], ["ecparam", "-name", "secp384r1", "-genkey", "-noout"],
    ])
    func `keys of every documented form are accepted`(arguments: [String]) async throws {
        let scratch = try ScratchFolder()
        let folder = scratch.path
        let run = { @Sendable (arguments: [String]) async throws in
            let made = try await onThread { try Command.run(["openssl"] + arguments) }
            try #require(made.status == 0, "\(made.errors)")
        }
        let key = folder + "/key.pem"
        try await run([arguments[0], "-out", key] + arguments.dropFirst())
        try await run([
            "req", "-new", "-x509", "-key", key, "-subj", "/CN=x.example.com/O=Acme/C=DE", "-addext",
            "subjectAltName=DNS:x.example.com,IP:10.0.0.1,IP:2001:db8::1", "-out", folder + "/cert.pem",
        ])
        let certificate = try CertificateUpload.read(
            chainPEM: String(contentsOfFile: folder + "/cert.pem", encoding: .utf8),
            keyPEM: String(contentsOfFile: key, encoding: .utf8))
        #expect(certificate.facts["subject_organization"] == "Acme")
        #expect(certificate.facts["subject_country"] == "DE")
        #expect(certificate.facts["subject_alternative_names"]?["ips"] == ["10.0.0.1", "2001:db8:0:0:0:0:0:1"])
    }
}
