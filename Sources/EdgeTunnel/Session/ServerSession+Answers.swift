public import Shared

extension ServerSession {
    // MARK: Answers

    /// Answers a call; nothing happens when it was answered before.
    public mutating func answer(_ ref: StreamRef, _ document: JSON) {
        guard let size = calls.removeValue(forKey: ref) else { return }
        held -= size
        let message = OutgoingMessage(document.bytes, ends: true)
        held += message.count
        messages[ref] = message
        pump(ref)
    }

    /// Answers an Auth: the session is ready.
    public mutating func accept(_ ref: StreamRef, _ reply: AuthReply, heartbeat interval: UInt64, now: UInt64) {
        guard case .authenticating = phase else { return }
        phase = .ready
        lastBeat = now
        answer(ref, reply.document)
        if let agreed = reply.extension, proposed != nil { mux.extend(streams: agreed.streams, inbound: 256) }
        heartbeat = Heartbeat(interval: interval, tolerance: interval &+ interval / 2, now: now, seed: seed)
        // Before visitors can take the last place.
        beat(now)
    }

    /// Answers an Auth with an error, and ends the session a little later. Any other call is only answered.
    public mutating func refuse(_ ref: StreamRef, _ refusal: Refusal, now: UInt64) {
        if case .authenticating = phase { phase = .refused(at: now) }
        answer(ref, refusal.document)
    }

    mutating func pump(_ ref: StreamRef) {
        guard var message = messages[ref] else { return }
        guard message.pump(ref, &mux) else {
            messages[ref] = message
            return
        }
        drop(ref)
        if endedEarly.remove(ref) != nil { pending.append(.confirmed(ref)) }
    }

    /// Forgets what is still to be sent on a stream.
    mutating func drop(_ ref: StreamRef) {
        guard let message = messages.removeValue(forKey: ref) else { return }
        if ref.id & 1 == 1 { held -= message.count }
    }

    /// There is room in the output again.
    public mutating func pumpMessages() {
        for ref in messages.keys { pump(ref) }
    }

    // MARK: Commands

    /// - Returns: the stream on which the answer will come; `nil` when no stream may be opened now.
    public mutating func send(_ command: ServerCommand) -> StreamRef? {
        guard let ref = mux.open() else { return nil }
        let isNotice = command.kind == .stopTunnel
        own[ref.id] = Own(ref: ref, purpose: isNotice ? .notice : .command)
        messages[ref] = OutgoingMessage(command.kind.bytes + command.document.bytes, ends: isNotice)
        pump(ref)
        return ref
    }

    /// A command's stream is done with. Agents in Go never end theirs.
    mutating func close(_ ref: StreamRef, _ refusal: Refusal?) -> Event {
        own[ref.id] = nil
        messages[ref] = nil
        mux.abandon(ref)
        // Agents in Go would never end it.
        mux.cutOff(ref.slot)
        return .commandAnswered(ref, refusal)
    }

    private mutating func expireCommands(_ now: UInt64) {
        for (id, stream) in own where stream.purpose != .heartbeat {
            guard let since = stream.since else {
                own[id]?.since = now
                continue
            }
            guard now >= since &+ Self.requestTime else { continue }
            let refusal = stream.purpose == .notice ? nil : Refusal(nil, "the agent did not answer in time")
            pending.append(close(stream.ref, refusal))
        }
    }

    // MARK: Time

    /// To be called several times a second, and `next` after it: commands may have run out of time.
    /// - Throws: when the session is over.
    public mutating func tick(now: UInt64) throws(End) {
        switch phase {
        case .unauthenticated(let since), .authenticating(let since):
            if now >= since &+ Self.authenticationTime { throw .unauthenticated }
        case .refused(let at):
            if now >= at &+ Self.refusalTime { throw .refused }
            return
        case .draining:
            if visitorStreams == 0 { throw .drained }
            try checkBeats(now)
        case .ready: try checkBeats(now)
        }
        for (id, stream) in inbound where stream.isIncomplete && now >= stream.opened &+ Self.requestTime {
            throw .disorder("a request on stream \(id) that never became complete")
        }
        expireCommands(now)
    }

    private mutating func checkBeats(_ now: UInt64) throws(End) {
        if now >= lastBeat &+ silence || heartbeat?.isLost(now: now) == true { throw .heartbeatsLost }
        beat(now)
    }

    private mutating func beat(_ now: UInt64) {
        guard case .send(let beat)? = heartbeat?.tick(now: now) else { return }
        if let heartbeatRef {
            _ = beat.withUnsafeBytes { mux.send(heartbeatRef, $0, isWhole: true) }
        } else if let ref = mux.open() {
            heartbeatRef = ref
            own[ref.id] = Own(ref: ref, purpose: .heartbeat)
            _ = (StreamKind.heartbeat.bytes + beat).withUnsafeBytes { mux.send(ref, $0, isWhole: true) }
        } else {
            heartbeat?.withdraw()
        }
    }

    /// Visitors' streams that are open.
    public var visitorStreams: Int {
        max(0, mux.openStreams - mux.inboundCount - mux.abandonedStreams - own.count)
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
