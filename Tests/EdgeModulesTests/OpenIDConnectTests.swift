import EdgeCore
import EdgeModules
import Shared
import Testing

@Suite struct OpenIDConnectTests {
    private static let least: JSON = ["issuer": "https://id.example.com", "client_id": "id", "client_secret": "s"]

    private func with(_ name: String, _ value: JSON?) -> JSON {
        var settings = OpenIDConnectTests.least
        settings[name] = value
        return settings
    }

    @Test func `what is not given has its documented value`() throws {
        #expect(
            try OpenIDConnect.normalise(OpenIDConnectTests.least) == [
                "issuer": "https://id.example.com", "client_id": "id", "client_secret": "s", "scopes": [],
                "options_passthrough": false, "cookie_prefix": "", "inactivity_timeout": 0, "maximum_duration": 0,
            ])
    }

    @Test func `issuer and client are required`() {
        #expect(fault(OpenIDConnect.self, with("issuer", nil)) == "ERR_NGROK_7088")
        #expect(fault(OpenIDConnect.self, with("client_id", "")) == "ERR_NGROK_7089")
        #expect(fault(OpenIDConnect.self, with("client_secret", .null)) == "ERR_NGROK_7090")
    }

    @Test func `an issuer is a URL of at most 255 bytes`() {
        let long = "https://id.example.com/" + String(repeating: "a", count: 233)
        #expect(fault(OpenIDConnect.self, with("issuer", .string(long))) == "ERR_NGROK_7087")
        #expect(fault(OpenIDConnect.self, with("issuer", .string(String(long.dropLast())))) == nil)
        for issuer in ["id.example.com", "ftp://id.example.com", "https://", "https://a/?q=1", "https://u:p@a/", "x y"]
        {
            #expect(throws: Fault.self) { try OpenIDConnect.normalise(with("issuer", .string(issuer))) }
        }
    }
}
