import Crypto
import Foundation
import Glibc
import SwiftASN1
import X509
import _CryptoExtras

/// The key with which this server signs what it asks of identity providers, and the certificate that they are given.
///
/// Made at the first start and kept in the data folder: `signing.pem` and, readable by the server's user alone,
/// `signing.key`. RSA, because that is what every SAML implementation can check. Identity providers are told the
/// certificate by hand, so it does not change by itself.
public struct SigningIdentity: Sendable {
    static let years: Int64 = 10
    private static let day: Int64 = 86_400

    public let certificatePEM: String

    /// Reads the identity of a data folder, or makes one.
    /// - Throws: `InternalAuthority.Failure` with the path of the file that cannot be read or written.
    public init(folder: String, now: WallTime) throws {
        let keyPath = folder + "/signing.key"
        let certificatePath = folder + "/signing.pem"
        // The certificate is written last: without it nobody was ever given one, whatever was begun.
        guard access(certificatePath, F_OK) == 0 else {
            let key = Certificate.PrivateKey(try _RSA.Signing.PrivateKey(keySize: .bits2048))
            certificatePEM = try SigningIdentity.certificate(of: key, now: now).serializeAsPEM().pemString + "\n"
            try InternalAuthority.write(try key.serializeAsPEM().pemString + "\n", to: keyPath, mode: 0o600)
            try InternalAuthority.write(certificatePEM, to: certificatePath, mode: 0o644)
            return
        }
        let isPair: Bool
        do {
            let key = try Certificate.PrivateKey(pemEncoded: String(contentsOfFile: keyPath, encoding: .utf8))
            certificatePEM = try String(contentsOfFile: certificatePath, encoding: .utf8)
            isPair = try Certificate(pemEncoded: certificatePEM).publicKey == key.publicKey
        } catch {
            throw InternalAuthority.Failure(description: "The signing key in \(folder) cannot be read: \(error)")
        }
        guard isPair else {
            throw InternalAuthority.Failure(description: "\(keyPath) is not the key of \(certificatePath).")
        }
    }

    private static func certificate(of key: Certificate.PrivateKey, now: WallTime) throws -> Certificate {
        let name = try DistinguishedName {
            OrganizationName("Selvage")
            CommonName("Selvage request signing")
        }
        // An hour back, for clocks that are a little late.
        let start = now.seconds - 3600
        return try Certificate(
            version: .v3, serialNumber: Certificate.SerialNumber(), publicKey: key.publicKey,
            notValidBefore: Date(timeIntervalSince1970: Double(start)),
            notValidAfter: Date(timeIntervalSince1970: Double(start + years * 365 * day)), issuer: name, subject: name,
            signatureAlgorithm: .sha256WithRSAEncryption,
            extensions: try Certificate.Extensions {
                Critical(BasicConstraints.notCertificateAuthority)
                Critical(KeyUsage(digitalSignature: true))
                SubjectKeyIdentifier(hash: key.publicKey)
            },
            issuerPrivateKey: key)
    }
}
