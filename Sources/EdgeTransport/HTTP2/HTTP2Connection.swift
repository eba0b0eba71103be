import CNghttp2
import EdgeCore

/// The server's half of HTTP/2 on one client connection (RFC 9113).
///
/// Answers are put into frames after each round of the loop, so that all that happened in it leaves in one write.
final class HTTP2Connection: ChannelHandler, HTTP2SessionEvents {
    private let channel: Channel
    private let loop: EventLoop
    private let service: LoopService
    private let kind: ClientService
    private let connection: ConnectionFacts
    private let regionSlot: Int32

    private var session: HTTP2Session?
    private var streams: [Int32: HTTP2Stream] = [:]
    /// Streams that got body bytes in this round.
    private var touched: [HTTP2Stream] = []
    private var budget = HTTP2Budget()
    private var fields: [nghttp2_nv] = []
    /// The digits of a status and a length, while they are put into fields.
    private var numbers: [UInt8] = []
    private var flushScheduled = false
    private var isOver = false
    private enum Watch { case nothing, idle, streams }
    /// What the deadline that is set is for. It is not moved by every frame: a peer that only pings is idle, and one
    /// busy stream does not excuse the others.
    private var watch = Watch.nothing

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

    var milliseconds: UInt64 { loop.milliseconds }

    func start(early: [UInt8] = []) {
        channel.handler = self
        session = HTTP2Session(
            events: self, maxStreams: service.settings.maxStreams, maxHeadBytes: service.settings.maxHeadBytes)
        guard session != nil else { return close() }
        service.drainers[ObjectIdentifier(self)] = { [unowned self] in drain() }
        if !early.isEmpty { early.withUnsafeBytes(receive) }
        scheduleFlush()
        channel.readAgain()
    }

    // MARK: Bytes

    override func channelReadable(_ channel: Channel) {
        for _ in 0..<4 {
            // Who does not read what its frames bring about sends no more of them.
            if channel.isCongested { return channel.pauseReading() }
            switch channel.read() {
            case .bytes(let bytes):
                receive(UnsafeRawBufferPointer(bytes))
                if isOver { return }
            case .blocked: return
            case .ended: return close(gracefully: channel.hasQueuedBytes)
            case .failed: return close()
            }
        }
        channel.readAgain()
    }

    private func receive(_ bytes: UnsafeRawBufferPointer) {
        guard let session else { return }
        if !session.receive(bytes) { return failSession() }
        for stream in touched { stream.flushRequest() }
        touched.removeAll(keepingCapacity: true)
        scheduleFlush()
    }

    /// The peer broke the protocol: nghttp2 has a GOAWAY ready that says how.
    private func failSession() {
        writeOutput()
        close(gracefully: true)
    }

    func scheduleFlush() {
        guard !flushScheduled, !isOver else { return }
        flushScheduled = true
        loop.afterRound { [self] in
            flushScheduled = false
            writeOutput()
        }
    }

    private func writeOutput() {
        guard let session, !isOver else { return }
        while !channel.isCongested, let bytes = session.nextOutput() {
            loop.staging.append(contentsOf: bytes)
            if loop.staging.count >= 48 << 10 { writeStaging() }
        }
        writeStaging()
        if session.isFinished { return close(gracefully: true) }
        setWatch()
    }

    private func setWatch() {
        let wanted = streams.isEmpty ? Watch.idle : .streams
        guard watch != wanted else { return }
        watch = wanted
        let settings = service.settings
        channel.setDeadline(
            milliseconds: streams.isEmpty ? settings.idleTimeout : max(1, settings.bodyProgressTimeout / 2))
    }

    private func writeStaging() {
        guard !loop.staging.isEmpty else { return }
        loop.staging.withUnsafeBytes { channel.write($0) }
        loop.staging.removeAll(keepingCapacity: true)
    }

    override func channelDrained(_ channel: Channel) {
        scheduleFlush()
        channel.resumeReading()
    }

    // MARK: Frames

    func requestBegins(_ stream: Int32) -> Bool {
        guard let session, !service.isDraining else { return false }
        let exchange = service.exchange(for: kind)
        streams[stream] = HTTP2Stream(id: stream, connection: self, session: session, exchange: exchange)
        return true
    }

    func requestField(
        _ stream: Int32, _ name: UnsafeBufferPointer<UInt8>, _ value: UnsafeBufferPointer<UInt8>
    ) -> Bool {
        streams[stream]?.receive(name, value, limits: service.headLimits) ?? false
    }

    func requestHeadEnded(_ id: Int32, endOfStream: Bool) {
        guard let stream = streams[id] else { return }
        let facts = RequestFacts(
            connection: connection, regionSlot: regionSlot, framing: .none, version: "HTTP/2.0",
            isSecure: kind.isSecure,
            isUpgrade: false, isHead: false, peer: kind.peer)
        if !stream.begin(facts, endOfStream: endOfStream) {
            service.countRefused(regionSlot, .badRequest)
            session?.reset(id, NGHTTP2_PROTOCOL_ERROR)
        } else if !endOfStream {
            // The upstream may have something to say before the body comes.
            touched.append(stream)
        }
    }

    func requestBody(_ id: Int32, _ bytes: UnsafeRawBufferPointer) {
        guard let stream = streams[id] else {
            session?.consume(id, bytes.count)
            return
        }
        stream.lastProgress = loop.milliseconds
        if touched.last !== stream { touched.append(stream) }
        stream.receiveBody(bytes)
    }

    func requestEnded(_ id: Int32) { streams[id]?.endRequest() }

    func streamClosed(_ id: Int32, error: UInt32) {
        guard let stream = streams.removeValue(forKey: id) else { return }
        stream.closed(cleanly: error == UInt32(NGHTTP2_NO_ERROR.rawValue))
        // To make the edge reset a stream costs as much as to reset it oneself (CVE-2025-8671).
        switch error {
        case UInt32(NGHTTP2_PROTOCOL_ERROR.rawValue), UInt32(NGHTTP2_FLOW_CONTROL_ERROR.rawValue),
            UInt32(NGHTTP2_STREAM_CLOSED.rawValue):
            controlFrame(isReset: true)
        default: break
        }
        if service.isDraining, streams.isEmpty { scheduleFlush() }
    }

    /// A request whose answer is out before it is complete is of no more use (RFC 9113, 8.1).
    func answerSent(_ id: Int32) {
        guard let stream = streams[id], !stream.bodyEnded else { return }
        session?.reset(id, NGHTTP2_NO_ERROR)
    }

    func controlFrame(isReset: Bool) {
        let within = isReset ? budget.reset(at: loop.milliseconds) : budget.controlFrame(at: loop.milliseconds)
        if !within { session?.terminate(NGHTTP2_ENHANCE_YOUR_CALM) }
    }

    func answerBody(_ id: Int32, _ buffer: UnsafeMutableRawBufferPointer) -> HTTP2Body {
        streams[id]?.fill(buffer) ?? .bytes(0, isLast: true)
    }

    /// Calls `body` with a head's fields in nghttp2's form; it copies them, and lower-cases the names.
    func withFields(
        _ head: MessageHead, framing: BodyFraming, isAnswer: Bool, _ body: (UnsafeBufferPointer<nghttp2_nv>) -> Void
    ) {
        numbers.removeAll(keepingCapacity: true)
        if isAnswer { HTTP1Writer.appendDecimal(UInt64(head.status), into: &numbers) }
        let statusCount = numbers.count
        if case .length(let length) = framing { HTTP1Writer.appendDecimal(length, into: &numbers) }
        fields.removeAll(keepingCapacity: true)
        head.bytes.withUnsafeBufferPointer { bytes in
            numbers.withUnsafeBufferPointer { numbers in
                if isAnswer { append(":status", UnsafeBufferPointer(rebasing: numbers[..<statusCount])) }
                for field in head.fields {
                    if field.id.isHopByHop || field.id == .contentLength && framing != .none { continue }
                    append(
                        UnsafeBufferPointer(rebasing: bytes[field.name.range]),
                        UnsafeBufferPointer(rebasing: bytes[field.value.range]))
                }
                if numbers.count > statusCount {
                    append("content-length", UnsafeBufferPointer(rebasing: numbers[statusCount...]))
                }
                fields.withUnsafeBufferPointer(body)
            }
        }
    }

    private func append(_ name: StaticString, _ value: UnsafeBufferPointer<UInt8>) {
        name.withUTF8Buffer { append($0, value) }
    }

    private func append(_ name: UnsafeBufferPointer<UInt8>, _ value: UnsafeBufferPointer<UInt8>) {
        fields.append(
            nghttp2_nv(
                name: UnsafeMutablePointer(mutating: name.baseAddress),
                value: UnsafeMutablePointer(mutating: value.baseAddress),
                namelen: name.count, valuelen: value.count, flags: UInt8(NGHTTP2_NV_FLAG_NONE.rawValue)))
    }

    // MARK: End

    override func channelDeadline(_ channel: Channel) {
        watch = .nothing
        guard let session, !streams.isEmpty else {
            self.session?.goAway()
            writeOutput()
            return close(gracefully: true)
        }
        let limit = service.settings.bodyProgressTimeout
        for (id, stream) in streams where loop.milliseconds &- stream.lastProgress >= limit {
            // A body that stopped coming, or an answer that is not taken; a slow upstream has its own deadlines.
            if stream.awaitsBody || stream.hasQueuedBytes { session.reset(id, NGHTTP2_CANCEL) }
        }
        // A peer that takes nothing at all is not there any more.
        if channel.isStuck(limit) { return close() }
        writeOutput()
    }

    override func channelFailed(_ channel: Channel) { close() }

    private func drain() {
        session?.goAway()
        scheduleFlush()
    }

    private func close(gracefully: Bool = false) {
        guard !isOver else { return }
        isOver = true
        service.drainers[ObjectIdentifier(self)] = nil
        let all = streams
        streams.removeAll()
        for stream in all.values { stream.closed(cleanly: false) }
        if gracefully { channel.closeGracefully() } else { channel.closeNow() }
        // The session may be on the stack right now, calling back: it goes with the round.
        if let session { loop.keepUntilRoundEnds(session) }
        loop.keepUntilRoundEnds(self)
    }
}
