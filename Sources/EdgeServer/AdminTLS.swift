import EdgeControl
import EdgeCore
import EdgeTransport
import Foundation
import Shared

/// The certificate of the admin API over TLS: the operator's own files, or one of the internal authority.
struct AdminTLS: Sendable {
    private let settings: ServerSettings.Admin
    private let node: String
    private let authority: InternalAuthority
    let certificate: HandlerCertificate

    struct Problem: Error, CustomStringConvertible {
        let description: String
    }

    init(_ settings: ServerSettings.Admin, node: String, authority: InternalAuthority) throws {
        self.settings = settings
        self.node = node
        self.authority = authority
        certificate = try HandlerCertificate(
            AdminTLS.material(settings, AdminTLS.names(settings, node: node), authority))
    }

    /// Takes a new certificate: files are read again, and the authority's own are made anew. Done every twelve hours,
    /// long before one that is valid for ninety days ends.
    func renew() throws {
        try certificate.replace(
            with: AdminTLS.material(settings, AdminTLS.names(settings, node: node), authority))
    }

    private static func material(
        _ settings: ServerSettings.Admin, _ names: [String], _ authority: InternalAuthority
    ) throws -> CertificateMaterial {
        guard let files = settings.certificate else {
            let issued = try authority.issue(names, .ecdsa, .now())
            return CertificateMaterial(id: "cert_admin", chainPEM: issued.chainPEM, keyPEM: issued.keyPEM)
        }
        return CertificateMaterial(id: "cert_admin", chainPEM: try text(files.chain), keyPEM: try text(files.key))
    }

    private static func text(_ path: String) throws -> String {
        guard let bytes = FileManager.default.contents(atPath: path),
            let text = String(validating: bytes, as: UTF8.self)
        else { throw Problem(description: "\(path) cannot be read") }
        return text
    }

    /// What clients may call it: what is configured, else this machine's names and the addresses listened on.
    private static func names(_ settings: ServerSettings.Admin, node: String) -> [String] {
        var names = settings.hosts
        if names.isEmpty {
            let isName = node.utf8.allSatisfy { byte in
                (0x61...0x7A).contains(byte | 0x20) || (0x30...0x39).contains(byte) || byte == 0x2D || byte == 0x2E
            }
            names = (isName && !node.isEmpty ? [node.lowercased()] : []) + ["localhost", "127.0.0.1", "::1"]
        }
        // `0.0.0.0` and `::` are no addresses that anybody dials.
        names += settings.listen.map(\.address).filter { !["0.0.0.0", "::"].contains($0) }
        var known: Set<String> = []
        return names.filter { known.insert($0).inserted }
    }
}
