import EdgeCore
import EdgeModules
import Shared
import Testing

@Suite struct OAuthTests {
    private static let client: [String: JSON] = ["client_id": "id", "client_secret": "secret"]

    private func settings(_ provider: String, _ members: [String: JSON]) -> JSON {
        ["provider": .object([provider: .object(OAuthTests.client.merging(members) { $1 })])]
    }

    @Test func `every documented field is kept, the providers that are absent with null`() throws {
        let kept = try OAuth.normalise(settings("google", ["email_addresses": ["alan@example.com"]]))
        let google: JSON = [
            "client_id": "id", "client_secret": "secret", "scopes": [], "email_addresses": ["alan@example.com"],
            "email_domains": [],
        ]
        #expect(
            kept == [
                "options_passthrough": false, "cookie_prefix": "ngrok.", "inactivity_timeout": 0, "maximum_duration": 0,
                "auth_check_interval": 0,
                "provider": [
                    "google": google, "github": nil, "facebook": nil, "microsoft": nil, "linkedin": nil, "gitlab": nil,
                    "twitch": nil, "amazon": nil,
                ],
            ])
        #expect(try OAuth.normalise(kept) == kept)
        let github = try OAuth.normalise(settings("github", ["teams": ["org/team", "42"], "organizations": ["org"]]))
        #expect(github["provider"]?["github"]?["teams"] == ["org/team", "42"])
        #expect(github["provider"]?["google"] == .null)
    }

    @Test func `there is exactly one provider`() {
        #expect(fault(OAuth.self, [:]) == "ERR_NGROK_7037")
        #expect(fault(OAuth.self, ["provider": ["google": nil]]) == "ERR_NGROK_7037")
        #expect(fault(OAuth.self, ["provider": ["google": [:], "github": [:]]]) == "ERR_NGROK_7036")
        #expect(fault(OAuth.self, ["provider": ["okta": [:]]]) == "ERR_NGROK_214")
        #expect(fault(OAuth.self, ["provider": ["google": ["tenant": "x"]]]) == "ERR_NGROK_214")
        #expect(fault(OAuth.self, ["provider": ["google": "x"]]) == "ERR_NGROK_212")
        #expect(fault(OAuth.self, ["provider": ["google": ["teams": []]]]) == "ERR_NGROK_214")
    }

    @Test func `an application has an identifier and a secret, or is not one's own`() {
        #expect(fault(OAuth.self, ["provider": ["google": ["client_id": "x"]]]) == "ERR_NGROK_7033")
        #expect(fault(OAuth.self, ["provider": ["google": ["client_secret": "x"]]]) == "ERR_NGROK_7033")
        #expect(fault(OAuth.self, ["provider": ["google": [:]]]) == nil)
        #expect(fault(OAuth.self, ["provider": ["google": ["scopes": ["email"]]]]) == "ERR_NGROK_7034")
        for provider in ["amazon", "facebook"] {
            #expect(fault(OAuth.self, ["provider": .object([provider: [:]])]) == "ERR_NGROK_7166")
        }
    }

    @Test(arguments: [
        ("email_addresses", "", "7051"), ("email_addresses", "Alan@example.com", "7067"),
        ("email_addresses", "alan", "7043"), ("email_addresses", "@example.com", "7043"),
        ("email_addresses", "alan@localhost", "7043"), ("email_addresses", "a b@example.com", "7043"),
        ("email_addresses", "alan@xn--\u{7f}.com", "7043"), ("email_addresses", "alan@xn--0.com", "7045"),
        ("email_domains", "", "7052"), ("email_domains", "Example.com", "7068"), ("email_domains", "-a.com", "7039"),
        ("email_domains", "a..com", "7039"), ("email_domains", "@example.com", "7039"),
        ("email_domains", "xn--99999999999.com", "7044"), ("teams", "", "7053"), ("teams", "team", "7040"),
        ("teams", "a/b/c", "7040"), ("organizations", "", "7054"),
    ])
    func `an entry of a list that cannot be is refused with its code`(list: String, entry: String, code: String) {
        #expect(fault(OAuth.self, settings("github", [list: [.string(entry)]])) == "ERR_NGROK_\(code)")
    }

    @Test(arguments: [
        ("email_addresses", "a@example.com", "7046"), ("email_domains", "example.com", "7047"),
        ("teams", "o/t", "7048"), ("organizations", "o", "7049"),
    ])
    func `nothing is on a list twice`(list: String, entry: String, code: String) {
        let twice: JSON = [.string(entry), .string(entry)]
        #expect(fault(OAuth.self, settings("github", [list: twice])) == "ERR_NGROK_\(code)")
        #expect(fault(OAuth.self, settings("github", [list: [.string(entry)]])) == nil)
    }

    @Test func `names in other scripts are let through, written out or in punycode`() {
        for domain in ["münchen.example", "xn--mnchen-3ya.example", "xn--bcher-kva.example", "xn--p1ai.example"] {
            #expect(fault(OAuth.self, settings("google", ["email_domains": [.string(domain)]])) == nil, "\(domain)")
        }
    }

    @Test func `with scopes of one's own GitHub must still tell what the lists are compared with`() {
        let few: JSON = ["gist"]
        #expect(
            fault(OAuth.self, settings("github", ["scopes": few, "organizations": ["o"]])) == "ERR_NGROK_7038")
        #expect(
            fault(OAuth.self, settings("github", ["scopes": few, "email_domains": ["a.com"]])) == "ERR_NGROK_7038")
        #expect(fault(OAuth.self, settings("github", ["scopes": ["read:org"], "organizations": ["o"]])) == nil)
        #expect(fault(OAuth.self, settings("github", ["scopes": few])) == nil)
    }

    @Test func `cookies and times have bounds`() {
        let codes: [(String, JSON, String?)] = [
            ("cookie_prefix", "a b", "7042"), ("cookie_prefix", "a_b", "7042"), ("cookie_prefix", "Ab.9", nil),
            ("cookie_prefix", "[", "7042"),
            ("inactivity_timeout", 31_536_000, nil), ("inactivity_timeout", 31_536_001, "7092"),
            ("inactivity_timeout", -1, "212"), ("maximum_duration", 4_294_967_296, "212"),
            ("auth_check_interval", -1, "7035"), ("auth_check_interval", 300, nil),
        ]
        for (name, value, code) in codes {
            var document = settings("google", [:])
            document[name] = value
            #expect(fault(OAuth.self, document) == code.map { "ERR_NGROK_\($0)" }, "\(name) \(value)")
        }
    }
}
