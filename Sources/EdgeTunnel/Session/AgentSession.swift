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

    private enum Own {
        case heartbeat
        case authentication(MessageReader)
        case call(MessageReader)
    }

    /// How long an answer may take. Servers hold requests while they start rather than refuse them.
    static let answerTime: UInt64 = 60_000_000_000

    public var mux: MuxSession
    private var inbound: [Int: InboundStream] = [:]
    private var own: [Int: Own] = [:]
    private var waiting: [StreamRef: UInt64] = [:]
    private var messages: [StreamRef: OutgoingMessage] = [:]
    private var heartbeat: Heartbeat
    private var heartbeatRef: StreamRef?
    /// Payload behind a proxy header, to be handed on next.
    private var rest: MuxEvent?
    public private(set) var roundTrip: UInt64?
    public private(set) var isAccepted = false

    public init(heartbeat interval: UInt64, tolerance: UInt64, now: UInt64, seed: UInt32) {
        // Official servers have no more than 512 streams; how many ours may open is agreed on with Auth.
        mux = MuxSession(.agent, limits: MuxSession.Limits(streams: 520, inbound: 512))
        heartbeat = Heartbeat(interval: interval, tolerance: tolerance, now: now, seed: seed)
    }

    // MARK: Asking

    /// Begins the session: the first heartbeat, then Auth.
    public mutating func start(_ request: AuthRequest, now: UInt64) {
        if case .send(let beat) = heartbeat.tick(now: now) { send(beat) }
        if let ref = call(.authenticate, request.document, now: now) {
            own[ref.slot] = .authentication(MessageReader(limit: 1 << 20))
        }
    }

    /// - Returns: the stream on which the answer will come; `nil` when no stream may be opened now.
    public mutating func call(_ kind: StreamKind, _ document: JSON, now: UInt64) -> StreamRef? {
        guard let ref = mux.open() else { return nil }
        own[ref.slot] = .call(MessageReader(limit: 8 << 20))
        waiting[ref] = now
        messages[ref] = OutgoingMessage(kind.bytes + document.bytes, ends: false)
        pump(ref)
        return ref
    }

    public mutating func answer(_ ref: StreamRef, _ refusal: Refusal?) {
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

    public mutating func next(
        _ bytes: UnsafeRawBufferPointer, _ offset: inout Int, now: UInt64
    ) throws(End) -> Event? {
        if let event = rest {
            rest = nil
            return .stream(event)
        }
        while true {
            let event: MuxEvent?
            do throws(MuxViolation) { event = try mux.next(bytes, &offset) } catch { throw .violation(error) }
            guard let event else { return nil }
            switch event {
            case .goAway:
                guard mux.isExtended else { throw .goodbye }
                return .draining
            case .opened(let ref): inbound[ref.slot] = InboundStream(now: now, takesProxy: true, messageLimit: 64 << 10)
            case .data(let ref, let range):
                let piece = UnsafeRawBufferPointer(rebasing: bytes[range])
                if own[ref.slot] != nil, ref.id & 1 == 1 {
                    if let answer = try receiveOwn(ref, piece, now) { return answer }
                } else if inbound[ref.slot] != nil {
                    if let event = try receive(ref, piece, range, now) { return event }
                } else {
                    return .stream(event)
                }
            case .ended(let ref), .reset(let ref, _):
                if let event = try ended(ref, event) { return event }
            case .writable(let ref):
                guard messages[ref] != nil else { return .stream(event) }
                pump(ref)
            }
        }
    }

    private mutating func receive(
        _ ref: StreamRef, _ bytes: UnsafeRawBufferPointer, _ range: Range<Int>, _ now: UInt64
    ) throws(End) -> Event? {
        guard var stream = inbound[ref.slot] else { return nil }
        let step = stream.receive(bytes, now: now)
        inbound[ref.slot] = stream
        switch step {
        case .needMore:
            mux.credit(ref, bytes.count, now: now)
            return nil
        case .beats(let beats):
            mux.credit(ref, bytes.count, now: now)
            for beat in beats { _ = beat.withUnsafeBytes { mux.send(ref, $0, isWhole: true) } }
            return nil
        case .proxy(let header, let used):
            inbound[ref.slot] = nil
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
        case .invalid: throw .disorder("a stream that begins with nothing this agent knows")
        }
    }

    private mutating func receiveOwn(
        _ ref: StreamRef, _ bytes: UnsafeRawBufferPointer, _ now: UInt64
    ) throws(End) -> Event? {
        mux.credit(ref, bytes.count, now: now)
        switch own[ref.slot] {
        case .heartbeat:
            if let measured = heartbeat.receive(bytes, now: now) {
                roundTrip = measured
                mux.measured(roundTrip: measured)
            }
        case .authentication(var reader):
            let step = reader.receive(bytes)
            own[ref.slot] = .authentication(reader)
            return try authenticated(ref, step)
        case .call(var reader):
            let step = reader.receive(bytes)
            own[ref.slot] = .call(reader)
            guard let document = try complete(ref, step) else { return nil }
            return .answered(ref, Refusal.of(document).map { .failure($0) } ?? .success(document))
        case nil: break
        }
        return nil
    }

    private mutating func complete(_ ref: StreamRef, _ step: MessageReader.Step) throws(End) -> JSON? {
        switch step {
        case .needMore: return nil
        case .invalid: throw .disorder("an answer that is no JSON object, or too long a one")
        case .complete(let document):
            waiting[ref] = nil
            own[ref.slot] = nil
            mux.finish(ref)
            return document
        }
    }

    private mutating func authenticated(_ ref: StreamRef, _ step: MessageReader.Step) throws(End) -> Event? {
        guard let document = try complete(ref, step) else { return nil }
        if let refusal = Refusal.of(document) { return .refused(refusal) }
        let reply = AuthReply(document)
        isAccepted = true
        if let agreed = reply.extension { mux.extend(streams: agreed.streams + 512, inbound: agreed.streams + 256) }
        return .accepted(reply)
    }

    private mutating func ended(_ ref: StreamRef, _ event: MuxEvent) throws(End) -> Event? {
        if ref.id & 1 == 1 {
            guard let kind = own.removeValue(forKey: ref.slot) else { return nil }
            waiting[ref] = nil
            messages[ref] = nil
            switch kind {
            case .heartbeat: throw .disorder("the heartbeat stream was ended")
            case .authentication: throw .disorder("Auth was not answered")
            case .call:
                mux.finish(ref)
                return .answered(ref, .failure(Refusal(nil, "The server did not answer.")))
            }
        }
        if let stream = inbound.removeValue(forKey: ref.slot) {
            messages[ref] = nil
            if stream.isHeartbeat || stream.isIncomplete { mux.finish(ref) }
            return nil
        }
        return .stream(event)
    }

    // MARK: Time

    /// To be called several times a second.
    public mutating func tick(now: UInt64) throws(End) {
        switch heartbeat.tick(now: now) {
        case .send(let beat): send(beat)
        case .dead: throw .heartbeatsLost
        case .wait: break
        }
        for (_, since) in waiting where now >= since &+ Self.answerTime { throw .silent }
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

    /// Visitors' streams that are open.
    public var visitors: Int { max(0, mux.openStreams - own.count - inbound.count) }
}
