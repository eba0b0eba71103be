import Foundation
import Glibc
import Synchronization

/// A small HTTP/1.1 server, one thread per connection: enough to stand behind an edge in a demo or a test.
///
/// It answers with its name. `POST /fail` makes it answer 500 until `POST /heal`, and `GET /count` tells
/// how many requests it has answered; these three are for whoever comes directly, not through the edge.
final class DemoUpstream: Sendable {
    let name: String
    let port: UInt16
    private let listener: Int32
    private let isFailing = Atomic(false)
    private let served = Atomic(0)

    init(name: String, port: UInt16) throws(DemoFailure) {
        self.name = name
        guard let (listener, port) = Loopback.listen(port: port) else {
            throw DemoFailure("cannot listen on 127.0.0.1:\(port): \(String(cString: strerror(errno)))")
        }
        self.listener = listener
        self.port = port
    }

    /// Serves until the process ends.
    func run() -> Never {
        while true {
            let connection = accept(listener, nil, nil)
            guard connection >= 0 else {
                // Out of descriptors, most likely: others will be closed.
                usleep(10_000)
                continue
            }
            let thread = Thread { [self] in serve(connection) }
            thread.stackSize = 256 << 10
            thread.start()
        }
    }

    private func serve(_ connection: Int32) {
        Loopback.setDeadlines(connection, seconds: 120)
        var reader = ConnectionReader(connection)
        while let request = reader.readHead(), reader.skipBody(of: request) {
            let answer = answer(to: request)
            guard Loopback.send(connection, answer), request.field("connection")?.lowercased() != "close" else { break }
        }
        close(connection)
    }

    private func answer(to request: DemoHead) -> [UInt8] {
        let parts = request.startLine.split(separator: " ")
        let method = parts.first.map(String.init) ?? ""
        let path = parts.count > 1 ? String(parts[1]) : "/"
        if method == "POST", path == "/fail" || path == "/heal", request.field("x-forwarded-for") == nil {
            isFailing.store(path == "/fail", ordering: .relaxed)
            return render(200, "\(name) \(path == "/fail" ? "fails from now on" : "answers well again")\n", method)
        }
        if path == "/count", request.field("x-forwarded-for") == nil {
            return render(200, "\(served.load(ordering: .relaxed))\n", method)
        }
        if path == "/healthz" { return render(200, "\(name) is here\n", method) }
        let count = served.add(1, ordering: .relaxed).newValue
        // A few milliseconds of work, so that there are percentiles to look at.
        usleep(1_000 + UInt32(count % 7) * 700)
        guard !isFailing.load(ordering: .relaxed) else { return render(500, "\(name) was told to fail\n", method) }
        let line = "\(name) answers \(method) \(path), its request number \(count).\n"
        return render(200, line + DemoUpstream.filler, method)
    }

    /// Enough text for compression to show.
    private static let filler = String(
        repeating: "A selvage is the edge of a cloth that is woven so that it does not come undone.\n", count: 12)

    private func render(_ status: Int, _ body: String, _ method: String) -> [UInt8] {
        let head = """
            HTTP/1.1 \(status) \(status == 200 ? "OK" : "Internal Server Error")\r
            server: \(name)\r
            content-type: text/plain; charset=utf-8\r
            content-length: \(body.utf8.count)\r
            \r\n
            """
        return Array((method == "HEAD" ? head : head + body).utf8)
    }
}
