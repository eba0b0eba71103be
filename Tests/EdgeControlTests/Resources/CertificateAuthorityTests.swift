import EdgeCore
import Shared
import Testing

@testable import EdgeControl

@Suite struct CertificateAuthorityTests {
    private static let now = WallTime(seconds: 1_800_000_000)

    private func authority() throws -> InternalAuthority { try InternalAuthority(now: CertificateAuthorityTests.now) }

    @Test func `an authority is answered with what its certificate says, and kept byte for byte`() async throws {
        let room = try await ControlRoom()
        let pem = try authority().certificatePEM
        let made = try await room.call(
            "POST", "/certificate_authorities", ["ca_pem": .string(pem), "description": "clients"])
        #expect(made.status == 201, "\(made.body.text)")
        let keys: Set<String> = [
            "id", "uri", "created_at", "description", "metadata", "ca_pem", "subject_common_name", "not_before",
            "not_after", "key_usages", "extended_key_usages",
        ]
        #expect(Set(made.body.objectValue?.keys.map(\.self) ?? []) == keys)
        #expect(made.id.hasPrefix("ca_"))
        #expect(made["uri"]?.stringValue == "http://admin.local:80/certificate_authorities/\(made.id)")
        #expect(made["ca_pem"]?.stringValue == pem)
        #expect(made["subject_common_name"] == "Selvage internal authority")
        #expect(made["key_usages"] == ["keyCertSign", "cRLSign"])
        #expect(made["extended_key_usages"] == [])
        #expect(made["not_before"] == "2027-01-14T08:00:00Z")
        #expect(try await room.call("GET", "/certificate_authorities/\(made.id)").body == made.body)
        #expect(try await room.call("GET", "/certificate_authorities")["certificate_authorities"] == [made.body])
        let path = "/certificate_authorities/\(made.id)"
        let changed = try await room.call("PATCH", path, ["description": "", "metadata": "m"])
        #expect(changed["description"] == "" && changed["metadata"] == "m")
        #expect(changed["ca_pem"] == made["ca_pem"])
        #expect(try await room.call("PATCH", path, ["ca_pem": .string(pem)]).code == "ERR_NGROK_214")
        #expect(try await room.call("DELETE", path).status == 204)
        #expect(try await room.call("GET", path).status == 404)
    }

    @Test func `what is not exactly one certificate of an authority is refused with its code`() async throws {
        let room = try await ControlRoom()
        let own = try authority()
        let leaf = try own.issue("www.example.com", .ecdsa, CertificateAuthorityTests.now)
        let leafAlone = String(leaf.chainPEM.prefix(leaf.chainPEM.count - own.certificatePEM.count))
        let broken = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"
        let headed = own.certificatePEM.replacing("CERTIFICATE-----\nM", with: "CERTIFICATE-----\nA: b\n\nM")
        let faults: [(JSON, String)] = [
            (nil, "1919"), ("", "1919"), ("nothing", "1922"), ("-----BEGIN CERTIFICATE-----\n!", "1920"),
            (.string(broken), "1900"), (.string(headed), "1910"), (.string(leaf.keyPEM), "1911"),
            (.string(leaf.keyPEM.replacing("PRIVATE", with: "PUBLIC")), "1911"),
            (.string(own.certificatePEM + own.certificatePEM), "1912"), (.string(leafAlone), "1913"),
            (.string(own.certificatePEM + String(repeating: "\n", count: 65_536)), "1921"),
        ]
        for (pem, code) in faults {
            let answer = try await room.call("POST", "/certificate_authorities", ["ca_pem": pem])
            #expect(answer.code == "ERR_NGROK_\(code)", "\(pem.text.prefix(80)): \(answer.body.text)")
            #expect(answer.status == 400)
        }
        let long: JSON = [
            "ca_pem": .string(own.certificatePEM), "metadata": .string(String(repeating: "x", count: 4097)),
        ]
        #expect(try await room.call("POST", "/certificate_authorities", long).code == "ERR_NGROK_1917")
        let wide: JSON = [
            "ca_pem": .string(own.certificatePEM), "description": .string(String(repeating: "x", count: 256)),
        ]
        #expect(try await room.call("POST", "/certificate_authorities", wide).code == "ERR_NGROK_1916")
        #expect(try await room.call("GET", "/certificate_authorities")["certificate_authorities"] == [])
    }
}
