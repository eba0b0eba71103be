import EdgeCore

/// One HTTP/1.1 connection to an upstream, by a socket or through a tunnel: the client's half of the protocol, one exchange at a time.
final class UpstreamConnection: ChannelHandler {
    private enum State {
        case idle
        /// Waiting for the answer's head.
        case head
        case body(BodyDecoder)
        case closed
    }

    let channel: Channel
    private let loop: EventLoop
    private let pool: UpstreamPool
    private var exchange: ProxyExchange?
    private var state = State.idle
    /// The beginning of a head that has not arrived whole.
    private var partial: [UInt8] = []
    private var scanned = 0
    /// Whether any byte of the present answer has come.
    private(set) var answerBegun = false
    /// Whether an exchange before this one used the connection.
    private(set) var isReused = false
    private var mayKeep = false
    private var requestDone = false

    init(channel: Channel, pool: UpstreamPool) {
        self.channel = channel
        self.pool = pool
        loop = channel.loop
        super.init()
        channel.handler = self
    }

    var isUsable: Bool { if case .idle = state { channel.isOpen && !channel.peerHasShut } else { false } }
    var isCongested: Bool { channel.isCongested }

    // MARK: Life

    func begin(_ exchange: ProxyExchange) {
        self.exchange = exchange
        state = .head
        scanned = 0
        answerBegun = false
        requestDone = false
        mayKeep = false
        channel.clearDeadline()
        // What came along with the connection itself, an end perhaps, gives no second signal.
        channel.readAgain()
    }

    func becomeIdle() {
        state = .idle
        isReused = true
        channel.setDeadline(milliseconds: loop.service.settings.upstreamIdleTimeout)
    }

    func close() {
        let isIdle = if case .idle = state { true } else { false }
        state = .closed
        exchange = nil
        leave(inOrder: isIdle)
    }

    /// - Parameter inOrder: both directions are at the end of an exchange. Then a tunnel's stream is ended and not broken
    ///   off, so that its place is free as soon as the agent has heard of it (agent-protocol.md 7.6).
    private func leave(inOrder: Bool) {
        if inOrder, channel.isTunnelled { channel.closeGracefully() } else { channel.closeNow() }
    }

    /// The exchange is over. Only a connection on which both directions ended cleanly serves again.
    func release() {
        exchange = nil
        if mayKeep, requestDone, channel.isOpen, !channel.hasQueuedBytes, !channel.peerHasShut {
            pool.put(self)
        } else {
            let isComplete = if case .closed = state { requestDone } else { false }
            state = .closed
            leave(inOrder: isComplete)
        }
    }

    /// Hands the bare connection over: an upgrade was agreed on.
    func detach() -> Channel {
        state = .closed
        exchange = nil
        channel.handler = nil
        channel.clearDeadline()
        return channel
    }

    // MARK: Request

    func write(_ bytes: UnsafeRawBufferPointer) {
        channel.write(bytes)
        awaitHead()
    }

    /// Interim answers do not count: after a 100, the body is still to be sent.
    private func awaitHead() {
        if case .head = state { channel.setDeadline(milliseconds: loop.service.settings.firstByteTimeout) }
    }

    /// The request is complete: from now on the upstream has `firstByteTimeout` for its answer.
    func requestEnded() {
        requestDone = true
        awaitHead()
    }

    func pauseReading() { channel.pauseReading() }

    /// The client has taken what it had: from now on the upstream is waited for again.
    func resumeReading() {
        guard channel.isReadingPaused else { return }
        channel.setDeadline(milliseconds: loop.service.settings.bodyProgressTimeout)
        channel.resumeReading()
    }

    override func channelDrained(_ channel: Channel) { exchange?.upstreamDrained() }

    // MARK: Answer

    override func channelReadable(_ channel: Channel) {
        // A few rounds at most: others wait for the loop too.
        for _ in 0..<8 {
            switch channel.read() {
            case .bytes(let bytes):
                guard exchange != nil else { return dropIdle() }
                receive(
                    UnsafeBufferPointer(
                        start: bytes.baseAddress?.assumingMemoryBound(to: UInt8.self), count: bytes.count))
                exchange?.flushClient()
                guard case .idle = state else {
                    if case .closed = state { return }
                    guard exchange != nil, !(exchange?.clientIsCongested ?? true) else {
                        return pauseForClient()
                    }
                    continue
                }
                return
            case .blocked: return
            case .ended: return inputEnded()
            case .failed: return failed(.invalidUpstreamAnswer)
            }
        }
        channel.readAgain()
    }

    private func pauseForClient() {
        guard exchange != nil else { return }
        channel.pauseReading()
        channel.clearDeadline()
    }

    /// An idle connection that speaks or ends is of no more use.
    private func dropIdle() {
        pool.remove(self)
        close()
    }

    private func receive(_ bytes: UnsafeBufferPointer<UInt8>) {
        if !answerBegun {
            answerBegun = true
        }
        if case .body = state { channel.setDeadline(milliseconds: loop.service.settings.bodyProgressTimeout) }
        if partial.isEmpty { return consume(bytes) }
        // Only heads and chunk lines are ever partial, so this copy is small and rare.
        var joined = partial
        partial.removeAll(keepingCapacity: true)
        joined.append(contentsOf: bytes)
        joined.withUnsafeBufferPointer(consume)
    }

    private func consume(_ bytes: UnsafeBufferPointer<UInt8>) {
        var offset = 0
        while let exchange {
            switch state {
            case .head:
                guard offset < bytes.count else { return }
                let rest = UnsafeBufferPointer(rebasing: bytes[offset...])
                let scan = HTTP1Scanner.response(
                    rest, requestWasHead: exchange.requestWasHead, limits: loop.service.headLimits,
                    scanned: scanned, into: exchange.view.response)
                switch scan {
                case .incomplete:
                    scanned = rest.count
                    return partial.append(contentsOf: rest)
                case .invalid(let error): return failed(error)
                case .complete(let response):
                    scanned = 0
                    offset += response.consumed
                    headArrived(response, exchange, rest: UnsafeBufferPointer(rebasing: bytes[offset...]))
                }
            case .body(var decoder):
                let step = decoder.next(bytes, from: &offset)
                state = .body(decoder)
                switch step {
                case .data(let range):
                    exchange.upstreamBody(UnsafeRawBufferPointer(UnsafeBufferPointer(rebasing: bytes[range])))
                case .needMore:
                    if offset < bytes.count { partial.append(contentsOf: bytes[offset...]) }
                    return
                case .end: return answerEnded(decoder.trailers, leftover: bytes.count - offset)
                case .invalid(let error): return failed(error)
                }
            case .idle, .closed: return
            }
        }
    }

    private func headArrived(_ response: ScannedResponse, _ exchange: ProxyExchange, rest: UnsafeBufferPointer<UInt8>) {
        if response.isUpgrade {
            guard exchange.requestIsUpgrade, requestDone else { return failed(.invalidUpstreamAnswer) }
            return exchange.upstreamUpgraded(leftover: Array(rest))
        }
        if response.isInterim {
            // An upstream that never comes to its answer must not hold the exchange for ever: the deadline stays.
            return exchange.upstreamInterim()
        }
        channel.setDeadline(milliseconds: loop.service.settings.bodyProgressTimeout)
        mayKeep = response.keepAlive
        exchange.upstreamHead(response.framing)
        guard self.exchange === exchange else { return }
        if response.framing == .none {
            answerEnded(nil, leftover: rest.count)
        } else {
            state = .body(
                BodyDecoder(response.framing, limits: loop.service.headLimits, failure: .invalidUpstreamAnswer))
        }
    }

    private func answerEnded(_ trailers: MessageHead?, leftover: Int) {
        guard let exchange else { return }
        // Bytes after the answer's end were asked for by nobody.
        if leftover > 0 { mayKeep = false }
        channel.clearDeadline()
        state = .closed
        exchange.upstreamEnd(trailers)
    }

    private func inputEnded() {
        switch state {
        case .idle: dropIdle()
        case .closed: break
        case .head: failed(.invalidUpstreamAnswer)
        case .body(var decoder):
            mayKeep = false
            switch decoder.endOfInput() {
            case .end:
                answerEnded(nil, leftover: 0)
            default: failed(.invalidUpstreamAnswer)
            }
        }
    }

    private func failed(_ error: EdgeError) {
        if case .idle = state { return dropIdle() }
        let exchange = self.exchange
        close()
        exchange?.upstreamFailed(error)
        exchange?.flushClient()
    }

    override func channelFailed(_ channel: Channel) { failed(.invalidUpstreamAnswer) }

    override func channelDeadline(_ channel: Channel) {
        if case .head = state { failed(.upstreamTimeout) } else { failed(.invalidUpstreamAnswer) }
    }
}
