import EdgeControl
import EdgeCore
import EdgeTransport
import Foundation
import Shared

/// The certificate of a listener that is not for visitors (the admin API's over TLS, the agents'): the operator's own
/// files, or one of the internal authority.
struct RenewedCertificate: Sendable {
    private let files: ServerSettings.CertificateFiles?
    private let names: [String]
    private let authority: InternalAuthority
    let certificate: HandlerCertificate

    struct Problem: Error, CustomStringConvertible {
        let description: String
    }

    /// - Parameter names: what clients may call it, where the authority makes it.
    init(files: ServerSettings.CertificateFiles?, names: [String], authority: InternalAuthority) throws {
        self.files = files
        self.names = names
        self.authority = authority
        certificate = try HandlerCertificate(RenewedCertificate.material(files, names, authority))
    }

    /// Takes a new certificate: files are read again, and the authority's own are made anew. Done every twelve hours,
    /// long before one that is valid for ninety days ends.
    func renew() throws { try certificate.replace(with: RenewedCertificate.material(files, names, authority)) }

    /// Renews until the task is cancelled.
    func keepRenewing(_ what: String, _ log: @Sendable (String) -> Void) async {
        while (try? await Task.sleep(for: .seconds(12 * 3600))) != nil {
            do { try renew() } catch { log("the certificate of \(what) could not be renewed: \(error)") }
        }
    }

    private static func material(
        _ files: ServerSettings.CertificateFiles?, _ names: [String], _ authority: InternalAuthority
    ) throws -> CertificateMaterial {
        guard let files else {
            let issued = try authority.issue(names, .ecdsa, .now())
            return CertificateMaterial(id: "cert_listener", chainPEM: issued.chainPEM, keyPEM: issued.keyPEM)
        }
        return CertificateMaterial(id: "cert_listener", chainPEM: try text(files.chain), keyPEM: try text(files.key))
    }

    private static func text(_ path: String) throws -> String {
        guard let bytes = FileManager.default.contents(atPath: path),
            let text = String(validating: bytes, as: UTF8.self)
        else { throw Problem(description: "\(path) cannot be read") }
        return text
    }

    /// What clients may call a listener: what is configured, else this machine's names, and the addresses listened on.
    static func names(configured: [String], node: String, addresses: [String]) -> [String] {
        var names = configured
        if names.isEmpty {
            let isName = node.utf8.allSatisfy { byte in
                (0x61...0x7A).contains(byte | 0x20) || (0x30...0x39).contains(byte) || byte == 0x2D || byte == 0x2E
            }
            names = (isName && !node.isEmpty ? [node.lowercased()] : []) + ["localhost", "127.0.0.1", "::1"]
        }
        // `0.0.0.0` and `::` are no addresses that anybody dials.
        names += addresses.filter { !["0.0.0.0", "::"].contains($0) }
        var known: Set<String> = []
        return names.filter { known.insert($0).inserted }
    }
}
