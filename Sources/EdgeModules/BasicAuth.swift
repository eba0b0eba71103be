import Crypto
public import EdgeCore
import Foundation
public import Shared

/// Lets in only requests with one of the given user names and passwords (RFC 7617).
///
/// Endpoints that agents bind may have it; edges have none, as in the public API.
public final class BasicAuth: TrafficModule {
    public static let name = "basic_auth"
    public static let edgeKinds: Set<EdgeKind> = [.https]
    public static let phases: ModulePhases = [.request]
    public static let isForAgentsOnly = true
    public static let secrets: Set<String> = ["credentials"]
    public static let settings = Shape(
        "EndpointBasicAuth", [Shape.Field("credentials", .list(.map(.text), maximum: maximumCredentials))])
    public static let example: JSON = ["credentials": [["username": "user", "cleartext_password": "a password"]]]

    static let maximumCredentials = 100
    /// Of a password, in bytes.
    static let passwordLengths = 8...128

    /// Hashes of `name:password`: what is compared has one length, whatever was sent.
    private let known: [SHA256.Digest]
    private let challenge: FixedResponse

    public init(settings: JSON, environment: ModuleEnvironment) throws(Fault) {
        known = (settings["credentials"]?.arrayValue ?? []).map { credential in
            let name = credential["username"]?.stringValue ?? ""
            return SHA256.hash(data: Array("\(name):\(credential["cleartext_password"]?.stringValue ?? "")".utf8))
        }
        challenge = FixedResponse(
            status: 401, fields: [(name: "www-authenticate", value: "Basic realm=\"ngrok\"")],
            body: Array("401 Unauthorized\n".utf8))
    }

    public static func normalise(_ settings: JSON) throws(Fault) -> JSON {
        let reader = try SettingsReader(settings, Self.settings, subject: "basic_auth module")
        let credentials = reader["credentials"]?.arrayValue ?? []
        guard (1...maximumCredentials).contains(credentials.count) else {
            throw Fault(nil, "basic_auth takes from 1 to \(maximumCredentials) user names.")
        }
        for credential in credentials {
            let name = credential["username"]?.stringValue ?? ""
            let password = credential["cleartext_password"]?.stringValue ?? ""
            guard !name.isEmpty, !name.contains(":") else {
                throw Fault(nil, "A user name of basic_auth must not be empty, nor hold a colon.")
            }
            guard passwordLengths.contains(password.utf8.count) else {
                throw Fault(
                    nil,
                    "A password of basic_auth has from \(passwordLengths.lowerBound) to "
                        + "\(passwordLengths.upperBound) bytes.")
            }
        }
        return ["credentials": .array(credentials)]
    }

    public func onRequest(_ exchange: ExchangeView, note: inout UInt64) -> Verdict {
        let isKnown = given(exchange.request).map { given in
            // Every one is compared, so that time tells nothing of which.
            known.reduce(false) { found, digest in (digest == given) || found }
        }
        exchange.publish("basic_auth.decision", isKnown == true ? "allow" : "deny")
        return isKnown == true ? .proceed : .respond(challenge)
    }

    private func given(_ head: MessageHead) -> SHA256.Digest? {
        guard let field = head.value(named: "authorization").map(head.text), field.prefix(6).lowercased() == "basic ",
            let bytes = Data(base64Encoded: String(field.dropFirst(6).drop { $0 == " " }))
        else { return nil }
        return SHA256.hash(data: bytes)
    }
}
