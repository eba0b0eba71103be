import COpenSSL
public import EdgeCore
import Shared

/// A self-signed certificate for tests, made on the spot.
public enum ThrowAwayCertificate {
    public static func make(_ names: [String], id: String = "cert_test") -> CertificateMaterial {
        let key = EVP_PKEY_Q_keygen_ec("P-256")
        let certificate = X509_new()
        defer {
            EVP_PKEY_free(key)
            X509_free(certificate)
        }
        X509_set_version(certificate, 2)
        ASN1_INTEGER_set(X509_get_serialNumber(certificate), Int.random(in: 1...Int(Int32.max)))
        X509_gmtime_adj(X509_getm_notBefore(certificate), -60)
        X509_gmtime_adj(X509_getm_notAfter(certificate), 3600)
        X509_set_pubkey(certificate, key)
        let subject = X509_get_subject_name(certificate)
        X509_NAME_add_entry_by_txt(subject, "CN", 0x1000 | 1, names[0], -1, -1, 0)
        X509_set_issuer_name(certificate, subject)
        let entries = names.map { (IPAddress($0) == nil ? "DNS:" : "IP:") + $0 }.joined(separator: ",")
        let alternatives = X509V3_EXT_conf_nid(nil, nil, NID_subject_alt_name, entries)
        X509_add_ext(certificate, alternatives, -1)
        X509_EXTENSION_free(alternatives)
        X509_sign(certificate, key, EVP_sha256())
        let chain = text { PEM_write_bio_X509($0, certificate) }
        let secret = text { PEM_write_bio_PrivateKey($0, key, nil, nil, 0, nil, nil) }
        return CertificateMaterial(id: CertificateID(id), chainPEM: chain, keyPEM: secret)
    }

    private static func EVP_PKEY_Q_keygen_ec(_ curve: String) -> OpaquePointer? {
        let generator = EVP_PKEY_CTX_new_from_name(nil, "EC", nil)
        defer { EVP_PKEY_CTX_free(generator) }
        var key: OpaquePointer?
        EVP_PKEY_keygen_init(generator)
        EVP_PKEY_CTX_set_group_name(generator, curve)
        EVP_PKEY_generate(generator, &key)
        return key
    }

    private static func text(_ write: (OpaquePointer?) -> Int32) -> String {
        let bio = BIO_new(BIO_s_mem())
        defer { BIO_free(bio) }
        _ = write(bio)
        var bytes = [UInt8](repeating: 0, count: 8192)
        let count = BIO_read(bio, &bytes, Int32(bytes.count))
        return String(decoding: bytes[0..<Int(max(0, count))], as: UTF8.self)
    }
}
