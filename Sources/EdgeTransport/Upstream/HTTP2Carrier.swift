import CNghttp2
import EdgeCore
import EdgeTunnel

/// Lets a connection of HTTP/1.1 reach an upstream that speaks HTTP/2 with prior knowledge: requests are read as they were
/// written for HTTP/1 and sent as frames, and answers are written as HTTP/1.
///
///     UpstreamConnection ─ Channel ─ HTTP2Carrier ─ Channel ─ tunnel's stream
///          HTTP/1.1 bytes                  HTTP/2 frames
///
/// So pools, retries and framing have one form, whatever an upstream speaks. One exchange at a time: a tunnel has
/// streams enough. Trailers pass (gRPC has its status there); upgrades do not.
final class HTTP2Carrier: StreamCarrier {
    private enum Request {
        case head(scanned: Int)
        case body(BodyDecoder)
        case complete
    }

    private let inner: Channel
    private let limits: HeadLimits
    private let session: HTTP2ClientSession
    private var request = Request.head(scanned: 0)
    /// A head, or a chunk's line, that has not come whole.
    private var partial: [UInt8] = []
    private let head = MessageHead()
    private var incoming = ChunkQueue()
    private var answer: [UInt8] = []
    private var isChunked = false
    private var isAnswerEnded = true
    private var peerEnded = false
    private var broken = false
    private var isClosed = false
    private var wantsRoom = false

    /// Bytes of either direction that wait here.
    private static let highWater = 256 << 10

    init?(_ inner: Channel) {
        self.inner = inner
        limits = inner.loop.service.headLimits
        guard let session = HTTP2ClientSession(maxHeadBytes: limits.maxHeadBytes) else { return nil }
        self.session = session
        super.init()
        session.events = self
        inner.handler = HTTP2CarrierEnd(self)
        pump()
    }

    // MARK: Towards the upstream

    override func write(_ bytes: UnsafeRawBufferPointer) -> CarrierResult {
        guard !broken, !isClosed else { return .failed }
        guard session.queuedBody < Self.highWater else {
            wantsRoom = true
            return .blocked
        }
        let isSound: Bool
        if partial.isEmpty {
            isSound = bytes.withMemoryRebound(to: UInt8.self) { take($0) }
        } else {
            var joined = partial
            partial.removeAll(keepingCapacity: true)
            joined.append(contentsOf: bytes)
            isSound = joined.withUnsafeBufferPointer { take($0) }
        }
        guard isSound else { return .failed }
        pump()
        return .bytes(bytes.count)
    }

    private func take(_ bytes: UnsafeBufferPointer<UInt8>) -> Bool {
        var offset = 0
        while offset < bytes.count || isBodyEndDue {
            switch request {
            case .head(let scanned):
                let rest = UnsafeBufferPointer(rebasing: bytes[offset...])
                switch HTTP1Scanner.request(rest, limits: limits, scanned: scanned, into: head) {
                case .incomplete:
                    request = .head(scanned: rest.count)
                    partial.append(contentsOf: rest)
                    return true
                case .invalid: return false
                case .complete(let scan):
                    offset += scan.consumed
                    guard begin(scan) else { return false }
                }
            case .body(var decoder):
                let step = decoder.next(bytes, from: &offset)
                request = .body(decoder)
                switch step {
                case .data(let range):
                    session.queueBody(UnsafeRawBufferPointer(UnsafeBufferPointer(rebasing: bytes[range])))
                case .needMore:
                    if offset < bytes.count { partial.append(contentsOf: bytes[offset...]) }
                    return true
                case .end:
                    session.endBody()
                    request = .complete
                case .invalid: return false
                }
            // The next request does not come before this one is answered.
            case .complete: return false
            }
        }
        return true
    }

    private var isBodyEndDue: Bool { if case .body(let decoder) = request { decoder.isAtEnd } else { false } }

    private func begin(_ scan: ScannedRequest) -> Bool {
        let hasBody = scan.framing != .none
        guard session.submit(head, hasBody: hasBody) else { return false }
        isAnswerEnded = false
        isChunked = false
        isHead = scan.isHead
        request = hasBody ? .body(BodyDecoder(scan.framing, limits: limits)) : .complete
        return true
    }

    private var isHead = false

    /// Hands frames on for as long as they are taken.
    fileprivate func pump() {
        while !inner.isCongested, let bytes = session.nextOutput() { inner.write(bytes) }
        guard wantsRoom, session.queuedBody < Self.highWater / 2 else { return }
        wantsRoom = false
        channel?.ready(.writable)
    }

    // MARK: From the upstream

    fileprivate func readable() {
        for _ in 0..<8 {
            if incoming.count >= Self.highWater { return inner.pauseReading() }
            switch inner.read() {
            case .bytes(let bytes):
                let isSound = session.receive(UnsafeRawBufferPointer(bytes))
                flushAnswer()
                guard isSound else { return fail() }
                pump()
                tell()
            case .blocked: return
            case .ended:
                if !isAnswerEnded { return fail() }
                peerEnded = true
                channel?.ready([.readable, .readClosed])
                return
            case .failed: return fail()
            }
        }
        inner.readAgain()
    }

    private func flushAnswer() {
        guard !answer.isEmpty else { return }
        answer.withUnsafeBytes { incoming.append($0) }
        answer.removeAll(keepingCapacity: true)
    }

    private func tell() {
        if !session.mayRequest, isAnswerEnded { peerEnded = true }
        if peerEnded {
            channel?.ready([.readable, .readClosed])
        } else if !incoming.isEmpty {
            channel?.ready(.readable)
        }
    }

    fileprivate func fail() {
        guard !broken, !isClosed else { return }
        broken = true
        channel?.ready(.failed)
    }

    override func read() -> Channel.ReadResult {
        guard let bytes = incoming.take() else {
            if broken { return .failed }
            return peerEnded ? .ended : .blocked
        }
        if inner.isReadingPaused, incoming.count < Self.highWater / 2 { inner.resumeReading() }
        return .bytes(bytes)
    }

    // MARK: The rest

    override var isBroken: Bool { inner.isLost }
    override var hasEnded: Bool { broken || peerEnded && incoming.isEmpty }
    override var dialFailure: EdgeError? { inner.dialFailure }
    override func finish() {}
    override func close() { breakOff(.cancelled) }

    override func breakOff(_ code: MuxCode) {
        channel = nil
        guard !isClosed else { return }
        isClosed = true
        if isAnswerEnded { inner.closeGracefully() } else { inner.refuse(code) }
    }
}

extension HTTP2Carrier: HTTP2ClientEvents {
    func answerHead(_ head: MessageHead, endsStream: Bool) {
        let isInterim = head.status < 200
        let isBodiless = isHead || head.status == 204 || head.status == 304
        let length = head.value(.contentLength).flatMap { head.withBytes($0, HTTP2FieldRules.contentLength) }
        let framing: BodyFraming =
            if isInterim || isBodiless {
                .none
            } else if endsStream {
                .length(0)
            } else {
                length.map { .length($0) } ?? .chunked
            }
        isChunked = framing == .chunked
        HTTP1Writer.responseHead(head, framing: framing, requestWasHead: isHead, into: &answer)
    }

    func answerBody(_ bytes: UnsafeRawBufferPointer) {
        guard bytes.count > 0 else { return }
        if isChunked { HTTP1Writer.chunkHeader(bytes.count, into: &answer) }
        answer.append(contentsOf: bytes)
        if isChunked { HTTP1Writer.chunkEnd(into: &answer) }
    }

    func answerEnded(trailers: MessageHead?, isClean: Bool) {
        guard !isAnswerEnded else { return }
        guard isClean else { return fail() }
        isAnswerEnded = true
        if isChunked { HTTP1Writer.lastChunk(trailers: trailers, into: &answer) }
        // Whatever of the request was still to come is of no use any more.
        guard case .complete = request else {
            peerEnded = true
            return
        }
        request = .head(scanned: 0)
    }
}

/// The inner channel's side of a carrier.
private final class HTTP2CarrierEnd: ChannelHandler {
    private unowned let carrier: HTTP2Carrier

    init(_ carrier: HTTP2Carrier) { self.carrier = carrier }

    override func channelReadable(_ channel: Channel) { carrier.readable() }
    override func channelDrained(_ channel: Channel) { carrier.pump() }
    override func channelFailed(_ channel: Channel) { carrier.fail() }
}
