import Testing

@testable import EdgeControl

@Suite struct AccessTokenTests {
    private static let identity = "2aBcDeFgHiJkLmNoPqRsTuVwXyZ"
    private static let secret = "5aBcDeFgHiJkLmNoPqRsT"

    @Test func `a secret has its length, begins with a decimal digit, and is never the same`() {
        let secrets = (0..<1000).map { _ in AccessToken.makeSecret() }
        #expect(Set(secrets).count == 1000)
        for secret in secrets {
            #expect(secret.utf8.count == 21)
            #expect(secret.first?.isNumber == true)
            #expect(secret.utf8.allSatisfy(Identity.digits.contains))
        }
    }

    @Test func `what is kept is the SHA-256 of the second part`() {
        #expect(
            AccessToken.hash("abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")
        #expect(AccessToken.isRight("abc", kept: AccessToken.hash("abc")))
        #expect(!AccessToken.isRight("abd", kept: AccessToken.hash("abc")))
        #expect(!AccessToken.isRight("abc", kept: nil))
        #expect(!AccessToken.isRight("abc", kept: ""))
        #expect(!AccessToken.isRight("abc", kept: "abc"))
    }

    @Test func `a comparison sees a difference at every place`() {
        let bytes = Array(Self.secret.utf8)
        #expect(AccessToken.isEqual(bytes, bytes))
        for place in bytes.indices {
            var other = bytes
            other[place] ^= 1
            #expect(!AccessToken.isEqual(bytes, other))
        }
        #expect(!AccessToken.isEqual(bytes, Array(bytes.dropLast())))
        #expect(AccessToken.isEqual([], []))
    }

    @Test func `an Authorization field is read by its form`() {
        let token = "\(Self.identity)_\(Self.secret)"
        let right = PresentedCredential.token(identity: Self.identity, secret: Self.secret)
        #expect(PresentedCredential(["Bearer " + token]) == right)
        #expect(PresentedCredential(["bearer   " + token + " "]) == right)
        #expect(PresentedCredential([]) == .nothing)
        #expect(PresentedCredential(["Basic eDp5"]) == .unreadable)
        #expect(PresentedCredential([token]) == .unreadable)
        #expect(PresentedCredential([""]) == .unreadable)
        #expect(PresentedCredential(["Bearer " + token, "Bearer " + token]) == .unreadable)
        #expect(PresentedCredential(["Bearer ak_" + Self.identity]) == .keyID)
        #expect(PresentedCredential(["Bearer cr_" + Self.identity]) == .credentialID)
    }

    @Test(arguments: [
        "", "x", "_", "2aBcDeFgHiJkLmNoPqRsTuVwXyZ", "2aBcDeFgHiJkLmNoPqRsTuVwXyZ_", "_5aBcDeFgHiJkLmNoPqRsT",
        "2aBcDeFgHiJkLmNoPqRsTuVwXyZ_5aBcDeFgHiJkLmNoPqRsTx", "2aBcDeFgHiJkLmNoPqRsTuVwXyZ_5aBcDeFgHiJkLmNoPqRs-",
        "2aBcDeFgHiJkLmNoPqRsTuVwXyZ_5aBcDeFgHiJ_LmNoPqRsT", "ipp_2aBcDeFgHiJkLmNoPqRsTuVwXyZ",
    ])
    func `what has another form is malformed`(text: String) {
        #expect(PresentedCredential(["Bearer " + text]) == .malformed)
    }

    @Test func `access rules are read as documented`() {
        #expect(BindRule("*") == .anything)
        #expect(BindRule("bind:App.Example.com") == .domain("app.example.com"))
        #expect(BindRule("bind:*.example.com") == .domain("*.example.com"))
        #expect(BindRule("bind:1.tcp.example.com:20000") == .address(host: "1.tcp.example.com", port: 20000))
        #expect(BindRule("bind:[::1]:80") == .address(host: "[::1]", port: 80))
        #expect(BindRule("bind:app=web") == .label(name: "app", value: "web"))
        #expect(BindRule("bind:*=*") == .label(name: "*", value: "*"))
        let wrong = [
            "", "bind", "bind:", "bind:*", "app.example.com", "**", "bind:a b.com", "bind:example.com:0",
            "bind:example.com:70000", "bind:example.com:x", "bind:-a.com", "bind:a..com", "bind:a.*.com", "bind:=x",
            "bind:x=", "bind:a=b=c", "bind:x=\u{1b}", "allow:x.com",
        ]
        for text in wrong { #expect(BindRule(text) == nil, "\(text)") }
    }

    @Test func `access rules permit what they name and nothing else`() throws {
        let wild = try #require(BindRule("bind:*.example.com"))
        #expect(wild.permits(domain: "a.b.EXAMPLE.com") && wild.permits(domain: "*.example.com"))
        #expect(!wild.permits(domain: "example.com") && !wild.permits(domain: "badexample.com"))
        #expect(!wild.permits(label: "app", value: "web"))
        let label = try #require(BindRule("bind:app=*"))
        #expect(label.permits(label: "app", value: "web") && !label.permits(label: "x", value: "web"))
        let address = try #require(BindRule("bind:tcp.example.com:20000"))
        #expect(address.permits(host: "TCP.example.com", port: 20000))
        #expect(!address.permits(host: "tcp.example.com", port: 20001))
        #expect(BindRule.anything.permits(domain: "x.com") && !BindRule.nothing.permits(domain: "x.com"))
    }
}
