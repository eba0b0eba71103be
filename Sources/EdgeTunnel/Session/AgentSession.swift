public import Shared

/// The agent's half of one connection without its socket: Auth first, then calls, visitors' streams, heartbeats both
/// ways, and what the server asks.
public struct AgentSession: Sendable {
    public enum Event: Sendable {
        case accepted(AuthReply)
        case refused(Refusal)
        /// The answer to a call.
        case answered(StreamRef, Result<JSON, Refusal>)
        /// A visitor; the stream's payload follows as `stream` events.
        case visitor(StreamRef, ProxyHeader)
        case stream(MuxEvent)
        /// To be answered by `answer`, but for `stopTunnel`.
        case command(StreamRef, ServerCommand)
        /// The server serves no new visitors here; what is open may finish.
        case draining
    }

    public enum End: Error, Hashable, Sendable {
        case violation(MuxViolation)
        case goodbye
        case heartbeatsLost
        case disorder(String)
        /// The server did not answer in time.
        case silent
    }

    /// A stream that this side opened.
    private struct Own {
        enum Purpose {
            case heartbeat
            case authentication
            case call
        }

        let purpose: Purpose
        var reader: MessageReader

        init(_ purpose: Purpose, limit: Int = 8 << 20) {
            self.purpose = purpose
            reader = MessageReader(limit: limit)
        }
    }

    /// How long an answer may take. Servers hold requests while they start rather than refuse them.
    static let answerTime: UInt64 = 60_000_000_000
    /// Bytes of all headers and commands that are not complete yet.
    static let heldBytes = 8 << 20

    public var mux: MuxSession
    /// Streams by their identifiers, which are never used again.
    private var inbound: [UInt32: InboundStream] = [:]
    private var own: [UInt32: Own] = [:]
    private var held = 0
    private var waiting: [StreamRef: UInt64] = [:]
    private var messages: [StreamRef: OutgoingMessage] = [:]
    private var heartbeat: Heartbeat
    private var heartbeatRef: StreamRef?
    /// Payload behind a proxy header, to be handed on next.
    private var rest: MuxEvent?
    public private(set) var roundTrip: UInt64?
    public private(set) var isAccepted = false
    private var proposesExtension = false

    public init(heartbeat interval: UInt64, tolerance: UInt64, now: UInt64, seed: UInt32) {
        // Official servers have no more than 512 streams; how many ours may open is agreed on with Auth.
        mux = MuxSession(.agent, limits: MuxSession.Limits(streams: 520, inbound: 512))
        heartbeat = Heartbeat(interval: interval, tolerance: tolerance, now: now, seed: seed)
    }

    // MARK: Asking

    /// Begins the session: the first heartbeat, then Auth.
    public mutating func start(_ request: AuthRequest, now: UInt64) {
        beat(now)
        proposesExtension = request.extension != nil
        if let ref = call(.authenticate, request.document, now: now) {
            own[ref.id] = Own(.authentication, limit: 1 << 20)
        }
    }

    /// - Returns: the stream on which the answer will come; `nil` when no stream may be opened now.
    public mutating func call(_ kind: StreamKind, _ document: JSON, now: UInt64) -> StreamRef? {
        guard let ref = mux.open() else { return nil }
        own[ref.id] = Own(.call)
        waiting[ref] = now
        messages[ref] = OutgoingMessage(kind.bytes + document.bytes, ends: false)
        pump(ref)
        return ref
    }

    /// Answers a command; nothing happens when the server does not wait for an answer any more.
    public mutating func answer(_ ref: StreamRef, _ refusal: Refusal?) {
        guard mux.maySend(ref), messages[ref] == nil else { return }
        messages[ref] = OutgoingMessage((refusal?.document ?? [:]).bytes, ends: true)
        pump(ref)
    }

    private mutating func pump(_ ref: StreamRef) {
        guard var message = messages[ref] else { return }
        messages[ref] = message.pump(ref, &mux) ? nil : message
    }

    public mutating func pumpMessages() {
        for ref in messages.keys { pump(ref) }
    }

    // MARK: Receiving

    /// Reads on until something has happened that the caller must know.
    ///
    /// To be called until it returns `nil`, not only while bytes are left: an end may be known only after the last of
    /// them.
    public mutating func next(
        _ bytes: UnsafeRawBufferPointer, _ offset: inout Int, now: UInt64
    ) throws(End) -> Event? {
        if let event = rest {
            rest = nil
            if case .data(let ref, _) = event, mux.isLive(ref) { return .stream(event) }
        }
        while true {
            let event: MuxEvent?
            do throws(MuxViolation) { event = try mux.next(bytes, &offset) } catch { throw .violation(error) }
            guard let event else { return nil }
            switch event {
            case .goAway:
                guard mux.isExtended else { throw .goodbye }
                return .draining
            case .opened(let ref): inbound[ref.id] = InboundStream(now: now, takesProxy: true, messageLimit: 64 << 10)
            case .data(let ref, let range):
                let piece = UnsafeRawBufferPointer(rebasing: bytes[range])
                if ref.id & 1 == 1 {
                    if let answer = try receiveOwn(ref, piece, now) { return answer }
                } else if inbound[ref.id] != nil {
                    if let event = try receive(ref, piece, range, now) { return event }
                } else {
                    return .stream(event)
                }
            case .ended(let ref), .reset(let ref, _):
                if let event = try ended(ref, event) { return event }
            case .writable(let ref):
                if messages[ref] != nil {
                    pump(ref)
                } else if ref.id & 1 == 0, inbound[ref.id] == nil {
                    return .stream(event)
                }
            }
        }
    }

    private mutating func receive(
        _ ref: StreamRef, _ bytes: UnsafeRawBufferPointer, _ range: Range<Int>, _ now: UInt64
    ) throws(End) -> Event? {
        // In place: a copy of what the stream keeps, for every frame, would be most of the work.
        held -= inbound[ref.id]?.heldBytes ?? 0
        guard let step = inbound[ref.id]?.receive(bytes, now: now) else { return nil }
        held += inbound[ref.id]?.heldBytes ?? 0
        guard held <= Self.heldBytes else { throw .disorder("too many incomplete headers at once") }
        switch step {
        case .needMore:
            mux.credit(ref, bytes.count, now: now)
            return nil
        case .beats(let beats):
            mux.credit(ref, bytes.count, now: now)
            for beat in beats { _ = beat.withUnsafeBytes { mux.send(ref, $0, isWhole: true) } }
            return nil
        case .proxy(let header, let used):
            inbound[ref.id] = nil
            mux.credit(ref, used, now: now)
            let from = range.lowerBound + used
            if from < range.upperBound { rest = .data(ref, from..<range.upperBound) }
            return .visitor(ref, header)
        case .message(let kind, let document):
            mux.credit(ref, bytes.count, now: now)
            guard let command = ServerCommand(kind: kind, document) else {
                mux.finish(ref)
                return nil
            }
            if case .stopTunnel = command { mux.finish(ref) }
            return .command(ref, command)
        case .invalid:
            // As official agents do: the stream ends, the session lives.
            held -= inbound.removeValue(forKey: ref.id)?.heldBytes ?? 0
            mux.abandon(ref, .protocolError)
            return nil
        }
    }

    private mutating func receiveOwn(
        _ ref: StreamRef, _ bytes: UnsafeRawBufferPointer, _ now: UInt64
    ) throws(End) -> Event? {
        mux.credit(ref, bytes.count, now: now)
        switch own[ref.id]?.purpose {
        case .heartbeat?:
            if let measured = heartbeat.receive(bytes, now: now) {
                roundTrip = measured
                mux.measured(roundTrip: measured)
            }
        case .authentication?:
            guard let document = try complete(ref, bytes) else { return nil }
            return authenticated(document)
        case .call?:
            guard let document = try complete(ref, bytes) else { return nil }
            return .answered(ref, Refusal.of(document).map { .failure($0) } ?? .success(document))
        case nil: break
        }
        return nil
    }

    private mutating func complete(_ ref: StreamRef, _ bytes: UnsafeRawBufferPointer) throws(End) -> JSON? {
        switch own[ref.id]?.reader.receive(bytes) {
        case .needMore?, nil: return nil
        case .invalid?: throw .disorder("an answer that is no JSON object, or too long a one")
        case .complete(let document)?:
            waiting[ref] = nil
            own[ref.id] = nil
            messages[ref] = nil
            mux.finish(ref)
            return document
        }
    }

    private mutating func authenticated(_ document: JSON) -> Event {
        if let refusal = Refusal.of(document) { return .refused(refusal) }
        let reply = AuthReply(document)
        isAccepted = true
        if let agreed = reply.extension, proposesExtension {
            mux.extend(streams: agreed.streams + 512, inbound: agreed.streams + 256)
            // The first beat was measured before: without it windows would not grow until the second comes back.
            if let roundTrip { mux.measured(roundTrip: roundTrip) }
        }
        return .accepted(reply)
    }

    private mutating func ended(_ ref: StreamRef, _ event: MuxEvent) throws(End) -> Event? {
        if ref.id & 1 == 1 {
            guard let stream = own.removeValue(forKey: ref.id) else { return nil }
            waiting[ref] = nil
            messages[ref] = nil
            switch stream.purpose {
            case .heartbeat: throw .disorder("the heartbeat stream was ended")
            case .authentication: throw .disorder("Auth was not answered")
            case .call:
                mux.finish(ref)
                return .answered(ref, .failure(Refusal(nil, "The server did not answer.")))
            }
        }
        if let stream = inbound.removeValue(forKey: ref.id) {
            held -= stream.heldBytes
            if case .reset = event { messages[ref] = nil }
            if stream.isHeartbeat || stream.isIncomplete { mux.finish(ref) }
            return nil
        }
        return .stream(event)
    }

    // MARK: Time

    /// To be called several times a second.
    public mutating func tick(now: UInt64) throws(End) {
        if heartbeat.isLost(now: now) { throw .heartbeatsLost }
        beat(now)
        for (_, since) in waiting where now >= since &+ Self.answerTime { throw .silent }
    }

    private mutating func beat(_ now: UInt64) {
        guard case .send(let beat) = heartbeat.tick(now: now) else { return }
        if let heartbeatRef {
            _ = beat.withUnsafeBytes { mux.send(heartbeatRef, $0, isWhole: true) }
        } else if let ref = mux.open() {
            heartbeatRef = ref
            own[ref.id] = Own(.heartbeat)
            _ = (StreamKind.heartbeat.bytes + beat).withUnsafeBytes { mux.send(ref, $0, isWhole: true) }
        } else {
            heartbeat.withdraw()
        }
    }

    /// Visitors' streams that are open.
    public var visitors: Int { max(0, mux.inboundCount - inbound.count - mux.abandonedStreams) }
}
