import Crypto
import Foundation
import Shared
import SwiftASN1
import X509
import _CryptoExtras

/// The kinds of keys that the internal authority makes.
public enum CertificateKeyType: String, Sendable, CaseIterable {
    case ecdsa, rsa
}

/// A certificate with its key, ready to be stored.
public struct IssuedCertificate: Sendable {
    /// Leaf first.
    public let chainPEM: String
    public let keyPEM: String
    /// The fields that the API answers about a certificate.
    let facts: [String: JSON]
    let notAfter: WallTime
}

/// What a certificate says of itself, as the API answers it.
enum CertificateFacts {
    static func read(_ leaf: Certificate) -> [String: JSON] {
        let subject = names(leaf.subject)
        let issuer = names(leaf.issuer)
        return [
            "subject_common_name": .string(subject[.RDNAttributeType.commonName] ?? ""),
            "subject_organization": .string(subject[.RDNAttributeType.organizationName] ?? ""),
            "subject_organizational_unit": .string(subject[.RDNAttributeType.organizationalUnitName] ?? ""),
            "subject_locality": .string(subject[.RDNAttributeType.localityName] ?? ""),
            "subject_province": .string(subject[.RDNAttributeType.stateOrProvinceName] ?? ""),
            "subject_country": .string(subject[.RDNAttributeType.countryName] ?? ""),
            "issuer_common_name": .string(issuer[.RDNAttributeType.commonName] ?? ""),
            "subject_alternative_names": alternativeNames(leaf),
            "serial_number": .string(hex(leaf.serialNumber.bytes)),
            "not_before": .string(time(leaf.notValidBefore).text),
            "not_after": .string(time(leaf.notValidAfter).text),
            "key_usages": .array(keyUsages(leaf).map { .string($0) }),
            "extended_key_usages": .array(extendedKeyUsages(leaf).map { .string($0) }),
            "private_key_type": .string(keyType(leaf.publicKey)),
        ]
    }

    static func time(_ date: Date) -> WallTime {
        WallTime(seconds: Int64(clampingTime: date.timeIntervalSince1970))
    }

    private static func names(_ name: DistinguishedName) -> [ASN1ObjectIdentifier: String] {
        var values: [ASN1ObjectIdentifier: String] = [:]
        for attribute in name.lazy.flatMap({ $0 }) where values[attribute.type] == nil {
            values[attribute.type] = String(attribute.value) ?? attribute.value.description
        }
        return values
    }

    private static func alternativeNames(_ leaf: Certificate) -> JSON {
        var names: [JSON] = []
        var addresses: [JSON] = []
        for name in (try? leaf.extensions.subjectAlternativeNames) ?? SubjectAlternativeNames() {
            switch name {
            case .dnsName(let name): names.append(.string(name))
            case .ipAddress(let octets): addresses.append(.string(address(octets.bytes)))
            default: break
            }
        }
        return ["dns_names": .array(names), "ips": .array(addresses)]
    }

    private static func address(_ bytes: ArraySlice<UInt8>) -> String {
        if bytes.count == 4 { return bytes.map(String.init).joined(separator: ".") }
        let bytes = Array(bytes)
        return stride(from: 0, to: bytes.count - 1, by: 2)
            .map { String(UInt16(bytes[$0]) << 8 | UInt16(bytes[$0 + 1]), radix: 16) }.joined(separator: ":")
    }

    private static func hex(_ bytes: ArraySlice<UInt8>) -> String {
        bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
    }

    private static func keyUsages(_ leaf: Certificate) -> [String] {
        guard let usage = try? leaf.extensions.keyUsage else { return [] }
        let all: [(Bool, String)] = [
            (usage.digitalSignature, "digitalSignature"), (usage.nonRepudiation, "nonRepudiation"),
            (usage.keyEncipherment, "keyEncipherment"), (usage.dataEncipherment, "dataEncipherment"),
            (usage.keyAgreement, "keyAgreement"), (usage.keyCertSign, "keyCertSign"), (usage.cRLSign, "cRLSign"),
            (usage.encipherOnly, "encipherOnly"), (usage.decipherOnly, "decipherOnly"),
        ]
        return all.filter(\.0).map(\.1)
    }

    private static func extendedKeyUsages(_ leaf: Certificate) -> [String] {
        guard let usages = try? leaf.extensions.extendedKeyUsage else { return [] }
        return usages.map { usage in
            switch usage {
            case .serverAuth: "serverAuth"
            case .clientAuth: "clientAuth"
            case .codeSigning: "codeSigning"
            case .emailProtection: "emailProtection"
            case .timeStamping: "timeStamping"
            case .ocspSigning: "ocspSigning"
            case .any: "anyExtendedKeyUsage"
            default: ASN1ObjectIdentifier(usage).description
            }
        }
    }

    private static func keyType(_ key: Certificate.PublicKey) -> String {
        if _RSA.Signing.PublicKey(key) != nil { return "rsa" }
        if Curve25519.Signing.PublicKey(key) != nil { return "ed25519" }
        return "ecdsa"
    }
}

extension Int64 {
    /// Dates in certificates may be centuries away but are finite.
    fileprivate init(clampingTime seconds: Double) {
        self = Int64(Swift.max(-62_135_596_800, Swift.min(253_402_300_799, seconds.rounded(.down))))
    }
}
