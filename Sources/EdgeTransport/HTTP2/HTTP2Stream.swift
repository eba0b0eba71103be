import CNghttp2
import EdgeCore

/// One HTTP/2 stream: the client's side of one exchange.
final class HTTP2Stream: ExchangeClient {
    let id: Int32
    private unowned let connection: HTTP2Connection
    private let session: HTTP2Session
    var exchange: Exchange?

    // The request.
    private var pseudo = Pseudo()
    private var cookies: [UInt8] = []
    private var headBytes = 0
    private(set) var contentLength: UInt64?
    private(set) var bodyEnded = false
    /// Received body bytes whose window is not open again: the upstream has not taken them.
    private var unconsumed = 0
    /// The loop's clock when something last moved.
    var lastProgress: UInt64

    // The answer.
    private var queue = ByteQueue()
    private var isHead = false
    private var headSent = false
    private var answerEnded = false
    private var trailers: MessageHead?
    private var isDeferred = false

    /// Bytes of an answer that wait for the client's window before the upstream is no longer read.
    private static let highWater = 64 << 10

    private struct Pseudo {
        var method = false
        var path = false
        var scheme = false
        var authority = false
        var regularSeen = false
    }

    init(id: Int32, connection: HTTP2Connection, session: HTTP2Session, exchange: Exchange) {
        self.id = id
        self.connection = connection
        self.session = session
        self.exchange = exchange
        lastProgress = exchange.loop.milliseconds
    }

    // MARK: Request

    /// Takes one field of the request's head; `false` when it makes the message malformed (RFC 9113, 8.1.1).
    func receive(
        _ name: UnsafeBufferPointer<UInt8>, _ value: UnsafeBufferPointer<UInt8>, limits: HeadLimits
    ) -> Bool {
        guard let head = exchange?.view.request else { return false }
        // Counted as RFC 9113, 6.5.2 does: with 32 bytes for each field.
        headBytes += name.count + value.count + 32
        guard headBytes <= limits.maxHeadBytes, head.fields.count < limits.maxFields else { return false }
        if name.first == UInt8(ascii: ":") {
            return receivePseudo(UnsafeBufferPointer(rebasing: name.dropFirst()), value, head, limits)
        }
        pseudo.regularSeen = true
        guard HTTP2FieldRules.isValidName(name), HTTP2FieldRules.isValidValue(value) else { return false }
        let id = FieldName(name)
        if HTTP2FieldRules.isForbidden(id, value: value) { return false }
        switch id {
        case .te: return true
        case .host:
            // What `:authority` says already.
            guard pseudo.authority else { return setAuthority(value, head) }
            return head.value(.host).map { head.withBytes($0) { $0.elementsEqual(value) } } ?? false
        case .contentLength:
            guard contentLength == nil, let length = HTTP2FieldRules.contentLength(value) else { return false }
            contentLength = length
        case .cookie:
            // Crumbs become one field again (RFC 9113, 8.2.3).
            if !cookies.isEmpty { cookies.append(contentsOf: "; ".utf8) }
            cookies.append(contentsOf: value)
            return true
        case .edgeErrorCode: return true
        default: break
        }
        head.append(name: name, value: value, id: id)
        return true
    }

    private func receivePseudo(
        _ name: UnsafeBufferPointer<UInt8>, _ value: UnsafeBufferPointer<UInt8>, _ head: MessageHead,
        _ limits: HeadLimits
    ) -> Bool {
        guard !pseudo.regularSeen else { return false }
        if name.isExactly("method"), !pseudo.method {
            guard HTTP2FieldRules.isValidMethod(value), !value.isExactly("CONNECT") else { return false }
            pseudo.method = true
            isHead = value.isExactly("HEAD")
            head.method = head.store(value)
        } else if name.isExactly("path"), !pseudo.path {
            guard HTTP2FieldRules.isValidPath(value), value.count <= limits.maxTargetBytes else { return false }
            pseudo.path = true
            head.target = head.store(value)
        } else if name.isExactly("scheme"), !pseudo.scheme {
            pseudo.scheme = true
        } else if name.isExactly("authority"), !pseudo.authority {
            return setAuthority(value, head)
        } else {
            return false
        }
        return true
    }

    private func setAuthority(_ value: UnsafeBufferPointer<UInt8>, _ head: MessageHead) -> Bool {
        guard HTTP2FieldRules.isValidAuthority(value) else { return false }
        pseudo.authority = true
        head.host = head.store(lowercased: HTTP2FieldRules.host(ofAuthority: value))
        FieldName.host.text.withUTF8Buffer { head.append(name: $0, value: value, id: .host) }
        return true
    }

    /// The head is complete: begins the exchange; `false` when something is missing.
    func begin(_ facts: RequestFacts, endOfStream: Bool) -> Bool {
        guard let exchange, pseudo.method, pseudo.path, pseudo.scheme, pseudo.authority else { return false }
        if !cookies.isEmpty {
            let head = exchange.view.request
            FieldName.cookie.text.withUTF8Buffer { name in
                cookies.withUnsafeBufferPointer { head.append(name: name, value: $0, id: .cookie) }
            }
        }
        var facts = facts
        facts.isHead = isHead
        facts.framing = endOfStream ? .none : contentLength.map { .length($0) } ?? .chunked
        exchange.client = self
        exchange.begin(facts)
        if endOfStream { endRequest() }
        return true
    }

    func receiveBody(_ bytes: UnsafeRawBufferPointer) {
        guard let exchange else { return session.consume(id, bytes.count) }
        exchange.receiveBody(bytes)
        unconsumed += bytes.count
        if exchange.wantsBody { openWindow() }
    }

    func endRequest() {
        guard !bodyEnded else { return }
        bodyEnded = true
        exchange?.receiveEnd(trailers: nil)
    }

    /// This round's frames are read: what they brought goes upstream.
    func flushRequest() { exchange?.flushRequest() }

    private func openWindow() {
        guard unconsumed > 0 else { return }
        session.consume(id, unconsumed)
        unconsumed = 0
        connection.scheduleFlush()
    }

    func resumeRequestBody() { if exchange?.wantsBody ?? true { openWindow() } }

    // MARK: Answer

    var isCongested: Bool { queue.count >= Self.highWater }
    var hasQueuedBytes: Bool { !queue.isEmpty }
    /// Whether the next move is the client's: what it sent of the body has been taken.
    var awaitsBody: Bool { !bodyEnded && unconsumed == 0 }

    func sendInterim(_ head: MessageHead) {
        connection.withFields(head, framing: .none, isAnswer: true) { session.interim(id, $0) }
        connection.scheduleFlush()
    }

    func sendHead(_ head: MessageHead, framing: BodyFraming) {
        guard !headSent else { return }
        headSent = true
        let hasBody = framing != .none && !isHead
        connection.withFields(head, framing: framing, isAnswer: true) { session.answer(id, $0, hasBody: hasBody) }
        connection.scheduleFlush()
    }

    func sendBody(_ bytes: UnsafeRawBufferPointer) {
        guard !isHead else { return }
        if queue.isEmpty { lastProgress = connection.milliseconds }
        queue.append(bytes)
        wake()
    }

    func sendEnd(trailers: MessageHead?) {
        self.trailers = trailers
        answerEnded = true
        wake()
    }

    func sendAbort() {
        session.reset(id, NGHTTP2_INTERNAL_ERROR)
        connection.scheduleFlush()
    }

    func flush() { connection.scheduleFlush() }
    func detachForUpgrade() -> (channel: Channel, leftover: [UInt8])? { nil }

    private func wake() {
        if isDeferred {
            isDeferred = false
            session.resume(id)
        }
        connection.scheduleFlush()
    }

    /// nghttp2 has room for body bytes.
    func fill(_ buffer: UnsafeMutableRawBufferPointer) -> HTTP2Body {
        guard !queue.isEmpty else {
            guard answerEnded else {
                isDeferred = true
                return .later
            }
            guard let trailers else { return .bytes(0, isLast: true) }
            connection.withFields(trailers, framing: .none, isAnswer: false) { session.trailers(id, $0) }
            return .trailers
        }
        let wasCongested = isCongested
        let count = min(buffer.count, queue.count)
        queue.withBytes { buffer.copyMemory(from: UnsafeRawBufferPointer(rebasing: $0[0..<count])) }
        queue.drop(count)
        lastProgress = connection.milliseconds
        if wasCongested, !isCongested { exchange?.clientDrained() }
        return .bytes(count, isLast: queue.isEmpty && answerEnded && trailers == nil)
    }

    /// The stream is over, for better or worse.
    func closed(cleanly: Bool) {
        let exchange = self.exchange
        self.exchange = nil
        // Bytes that nobody took any more: the connection's window gets them back.
        openWindow()
        if cleanly, answerEnded { exchange?.finished() } else { exchange?.clientGone() }
    }
}
