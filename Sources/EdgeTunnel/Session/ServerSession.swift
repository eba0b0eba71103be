import Shared

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
        /// To be answered: an Auth by `accept` or `refuse`, all others by `answer`.
        case call(StreamRef, AgentCall)
        /// The agent has read the answer to this call (agent-protocol.md 7.7), or given the call up: in either case
        /// nothing more will be heard of it. Comes once for each call, and never before its answer.
        case confirmed(StreamRef)
        /// Once for each command; of one that expects no answer, when the agent has ended its stream.
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

    /// A stream that this side opened for itself.
    struct Own {
        enum Purpose {
            case heartbeat
            case command
            /// A command that expects no answer.
            case notice
        }

        let ref: StreamRef
        let purpose: Purpose
        var reader = MessageReader(limit: 64 << 10)
        /// When time began to run for it, in nanoseconds.
        var since: UInt64?
    }

    static let authenticationTime: UInt64 = 15_000_000_000
    static let requestTime: UInt64 = 15_000_000_000
    static let refusalTime: UInt64 = 1_000_000_000
    /// For how long an agent that is asked no heartbeats may be silent.
    static let longestSilence: UInt64 = 60_000_000_000
    /// Bytes of all requests that are not answered yet, and of all answers that are not sent: of a stranger, and of an
    /// agent.
    static let strangersBytes = 256 << 10
    static let heldBytes = 8 << 20

    public var mux: MuxSession
    var phase: Phase
    /// Streams by their identifiers, which are never used again.
    var inbound: [UInt32: InboundStream] = [:]
    var own: [UInt32: Own] = [:]
    /// Calls that were handed on and are not answered, with the bytes of their requests.
    var calls: [StreamRef: Int] = [:]
    var messages: [StreamRef: OutgoingMessage] = [:]
    /// Calls that the agent ended before their answers were sent.
    var endedEarly: Set<StreamRef> = []
    /// What `heldBytes` is about.
    var held = 0
    /// To be told before anything else is read.
    var pending: [Event] = []
    var heartbeat: Heartbeat?
    var heartbeatRef: StreamRef?
    private var peerTolerance: UInt64 = 25_000_000_000
    var lastBeat: UInt64
    /// The latest heartbeat's way there and back, in nanoseconds.
    public internal(set) var roundTrip: UInt64?
    /// What the agent proposed to be more than official agents are.
    private(set) var proposed: Extension?
    let seed: UInt32

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
    private var isAuthenticated: Bool { phase == .ready || phase == .draining }

    // MARK: Receiving

    /// Reads on until something has happened that the caller must know.
    ///
    /// To be called until it returns `nil`, not only while bytes are left: an end may be known only after the last of
    /// them. An empty buffer asks for what `answer` and `tick` have brought about.
    /// - Returns: `nil` when the bytes are used up.
    public mutating func next(
        _ bytes: UnsafeRawBufferPointer, _ offset: inout Int, now: UInt64
    ) throws(End) -> Event? {
        if !pending.isEmpty { return pending.removeFirst() }
        while true {
            let event: MuxEvent?
            do throws(MuxViolation) { event = try mux.next(bytes, &offset) } catch { throw .violation(error) }
            guard let event else { return nil }
            switch event {
            case .goAway:
                // An agent of ours drains.
                guard mux.isExtended else { throw .goodbye }
                if phase == .ready { phase = .draining }
            case .opened(let ref): inbound[ref.id] = InboundStream(now: now, takesProxy: false, messageLimit: limit)
            case .data(let ref, let range):
                let piece = UnsafeRawBufferPointer(rebasing: bytes[range])
                if ref.id & 1 == 1 {
                    if let call = try receive(ref, piece, now) { return call }
                } else if own[ref.id] != nil {
                    if let answer = receiveOwn(ref, piece, now) { return answer }
                } else {
                    return .stream(event)
                }
            case .ended(let ref), .reset(let ref, _):
                if let event = ended(ref, event) { return event }
            case .writable(let ref):
                if messages[ref] != nil {
                    pump(ref)
                    if !pending.isEmpty { return pending.removeFirst() }
                } else if ref.id & 1 == 0, own[ref.id] == nil {
                    return .stream(event)
                }
            }
        }
    }

    /// Who has not shown a token sends small messages only.
    private var limit: Int { isAuthenticated ? 4 << 20 : 64 << 10 }

    private mutating func receive(
        _ ref: StreamRef, _ bytes: UnsafeRawBufferPointer, _ now: UInt64
    ) throws(End) -> Event? {
        // In place: a copy of what the stream keeps, for every frame, would be most of the work.
        held -= inbound[ref.id]?.heldBytes ?? 0
        let step = inbound[ref.id]?.receive(bytes, now: now)
        held += inbound[ref.id]?.heldBytes ?? 0
        mux.credit(ref, bytes.count, now: now)
        switch step {
        case .needMore?, .proxy?, nil: break
        case .beats(let beats)?:
            lastBeat = now
            for beat in beats { _ = beat.withUnsafeBytes { mux.send(ref, $0, isWhole: true) } }
        case .message(let kind, let document)?:
            guard try admits(AgentCall(kind: kind, document)) else {
                inbound[ref.id] = nil
                return nil
            }
            let size = inbound[ref.id]?.received ?? 0
            calls[ref] = size
            held += size
            try checkHeld()
            return .call(ref, AgentCall(kind: kind, document))
        case .invalid?: throw .disorder("a request that is no JSON object, or too long a one")
        }
        try checkHeld()
        return nil
    }

    private func checkHeld() throws(End) {
        guard held <= (isAuthenticated ? Self.heldBytes : Self.strangersBytes), calls.count <= 2 * mux.limits.inbound
        else { throw .disorder("too many or too large requests at once") }
    }

    /// - Returns: whether the caller hears of the call.
    private mutating func admits(_ call: AgentCall) throws(End) -> Bool {
        switch (phase, call) {
        case (.refused, _): return false
        case (_, .serverInformation): return true
        case (.unauthenticated(let since), .authenticate(let request)):
            phase = .authenticating(since: since)
            peerTolerance = Self.tolerance(request)
            proposed = request.extension
            return true
        case (.ready, .authenticate), (.draining, .authenticate), (.authenticating, .authenticate):
            throw .disorder("a second Auth")
        case (.ready, _), (.draining, _): return true
        default: throw .disorder("a request before Auth")
        }
    }

    /// An agent may beat as seldom as it likes: our own heartbeats tell whether it lives.
    private static func tolerance(_ request: AuthRequest) -> UInt64 {
        let longest: Int64 = 86_400_000_000_000
        let asUsual = AuthRequest()
        let interval = request.heartbeatInterval > 0 ? request.heartbeatInterval : asUsual.heartbeatInterval
        let tolerance = request.heartbeatTolerance > 0 ? request.heartbeatTolerance : asUsual.heartbeatTolerance
        return UInt64(max(min(interval, longest) + min(tolerance, longest), 1_000_000_000))
    }

    /// For how long the agent's own beats may be missing.
    var silence: UInt64 { heartbeatRef == nil ? min(peerTolerance, Self.longestSilence) : peerTolerance }

    private mutating func receiveOwn(_ ref: StreamRef, _ bytes: UnsafeRawBufferPointer, _ now: UInt64) -> Event? {
        mux.credit(ref, bytes.count, now: now)
        switch own[ref.id]?.purpose {
        case .heartbeat?:
            guard let measured = heartbeat?.receive(bytes, now: now) else { return nil }
            roundTrip = measured
            mux.measured(roundTrip: measured)
            return nil
        case .command?:
            switch own[ref.id]?.reader.receive(bytes) {
            case .needMore?, nil: return nil
            case .complete(let document)?: return close(ref, Refusal.of(document))
            case .invalid?: return close(ref, Refusal(nil, "the agent's answer cannot be read"))
            }
        case .notice?, nil: return nil
        }
    }

    private mutating func ended(_ ref: StreamRef, _ event: MuxEvent) -> Event? {
        if ref.id & 1 == 1 { return endedInbound(ref, event) }
        switch own[ref.id]?.purpose {
        case .heartbeat?:
            // Without it the agent's own beats still tell whether it lives.
            own[ref.id] = nil
            heartbeat = nil
            heartbeatRef = nil
            mux.finish(ref)
            return nil
        case .command?, .notice?:
            let isNotice = own[ref.id]?.purpose == .notice
            own[ref.id] = nil
            messages[ref] = nil
            mux.finish(ref)
            return .commandAnswered(ref, isNotice ? nil : Refusal(nil, "the agent did not answer"))
        case nil: return .stream(event)
        }
    }

    private mutating func endedInbound(_ ref: StreamRef, _ event: MuxEvent) -> Event? {
        guard let stream = inbound.removeValue(forKey: ref.id) else { return nil }
        held -= stream.heldBytes
        // What its opener ends is answered in kind, but for a request without an answer: that has its own direction yet.
        guard stream.stage == .answered else {
            mux.finish(ref)
            return nil
        }
        if case .reset = event { drop(ref) }
        guard calls[ref] == nil, messages[ref] == nil else {
            endedEarly.insert(ref)
            return nil
        }
        return .confirmed(ref)
    }
}
