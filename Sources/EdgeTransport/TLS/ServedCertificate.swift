import EdgeCore
import Shared
import Synchronization

/// A certificate as OpenSSL has it, or the reason why it cannot be served.
final class ServedCertificate: PreparedCertificate, @unchecked Sendable {
    let context: TLSContext?
    let problem: String?

    init(_ material: CertificateMaterial) {
        do {
            context = try TLSContext.serving(material)
            problem = nil
        } catch {
            context = nil
            problem = "\(error)"
        }
        super.init()
    }
}

extension CertificateMaterial {
    /// Made when it is first asked for: a server with ten thousand domains must not spend its start, and its memory, on
    /// certificates that nobody has asked for yet.
    var served: ServedCertificate {
        if let known = prepared.load() as? ServedCertificate { return known }
        // Two loops may make one at the same time; both then use the first.
        let made = ServedCertificate(self)
        return prepared.storeIfNil(made) as? ServedCertificate ?? made
    }
}
