import ConsoleKit
import Glibc
import Shared

/// The console's connections to the server: the stream, which is opened again whenever it is lost, and one connection
/// per request. It never blocks; the loop polls its descriptors and hands it the time.
final class AdminLink {
    /// A request, or the stream's opening, that is not answered by then counts as unanswered, in seconds.
    static let patience = 10.0
    /// The server sends a tick every second: a stream as silent as this is lost, in seconds.
    static let longestSilence = 10.0
    /// Pauses before the stream is tried again, doubled with each failure.
    static let shortestPause = 0.25
    static let longestPause = 5.0
    /// Requests under way at once; further ones wait for their turn.
    static let concurrency = 4
    /// Longest answer to a request, in bytes.
    static let longestAnswer = 64 << 20

    private struct Stream {
        var socket: AdminSocket
        var lines = LineSplitter()
        var heard: Double
    }
    private struct Exchange {
        var socket: AdminSocket
        var deadline: Double
        var status = 0
        var fields: [(name: String, value: String)] = []
        var body: [UInt8] = []
    }

    private let path: String
    private var stream: Stream?
    private var nextAttempt: Double?
    private var pause = AdminLink.shortestPause
    private var exchanges: [RequestTag: Exchange] = [:]
    private var waiting: [(APIRequest, RequestTag, deadline: Double)] = []
    private var messages: [Message] = []

    init(path: String) { self.path = path }

    // MARK: What the App asks for

    /// Opens the stream, after closing one that is open. A pause after a failure is kept.
    func openStream(now: Double) {
        stream = nil
        nextAttempt = nextAttempt ?? now
    }

    func send(_ request: APIRequest, tag: RequestTag, now: Double) {
        waiting.append((request, tag, deadline: now + Self.patience))
        startWaiting(now: now)
    }

    // MARK: What the loop does

    /// What to poll.
    var pollEntries: [pollfd] {
        ([stream?.socket].compactMap(\.self) + exchanges.values.map(\.socket))
            .filter { $0.interest != 0 }
            .map { pollfd(fd: $0.descriptor, events: $0.interest, revents: 0) }
    }

    /// When `advance` has something to do.
    var deadline: Double {
        var earliest = nextAttempt ?? .infinity
        if let stream {
            earliest = min(earliest, stream.heard + Self.longestSilence, stream.socket.deadline ?? .infinity)
        }
        for exchange in exchanges.values {
            earliest = min(earliest, exchange.deadline, exchange.socket.deadline ?? .infinity)
        }
        return waiting.first.map { min(earliest, $0.deadline) } ?? earliest
    }

    /// Reads, writes, connects, and gives up what has lasted too long.
    /// - Returns: what the App is to be told, in order.
    func advance(now: Double) -> [Message] {
        serviceStream(now: now)
        for tag in exchanges.keys.sorted(by: { $0.number < $1.number }) { service(tag, now: now) }
        if let attempt = nextAttempt, now >= attempt { connectStream(now: now) }
        while let first = waiting.first, now >= first.deadline {
            waiting.removeFirst()
            messages.append(.unanswered(first.1, reason: Message.unsent + "the server is busy"))
        }
        startWaiting(now: now)
        defer { messages = [] }
        return messages
    }

    // MARK: The stream

    private func connectStream(now: Double) {
        nextAttempt = nil
        do {
            let request = HTTPClientMachine.request("GET", "/selvage/stream", body: nil)
            stream = Stream(socket: try AdminSocket(path: path, request: request, now: now), heard: now)
        } catch {
            lose(error.message, now: now)
        }
    }

    private func serviceStream(now: Double) {
        guard var current = stream else { return }
        do throws(AdminFault) {
            try current.socket.advance(now: now)
            for event in try current.socket.service() { try take(event, &current, now: now) }
            guard !current.socket.isClosed else { throw AdminFault(.closed, "the server closed the stream") }
            guard now - current.heard < Self.longestSilence else {
                throw AdminFault(.timeout, "nothing heard for \(Int(Self.longestSilence)) s")
            }
            stream = current
        } catch {
            lose(error.message, now: now)
        }
    }

    private func take(_ event: HTTPClientMachine.Event, _ current: inout Stream, now: Double) throws(AdminFault) {
        current.heard = now
        switch event {
        case .head(let status, _):
            guard status == 200 else {
                throw AdminFault(.closed, "the server refuses the stream with status \(status)")
            }
        case .body(let bytes):
            for line in current.lines.receive(bytes) {
                pause = Self.shortestPause
                messages.append(.streamBytes(line))
            }
        case .end: throw AdminFault(.closed, "the server ended the stream")
        }
    }

    private func lose(_ reason: String, now: Double) {
        stream = nil
        nextAttempt = now + pause
        pause = min(pause * 2, Self.longestPause)
        messages.append(.linkLost(reason))
    }

    // MARK: Requests

    private func startWaiting(now: Double) {
        while exchanges.count < Self.concurrency, !waiting.isEmpty {
            let (request, tag, deadline) = waiting.removeFirst()
            let bytes = HTTPClientMachine.request(
                request.method, request.path, body: request.body?.bytes,
                headers: request.headers + [("Connection", "close")])
            do {
                exchanges[tag] = Exchange(
                    socket: try AdminSocket(path: path, request: bytes, now: now), deadline: deadline)
            } catch {
                messages.append(.unanswered(tag, reason: Message.unsent + error.message))
            }
        }
    }

    private func service(_ tag: RequestTag, now: Double) {
        guard var exchange = exchanges[tag] else { return }
        do throws(AdminFault) {
            try exchange.socket.advance(now: now)
            for event in try exchange.socket.service() {
                switch event {
                case .head(let status, let fields):
                    exchange.status = status
                    exchange.fields = fields.map { ($0.name, $0.value) }
                case .body(let bytes):
                    exchange.body += bytes
                    guard exchange.body.count <= Self.longestAnswer else {
                        throw AdminFault(.malformed, "the answer is too long")
                    }
                case .end:
                    exchanges[tag] = nil
                    messages.append(
                        .answer(tag, status: exchange.status, fields: exchange.fields, body: exchange.body))
                    return
                }
            }
            guard !exchange.socket.isClosed else { throw AdminFault(.closed, "the server closed without an answer") }
            guard now < exchange.deadline else {
                throw AdminFault(.timeout, "no answer within \(Int(Self.patience)) s")
            }
            exchanges[tag] = exchange
        } catch {
            giveUp(tag, exchange, error.message)
        }
    }

    private func giveUp(_ tag: RequestTag, _ exchange: Exchange, _ reason: String) {
        exchanges[tag] = nil
        messages.append(.unanswered(tag, reason: exchange.socket.hasSent ? reason : Message.unsent + reason))
    }
}
