import EdgeCore
import EdgeTunnel

/// A visitor's stream on the loop of its session. What uses it is a channel of the same loop, or a channel of another
/// one (`CrossedStream`).
final class TunnelStream: StreamCarrier {
    private let link: TunnelLink
    private(set) var ref: StreamRef?
    /// The loop's clock when it was made.
    let since: UInt64
    /// Who uses it on another loop.
    private let crossing: Crossing?

    /// Bytes that are not sent yet: before there is a place for the stream, and those from another loop.
    private var outgoing = ChunkQueue()
    private var outgoingRest = UnsafeRawBufferPointer(start: nil, count: 0)
    private var finishes = false
    private var isFinished = false
    /// Bytes that have arrived and were not read, and those that are arriving now.
    private var incoming = ChunkQueue()
    private var arriving: UnsafeRawBufferPointer?
    private var peerEnded = false
    private(set) var isGivenUp = false
    private var endWasRead = false
    private var broken = false
    /// The peer itself has given the stream up.
    private var wasCut = false
    private var received = false
    private var failure: EdgeError?
    private let headerCount: Int

    /// Bytes that may wait before the stream has its place.
    private static let maximumEarly = 64 << 10

    /// - Parameters:
    ///   - header: what opens the stream; empty where the peer did.
    ///   - prefix: what goes before the visitor's own bytes (PROXY protocol).
    init(link: TunnelLink, header: [UInt8], prefix: [UInt8] = [], crossing: Crossing? = nil) {
        self.link = link
        self.crossing = crossing
        since = link.loop.milliseconds
        headerCount = header.count
        super.init()
        header.withUnsafeBytes { if $0.count > 0 { outgoing.append($0) } }
        prefix.withUnsafeBytes { if $0.count > 0 { outgoing.append($0) } }
    }

    // MARK: What the link tells

    func began(_ ref: StreamRef) {
        self.ref = ref
        pump()
    }

    func arrived(_ bytes: UnsafeRawBufferPointer) {
        received = true
        link.bytesOut &+= UInt64(bytes.count)
        if let crossing { return crossing.arrived(bytes) }
        guard let channel else { return }
        guard incoming.isEmpty, channel.tls == nil, !channel.isReadingPaused else {
            incoming.append(bytes)
            return channel.ready(.readable)
        }
        // Usually the reader takes the bytes from where they were opened, and they are copied nowhere.
        arriving = bytes
        channel.ready(.readable)
        if let arriving { incoming.append(arriving) }
        arriving = nil
    }

    func inputEnded() {
        peerEnded = true
        if !received, isDialFailure { failure = .agentDialFailed }
        if let crossing { return crossing.ended(failure) }
        channel?.ready([.readable, .readClosed])
    }

    /// Official agents end a stream without a byte when they reach nobody; that nothing but the header was read over
    /// there tells it from an upstream that had nothing to say. Agents of ours say so by a reset.
    private var isDialFailure: Bool {
        guard !link.isExtended, let ref, let credited = link.credited(ref) else { return false }
        return credited <= UInt64(headerCount)
    }

    func wasReset(_ code: MuxCode) {
        if link.isExtended, !received {
            switch code {
            case .refused: failure = .agentDialFailed
            case .timedOut: failure = .agentDialFailed
            default: break
            }
        }
        wasCut = true
        lost()
    }

    /// Nothing passes any more: the session ended, or the peer gave the stream up. What the peer had ended before is
    /// whole, and is still read up to its end.
    /// - Parameter reason: why it found no place, if it had none yet. Nothing was sent then, so that whatever it was for
    ///   can be tried elsewhere.
    func lost(_ reason: EdgeError = .noTunnel) {
        guard !broken else { return }
        broken = true
        if ref == nil { failure = reason }
        if let ref { link.forget(ref) }
        if let crossing { return crossing.broke(failure) }
        if isBroken { channel?.ready(.failed) }
    }

    /// There is room again, in the window or in the output.
    func writable() {
        guard !isGivenUp, !broken else { return }
        pump()
        if outgoing.isEmpty, outgoingRest.isEmpty { channel?.ready(.writable) }
    }

    // MARK: Sending

    override func write(_ bytes: UnsafeRawBufferPointer) -> CarrierResult {
        guard !broken, !isGivenUp else { return .failed }
        guard let ref else {
            guard outgoing.count < Self.maximumEarly else { return .blocked }
            let count = min(bytes.count, Self.maximumEarly)
            outgoing.append(UnsafeRawBufferPointer(rebasing: bytes[0..<count]))
            link.bytesIn &+= UInt64(count)
            return .bytes(count)
        }
        guard outgoing.isEmpty, outgoingRest.isEmpty else { return .blocked }
        let count = link.send(ref, bytes)
        link.bytesIn &+= UInt64(count)
        link.scheduleFlush()
        guard count > 0 else {
            if link.isOutputFull { link.waitForRoom(self) }
            return .blocked
        }
        return .bytes(count)
    }

    /// Bytes from another loop: they wait here until they can be sent.
    func send(_ chunk: Chunk?, finishes: Bool) {
        guard !broken, !isGivenUp else { return }
        if let chunk {
            link.bytesIn &+= UInt64(chunk.count)
            outgoing.append(chunk)
        }
        if finishes { self.finishes = true }
        pump()
    }

    override func finish() {
        guard !finishes else { return }
        finishes = true
        pump()
    }

    private func pump() {
        guard let ref, !isGivenUp, !broken else { return }
        var sent = 0
        while true {
            if outgoingRest.isEmpty {
                guard let next = outgoing.take() else { break }
                outgoingRest = UnsafeRawBufferPointer(next)
            }
            let count = link.send(ref, outgoingRest)
            sent += count
            outgoingRest = UnsafeRawBufferPointer(rebasing: outgoingRest[count...])
            guard outgoingRest.isEmpty else {
                if link.isOutputFull { link.waitForRoom(self) }
                break
            }
        }
        if sent > 0 { crossing?.taken(sent) }
        if finishes, !isFinished, outgoingRest.isEmpty, outgoing.isEmpty {
            isFinished = true
            link.finish(ref)
            forgetIfOver()
        }
        link.scheduleFlush()
    }

    private func forgetIfOver() {
        if isFinished, peerEnded, let ref { link.forget(ref) }
    }

    // MARK: Reading

    override func read() -> Channel.ReadResult {
        if let bytes = incoming.take() {
            credit(bytes.count)
            return .bytes(bytes)
        }
        if let bytes = arriving {
            arriving = nil
            credit(bytes.count)
            return .bytes(UnsafeMutableRawBufferPointer(mutating: bytes))
        }
        guard peerEnded else { return broken ? .failed : .blocked }
        ended()
        return .ended
    }

    /// The reader is at the peer's end. If the peer has given up the other direction as well, nothing is left to do.
    private func ended() {
        forgetIfOver()
        endWasRead = true
        guard isBroken else { return }
        link.loop.afterRound { [self] in channel?.ready(.failed) }
    }

    override func read(into buffer: UnsafeMutableRawBufferPointer) -> CarrierResult {
        if let bytes = incoming.take(buffer.count) {
            buffer.copyMemory(from: UnsafeRawBufferPointer(bytes))
            credit(bytes.count)
            return .bytes(bytes.count)
        }
        guard peerEnded else { return broken ? .failed : .blocked }
        ended()
        return .ended
    }

    /// What was read may be sent again by the peer: so who does not read holds it back.
    func credit(_ count: Int) {
        guard let ref else { return }
        link.credit(ref, count)
        if link.outputCount > 0 { link.scheduleFlush() }
    }

    override var isBroken: Bool { broken && (!peerEnded || wasCut && endWasRead) }
    override var hasEnded: Bool { broken || peerEnded && incoming.isEmpty }
    override var dialFailure: EdgeError? { failure }

    // MARK: End

    override func close() { breakOff(.cancelled) }

    override func breakOff(_ code: MuxCode) {
        channel = nil
        guard !isGivenUp else { return }
        isGivenUp = true
        guard let ref, !broken else { return }
        link.forget(ref)
        link.abandon(ref, code)
        link.scheduleFlush()
    }
}
