import EdgeCore
import SwiftASN1
import X509

/// Reads a certificate chain and a key as a client sends them.
enum CertificateUpload {
    /// Bytes of a chain, and of a key.
    static let maximumChain = 65_536
    static let maximumKey = 32_768

    /// - Throws: 1900…1903 and 1910…1926 as the public API words them.
    static func read(chainPEM: String, keyPEM: String) throws(Fault) -> IssuedCertificate {
        let chain = try certificates(chainPEM)
        let key = try privateKey(keyPEM)
        try checkOrder(chain)
        let leaf = chain[0]
        guard key.publicKey == leaf.publicKey else {
            throw Fault(1923, "The provided certificate and private key do not match each other.")
        }
        return IssuedCertificate(
            chainPEM: chainPEM.hasSuffix("\n") ? chainPEM : chainPEM + "\n", keyPEM: keyPEM,
            facts: CertificateFacts.read(leaf), notAfter: CertificateFacts.time(leaf.notValidAfter))
    }

    /// The certificates of a text, in its order; at least one.
    /// - Parameter privateKey: the code for a private key; 1925 belongs to requests that also have one.
    /// - Throws: 1900, 1910, 1911, 1919…1922.
    static func certificates(_ pem: String, privateKey: Int = 1925) throws(Fault) -> [Certificate] {
        guard !pem.isEmpty else { throw Fault(1919, "No certificate PEM data was sent.") }
        guard pem.utf8.count <= maximumChain else {
            throw Fault(
                1921, "The uploaded certificate PEM data exceeds the maximum length limit of \(maximumChain) bytes.")
        }
        guard !hasHeaders(pem) else {
            throw Fault(1910, "The provided PEM data contains a non-zero number of headers, which are not allowed.")
        }
        guard let documents = try? PEMDocument.parseMultiple(pemString: pem), !documents.isEmpty else {
            throw pem.contains("-----BEGIN")
                ? Fault(1920, "The certificate data could not be parsed as PEM.")
                : Fault(1922, "No PEM-encoded certificate was found in the creation request.")
        }
        var certificates: [Certificate] = []
        for document in documents {
            guard document.discriminator == "CERTIFICATE" else {
                if document.discriminator.hasSuffix("PRIVATE KEY") {
                    throw Fault(privateKey, "The provided certificate is actually a private key.")
                }
                let type = document.discriminator.prefix(64)
                throw Fault(
                    1911,
                    "The provided data is a valid PEM, but it has an unexpected type: '\(type)'. It must be "
                        + "\"CERTIFICATE\".")
            }
            do {
                certificates.append(try Certificate(derEncoded: document.derBytes))
            } catch {
                throw Fault(1900, "The provided certificate is in an unknown or unsupported format.")
            }
        }
        return certificates
    }

    private static func privateKey(_ pem: String) throws(Fault) -> Certificate.PrivateKey {
        guard pem.contains("-----BEGIN"), pem.utf8.count <= maximumKey else {
            throw Fault(1901, "No PEM-encoded private key was found in the creation request.")
        }
        // Both the old form (a header) and PKCS #8's.
        guard !pem.contains("ENCRYPTED") else { throw Fault(1902, "The provided private key is encrypted.") }
        guard !hasHeaders(pem) else {
            throw Fault(1910, "The provided PEM data contains a non-zero number of headers, which are not allowed.")
        }
        let documents = (try? PEMDocument.parseMultiple(pemString: pem)) ?? []
        // openssl puts the curve in a block of its own in front.
        guard let document = documents.first(where: { $0.discriminator.hasSuffix("PRIVATE KEY") }) else {
            if documents.contains(where: { $0.discriminator == "CERTIFICATE" }) {
                throw Fault(1924, "The provided private key is actually a certificate.")
            }
            throw Fault(1903, "The provided private key is in an unknown or unsupported format.")
        }
        do {
            return try Certificate.PrivateKey(pemDocument: document)
        } catch {
            throw Fault(1903, "The provided private key is in an unknown or unsupported format.")
        }
    }

    /// Each certificate must be signed by the next.
    private static func checkOrder(_ chain: [Certificate]) throws(Fault) {
        for (certificate, issuer) in zip(chain, chain.dropFirst()) {
            let isSigned =
                certificate.issuer == issuer.subject
                && issuer.publicKey.isValidSignature(certificate.signature, for: certificate)
            guard !isSigned else { continue }
            let order = chain.map { "'\($0.subject)'" }.joined(separator: ", ")
            throw Fault(
                1926,
                "The uploaded certificate bundle contained the following certificates in this order: [\(order)], "
                    + "however '\(certificate.subject)' has not been signed by '\(issuer.subject)'.")
        }
    }

    /// Header lines (RFC 1421, 4.4) between a BEGIN line and the data.
    private static func hasHeaders(_ pem: String) -> Bool {
        var isInside = false
        for line in pem.split(whereSeparator: \.isNewline) {
            if line.hasPrefix("-----BEGIN") { isInside = true; continue }
            if line.hasPrefix("-----END") { isInside = false; continue }
            if isInside, line.contains(":") { return true }
        }
        return false
    }
}
