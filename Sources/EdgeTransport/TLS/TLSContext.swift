import COpenSSL
import EdgeCore

/// Why a certificate, a key or a TLS setting could not be used. Never holds key material.
struct TLSError: Error, CustomStringConvertible {
    let description: String

    init(_ what: String) {
        let code = ERR_peek_last_error()
        var text = [CChar](repeating: 0, count: 160)
        ERR_error_string_n(code, &text, text.count)
        ERR_clear_error()
        let reason = String(decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
        description = code == 0 ? what : "\(what): \(reason)"
    }
}

/// Whose signature makes a peer's certificate good.
public enum TLSTrust: Hashable, Sendable {
    /// What the operating system trusts.
    case system
    /// These authorities, and no other.
    case authorities(pem: String)
    /// Anybody's.
    case anyone
}

/// The client's half of a connection's TLS: what to trust, and what to ask for.
struct ClientTLS {
    let context: TLSContext
    /// Asked for, if it is a name; `nil` for an address.
    let serverName: String?
    /// The name or address that the certificate must be for; `nil` takes any.
    let verifiedHost: String?

    init(_ context: TLSContext, host: String, isVerified: Bool) {
        self.context = context
        serverName = IPAddress(host) == nil ? host : nil
        verifiedHost = isVerified ? host : nil
    }
}

/// OpenSSL's context: certificate, key and callbacks. Shared by all loops; OpenSSL counts references atomically.
final class TLSContext: @unchecked Sendable {
    let pointer: OpaquePointer

    private init(_ method: OpaquePointer?) throws(TLSError) {
        guard let pointer = SSL_CTX_new(method) else { throw TLSError("SSL_CTX_new") }
        self.pointer = pointer
        selvage_ctx_set_mode(pointer, Int(selvage_mode))
        selvage_ctx_set_read_ahead(pointer)
    }

    deinit { SSL_CTX_free(pointer) }

    /// What every handshake on a listener begins with: no certificate, only the callbacks that find one.
    static func listener() throws(TLSError) -> TLSContext {
        let context = try TLSContext(TLS_server_method())
        context.prepareServer()
        SSL_CTX_set_client_hello_cb(
            context.pointer,
            { ssl, alert, _ in
                TLSSession.of(ssl)?.clientHello(ssl, alert) ?? SSL_CLIENT_HELLO_ERROR
            }, nil)
        selvage_ctx_set_ticket_callback(context.pointer) { ssl, name, iv, cipher, mac, encrypt in
            guard let keys = TLSSession.of(ssl)?.ticketKeys, let name, let iv, let cipher, let mac else { return -1 }
            return encrypt == 1 ? keys.seal(name, iv, cipher, mac) : keys.open(name, iv, cipher, mac)
        }
        return context
    }

    /// Serves one certificate.
    static func serving(_ material: CertificateMaterial) throws(TLSError) -> TLSContext {
        let context = try TLSContext(TLS_server_method())
        context.prepareServer()
        let chain = try certificates(material.chainPEM)
        guard let leaf = chain.first else { throw TLSError("the chain holds no certificate") }
        defer { chain.forEach(X509_free) }
        guard SSL_CTX_use_certificate(context.pointer, leaf) == 1 else { throw TLSError("certificate") }
        for issuer in chain.dropFirst() {
            guard selvage_ctx_add_chain_cert(context.pointer, issuer) == 1 else { throw TLSError("chain") }
        }
        let key = try privateKey(material.keyPEM)
        defer { EVP_PKEY_free(key) }
        guard SSL_CTX_use_PrivateKey(context.pointer, key) == 1, SSL_CTX_check_private_key(context.pointer) == 1
        else { throw TLSError("private key") }
        return context
    }

    /// Dials upstreams, and an agent its server. Upstreams' certificates are verified only when asked, since they
    /// commonly sit in private networks with certificates of their own.
    /// - Parameter protocols: offered by ALPN, the best first; none for no offer.
    static func client(_ trust: TLSTrust, protocols: [String] = []) throws(TLSError) -> TLSContext {
        let context = try TLSContext(TLS_client_method())
        selvage_ctx_set_min_version(context.pointer, Int32(selvage_tls1_2))
        switch trust {
        case .anyone: SSL_CTX_set_verify(context.pointer, SSL_VERIFY_NONE, nil)
        case .system:
            guard SSL_CTX_set_default_verify_paths(context.pointer) == 1 else { throw TLSError("authorities") }
            SSL_CTX_set_verify(context.pointer, SSL_VERIFY_PEER, nil)
        case .authorities(let pem):
            let authorities = try certificates(pem)
            defer { authorities.forEach(X509_free) }
            guard !authorities.isEmpty else { throw TLSError("there is no certificate in the list of authorities") }
            let store = SSL_CTX_get_cert_store(context.pointer)
            for authority in authorities where X509_STORE_add_cert(store, authority) != 1 {
                throw TLSError("authority")
            }
            SSL_CTX_set_verify(context.pointer, SSL_VERIFY_PEER, nil)
        }
        guard !protocols.isEmpty else { return context }
        let offer = protocols.flatMap { [UInt8($0.utf8.count)] + Array($0.utf8) }
        guard SSL_CTX_set_alpn_protos(context.pointer, offer, UInt32(offer.count)) == 0 else { throw TLSError("ALPN") }
        return context
    }

    private func prepareServer() {
        SSL_CTX_set_options(pointer, UInt64(selvage_server_options()))
        selvage_ctx_set_min_version(pointer, Int32(selvage_tls1_2))
        selvage_ctx_session_cache_off(pointer)
        var name: [UInt8] = Array("selvage".utf8)
        SSL_CTX_set_session_id_context(pointer, &name, UInt32(name.count))
        SSL_CTX_set_alpn_select_cb(
            pointer,
            { ssl, out, outLength, offered, length, _ in
                guard let session = TLSSession.of(ssl), session.offersHTTP, let offered, let out, let outLength else {
                    return SSL_TLSEXT_ERR_NOACK
                }
                return session.selectProtocol(out, outLength, UnsafeBufferPointer(start: offered, count: Int(length)))
            }, nil)
    }

    private static func certificates(_ pem: String) throws(TLSError) -> [OpaquePointer] {
        var pem = pem
        let bio = pem.withUTF8 { text -> OpaquePointer? in
            let copy = BIO_new(BIO_s_mem())
            BIO_write(copy, text.baseAddress, Int32(text.count))
            return copy
        }
        guard let bio else { throw TLSError("certificate") }
        defer { BIO_free(bio) }
        var all: [OpaquePointer] = []
        while let certificate = PEM_read_bio_X509(bio, nil, nil, nil) { all.append(certificate) }
        // The end of the text shows as an error: it is not one.
        ERR_clear_error()
        return all
    }

    private static func privateKey(_ pem: String) throws(TLSError) -> OpaquePointer {
        var pem = pem
        let bio = pem.withUTF8 { text -> OpaquePointer? in
            let copy = BIO_new(BIO_s_secmem())
            BIO_write(copy, text.baseAddress, Int32(text.count))
            return copy
        }
        guard let bio else { throw TLSError("private key") }
        defer { BIO_free(bio) }
        // An encrypted key would make OpenSSL ask at the terminal: answer with nothing.
        guard let key = PEM_read_bio_PrivateKey(bio, nil, { _, _, _, _ in -1 }, nil) else {
            throw TLSError("private key")
        }
        return key
    }
}
