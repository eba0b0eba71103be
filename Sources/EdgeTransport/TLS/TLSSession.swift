import COpenSSL
import EdgeCore
import Glibc

/// Where a TLS session's sealed bytes come from and go to: a socket now, a tunnel's stream later.
protocol TLSCarrier: AnyObject {
    func carrierRead(_ buffer: UnsafeMutableRawBufferPointer) -> CarrierResult
    func carrierWrite(_ bytes: UnsafeRawBufferPointer) -> CarrierResult
}

enum CarrierResult {
    case bytes(Int)
    case blocked
    case ended
    case failed
}

/// What to do with a handshake once its server name is known.
enum HelloDecision {
    /// Terminate with this certificate; HTTPS edges also agree on a protocol.
    case terminate(TLSContext, minimumVersion: Int32, http: Bool)
    /// Leave the bytes untouched and relay them to this edge's upstream.
    case passThrough(CompiledEdge)
    case refuse
}

/// One TLS connection as a transform between plain bytes and a carrier. Confined to its loop.
final class TLSSession {
    enum Step {
        case done
        case blocked
        case passThrough(CompiledEdge, helloBytes: [UInt8])
        case failed
    }

    private let ssl: OpaquePointer
    private unowned let carrier: any TLSCarrier
    private let decide: ((String) -> HelloDecision)?
    let ticketKeys: TicketKeys?
    private(set) var offersHTTP = false
    /// The name that the client asked for, lower case; empty when it asked for none.
    private(set) var serverName = ""
    /// What has been read before the ClientHello was understood.
    private var hello: [UInt8]? = nil
    private var passThrough: CompiledEdge?
    /// Whether the last read has used up everything that the carrier had.
    private(set) var isDrained = true
    private var carrierEnded = false

    /// The server's half of a handshake.
    init(
        server context: TLSContext, ticketKeys: TicketKeys, carrier: any TLSCarrier,
        decide: @escaping (String) -> HelloDecision
    ) throws(TLSError) {
        guard let ssl = SSL_new(context.pointer) else { throw TLSError("SSL_new") }
        self.ssl = ssl
        self.carrier = carrier
        self.decide = decide
        self.ticketKeys = ticketKeys
        hello = []
        SSL_set_accept_state(ssl)
        attach()
    }

    /// The client's half, towards an upstream.
    /// - Parameters: `serverName`: asked for, if it is a name; `verifiedHost`: the name or address that the
    ///   certificate must be for, `nil` to take any.
    init(
        client context: TLSContext, serverName: String?, verifiedHost: String?, carrier: any TLSCarrier
    ) throws(TLSError) {
        guard let ssl = SSL_new(context.pointer) else { throw TLSError("SSL_new") }
        self.ssl = ssl
        self.carrier = carrier
        decide = nil
        ticketKeys = nil
        SSL_set_connect_state(ssl)
        attach()
        if let serverName { selvage_ssl_set_host_name(ssl, serverName) }
        // An address is compared with the certificate's addresses. Without this, any trusted certificate would do.
        if let verifiedHost, SSL_set1_host(ssl, verifiedHost) != 1 { throw TLSError("the host to verify") }
    }

    deinit { SSL_free(ssl) }

    private func attach() {
        let bio = BIO_new(Self.method)
        BIO_set_init(bio, 1)
        BIO_set_data(bio, Unmanaged.passUnretained(self).toOpaque())
        SSL_set_bio(ssl, bio, bio)
        selvage_ssl_set_app_data(ssl, Unmanaged.passUnretained(self).toOpaque())
    }

    static func of(_ ssl: OpaquePointer?) -> TLSSession? {
        guard let ssl, let data = selvage_ssl_get_app_data(ssl) else { return nil }
        return Unmanaged<TLSSession>.fromOpaque(data).takeUnretainedValue()
    }

    // MARK: Handshake

    func handshake() -> Step {
        // OpenSSL keeps errors per thread, and takes one that was left behind for the next connection's own.
        ERR_clear_error()
        defer { ERR_clear_error() }
        let result = SSL_do_handshake(ssl)
        if result == 1 {
            hello = nil
            return .done
        }
        switch SSL_get_error(ssl, result) {
        case SSL_ERROR_WANT_READ, SSL_ERROR_WANT_WRITE: return .blocked
        case SSL_ERROR_WANT_CLIENT_HELLO_CB:
            guard let edge = passThrough else { return .failed }
            return .passThrough(edge, helloBytes: hello ?? [])
        default: return .failed
        }
    }

    /// OpenSSL has read a whole ClientHello and nothing was answered yet.
    func clientHello(_ ssl: OpaquePointer?, _ alert: UnsafeMutablePointer<Int32>?) -> Int32 {
        serverName = ssl.flatMap(Self.requestedName) ?? ""
        guard let decide else { return SSL_CLIENT_HELLO_ERROR }
        switch decide(serverName) {
        case .terminate(let context, let minimumVersion, let http):
            offersHTTP = http
            SSL_set_SSL_CTX(ssl, context.pointer)
            _ = selvage_ssl_set_min_version(ssl, minimumVersion)
            hello = nil
            return SSL_CLIENT_HELLO_SUCCESS
        case .passThrough(let edge):
            passThrough = edge
            return SSL_CLIENT_HELLO_RETRY
        case .refuse:
            alert?.pointee = SSL_AD_UNRECOGNIZED_NAME
            return SSL_CLIENT_HELLO_ERROR
        }
    }

    /// The host name in the server_name extension (RFC 6066, 3), lower case.
    private static func requestedName(_ ssl: OpaquePointer) -> String? {
        var bytes: UnsafePointer<UInt8>?
        var length = 0
        guard SSL_client_hello_get0_ext(ssl, UInt32(TLSEXT_TYPE_server_name), &bytes, &length) == 1, let bytes,
            length >= 5
        else { return nil }
        // A list length, one entry's type (0: host name), its length, and the name.
        let nameLength = Int(bytes[3]) << 8 | Int(bytes[4])
        guard bytes[2] == 0, nameLength > 0, nameLength <= 255, 5 + nameLength <= length else { return nil }
        let name = UnsafeBufferPointer(start: bytes + 5, count: nameLength)
        guard name.allSatisfy({ $0 > 0x20 && $0 < 0x7F }) else { return nil }
        return String(decoding: name, as: UTF8.self).lowercased()
    }

    /// Picks `h2`, else `http/1.1`, of what the client offers (RFC 7301, 3.1: a list of length-prefixed names).
    func selectProtocol(
        _ out: UnsafeMutablePointer<UnsafePointer<UInt8>?>, _ outLength: UnsafeMutablePointer<UInt8>,
        _ offered: UnsafeBufferPointer<UInt8>
    ) -> Int32 {
        for wanted in ["h2", "http/1.1"] {
            var index = 0
            while index < offered.count {
                let length = Int(offered[index])
                guard index + 1 + length <= offered.count else { return SSL_TLSEXT_ERR_ALERT_FATAL }
                if length == wanted.utf8.count, offered[(index + 1)..<(index + 1 + length)].elementsEqual(wanted.utf8) {
                    out.pointee = offered.baseAddress.map { $0 + index + 1 }
                    outLength.pointee = UInt8(length)
                    return SSL_TLSEXT_ERR_OK
                }
                index += 1 + length
            }
        }
        return SSL_TLSEXT_ERR_ALERT_FATAL
    }

    /// The protocol agreed on, e.g. `h2`; empty when none.
    var negotiatedProtocol: String {
        var name: UnsafePointer<UInt8>?
        var length: UInt32 = 0
        SSL_get0_alpn_selected(ssl, &name, &length)
        return name.map { String(decoding: UnsafeBufferPointer(start: $0, count: Int(length)), as: UTF8.self) } ?? ""
    }

    var version: String { SSL_get_version(ssl).map { String(cString: $0) } ?? "" }
    var cipher: String { SSL_CIPHER_get_name(SSL_get_current_cipher(ssl)).map { String(cString: $0) } ?? "" }

    // MARK: Plain bytes

    func read(_ buffer: UnsafeMutableRawBufferPointer) -> CarrierResult {
        var filled = 0
        while filled < buffer.count {
            let room = Int32(clamping: buffer.count - filled)
            let count = SSL_read(ssl, buffer.baseAddress.map { $0 + filled }, room)
            if count > 0 {
                filled += Int(count)
                continue
            }
            let error = SSL_get_error(ssl, count)
            isDrained = error == SSL_ERROR_WANT_READ
            // Even if bytes came before it, an error must not stay for the next connection to find.
            if !isDrained { ERR_clear_error() }
            if filled > 0 { return .bytes(filled) }
            switch error {
            case SSL_ERROR_WANT_READ, SSL_ERROR_WANT_WRITE: return .blocked
            case SSL_ERROR_ZERO_RETURN: return .ended
            default: return .failed
            }
        }
        isDrained = false
        return .bytes(filled)
    }

    func write(_ bytes: UnsafeRawBufferPointer) -> CarrierResult {
        let count = SSL_write(ssl, bytes.baseAddress, Int32(clamping: bytes.count))
        if count > 0 { return .bytes(Int(count)) }
        switch SSL_get_error(ssl, count) {
        case SSL_ERROR_WANT_READ, SSL_ERROR_WANT_WRITE: return .blocked
        default:
            ERR_clear_error()
            return .failed
        }
    }

    /// Tells the peer that no more will come.
    func sendCloseNotify() {
        _ = SSL_shutdown(ssl)
        ERR_clear_error()
    }

    // MARK: Carrier

    nonisolated(unsafe) private static let method: OpaquePointer? = {
        let method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "selvage carrier")
        BIO_meth_set_read(method) { bio, buffer, count in
            guard let session = TLSSession.of(bio: bio), let buffer, count > 0 else { return -1 }
            return session.bioRead(bio, UnsafeMutableRawBufferPointer(start: buffer, count: Int(count)))
        }
        BIO_meth_set_write(method) { bio, buffer, count in
            guard let session = TLSSession.of(bio: bio), let buffer, count > 0 else { return -1 }
            selvage_bio_clear_retry(bio)
            switch session.carrier.carrierWrite(UnsafeRawBufferPointer(start: buffer, count: Int(count))) {
            case .bytes(let written): return Int32(written)
            case .blocked:
                selvage_bio_set_retry_write(bio)
                return -1
            case .ended, .failed: return -1
            }
        }
        BIO_meth_set_ctrl(method) { bio, command, _, _ in
            switch command {
            // OpenSSL insists on a flush that works; nothing is buffered here.
            case BIO_CTRL_FLUSH: 1
            // An end without close_notify is told from an error by this.
            case BIO_CTRL_EOF: TLSSession.of(bio: bio)?.carrierEnded == true ? 1 : 0
            default: 0
            }
        }
        return method
    }()

    private static func of(bio: OpaquePointer?) -> TLSSession? {
        BIO_get_data(bio).map { Unmanaged<TLSSession>.fromOpaque($0).takeUnretainedValue() }
    }

    private func bioRead(_ bio: OpaquePointer?, _ buffer: UnsafeMutableRawBufferPointer) -> Int32 {
        selvage_bio_clear_retry(bio)
        switch carrier.carrierRead(buffer) {
        case .bytes(let count):
            hello?.append(contentsOf: UnsafeRawBufferPointer(rebasing: buffer[0..<count]))
            return Int32(count)
        case .blocked:
            selvage_bio_set_retry_read(bio)
            return -1
        case .ended:
            carrierEnded = true
            return 0
        case .failed: return -1
        }
    }
}
