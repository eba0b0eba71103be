import EdgeCore
import Shared
import Testing

@testable import EdgeModules

@Suite struct SAMLTests {
    private func settings(_ metadata: String, _ more: [String: JSON] = [:]) -> JSON {
        .object(["idp_metadata": .string(metadata)].merging(more) { $1 })
    }

    @Test func `what is not given has its documented value`() throws {
        #expect(
            try SAML.normalise(settings(SAMLMetadata.example)) == [
                "idp_metadata": .string(SAMLMetadata.example), "force_authn": false, "allow_idp_initiated": true,
                "authorized_groups": [], "nameid_format": "urn:oasis:names:tc:SAML:2.0:nameid-format:persistent",
                "options_passthrough": false, "cookie_prefix": "", "inactivity_timeout": 0, "maximum_duration": 0,
            ])
    }

    @Test func `an identity provider is told where this server is found`() {
        let answer = SAML.answer(
            AnswerFacts(ownerID: "edghtsrt_1", publicName: "edge.example.net", signingCertificatePEM: "PEM"))
        #expect(answer["entity_id"] == "https://edge.example.net/saml/edghtsrt_1")
        #expect(answer["metadata_url"] == answer["entity_id"])
        #expect(answer["assertion_consumer_service_url"] == "https://edge.example.net/saml/edghtsrt_1/acs")
        #expect(answer["single_logout_url"] == "https://edge.example.net/saml/edghtsrt_1/slo")
        #expect(answer["request_signing_certificate_pem"] == "PEM")
        #expect(Set(answer.keys) == Set(SAML.answerFields.map(\.name)))
    }

    @Test func `settings are checked with their codes`() {
        #expect(fault(SAML.self, [:]) == "ERR_NGROK_7091")
        #expect(fault(SAML.self, settings("")) == "ERR_NGROK_7091")
        let long = SAMLMetadata.example + String(repeating: " ", count: SAMLMetadata.maximumLength)
        #expect(fault(SAML.self, settings(long)) == "ERR_NGROK_7080")
        #expect(fault(SAML.self, settings(SAMLMetadata.example, ["nameid_format": "kerberos"])) == "ERR_NGROK_1693")
        #expect(
            fault(
                SAML.self,
                settings(
                    SAMLMetadata.example, ["nameid_format": "urn:oasis:names:tc:SAML:2.0:nameid-format:transient"]))
                == nil)
    }

    @Test(arguments: [
        "no xml", "<a/>", "<EntityDescriptor entityID=\"x\"/>", SAMLMetadata.example + "<again/>",
        String(SAMLMetadata.example.dropLast(3)),
        SAMLMetadata.example.replacing("entityID=\"https://idp.example.com/metadata\"", with: ""),
        SAMLMetadata.example.replacing("IDPSSODescriptor", with: "SPSSODescriptor"),
        SAMLMetadata.example.replacing("Location=", with: "Elsewhere="),
        SAMLMetadata.example.replacing("SAML:2.0:metadata", with: "SAML:1.0:metadata"),
        "<!DOCTYPE a>" + SAMLMetadata.example,
    ])
    func `what is no metadata of an identity provider is refused`(text: String) {
        #expect(fault(SAML.self, settings(text)) == "ERR_NGROK_7083")
    }

    @Test func `entities and deep nesting are refused before they cost anything`() throws {
        var bomb = "<!DOCTYPE b [<!ENTITY a0 \"lol\">"
        for level in 1...40 { bomb += "<!ENTITY a\(level) \"&a\(level - 1);&a\(level - 1);\">" }
        bomb += "]><b>&a40;</b>"
        let refused = #expect(throws: SAMLMetadata.Mistake.self) { try SAMLMetadata(bomb) }
        #expect(refused?.reason == "a document type is not allowed")
        let open = "<EntityDescriptor xmlns=\"urn:oasis:names:tc:SAML:2.0:metadata\" entityID=\"x\">"
        let deep = open + String(repeating: "<a>", count: 20_000)
        let nested = #expect(throws: SAMLMetadata.Mistake.self) { try SAMLMetadata(deep) }
        #expect(nested?.reason == "it nests too deep")
    }

    @Test func `a declaration, prefixes, certificates and comments are read over`() throws {
        let metadata = try SAMLMetadata(
            """
            <?xml version="1.0" encoding="UTF-8"?>
            <!-- made by hand -->
            <md:EntityDescriptor xmlns:md="urn:oasis:names:tc:SAML:2.0:metadata"
                xmlns:ds="http://www.w3.org/2000/09/xmldsig#" entityID="https://idp.example.com/&amp;1">
              <md:IDPSSODescriptor protocolSupportEnumeration="urn:oasis:names:tc:SAML:2.0:protocol">
                <md:KeyDescriptor use="signing"><ds:KeyInfo><ds:X509Data><ds:X509Certificate>MIIC
                </ds:X509Certificate></ds:X509Data></ds:KeyInfo></md:KeyDescriptor>
                <md:SingleSignOnService Binding="b" Location="https://idp.example.com/sso"/>
                <md:SingleSignOnService Binding="c" Location="https://idp.example.com/post"/>
              </md:IDPSSODescriptor>
            </md:EntityDescriptor>
            """)
        #expect(metadata.entityID == "https://idp.example.com/&1")
        #expect(metadata.signOnLocations == ["https://idp.example.com/sso", "https://idp.example.com/post"])
    }
}
