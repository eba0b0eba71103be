import EdgeCore

/// The server's half of HTTP/1 on one client connection: one exchange after the other.
///
/// Reading stops while an answer is awaited, so that a client which sends requests ahead is held back by its own
/// socket; what it had sent by then waits in `carry`, at most one read's worth.
final class HTTP1Connection: ChannelHandler, ExchangeClient {
    private enum State {
        case head
        case body(BodyDecoder)
        /// The request is complete; its answer is not.
        case answer
        case closed
    }

    private let channel: Channel
    private let loop: EventLoop
    private let service: LoopService
    private let kind: ClientService
    private let connection: ConnectionFacts
    private let regionSlot: Int32

    private var state = State.head
    private var exchange: Exchange?
    private var request = ScannedRequest()
    /// Bytes read but not used yet.
    private var carry: [UInt8] = []
    private var scanned = 0
    private var answerFraming = BodyFraming.none
    private var answerBegun = false
    private var answerDone = false
    /// The connection must end with this exchange.
    private var closeAfter = false
    private var isProcessing = false

    init(
        channel: Channel, kind: ClientService, connection: ConnectionFacts, regionSlot: Int32
    ) {
        self.channel = channel
        self.kind = kind
        self.connection = connection
        self.regionSlot = regionSlot
        loop = channel.loop
        service = channel.loop.service
        super.init()
    }

    /// - Parameter early: bytes that were read before the protocol was known.
    func start(early: [UInt8] = []) {
        channel.handler = self
        channel.setDeadline(milliseconds: service.settings.requestHeadTimeout)
        service.drainers[ObjectIdentifier(self)] = { [unowned self] in drain() }
        if !early.isEmpty { early.withUnsafeBufferPointer(receive) }
        channel.readAgain()
    }

    // MARK: Reading

    override func channelReadable(_ channel: Channel) {
        for _ in 0..<8 {
            switch channel.read() {
            case .bytes(let bytes):
                receive(
                    UnsafeBufferPointer(
                        start: bytes.baseAddress?.assumingMemoryBound(to: UInt8.self), count: bytes.count))
                if channel.isReadingPaused || !channel.isOpen { return }
            case .blocked: return
            case .ended: return inputEnded()
            case .failed: return channelFailed(channel)
            }
        }
        channel.readAgain()
    }

    private func receive(_ bytes: UnsafeBufferPointer<UInt8>) {
        if carry.isEmpty { return process(bytes) }
        var joined = carry
        carry.removeAll(keepingCapacity: true)
        joined.append(contentsOf: bytes)
        joined.withUnsafeBufferPointer(process)
    }

    /// Uses up what it can; the rest is carried.
    private func process(_ bytes: UnsafeBufferPointer<UInt8>) {
        isProcessing = true
        defer { isProcessing = false }
        var offset = 0
        while offset < bytes.count || isBodyEndDue {
            switch state {
            case .head:
                // Answers that the client does not take must not pile up, however many requests it sends ahead.
                if exchange == nil, channel.isCongested {
                    carry.append(contentsOf: bytes[offset...])
                    return awaitDrain()
                }
                guard scanHead(bytes, &offset) else { return }
            case .body(var decoder):
                let step = decoder.next(bytes, from: &offset)
                state = .body(decoder)
                switch step {
                case .data(let range):
                    exchange?.receiveBody(UnsafeRawBufferPointer(UnsafeBufferPointer(rebasing: bytes[range])))
                case .needMore:
                    if offset < bytes.count { carry.append(contentsOf: bytes[offset...]) }
                    bodyPaused()
                    return
                case .end: requestEnded(decoder.trailers)
                case .invalid(let error): return refuse(error)
                }
            case .answer:
                carry.append(contentsOf: bytes[offset...])
                return
            case .closed: return
            }
        }
        bodyPaused()
    }

    /// A body of no bytes ends without another byte having to come.
    private var isBodyEndDue: Bool {
        if case .body(let decoder) = state { decoder.remaining == 0 } else { false }
    }

    private func bodyPaused() {
        guard case .body = state, let exchange else { return }
        exchange.flushRequest()
        if exchange.wantsBody {
            channel.setDeadline(milliseconds: service.settings.bodyProgressTimeout)
        } else {
            channel.clearDeadline()
            channel.pauseReading()
        }
    }

    /// - Returns: whether there is more to do with these bytes.
    private func scanHead(_ bytes: UnsafeBufferPointer<UInt8>, _ offset: inout Int) -> Bool {
        if exchange == nil {
            exchange = service.exchange(for: kind)
            // The first byte of a request: from here its head has so long to arrive.
            channel.setDeadline(milliseconds: service.settings.requestHeadTimeout)
        }
        guard let exchange else { return false }
        let rest = UnsafeBufferPointer(rebasing: bytes[offset...])
        switch HTTP1Scanner.request(rest, limits: service.headLimits, scanned: scanned, into: exchange.view.request) {
        case .incomplete:
            scanned = rest.count
            carry.append(contentsOf: rest)
            return false
        case .invalid(let error):
            refuse(error)
            return false
        case .complete(let scan):
            scanned = 0
            offset += scan.consumed
            request = scan
            begin(exchange)
            return true
        }
    }

    private func begin(_ exchange: Exchange) {
        channel.clearDeadline()
        answerBegun = false
        answerDone = false
        closeAfter = !request.keepAlive || service.isDraining
        exchange.client = self
        state = request.framing == .none ? .answer : .body(BodyDecoder(request.framing, limits: service.headLimits))
        if case .answer = state { channel.pauseReading() }
        exchange.begin(
            RequestFacts(
                connection: connection, regionSlot: regionSlot, framing: request.framing,
                version: request.isHTTP10 ? "HTTP/1.0" : "HTTP/1.1", isSecure: kind.isSecure,
                isUpgrade: request.isUpgrade, isHead: request.isHead, peer: kind.peer))
        if case .answer = state, self.exchange === exchange { exchange.receiveEnd(trailers: nil) }
    }

    private func requestEnded(_ trailers: MessageHead?) {
        state = .answer
        channel.clearDeadline()
        channel.pauseReading()
        exchange?.receiveEnd(trailers: trailers)
        if answerDone { exchangeOver() }
    }

    /// Answers a request that is no valid one, and ends the connection: where the next one begins is not known.
    private func refuse(_ error: EdgeError) {
        guard let exchange else { return close() }
        closeAfter = true
        if answerBegun {
            // The answer is under way already and cannot become another one.
            exchange.clientGone()
            self.exchange = nil
            return close()
        }
        if case .body = state { exchange.clientGone() } else { service.countRefused(regionSlot, error) }
        self.exchange = nil
        request = ScannedRequest()
        state = .answer
        answerDone = false
        send(error, using: MessageHead(), requestWasHead: false)
        flush()
    }

    func resumeRequestBody() {
        guard case .body = state, let exchange, exchange.wantsBody else { return }
        channel.setDeadline(milliseconds: service.settings.bodyProgressTimeout)
        channel.resumeReading()
    }

    private func inputEnded() {
        switch state {
        case .answer:
            // A client may end its half after its request and still wait for the answer.
            closeAfter = true
        case .head, .body, .closed:
            exchange?.clientGone()
            exchange = nil
            // The last answer may still be on its way out.
            if channel.hasQueuedBytes { closeGracefully() } else { close() }
        }
    }

    // MARK: Answer

    var isCongested: Bool { channel.isCongested }

    func sendInterim(_ head: MessageHead) {
        guard !request.isHTTP10 else { return }
        HTTP1Writer.responseHead(head, framing: .none, into: &loop.staging)
        flush()
    }

    func sendHead(_ head: MessageHead, framing: BodyFraming) {
        answerBegun = true
        let isUpgrade = head.status == 101
        answerFraming = framing.towardsClient(isHTTP10: request.isHTTP10)
        // A short rest of the request is read and thrown away; a long one, or one that the client will not send
        // after all (RFC 9110, 10.1.1), costs the connection.
        if case .body(let decoder) = state, request.expectsContinue || (decoder.remaining ?? .max) > 64 << 10 {
            closeAfter = true
        }
        if answerFraming == .untilClose { closeAfter = true }
        HTTP1Writer.responseHead(
            head, framing: answerFraming, isHTTP10: request.isHTTP10, keepAlive: !closeAfter, isUpgrade: isUpgrade,
            requestWasHead: request.isHead, into: &loop.staging)
    }

    func sendBody(_ bytes: UnsafeRawBufferPointer) {
        guard bytes.count > 0, !request.isHead else { return }
        let isChunked = answerFraming == .chunked
        if isChunked { HTTP1Writer.chunkHeader(bytes.count, into: &loop.staging) }
        if bytes.count <= 16 << 10 {
            loop.staging.append(contentsOf: bytes)
        } else {
            flush()
            write(bytes)
        }
        if isChunked { HTTP1Writer.chunkEnd(into: &loop.staging) }
        if loop.staging.count >= 48 << 10 { flush() }
    }

    private func write(_ bytes: UnsafeRawBufferPointer) {
        channel.write(bytes)
        // From here on nobody waits for the upstream, but for the client.
        if channel.isCongested { channel.setDeadline(milliseconds: service.settings.bodyProgressTimeout) }
    }

    func sendEnd(trailers: MessageHead?) {
        if answerFraming == .chunked, !request.isHead { HTTP1Writer.lastChunk(trailers: trailers, into: &loop.staging) }
        flush()
        answerDone = true
        switch state {
        case .answer: exchangeOver()
        case .body:
            if closeAfter { exchangeOver() } else { resumeRequestBody() }
        case .head, .closed: break
        }
    }

    func sendAbort() {
        flush()
        exchange?.finished()
        exchange = nil
        // Without a length or chunks, only a reset tells a cut answer from a whole one.
        guard answerFraming == .untilClose else { return close() }
        forget()
        channel.reset()
    }

    func flush() {
        guard !loop.staging.isEmpty else { return }
        loop.staging.withUnsafeBytes { write($0) }
        loop.staging.removeAll(keepingCapacity: true)
    }

    override func channelDrained(_ channel: Channel) {
        switch state {
        case .head: if exchange == nil { awaitRequest() }
        case .body: if channel.isReadingPaused { channel.clearDeadline() }
        case .answer: channel.clearDeadline()
        case .closed: break
        }
        exchange?.clientDrained()
    }

    /// The client has answers to take before its next request is looked at.
    private func awaitDrain() {
        channel.pauseReading()
        channel.setDeadline(milliseconds: service.settings.bodyProgressTimeout)
    }

    private func exchangeOver() {
        exchange?.finished()
        exchange = nil
        guard !closeAfter, channel.isOpen else { return closeGracefully() }
        state = .head
        if channel.isCongested, !isProcessing { awaitDrain() } else { awaitRequest() }
    }

    private func awaitRequest() {
        channel.setDeadline(milliseconds: service.settings.idleTimeout)
        if !carry.isEmpty, !isProcessing {
            // Sent ahead by the client. After the round, so that a long row of requests does not pile up the stack.
            loop.afterRound { [self] in processCarried() }
        } else {
            channel.resumeReading()
        }
    }

    private func processCarried() {
        guard case .head = state, channel.isOpen else { return }
        let bytes = carry
        carry.removeAll(keepingCapacity: true)
        bytes.withUnsafeBufferPointer(process)
        if case .head = state, !channel.isCongested { channel.resumeReading() }
    }

    func detachForUpgrade() -> (channel: Channel, leftover: [UInt8])? {
        let leftover = carry
        forget()
        channel.handler = nil
        channel.clearDeadline()
        exchange = nil
        return (channel, leftover)
    }

    // MARK: End

    override func channelFailed(_ channel: Channel) {
        exchange?.clientGone()
        exchange = nil
        close()
    }

    override func channelHungUp(_ channel: Channel) { channelFailed(channel) }

    override func channelDeadline(_ channel: Channel) {
        let patience = service.settings.bodyProgressTimeout
        // A slow client is not a dead one: it may take its time as long as it takes bytes.
        if channel.hasQueuedBytes, !channel.isStuck(patience) { return channel.setDeadline(milliseconds: patience) }
        if case .head = state, exchange == nil || carry.isEmpty { return close() }
        if !answerBegun, case .head = state { return refuse(.requestTimeout) }
        if !answerBegun, case .body = state { return refuse(.requestTimeout) }
        channelFailed(channel)
    }

    private func drain() {
        closeAfter = true
        if case .head = state, exchange == nil { closeGracefully() }
    }

    private func forget() {
        if case .closed = state { return }
        state = .closed
        service.drainers[ObjectIdentifier(self)] = nil
    }

    private func close() {
        forget()
        channel.closeNow()
    }

    private func closeGracefully() {
        forget()
        channel.closeGracefully()
    }
}
