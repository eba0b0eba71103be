import EdgeCore
import Foundation
import Shared
import Testing

@testable import EdgeModules

@Suite struct BasicAuthTests {
    private static let credentials: JSON = [
        "credentials": [
            ["username": "user", "cleartext_password": "password1"],
            ["username": "ötker", "cleartext_password": "with:a:colon"],
        ]
    ]

    private func module(_ settings: JSON = credentials) throws -> BasicAuth {
        try BasicAuth(settings: BasicAuth.normalise(settings), environment: environment())
    }

    /// Whether a request with this field passes, and what it is answered if not.
    private func ask(_ field: String?) throws -> (passes: Bool, answer: FixedResponse?) {
        let view = exchange(request: field.map { [("authorization", $0)] } ?? [])
        var note: UInt64 = 0
        switch try module().onRequest(view, note: &note) {
        case .proceed: return (true, nil)
        case .respond(let answer): return (false, answer)
        case .reject: return (false, nil)
        }
    }

    private func basic(_ text: String, scheme: String = "Basic ") -> String {
        scheme + Data(text.utf8).base64EncodedString()
    }

    @Test func `each user is let in with their own password`() throws {
        for text in ["user:password1", "ötker:with:a:colon"] {
            #expect(try ask(basic(text)).passes)
            #expect(try ask(basic(text, scheme: "bAsIc   ")).passes)
        }
    }

    @Test func `everybody else is asked for a name and a password`() throws {
        let fields = [
            nil, "", "Basic", "Basic ", basic("user:password2"), basic("user:"), basic("user"), basic(":password1"),
            basic("user:with:a:colon"), basic("User:password1"), basic("user:password1 "), basic("user:password1\0"),
            "Basic ***", "Bearer " + basic("user:password1", scheme: ""), basic("user:password1", scheme: ""),
            basic("user:password1", scheme: "Basic"),
        ]
        for field in fields {
            let (passes, answer) = try ask(field)
            #expect(!passes, "\(field ?? "none")")
            #expect(answer?.status == 401)
            let challenge = answer?.fields.first { $0.name == "www-authenticate" }?.value
            #expect(challenge == "Basic realm=\"ngrok\"")
        }
    }

    @Test func `the answer tells nothing of which part was wrong`() throws {
        let bodies = try [nil, basic("nobody:password1"), basic("user:wrong")].map { try ask($0).answer?.body }
        #expect(Set(bodies).count == 1)
    }

    @Test func `settings are bounded`() throws {
        let one = { (name: JSON, password: JSON) -> JSON in
            ["credentials": [["username": name, "cleartext_password": password]]]
        }
        let many = JSON.array(Array(repeating: ["username": "u", "cleartext_password": "password1"], count: 101))
        let refused: [JSON] = [
            [:], ["credentials": []], one("", "password1"), one("a:b", "password1"), one("user", "short"),
            one("user", .string(String(repeating: "x", count: 129))), one(1, "password1"), one("user", nil),
            ["credentials": many],
        ]
        for settings in refused {
            #expect(throws: Fault.self, "\(settings.text.prefix(100))") { try BasicAuth.normalise(settings) }
        }
        for length in [8, 128] {
            _ = try BasicAuth.normalise(one("user", .string(String(repeating: "x", count: length))))
        }
    }

    @Test func `no edge has it, and its passwords are secrets`() {
        #expect(BasicAuth.isForAgentsOnly && BasicAuth.secrets == ["credentials"])
        #expect(BasicAuth.edgeKinds == [.https])
    }
}
