import COpenSSL
import EdgeCore
import EdgeTesting
import Testing

@testable import EdgeTransport

/// The client's half of TLS, against the server's half, without a socket.
@Suite struct UpstreamVerificationTests {
    /// One end of a pipe in memory.
    private final class End: TLSCarrier {
        var incoming: [UInt8] = []
        weak var other: End?

        func carrierRead(_ buffer: UnsafeMutableRawBufferPointer) -> CarrierResult {
            guard !incoming.isEmpty else { return .blocked }
            let count = min(buffer.count, incoming.count)
            buffer.copyBytes(from: incoming[0..<count])
            incoming.removeFirst(count)
            return .bytes(count)
        }

        func carrierWrite(_ bytes: UnsafeRawBufferPointer) -> CarrierResult {
            other?.incoming.append(contentsOf: bytes)
            return .bytes(bytes.count)
        }
    }

    private func shakesHands(certificate names: [String], host: String) throws -> Bool {
        let material = ThrowAwayCertificate.make(names)
        let serving = try TLSContext.serving(material)
        let trusting = try TLSContext.client(.system)
        let leaf = material.chainPEM.withCString { text -> OpaquePointer? in
            let bio = BIO_new_mem_buf(text, -1)
            defer { BIO_free(bio) }
            return PEM_read_bio_X509(bio, nil, nil, nil)
        }
        defer { X509_free(leaf) }
        X509_STORE_add_cert(SSL_CTX_get_cert_store(trusting.pointer), leaf)
        let (near, far) = (End(), End())
        (near.other, far.other) = (far, near)
        let server = try TLSSession(server: try TLSContext.listener(), ticketKeys: TicketKeys(), carrier: far) { _ in
            .terminate(serving, minimumVersion: 0x0303, http: false)
        }
        let client = try TLSSession(
            client: trusting, serverName: IPAddress(host) == nil ? host : nil, verifiedHost: host, carrier: near)
        for _ in 0..<10 {
            switch client.handshake() {
            case .done: return true
            case .failed: return false
            default: _ = server.handshake()
            }
        }
        return false
    }

    @Test func `a trusted certificate serves only for the names and addresses in it`() throws {
        #expect(try shakesHands(certificate: ["up.example.com"], host: "up.example.com"))
        #expect(try shakesHands(certificate: ["127.0.0.1"], host: "127.0.0.1"))
        #expect(try !shakesHands(certificate: ["up.example.com"], host: "other.example.com"))
        #expect(try !shakesHands(certificate: ["up.example.com"], host: "127.0.0.1"))
    }
}
