import Crypto

/// The secret of an API key or of a tunnel credential: `<ksuid>_<21 base62 digits>`.
///
/// The first part is that of the object's identifier, so that a token is looked up and not searched for. Only a hash of
/// the second part is kept: it has 122 random bits, which nobody finds by trying, so that a plain hash is enough.
enum AccessToken {
    /// Digits of the second part.
    static let secretLength = 21
    static let identityLength = 27

    /// A fresh second part. It begins with a decimal digit, as those of ngrok do: programs that look for leaked secrets
    /// know it by that.
    static func makeSecret() -> String {
        var source = SystemRandomNumberGenerator()
        var text = [Identity.digits[Int.random(in: 0..<10, using: &source)]]
        for _ in 1..<secretLength { text.append(Identity.digits[Int.random(in: 0..<62, using: &source)]) }
        return String(decoding: text, as: UTF8.self)
    }

    /// What is shown once.
    static func text(id: String, secret: String) -> String { "\(id.suffix(identityLength))_\(secret)" }

    /// What is kept, as `ConfigurationObject.secret`.
    static func hash(_ secret: some StringProtocol) -> String {
        SHA256.hash(data: Array(secret.utf8)).map { byte in
            String(decoding: [hexadecimal[Int(byte >> 4)], hexadecimal[Int(byte & 15)]], as: UTF8.self)
        }.joined()
    }

    private static let hexadecimal = Array("0123456789abcdef".utf8)

    /// Whether `secret` is the one whose hash is kept. Takes as long for any wrong one, also when `kept` is `nil`
    /// because there is no such object.
    static func isRight(_ secret: some StringProtocol, kept: String?) -> Bool {
        let matches = isEqual(Array(hash(secret).utf8), Array((kept ?? nobody).utf8))
        return matches && kept != nil
    }

    private static let nobody = String(repeating: "0", count: 64)

    /// Looks at every byte, wherever the first difference is.
    static func isEqual(_ one: [UInt8], _ other: [UInt8]) -> Bool {
        guard one.count == other.count else { return false }
        var difference: UInt8 = 0
        for index in one.indices { difference |= one[index] ^ other[index] }
        return difference == 0
    }
}

/// What a request shows to be let in, by its form alone.
enum PresentedCredential: Equatable {
    case nothing
    /// There is an Authorization field, but it does not say `Bearer`.
    case unreadable
    case malformed
    /// `ak_…`: the name of a key, which is no secret.
    case keyID
    /// `cr_…`: likewise of a credential.
    case credentialID
    case token(identity: String, secret: String)

    /// - Parameter fields: every Authorization field of the request. More than one is not understood in two ways.
    init(_ fields: [String]) {
        guard let field = fields.first else {
            self = .nothing
            return
        }
        let parts = field.split(separator: " ", maxSplits: 1)
        guard fields.count == 1, parts.first?.lowercased() == "bearer" else {
            self = .unreadable
            return
        }
        let text = parts.count > 1 ? parts[1].trimmingSpaces : ""
        self = PresentedCredential.read(text)
    }

    private static func read(_ text: String) -> PresentedCredential {
        switch Identity.prefix(of: text) {
        case "ak": return .keyID
        case "cr": return .credentialID
        default: break
        }
        let parts = text.split(separator: "_", omittingEmptySubsequences: false)
        let lengths = [AccessToken.identityLength, AccessToken.secretLength]
        guard parts.map(\.utf8.count) == lengths,
            parts.allSatisfy({ $0.utf8.allSatisfy(Identity.digits.contains) })
        else { return .malformed }
        return .token(identity: String(parts[0]), secret: String(parts[1]))
    }
}
