import CLinux
import Foundation
import Shared

/// An admin API with canned answers on a Unix socket, driven by the test's own thread: no other thread, no port.
final class ScriptedServer {
    struct Request: Equatable {
        var method: String
        var path: String
        var fields: [String: String]
        var body: String
    }

    private final class Connection {
        let descriptor: Int32
        var received: [UInt8] = []
        var unsent: [UInt8] = []
        var isStream = false
        var closesWhenSent = false
        init(_ descriptor: Int32) { self.descriptor = descriptor }
    }

    let path: String
    private(set) var requests: [Request] = []
    /// Answers by method and path; what is not here gets the configuration, or 404.
    var answers: [String: (status: Int, body: String)] = [:]
    /// Requests are read and never answered.
    var isSilent = false
    /// Whether figures come once a second.
    var isTicking = true
    /// Whether it only greets once a second instead: the link stays, and no figure changes.
    var isStandingStill = false
    var scene = Scene()
    private var listener: Int32 = -1
    private var connections: [Connection] = []
    private var nextTick = 0.0

    init(path: String) throws {
        self.path = path
        try listen()
    }

    deinit { stop() }

    func listen() throws {
        unlink(path)
        listener = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue) | O_NONBLOCK | O_CLOEXEC, 0)
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: Array(path.utf8)) }
        let size = socklen_t(MemoryLayout<sockaddr_un>.size)
        let bound = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { bind(listener, $0, size) }
        }
        guard bound == 0, Glibc.listen(listener, 16) == 0 else { throw Failure("no socket at \(path)") }
    }

    /// Ends the server with all its connections, as a crash would.
    func stop() {
        if listener >= 0 { close(listener) }
        listener = -1
        for connection in connections { close(connection.descriptor) }
        connections = []
        unlink(path)
    }

    var hasStream: Bool { connections.contains(where: \.isStream) }

    /// Says a line on every open stream.
    func say(_ line: StreamLine) {
        guard var bytes = try? JSONEncoder().encode(line) else { return }
        bytes.append(0x0A)
        for connection in connections where connection.isStream {
            connection.unsent += Array("\(String(bytes.count, radix: 16))\r\n".utf8) + bytes + Array("\r\n".utf8)
        }
    }

    func requests(_ method: String, _ path: String) -> [Request] {
        requests.filter { $0.method == method && $0.path.hasPrefix(path) }
    }

    var pollEntries: [pollfd] {
        [pollfd(fd: listener, events: Int16(POLLIN), revents: 0)]
            + connections.map {
                pollfd(fd: $0.descriptor, events: Int16($0.unsent.isEmpty ? POLLIN : POLLIN | POLLOUT), revents: 0)
            }
    }

    func service() {
        while listener >= 0 {
            // Closed on exec from the first moment: a program that another test starts must not keep the end of this
            // connection from being seen.
            let descriptor = accept4(listener, nil, nil, O_NONBLOCK | O_CLOEXEC)
            guard descriptor >= 0 else { break }
            connections.append(Connection(descriptor))
        }
        if isStandingStill, VirtualTerminal.now >= nextTick, hasStream {
            nextTick = VirtualTerminal.now + 1
            say(.hello(scene.hello))
        } else if isTicking, VirtualTerminal.now >= nextTick, hasStream {
            nextTick = VirtualTerminal.now + 1
            scene.sequence += 1
            say(.tick(scene.tick))
        }
        for connection in connections { service(connection) }
        connections.removeAll { connection in
            if connection.closesWhenSent && connection.unsent.isEmpty { close(connection.descriptor) }
            return connection.closesWhenSent && connection.unsent.isEmpty
        }
    }

    private func service(_ connection: Connection) {
        var chunk = [UInt8](repeating: 0, count: 16_384)
        while true {
            let count = read(connection.descriptor, &chunk, chunk.count)
            if count == 0 {
                connection.closesWhenSent = true
                connection.unsent = []
            }
            guard count > 0 else { break }
            connection.received += chunk[..<count]
        }
        while let request = takeRequest(connection) { answer(request, on: connection) }
        while !connection.unsent.isEmpty {
            let count = send(connection.descriptor, connection.unsent, connection.unsent.count, Int32(MSG_NOSIGNAL))
            guard count > 0 else { break }
            connection.unsent.removeFirst(count)
        }
    }

    private func takeRequest(_ connection: Connection) -> Request? {
        let text = connection.received
        let end = Array("\r\n\r\n".utf8)
        guard let at = text.indices.first(where: { text[$0...].starts(with: end) }) else { return nil }
        let lines = String(decoding: text[..<at], as: UTF8.self).components(separatedBy: "\r\n")
        let words = lines[0].split(separator: " ")
        var fields: [String: String] = [:]
        for line in lines.dropFirst() {
            let parts = line.split(separator: ":", maxSplits: 1)
            if parts.count == 2 { fields[parts[0].lowercased()] = parts[1].trimmingCharacters(in: .whitespaces) }
        }
        let length = fields["content-length"].flatMap(Int.init) ?? 0
        guard text.count >= at + 4 + length else { return nil }
        let body = String(decoding: text[(at + 4)..<(at + 4 + length)], as: UTF8.self)
        connection.received.removeFirst(at + 4 + length)
        return Request(method: String(words[0]), path: String(words[1]), fields: fields, body: body)
    }

    private func answer(_ request: Request, on connection: Connection) {
        requests.append(request)
        if isSilent { return }
        if request.path.hasPrefix("/selvage/stream") {
            connection.isStream = true
            connection.unsent += Array("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n".utf8)
            say(.hello(scene.hello))
            return
        }
        let (status, body) = answers["\(request.method) \(request.path)"] ?? standardAnswer(request)
        let head =
            "HTTP/1.1 \(status) X\r\nContent-Type: application/json\r\nContent-Length: \(body.utf8.count)\r\n\r\n"
        connection.unsent += Array((head + body).utf8)
        if request.fields["connection"] == "close" { connection.closesWhenSent = true }
    }

    private func standardAnswer(_ request: Request) -> (status: Int, body: String) {
        if request.path.hasPrefix("/selvage/configuration"), let listing = try? JSONEncoder().encode(scene.listing) {
            return (200, String(decoding: listing, as: UTF8.self))
        }
        return (404, #"{"error_code":"ERR_NGROK_404","status_code":404,"msg":"not found","details":{}}"#)
    }
}
