import COpenSSL
import Foundation
import Glibc

/// One listener of this machine, and the region it stands for.
struct TrafficTarget: Sendable {
    var region: String
    var port: UInt16
}

/// Gentle HTTPS traffic: one connection per region, the load going up and down like a day in two minutes.
struct DemoTraffic: Sendable {
    let host: String
    /// A file with the certificates that are trusted.
    let authority: String
    /// Requests per second over all regions, on average.
    let rate: Double

    private static let paths = ["/", "/products/17", "/cart", "/api/items?page=2", "/static/site.css", "/checkout"]

    /// Sends until the process ends.
    func run(_ targets: [TrafficTarget]) throws(DemoFailure) -> Never {
        guard let context = SSL_CTX_new(TLS_client_method()),
            SSL_CTX_load_verify_locations(context, authority, nil) == 1
        else { throw DemoFailure("cannot read the certificates in \(authority)") }
        SSL_CTX_set_verify(context, SSL_VERIFY_PEER, nil)
        // A context may be used by several threads, which the compiler cannot know.
        let shared = UInt(bitPattern: context)
        // The first region has half of the traffic, the next a half of the rest, and so on.
        var share = 1.0
        for (index, target) in targets.enumerated() {
            share = index == targets.count - 1 ? share : share / 2
            let rate = rate * share
            let thread = Thread {
                send(to: target, rate: rate, phase: Double(index), context: OpaquePointer(bitPattern: shared))
            }
            thread.start()
        }
        while true { pause() }
    }

    private func send(to target: TrafficTarget, rate: Double, phase: Double, context: OpaquePointer?) {
        var connection: TLSConnection?
        var number = 0
        while true {
            let wave = sin(Double(number) / rate / 120 * 2 * .pi + phase)
            usleep(UInt32(1_000_000 / (rate * (1 + 0.4 * wave))))
            number += 1
            if connection == nil { connection = TLSConnection(to: target.port, host: host, context: context) }
            guard let open = connection else {
                // The edge is not there: somebody may be stopping it, or starting it again.
                sleep(1)
                continue
            }
            // Every twelfth asks for compression, on a connection that ends with it.
            let isLast = number % 12 == 0
            let path = DemoTraffic.paths[number % DemoTraffic.paths.count]
            let extra = isLast ? "accept-encoding: gzip\r\nconnection: close\r\n" : ""
            let fields = "host: \(host)\r\nuser-agent: selvage-demo/\(target.region)\r\n\(extra)"
            let request = "GET \(path) HTTP/1.1\r\n\(fields)\r\n"
            if !open.exchange(request, readToEnd: isLast) || isLast { connection = nil }
        }
    }
}

/// A TLS connection to this machine, verified for a host name.
private final class TLSConnection {
    private let descriptor: Int32
    private let ssl: OpaquePointer
    private var buffer = HeadBuffer()

    init?(to port: UInt16, host: String, context: OpaquePointer?) {
        guard let descriptor = Loopback.connect(port: port) else { return nil }
        guard let ssl = SSL_new(context) else {
            close(descriptor)
            return nil
        }
        self.descriptor = descriptor
        self.ssl = ssl
        SSL_set_fd(ssl, descriptor)
        SSL_set1_host(ssl, host)
        // SSL_set_tlsext_host_name is a macro, which Swift does not see.
        var name = Array(host.utf8CString)
        SSL_ctrl(ssl, SSL_CTRL_SET_TLSEXT_HOSTNAME, Int(TLSEXT_NAMETYPE_host_name), &name)
        guard SSL_connect(ssl) == 1 else { return nil }
    }

    deinit {
        SSL_free(ssl)
        close(descriptor)
    }

    /// - Returns: whether the connection can carry another exchange.
    func exchange(_ request: String, readToEnd: Bool) -> Bool {
        let bytes = Array(request.utf8)
        guard SSL_write(ssl, bytes, Int32(bytes.count)) == Int32(bytes.count) else { return false }
        let more = { [ssl] (room: UnsafeMutableRawBufferPointer) in
            Int(SSL_read(ssl, room.baseAddress, Int32(clamping: room.count)))
        }
        guard let head = buffer.readHead(more) else { return false }
        if readToEnd {
            while buffer.skip(1 << 20, more) {}
            return false
        }
        guard let length = head.field("content-length").flatMap({ Int($0) }) else { return false }
        return buffer.skip(length, more) && head.field("connection")?.lowercased() != "close"
    }
}
