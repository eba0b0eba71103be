import COpenSSL
import Glibc
import Synchronization

/// A blocking TLS connection to 127.0.0.1 that trusts anybody, speaks HTTP/1.1, and whose every wait ends after a
/// minute.
///
/// `@unchecked Sendable`: a session of OpenSSL is used by one thread at a time, and tests use it so.
public final class RawTLSSocket: @unchecked Sendable {
    private let session: OpaquePointer
    private let buffer = Mutex<[UInt8]>([])
    private let descriptor: OpenDescriptor
    /// The subject of the server's certificate, e.g. `/CN=one.example.com`.
    public let subject: String

    public init(port: UInt16) throws {
        let number = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | O_CLOEXEC, 0)
        descriptor = OpenDescriptor(number)
        var limit = timeval(tv_sec: 60, tv_usec: 0)
        setsockopt(number, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
        setsockopt(number, SOL_SOCKET, SO_SNDTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        let status = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(number, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        guard status == 0, let context = SSL_CTX_new(TLS_client_method()), let session = SSL_new(context) else {
            throw RawSocket.Failure(description: "connect: \(String(cString: strerror(errno)))")
        }
        SSL_CTX_free(context)
        self.session = session
        guard SSL_set_fd(session, number) == 1, SSL_connect(session) == 1,
            let certificate = SSL_get1_peer_certificate(session)
        else {
            SSL_free(session)
            throw RawSocket.Failure(description: "no handshake")
        }
        var text = [CChar](repeating: 0, count: 256)
        X509_NAME_oneline(X509_get_subject_name(certificate), &text, Int32(text.count))
        subject = String(decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
        X509_free(certificate)
    }

    deinit { SSL_free(session) }

    public func send(_ text: String) throws { try send(Array(text.utf8)) }

    public func send(_ bytes: [UInt8]) throws {
        guard SSL_write(session, bytes, Int32(bytes.count)) == Int32(bytes.count) else {
            throw RawSocket.Failure(description: "the connection does not take what is sent")
        }
    }

    /// Everything up to and including `mark`.
    public func receive(until mark: String) throws -> String {
        let mark = Array(mark.utf8)
        while true {
            let found = buffer.withLock { buffer -> String? in
                guard let range = buffer.firstRange(of: mark) else { return nil }
                defer { buffer.removeFirst(range.upperBound) }
                return String(decoding: buffer[..<range.upperBound], as: UTF8.self)
            }
            if let found { return found }
            var chunk = [UInt8](repeating: 0, count: 16 << 10)
            let count = SSL_read(session, &chunk, Int32(chunk.count))
            guard count > 0 else { throw RawSocket.Failure(description: "the connection ended early") }
            buffer.withLock { $0.append(contentsOf: chunk[..<Int(count)]) }
        }
    }

    /// The bytes that come next, one at least; none at the end.
    public func receive() throws -> [UInt8] {
        let kept = buffer.withLock { buffer in
            defer { buffer = [] }
            return buffer
        }
        guard kept.isEmpty else { return kept }
        var chunk = [UInt8](repeating: 0, count: 16 << 10)
        let count = SSL_read(session, &chunk, Int32(chunk.count))
        guard count > 0 || SSL_get_error(session, count) == SSL_ERROR_ZERO_RETURN else {
            throw RawSocket.Failure(description: "the connection broke")
        }
        return Array(chunk[..<Int(max(0, count))])
    }

    /// Sends a request and gives the head of its answer; only for answers whose body is read by the caller, or empty.
    public func ask(_ request: String) throws -> String {
        try send(request)
        return try receive(until: "\r\n\r\n")
    }
}
