import Shared
import Testing

@testable import EdgeControl

@Suite struct HiddenSecretsTests {
    private let settings: JSON = [
        "provider": ["github": ["client_id": "a", "client_secret": "s3cret"], "google": nil]
    ]
    private let names: Set<String> = ["client_secret"]

    @Test func `what is hidden and sent back comes out as it was`() throws {
        let shown = HiddenSecrets.hide(names, in: settings)
        #expect(shown["provider"]?["github"]?["client_secret"] == "(hidden)")
        #expect(try HiddenSecrets.restore(names, in: shown, from: settings) == settings)
    }

    @Test func `a secret that was never there cannot be kept`() {
        let other: JSON = ["provider": ["gitlab": ["client_id": "a", "client_secret": "(hidden)"]]]
        #expect(throws: (any Error).self) { try HiddenSecrets.restore(names, in: other, from: settings) }
        #expect(throws: (any Error).self) { try HiddenSecrets.restore(names, in: other, from: nil) }
    }

    @Test func `a viewer and the console are shown no secret, and a change elsewhere keeps it`() async throws {
        let room = try await ControlRoom()
        let edge = try await room.make("/edges/https")
        let routes = "/edges/https/\(edge)/routes"
        let route = try await room.make(routes, ["match_type": "path_prefix", "match": "/"])
        let module = "\(routes)/\(route)/webhook_verification"
        _ = try await room.call("PUT", module, ["provider": "github", "secret": "s3cret", "enabled": false])
        #expect(try await room.call("GET", module)["secret"] == "s3cret")
        #expect(try await room.call("GET", module, uid: 1002)["secret"] == "(hidden)")
        let listing = try await room.call("GET", "/selvage/configuration")
        #expect(!listing.body.text.contains("s3cret"))
        _ = try await room.call("PUT", module, ["provider": "gitlab", "secret": "(hidden)", "enabled": false])
        #expect(try await room.call("GET", module)["secret"] == "s3cret")
        #expect(try await room.call("GET", module)["provider"] == "gitlab")
    }
}
