import Crypto
import EdgeCore
import Foundation
import Shared
import Testing

@testable import EdgeModules

@Suite struct WebhookVerificationTests {
    private func settings(_ provider: String, _ secret: String? = nil) -> JSON {
        var settings: JSON = ["provider": .string(provider)]
        settings["secret"] = secret.map { .string($0) }
        return settings
    }

    @Test func `there are 67 providers, in any letter case, kept as they were written`() throws {
        #expect(WebhookVerification.providers.count == 67)
        #expect(try WebhookVerification.normalise(settings("TWILIO", "x")) == settings("TWILIO", "x"))
        for provider in WebhookVerification.providers where !["sns", "sendgrid"].contains(provider) {
            #expect(fault(WebhookVerification.self, settings(provider, "x")) == nil)
            #expect(fault(WebhookVerification.self, settings(provider)) == "ERR_NGROK_7027")
        }
    }

    @Test func `provider and secret are checked with their codes`() throws {
        #expect(fault(WebhookVerification.self, [:]) == "ERR_NGROK_7029")
        #expect(fault(WebhookVerification.self, settings("nobody", "x")) == "ERR_NGROK_7030")
        #expect(fault(WebhookVerification.self, settings("SNS", "x")) == "ERR_NGROK_7026")
        #expect(try WebhookVerification.normalise(settings("sns")) == ["provider": "sns", "secret": ""])
    }

    @Test func `sendgrid's secret is its public key`() {
        let key = P256.Signing.PrivateKey().publicKey.derRepresentation.base64EncodedString()
        #expect(fault(WebhookVerification.self, settings("sendgrid", key)) == nil)
        for wrong in ["secret", "AAAA", P384.Signing.PrivateKey().publicKey.derRepresentation.base64EncodedString()] {
            #expect(fault(WebhookVerification.self, settings("sendgrid", wrong)) == "ERR_NGROK_7107")
        }
    }
}
