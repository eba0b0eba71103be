import CLinux
import EdgeTesting
import Foundation
import Glibc
import Synchronization

/// An upstream of the test's own process. Without a delay it reads until its client closes, then sends all of it back;
/// with one it answers a request after that many seconds.
final class EchoUpstream: Sendable {
    let port: UInt16
    private let listener: OpenDescriptor
    private let count = Atomic(0)

    var accepted: Int { count.load(ordering: .relaxed) }

    init(delay: Double? = nil) throws {
        let listener = OpenDescriptor(socket(AF_INET, Int32(SOCK_STREAM.rawValue) | O_CLOEXEC, 0))
        self.listener = listener
        var address = EchoUpstream.address(0)
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let descriptor = listener.number
        let bound = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(descriptor, $0, length) == 0 && listen(descriptor, 16) == 0
                    && getsockname(descriptor, $0, &length) == 0
            }
        }
        guard bound else { throw EndToEndFailure("no upstream") }
        port = UInt16(bigEndian: address.sin_port)
        try startThread { [weak self] in
            while true {
                let connection = accept4(listener.number, nil, nil, O_CLOEXEC)
                guard connection >= 0 else { return }
                self?.count.add(1, ordering: .relaxed)
                EchoUpstream.serve(connection, delay)
                close(connection)
            }
        }
    }

    // Wakes the thread in accept, which a mere close does not.
    deinit { shutdown(listener.number, Int32(SHUT_RDWR)) }

    private static func address(_ port: UInt16) -> sockaddr_in {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = INADDR_LOOPBACK.bigEndian
        return address
    }

    private static func serve(_ connection: Int32, _ delay: Double?) {
        guard let delay else { return send(connection, readAll(connection)) }
        var head = [UInt8](repeating: 0, count: 8192)
        _ = read(connection, &head, head.count)
        usleep(UInt32(delay * 1_000_000))
        send(connection, Array("HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nslow".utf8))
    }

    private static func readAll(_ connection: Int32) -> [UInt8] {
        var all: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 65_536)
        while true {
            let count = read(connection, &chunk, chunk.count)
            guard count > 0 else { return all }
            all += chunk.prefix(count)
        }
    }

    private static func send(_ connection: Int32, _ bytes: [UInt8]) {
        var sent = 0
        while sent < bytes.count {
            let count = bytes.withUnsafeBytes {
                Glibc.send(connection, $0.baseAddress?.advanced(by: sent), $0.count - sent, Int32(MSG_NOSIGNAL))
            }
            guard count > 0 else { return }
            sent += count
        }
    }

    /// Sends, closes this direction only, and reads the other to its end.
    static func exchange(_ bytes: [UInt8], port: UInt16) throws -> [UInt8] {
        let connection = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | O_CLOEXEC, 0)
        defer { close(connection) }
        var limit = timeval(tv_sec: 50, tv_usec: 0)
        setsockopt(connection, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
        var address = address(port)
        let connected = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(connection, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) == 0
            }
        }
        guard connected else { throw EndToEndFailure("cannot connect to port \(port)") }
        send(connection, bytes)
        shutdown(connection, Int32(SHUT_WR))
        return readAll(connection)
    }
}

/// A certificate that no authority of the server made, and an openssl server that shows it.
struct OwnCertificate {
    private let key: String
    private let certificate: String

    init(in folder: ScratchFolder, name: String) throws {
        key = folder.path + "/own.key"
        certificate = folder.path + "/own.pem"
        let made = try Command.run([
            "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
            "-keyout", key, "-out", certificate, "-subj", "/CN=\(name)",
        ])
        guard made.status == 0 else { throw EndToEndFailure(made.errors) }
    }

    func serve() throws -> (process: RunningProcess, port: UInt16) {
        let port = try FreePorts.one()
        let process = try RunningProcess([
            "openssl", "s_server", "-accept", "127.0.0.1:\(port)", "-cert", certificate, "-key", key, "-www",
        ])
        try EndToEnd.wait(for: "openssl s_server") { (try? EchoUpstream.exchange([], port: port)) != nil }
        return (process, port)
    }
}
