import Dispatch
import EdgeCore
import EdgeTesting
import EdgeTransport
import EdgeTunnel
import Shared

/// What the tests of tunnels have in common.
enum Tunnels {
    static let host = "app.example.com"
    static let labels = ["app": "web"]

    static func settings(loops: Int) -> TransportSettings {
        var settings = TransportSettings()
        settings.loops = loops
        // Machines are busy, and none of these tests is about how long anybody takes.
        settings.dialTimeout = 600_000
        settings.requestHeadTimeout = 600_000
        settings.firstByteTimeout = 600_000
        settings.idleTimeout = 600_000
        settings.bodyProgressTimeout = 600_000
        return settings
    }

    /// An upstream that says its name.
    static func named(_ name: String, status: Int = 200) throws -> FakeUpstream {
        try FakeUpstream { _ in HandlerResponse(status: status, body: .bytes(Array(name.utf8))) }
    }

    static func request(_ method: String = "GET", _ path: String = "/", body: String = "") -> String {
        let length = body.isEmpty ? "" : "Content-Length: \(body.utf8.count)\r\n"
        return "\(method) \(path) HTTP/1.1\r\nHost: \(host)\r\n\(length)\r\n\(body)"
    }

    /// Text that repeats nowhere, so that bytes which are lost, doubled or exchanged show.
    static func text(_ count: Int, seed: UInt64 = 1) -> [UInt8] {
        var state = seed
        return [UInt8](unsafeUninitializedCapacity: count) { buffer, initialized in
            for index in 0..<count {
                state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
                buffer[index] = 0x61 + UInt8(truncatingIfNeeded: state >> 59) % 26
            }
            initialized = count
        }
    }

    /// What bytes are compared by: a difference in millions of them is nothing to print.
    static func fingerprint(_ bytes: [UInt8]) -> String {
        var hasher = Hasher()
        bytes.withUnsafeBytes { hasher.combine(bytes: $0) }
        return "\(bytes.count) bytes, \(hasher.finalize())"
    }

    static func fingerprint(_ text: String) -> String { fingerprint(Array(text.utf8)) }
}

extension RawSocket {
    /// Asks on this connection, and gives the answer's status line with the fields, and its body.
    func ask(_ method: String = "GET", _ path: String = "/", body: String = "") throws -> (head: String, body: String) {
        try send(Tunnels.request(method, path, body: body))
        return try receiveAnswer()
    }
}

/// Something that threads and tasks wait for, a minute at most.
final class Latch: Sendable {
    private let semaphore = DispatchSemaphore(value: 0)

    func open() { semaphore.signal() }

    /// For threads. - Returns: whether it was opened in time.
    @discardableResult
    func wait() -> Bool {
        guard semaphore.wait(timeout: .now() + 60) == .success else { return false }
        // Whoever else waits goes on as well.
        semaphore.signal()
        return true
    }
}
