public import EdgeCore
import Synchronization

/// The certificate of a program's TLS listener. Another one can be put in its place while connections are open: it is
/// shown from the next handshake on.
public final class HandlerCertificate: Sendable {
    /// TLS 1.2: OpenSSL's wire number.
    static let minimumVersion: Int32 = 0x0303

    /// Taken once per handshake, never per request.
    private let current: Mutex<TLSContext>

    /// A certificate that cannot be served. Says why, and never holds key material.
    public struct Failure: Error, CustomStringConvertible {
        public let description: String
    }

    /// - Throws: when the chain or the key cannot be read, or do not belong together.
    public init(_ material: CertificateMaterial) throws(Failure) {
        current = Mutex(try HandlerCertificate.load(material))
    }

    /// - Throws: as `init`; the earlier certificate then stays.
    public func replace(with material: CertificateMaterial) throws(Failure) {
        let context = try HandlerCertificate.load(material)
        current.withLock { $0 = context }
    }

    var context: TLSContext { current.withLock { $0 } }

    private static func load(_ material: CertificateMaterial) throws(Failure) -> TLSContext {
        do {
            return try TLSContext.serving(material)
        } catch {
            throw Failure(description: "\(error)")
        }
    }
}
