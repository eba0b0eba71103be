import EdgeCore
import EdgeTunnel

/// A visitor's stream whose session lives on another loop: this end is on the visitor's.
///
///     visitor's loop                              session's loop
///     Channel ─ CrossedStream ── messages ──▶ Crossing ─ TunnelStream ─ TunnelLink
///                            ◀── messages ──
///
/// Bytes are copied once, into the chunk that crosses. Both ways are bounded: what is sent by `window` bytes that the
/// other loop has not passed on yet, what arrives by the stream's own window, of which the agent gets back what was read
/// here.
///
/// `@unchecked Sendable`: confined to the visitor's loop, and only named on the other one.
final class CrossedStream: StreamCarrier, @unchecked Sendable {
    private static let window = 256 << 10
    /// Bytes read here before the other loop hears of it.
    private static let creditPiece = 32 << 10

    let loop: EventLoop
    private let far: EventLoop
    private let crossing: Crossing
    private var outgoing = ChunkQueue()
    private var finishes = false
    private var isPostScheduled = false
    /// Sent and not passed on yet by the other loop.
    private var underway = 0
    private var wantsRoom = false
    private var incoming = ChunkQueue()
    private var used = 0
    private var peerEnded = false
    private var broken = false
    private var isClosed = false
    private var failure: EdgeError?

    init(loop: EventLoop, tunnel: CarriedTunnel, header: [UInt8], prefix: [UInt8]) {
        self.loop = loop
        far = tunnel.home
        crossing = Crossing(loop: tunnel.home, near: loop)
        super.init()
        crossing.end = self
        crossing.plan = Crossing.Plan(tunnel: tunnel, header: header, prefix: prefix)
        schedulePost()
    }

    // MARK: Sending

    override func write(_ bytes: UnsafeRawBufferPointer) -> CarrierResult {
        guard !broken, !isClosed else { return .failed }
        let room = Self.window - underway - outgoing.count
        guard room > 0 else {
            wantsRoom = true
            return .blocked
        }
        let count = min(room, bytes.count)
        outgoing.append(UnsafeRawBufferPointer(rebasing: bytes[0..<count]))
        schedulePost()
        return .bytes(count)
    }

    override func finish() {
        guard !finishes else { return }
        finishes = true
        schedulePost()
    }

    /// What a round has to say crosses as one message, the stream's opening with its first bytes.
    private func schedulePost() {
        guard !isPostScheduled else { return }
        isPostScheduled = true
        loop.afterRound { [self] in
            isPostScheduled = false
            post()
        }
    }

    private func post() {
        guard !isClosed else { return }
        let chunk = outgoing.takeAll()
        underway += chunk?.count ?? 0
        let (crossing, finishes) = (self.crossing, self.finishes)
        far.post { _ in crossing.send(chunk, finishes: finishes) }
    }

    /// The other loop has passed so many bytes on.
    fileprivate func taken(_ count: Int) {
        underway -= count
        guard wantsRoom, underway <= Self.window / 2 else { return }
        wantsRoom = false
        channel?.ready(.writable)
    }

    // MARK: Reading

    fileprivate func arrived(_ chunk: Chunk?, taken: Int, ended: Bool, broken: Bool, _ failure: EdgeError?) {
        guard !isClosed else { return }
        if let chunk { incoming.append(chunk) }
        if ended { peerEnded = true }
        if broken { self.broken = true }
        self.failure = failure ?? self.failure
        if taken > 0 { self.taken(taken) }
        guard !isClosed else { return }
        var readiness: Readiness = []
        if chunk != nil { readiness.insert(.readable) }
        if ended { readiness.formUnion([.readable, .readClosed]) }
        if broken, !peerEnded { readiness.insert(.failed) }
        if !readiness.isEmpty { channel?.ready(readiness) }
    }

    override func read() -> Channel.ReadResult {
        if let bytes = incoming.take() {
            credit(bytes.count)
            return .bytes(bytes)
        }
        return peerEnded ? .ended : broken ? .failed : .blocked
    }

    override func read(into buffer: UnsafeMutableRawBufferPointer) -> CarrierResult {
        if let bytes = incoming.take(buffer.count) {
            buffer.copyMemory(from: UnsafeRawBufferPointer(bytes))
            credit(bytes.count)
            return .bytes(bytes.count)
        }
        return peerEnded ? .ended : broken ? .failed : .blocked
    }

    private func credit(_ count: Int) {
        used += count
        guard used >= Self.creditPiece else { return }
        let (crossing, amount) = (self.crossing, used)
        used = 0
        far.post { _ in crossing.credit(amount) }
    }

    override var isBroken: Bool { broken && !peerEnded }
    override var hasEnded: Bool { broken || peerEnded && incoming.isEmpty }
    override var dialFailure: EdgeError? { failure }

    // MARK: End

    override func close() { breakOff(.cancelled) }

    override func breakOff(_ code: MuxCode) {
        channel = nil
        guard !isClosed else { return }
        isClosed = true
        let crossing = self.crossing
        guard !broken else { return far.post { _ in crossing.close(nil) } }
        far.post { _ in crossing.close(code) }
    }
}

/// The other end of a `CrossedStream`, on the session's loop: it opens the stream there and passes on what happens.
///
/// `@unchecked Sendable`: `plan` and `end` are set before it first crosses; all else is confined to the session's loop.
final class Crossing: @unchecked Sendable {
    struct Plan {
        let tunnel: CarriedTunnel
        let header: [UInt8]
        let prefix: [UInt8]
    }

    private static let takenPiece = 64 << 10

    private let loop: EventLoop
    private let near: EventLoop
    var plan: Plan?
    /// Let go of when the visitor's side closes.
    var end: CrossedStream?
    private var stream: TunnelStream?
    private var gathered = ChunkQueue()
    private var passedOn = 0
    private var hasEnded = false
    private var isBroken = false
    private var failure: EdgeError?
    private var isPostScheduled = false

    init(loop: EventLoop, near: EventLoop) {
        self.loop = loop
        self.near = near
    }

    // MARK: From the visitor's loop

    func send(_ chunk: Chunk?, finishes: Bool) {
        guard let plan else {
            stream?.send(chunk, finishes: finishes)
            return
        }
        self.plan = nil
        let link = plan.tunnel.link
        let stream = TunnelStream(link: link, header: plan.header, prefix: plan.prefix, crossing: self)
        self.stream = stream
        // On its way here the tunnel may have been given back: its agent expects nobody any more.
        guard plan.tunnel.condition.isLive else { return stream.lost() }
        stream.send(chunk, finishes: finishes)
        link.start(stream)
    }

    func credit(_ count: Int) { stream?.credit(count) }

    /// - Parameter code: `nil` when the stream is known to be over.
    func close(_ code: MuxCode?) {
        plan = nil
        end = nil
        if let code { stream?.breakOff(code) }
        stream = nil
    }

    // MARK: From the stream

    func arrived(_ bytes: UnsafeRawBufferPointer) {
        gathered.append(bytes)
        schedulePost()
    }

    /// So many bytes were sent. Small amounts go along with the next message: the visitor's side is far from its bound.
    func taken(_ count: Int) {
        passedOn += count
        if passedOn >= Self.takenPiece { schedulePost() }
    }

    func ended(_ failure: EdgeError?) {
        hasEnded = true
        self.failure = failure
        schedulePost()
    }

    func broke(_ failure: EdgeError?) {
        isBroken = true
        self.failure = failure ?? self.failure
        schedulePost()
    }

    private func schedulePost() {
        guard !isPostScheduled, end != nil else { return }
        isPostScheduled = true
        loop.afterRound { [self] in
            isPostScheduled = false
            post()
        }
    }

    private func post() {
        guard let end else { return }
        let chunk = gathered.takeAll()
        let (taken, ended, broken, failure) = (passedOn, hasEnded, isBroken, self.failure)
        passedOn = 0
        near.post { _ in end.arrived(chunk, taken: taken, ended: ended, broken: broken, failure) }
    }
}
