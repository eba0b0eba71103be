public import Shared

/// The server's half of one agent connection without its socket (agent-protocol.md 8.4): who may ask what and when,
/// heartbeats both ways, answers, and the end.
///
///     UNAUTHENTICATED ──accept──▶ READY ──drain──▶ DRAINING ──no streams──▶ closed
///         │ heartbeats, one Auth, SrvInfo           │ heartbeats lost, a violation: closed
///         └ 15 s without a good Auth: closed
///
/// Streams to visitors are their opener's: their events are handed on.
public struct ServerSession: Sendable {
    public enum Event: Sendable {
        /// On a stream that this side opened for a visitor.
        case stream(MuxEvent)
        /// To be answered by `answer` or `refuse`.
        case call(StreamRef, AgentCall)
        /// The agent has read the answer to this call (agent-protocol.md 7.7).
        case confirmed(StreamRef)
        case commandAnswered(StreamRef, Refusal?)
    }

    /// Why a session ends.
    public enum End: Error, Hashable, Sendable {
        case violation(MuxViolation)
        /// The agent said so.
        case goodbye
        case unauthenticated
        case refused
        case heartbeatsLost
        case disorder(String)
        case drained
    }

    enum Phase: Equatable {
        case unauthenticated(since: UInt64)
        /// An Auth is being looked at.
        case authenticating(since: UInt64)
        case ready
        case draining
        /// A refusal is on its way: the connection ends when the agent has had time to read it.
        case refused(at: UInt64)
    }

    private enum Own {
        case heartbeat
        case command(MessageReader)
    }

    static let authenticationTime: UInt64 = 15_000_000_000
    static let requestTime: UInt64 = 15_000_000_000
    static let refusalTime: UInt64 = 1_000_000_000
    static let longestTolerance: Int64 = 60_000_000_000
    /// Bytes of all requests that are not complete yet.
    static let heldBytes = 8 << 20

    public var mux: MuxSession
    private(set) var phase: Phase
    private var inbound: [Int: InboundStream] = [:]
    private var own: [Int: Own] = [:]
    private var messages: [StreamRef: OutgoingMessage] = [:]
    private var heartbeat: Heartbeat?
    private var heartbeatRef: StreamRef?
    private var peerTolerance: UInt64 = 25_000_000_000
    private var lastBeat: UInt64
    /// The latest heartbeat's way there and back, in nanoseconds.
    public private(set) var roundTrip: UInt64?
    private let seed: UInt32

    /// - Parameters:
    ///   - now: nanoseconds on a monotonic clock, as everywhere here.
    ///   - seed: chance, for heartbeats.
    public init(now: UInt64, seed: UInt32) {
        mux = MuxSession(.server)
        phase = .unauthenticated(since: now)
        lastBeat = now
        self.seed = seed
    }

    public var isReady: Bool { phase == .ready }

    // MARK: Receiving

    /// Reads on until something has happened that the caller must know; `nil` when the bytes are used up.
    public mutating func next(
        _ bytes: UnsafeRawBufferPointer, _ offset: inout Int, now: UInt64
    ) throws(End) -> Event? {
        while true {
            let event: MuxEvent?
            do throws(MuxViolation) { event = try mux.next(bytes, &offset) } catch { throw .violation(error) }
            guard let event else { return nil }
            switch event {
            case .goAway: throw .goodbye
            case .opened(let ref): inbound[ref.slot] = InboundStream(now: now, takesProxy: false, messageLimit: limit)
            case .data(let ref, let range):
                let piece = UnsafeRawBufferPointer(rebasing: bytes[range])
                if ref.id & 1 == 1 {
                    if let call = try receive(ref, piece, now) { return call }
                } else if own[ref.slot] != nil {
                    if let answer = receiveOwn(ref, piece, now) { return answer }
                } else {
                    return .stream(event)
                }
            case .ended(let ref), .reset(let ref, _):
                if let event = ended(ref, event) { return event }
            case .writable(let ref):
                guard messages[ref] != nil else { return .stream(event) }
                pump(ref)
            }
        }
    }

    /// Who has not shown a token sends small messages only.
    private var limit: Int { phase == .ready || phase == .draining ? 4 << 20 : 64 << 10 }

    private mutating func receive(_ ref: StreamRef, _ bytes: UnsafeRawBufferPointer, _ now: UInt64) throws(End)
        -> Event?
    {
        guard var stream = inbound[ref.slot] else { return nil }
        let step = stream.receive(bytes, now: now)
        inbound[ref.slot] = stream
        mux.credit(ref, bytes.count, now: now)
        guard inbound.values.reduce(0, { $0 + $1.heldBytes }) <= Self.heldBytes else {
            throw .disorder("too many large requests at once")
        }
        switch step {
        case .needMore, .proxy: return nil
        case .beats(let beats):
            lastBeat = now
            for beat in beats { _ = beat.withUnsafeBytes { mux.send(ref, $0, isWhole: true) } }
            return nil
        case .message(let kind, let document): return try call(ref, AgentCall(kind: kind, document), now)
        case .invalid: throw .disorder("a request that is no JSON object, or too long a one")
        }
    }

    private mutating func call(_ ref: StreamRef, _ call: AgentCall, _ now: UInt64) throws(End) -> Event? {
        switch (phase, call) {
        case (_, .serverInformation): return .call(ref, call)
        case (.unauthenticated(let since), .authenticate(let request)):
            phase = .authenticating(since: since)
            let sum = max(request.heartbeatInterval, 0).addingReportingOverflow(max(request.heartbeatTolerance, 0))
            // An agent may beat as seldom as it likes, but not be dead for longer than a minute unseen.
            let wanted = sum.overflow ? Self.longestTolerance : sum.partialValue
            peerTolerance = UInt64(min(max(wanted, 1_000_000_000), Self.longestTolerance))
            return .call(ref, call)
        case (.ready, .authenticate), (.draining, .authenticate): throw .disorder("a second Auth")
        case (.ready, _), (.draining, _): return .call(ref, call)
        case (.refused, _): return nil
        default: throw .disorder("a request before Auth")
        }
    }

    private mutating func receiveOwn(_ ref: StreamRef, _ bytes: UnsafeRawBufferPointer, _ now: UInt64) -> Event? {
        mux.credit(ref, bytes.count, now: now)
        switch own[ref.slot] {
        case .heartbeat:
            guard let measured = heartbeat?.receive(bytes, now: now) else { return nil }
            roundTrip = measured
            mux.measured(roundTrip: measured)
            return nil
        case .command(var reader):
            let step = reader.receive(bytes)
            own[ref.slot] = .command(reader)
            switch step {
            case .needMore: return nil
            case .complete(let document):
                own[ref.slot] = nil
                mux.abandon(ref)
                return .commandAnswered(ref, Refusal.of(document))
            case .invalid:
                own[ref.slot] = nil
                mux.abandon(ref)
                return .commandAnswered(ref, Refusal(nil, "the agent's answer cannot be read"))
            }
        case nil: return nil
        }
    }

    private mutating func ended(_ ref: StreamRef, _ event: MuxEvent) -> Event? {
        if ref.id & 1 == 1 {
            let stream = inbound.removeValue(forKey: ref.slot)
            if case .reset = event { messages[ref] = nil }
            // A heartbeat stream that its opener ends is answered in kind; a request without an answer yet keeps its own
            // direction open.
            if let stream, stream.isHeartbeat || stream.isIncomplete { mux.finish(ref) }
            return .confirmed(ref)
        }
        switch own.removeValue(forKey: ref.slot) {
        case .heartbeat?:
            // Without it the agent's own beats still tell whether it lives.
            heartbeat = nil
            mux.finish(ref)
            return nil
        case .command?:
            mux.finish(ref)
            return .commandAnswered(ref, Refusal(nil, "the agent did not answer"))
        case nil: return .stream(event)
        }
    }

    // MARK: Answers

    public mutating func answer(_ ref: StreamRef, _ document: JSON) {
        messages[ref] = OutgoingMessage(document.bytes, ends: true)
        pump(ref)
    }

    /// Answers an Auth: the session is ready.
    public mutating func accept(_ ref: StreamRef, _ reply: AuthReply, heartbeat interval: UInt64, now: UInt64) {
        guard case .authenticating = phase else { return }
        phase = .ready
        lastBeat = now
        answer(ref, reply.document)
        if let agreed = reply.extension { mux.extend(streams: agreed.streams, inbound: 256) }
        heartbeat = Heartbeat(interval: interval, tolerance: interval * 3 / 2, now: now, seed: seed)
    }

    /// Answers an Auth with an error, and ends the session a little later.
    public mutating func refuse(_ ref: StreamRef, _ refusal: Refusal, now: UInt64) {
        phase = .refused(at: now)
        answer(ref, refusal.document)
    }

    private mutating func pump(_ ref: StreamRef) {
        guard var message = messages[ref] else { return }
        messages[ref] = message.pump(ref, &mux) ? nil : message
    }

    /// There is room in the output again.
    public mutating func pumpMessages() {
        for ref in messages.keys { pump(ref) }
    }

    /// - Returns: the stream on which the answer will come; `nil` when no stream may be opened now.
    public mutating func send(_ command: ServerCommand) -> StreamRef? {
        guard let ref = mux.open() else { return nil }
        let expectsAnswer = command.kind != .stopTunnel
        own[ref.slot] = .command(MessageReader(limit: 64 << 10))
        messages[ref] = OutgoingMessage(command.kind.bytes + command.document.bytes, ends: !expectsAnswer)
        pump(ref)
        return ref
    }

    // MARK: Time

    /// To be called several times a second.
    /// - Throws: when the session is over.
    public mutating func tick(now: UInt64) throws(End) {
        switch phase {
        case .unauthenticated(let since), .authenticating(let since):
            if now >= since &+ Self.authenticationTime { throw .unauthenticated }
        case .refused(let at):
            if now >= at &+ Self.refusalTime { throw .refused }
        case .draining:
            if visitorStreams == 0 { throw .drained }
            try beat(now)
        case .ready: try beat(now)
        }
        for (slot, stream) in inbound where stream.isIncomplete && now >= stream.opened &+ Self.requestTime {
            throw .disorder("a request on stream \(mux.streams[slot]?.id ?? 0) that never became complete")
        }
    }

    private mutating func beat(_ now: UInt64) throws(End) {
        if now >= lastBeat &+ peerTolerance { throw .heartbeatsLost }
        switch heartbeat?.tick(now: now) {
        case .send(let beat)?: send(beat)
        case .dead?: throw .heartbeatsLost
        case .wait?, nil: break
        }
    }

    private mutating func send(_ beat: [UInt8]) {
        if let heartbeatRef {
            _ = beat.withUnsafeBytes { mux.send(heartbeatRef, $0, isWhole: true) }
        } else if let ref = mux.open() {
            heartbeatRef = ref
            own[ref.slot] = .heartbeat
            _ = (StreamKind.heartbeat.bytes + beat).withUnsafeBytes { mux.send(ref, $0, isWhole: true) }
        }
    }

    /// Streams beside the session's own.
    public var visitorStreams: Int {
        max(0, mux.openStreams - inbound.count - own.count)
    }

    /// Accepts nothing new: the session ends when its streams have. An agent of ours is told, so that it connects
    /// elsewhere meanwhile.
    public mutating func drain() {
        guard phase == .ready else { return }
        phase = .draining
        mux.goAway()
        mux.stopOpening()
    }
}
