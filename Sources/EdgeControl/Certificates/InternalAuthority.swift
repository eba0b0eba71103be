import Crypto
import EdgeCore
import Foundation
import Glibc
import SwiftASN1
import X509
import _CryptoExtras

/// The server's own certificate authority: gives every new domain a certificate at once (claim C75).
///
/// Made at the first start and kept in the data folder: `authority.pem` and, readable by the server's user alone,
/// `authority.key`. Whoever trusts the certificate can use every domain of this server.
public struct InternalAuthority: Sendable {
    /// Days that a certificate for a domain is valid.
    public static let leafDays: Int64 = 90
    static let authorityYears: Int64 = 10
    private static let day: Int64 = 86_400

    private let certificate: Certificate
    private let key: Certificate.PrivateKey
    /// For clients to trust.
    public let certificatePEM: String

    public struct Failure: Error, CustomStringConvertible {
        public let description: String
    }

    /// Reads the authority of a data folder, or makes one.
    /// - Throws: `Failure` with the path of the file that cannot be read or written.
    public init(folder: String, now: WallTime) throws {
        let keyPath = folder + "/authority.key"
        let certificatePath = folder + "/authority.pem"
        if access(keyPath, F_OK) == 0 || access(certificatePath, F_OK) == 0 {
            do {
                let key = try Certificate.PrivateKey(pemEncoded: String(contentsOfFile: keyPath, encoding: .utf8))
                let pem = try String(contentsOfFile: certificatePath, encoding: .utf8)
                try self.init(certificate: Certificate(pemEncoded: pem), key: key)
            } catch {
                throw Failure(description: "The certificate authority in \(folder) cannot be read: \(error)")
            }
            guard certificate.publicKey == key.publicKey else {
                throw Failure(description: "\(keyPath) is not the key of \(certificatePath).")
            }
        } else {
            try self.init(now: now)
            try InternalAuthority.write(try key.serializeAsPEM().pemString + "\n", to: keyPath, mode: 0o600)
            try InternalAuthority.write(certificatePEM, to: certificatePath, mode: 0o644)
        }
    }

    private init(certificate: Certificate, key: Certificate.PrivateKey) throws {
        self.certificate = certificate
        self.key = key
        certificatePEM = try certificate.serializeAsPEM().pemString + "\n"
    }

    /// A fresh authority that is kept nowhere.
    public init(now: WallTime) throws {
        let key = Certificate.PrivateKey(P256.Signing.PrivateKey())
        let name = try DistinguishedName {
            OrganizationName("Selvage")
            CommonName("Selvage internal authority")
        }
        let start = now.seconds - InternalAuthority.day
        let certificate = try Certificate(
            version: .v3, serialNumber: Certificate.SerialNumber(), publicKey: key.publicKey,
            notValidBefore: Date(timeIntervalSince1970: Double(start)),
            notValidAfter: Date(
                timeIntervalSince1970: Double(start + InternalAuthority.authorityYears * 365 * InternalAuthority.day)),
            issuer: name, subject: name, signatureAlgorithm: .ecdsaWithSHA256,
            extensions: try Certificate.Extensions {
                Critical(BasicConstraints.isCertificateAuthority(maxPathLength: 0))
                Critical(KeyUsage(keyCertSign: true, cRLSign: true))
                SubjectKeyIdentifier(hash: key.publicKey)
            },
            issuerPrivateKey: key)
        try self.init(certificate: certificate, key: key)
    }

    /// When it began.
    var notBefore: WallTime { CertificateFacts.time(certificate.notValidBefore) }

    /// A certificate and a new key for one host name, which may begin with `*.`.
    /// - Throws: errors of the cryptography library, which name no secret.
    public func issue(_ name: String, _ type: CertificateKeyType, _ now: WallTime) throws -> IssuedCertificate {
        try issue([name], type, now)
    }

    /// The same for several names and addresses, of which the first is the common name.
    public func issue(_ names: [String], _ type: CertificateKeyType, _ now: WallTime) throws -> IssuedCertificate {
        let leafKey =
            switch type {
            case .ecdsa: Certificate.PrivateKey(P256.Signing.PrivateKey())
            case .rsa: Certificate.PrivateKey(try _RSA.Signing.PrivateKey(keySize: .bits2048))
            }
        // A common name holds at most 64 characters (RFC 5280, appendix A.1); the alternative name is what counts.
        let name = names.first ?? ""
        let subject = try DistinguishedName {
            if name.utf8.count <= 64 { CommonName(name) } else { OrganizationName("Selvage") }
        }
        // An hour back, for clients whose clocks are a little late.
        let start = now.seconds - 3600
        let end = min(
            now.seconds + InternalAuthority.leafDays * InternalAuthority.day,
            CertificateFacts.time(certificate.notValidAfter).seconds)
        let leaf = try Certificate(
            version: .v3, serialNumber: Certificate.SerialNumber(), publicKey: leafKey.publicKey,
            notValidBefore: Date(timeIntervalSince1970: Double(start)),
            notValidAfter: Date(timeIntervalSince1970: Double(end)), issuer: certificate.subject, subject: subject,
            signatureAlgorithm: .ecdsaWithSHA256,
            extensions: try Certificate.Extensions {
                Critical(BasicConstraints.notCertificateAuthority)
                Critical(KeyUsage(digitalSignature: true, keyEncipherment: type == .rsa))
                try ExtendedKeyUsage([.serverAuth])
                SubjectAlternativeNames(names.map(InternalAuthority.alternativeName))
                SubjectKeyIdentifier(hash: leafKey.publicKey)
                AuthorityKeyIdentifier(keyIdentifier: SubjectKeyIdentifier(hash: key.publicKey).keyIdentifier)
            },
            issuerPrivateKey: key)
        return IssuedCertificate(
            chainPEM: try leaf.serializeAsPEM().pemString + "\n" + certificatePEM,
            keyPEM: try leafKey.serializeAsPEM().pemString + "\n", facts: CertificateFacts.read(leaf),
            notAfter: CertificateFacts.time(leaf.notValidAfter))
    }

    private static func alternativeName(_ name: String) -> GeneralName {
        guard let address = IPAddress(name) else { return .dnsName(name) }
        let low = withUnsafeBytes(of: address.low.bigEndian, Array.init)
        let high = withUnsafeBytes(of: address.high.bigEndian, Array.init)
        return .ipAddress(ASN1OctetString(contentBytes: ArraySlice(address.isV4 ? Array(low.suffix(4)) : high + low)))
    }

    /// When a certificate with these bounds is due: when a third of its life is left.
    static func renewalTime(notBefore: WallTime, notAfter: WallTime) -> WallTime {
        WallTime(seconds: notAfter.seconds - (notAfter.seconds - notBefore.seconds) / 3)
    }

    /// Writes a file whole or not at all, with its mode from the first moment.
    static func write(_ text: String, to path: String, mode: mode_t) throws(Failure) {
        let temporary = path + ".new"
        unlink(temporary)
        let descriptor = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode)
        guard descriptor >= 0 else { throw failure("create", temporary) }
        defer { close(descriptor) }
        let bytes = Array(text.utf8)
        guard Glibc.write(descriptor, bytes, bytes.count) == bytes.count, fsync(descriptor) == 0 else {
            throw failure("write", temporary)
        }
        guard rename(temporary, path) == 0 else { throw failure("rename", temporary) }
    }

    private static func failure(_ what: String, _ path: String) -> Failure {
        Failure(description: "Could not \(what) \(path): \(String(cString: strerror(errno)))")
    }
}
