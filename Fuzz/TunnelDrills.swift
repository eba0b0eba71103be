import Shared

/// One half under fire: what its caller does by itself, and the promises that hold after every step.
protocol Drill: AnyObject {
    var mux: MuxSession { get set }
    var check: OutputCheck { get set }
    var visitors: [StreamRef] { get set }
    var now: UInt64 { get set }
    var isOver: Bool { get set }
    /// Whether nothing is read from the half any more.
    var isDeaf: Bool { get set }
    /// All events that the bytes bring.
    func receive(_ bytes: UnsafeRawBufferPointer) throws
    func tick() throws
    func act(_ choice: UInt8)
    /// Bytes that are kept beside the output.
    var kept: Int { get }
}

extension Drill {
    func feed(_ bytes: UnsafeRawBufferPointer, _ cut: Int) {
        pieces(bytes, cut) { piece in
            take(piece)
            now += 1_000_000
            return !isOver
        }
        late()
    }

    func take(_ bytes: UnsafeRawBufferPointer) {
        guard !isOver else { return }
        do { try receive(bytes) } catch { isOver = true }
        settle()
    }

    /// Time passes until the session must be over or quiet.
    func late() {
        for _ in 0..<4 where !isOver {
            now += 8_000_000_000
            do { try tick() } catch { isOver = true }
            settle()
        }
    }

    func settle() {
        let bound = mux.limits.output + (mux.isExtended ? 4 << 20 : 512 << 10)
        // A frame of DATA, and what one read may answer, come on top.
        promise(mux.outputCount <= bound + (256 << 10), "output is bounded")
        promise(mux.openStreams <= mux.limits.streams + mux.limits.inbound, "streams are bounded")
        promise(mux.inboundCount <= mux.limits.inbound, "the peer's streams are bounded")
        promise(kept <= 40 << 20, "what is kept is bounded")
        promise(mux.noise <= 10_001, "noise is bounded")
        promise(mux.growth.map { (0...WindowGrowth.budget).contains($0.left) } ?? true, "growth is within its budget")
        promise(mux.abandonedStreams <= mux.openStreams, "streams that were given up are counted once")
        guard !isDeaf || isOver else { return }
        var check = check
        mux.withOutput { check.read($0) }
        self.check = check
        mux.dropOutput(mux.outputCount)
    }

    func stream(_ event: MuxEvent) {
        switch event {
        case .data(let ref, let range): mux.credit(ref, range.count, now: now)
        case .ended(let ref): if ref.id % 3 == 0 { mux.finish(ref) }
        case .reset(let ref, _): visitors.removeAll { $0 == ref }
        case .opened, .writable, .goAway: break
        }
    }

    func send(_ choice: Int, _ count: Int) {
        guard !visitors.isEmpty else { return }
        let ref = visitors[choice % visitors.count]
        let bytes = [UInt8](repeating: 7, count: count)
        let sent = bytes.withUnsafeBytes { mux.send(ref, $0) }
        promise(sent <= count, "no more is sent than there is")
    }
}

final class ServerDrill: Drill {
    var session = ServerSession(now: 0, seed: 1)
    // Without copies: they would be most of a run's time.
    var mux: MuxSession {
        _read { yield session.mux }
        _modify { yield &session.mux }
    }
    var check = OutputCheck(own: 2)
    var visitors: [StreamRef] = []
    var now: UInt64 = 0
    var isOver = false
    var isDeaf = false
    private var calls: [StreamRef] = []
    private var answered: Set<StreamRef> = []
    // The callers' answers come on top of what a peer may make us keep.
    var kept: Int { session.held }

    func receive(_ bytes: UnsafeRawBufferPointer) throws {
        var offset = 0
        while let event = try session.next(bytes, &offset, now: now) {
            switch event {
            case .stream(let event): stream(event)
            case .call(let ref, .authenticate(let request)):
                if request.authtoken == "bad" {
                    answered.insert(ref)
                    session.refuse(ref, Refusal(107, "no"), now: now)
                } else {
                    accept(ref, request)
                }
            case .call(let ref, let call):
                calls.append(ref)
                if case .unbind = call { continue }
                answer()
            case .confirmed(let ref): promise(answered.remove(ref) != nil, "a call is confirmed once, after its answer")
            case .commandAnswered: break
            }
        }
        promise(offset == bytes.count, "all bytes are used")
        promise(session.held >= 0, "what is kept is counted")
    }

    private func accept(_ ref: StreamRef, _ request: AuthRequest) {
        answered.insert(ref)
        var reply = AuthReply(clientID: "c", cookie: "k", region: "r")
        reply.extension = request.extension
        session.accept(ref, reply, heartbeat: 5_000_000_000, now: now)
    }

    private func answer() {
        guard let ref = calls.popLast() else { return }
        answered.insert(ref)
        // Now and then more than a window.
        session.answer(ref, ["Id": .string(String(repeating: "x", count: ref.id % 9 == 0 ? 300_000 : 10))])
    }

    func tick() throws {
        try session.tick(now: now)
        session.pumpMessages()
        var offset = 0
        while let event = try session.next(UnsafeRawBufferPointer(start: nil, count: 0), &offset, now: now) {
            if case .confirmed(let ref) = event {
                promise(answered.remove(ref) != nil, "a call is confirmed once, after its answer")
            }
        }
    }

    func act(_ choice: UInt8) {
        switch choice % 6 {
        case 0: answer()
        case 1: _ = session.send(.stop)
        case 2: _ = session.send(.stopTunnel(id: "t", message: "m", code: nil))
        case 3: session.drain()
        case 4: session.pumpMessages()
        default:
            guard session.isReady, let ref = session.mux.open() else { return }
            visitors.append(ref)
            let header = ProxyHeader(
                tunnelID: "t", clientAddress: "a", proto: "http", edgeType: .https, isPassthrough: false)
            _ = header.bytes.withUnsafeBytes { session.mux.send(ref, $0) }
        }
        promise(session.visitorStreams <= visitors.count + 1, "visitors' streams are those that were opened")
    }
}

final class AgentDrill: Drill {
    var session = AgentSession(heartbeat: 5_000_000_000, tolerance: 5_000_000_000, now: 0, seed: 1)
    // Without copies: they would be most of a run's time.
    var mux: MuxSession {
        _read { yield session.mux }
        _modify { yield &session.mux }
    }
    var check = OutputCheck(own: 3)
    var visitors: [StreamRef] = []
    var now: UInt64 = 0
    var isOver = false
    var isDeaf = false
    private var commands: [StreamRef] = []
    var kept: Int { 0 }

    init() {
        var request = AuthRequest()
        request.extension = Extension(streams: 100)
        session.start(request, now: 0)
    }

    func receive(_ bytes: UnsafeRawBufferPointer) throws {
        var offset = 0
        while let event = try session.next(bytes, &offset, now: now) {
            switch event {
            case .stream(let event): stream(event)
            case .visitor(let ref, _): visitors.append(ref)
            case .command(let ref, _): commands.append(ref)
            case .accepted, .refused, .answered, .draining: break
            }
        }
        promise(offset == bytes.count, "all bytes are used")
    }

    func tick() throws {
        try session.tick(now: now)
        session.pumpMessages()
    }

    func act(_ choice: UInt8) {
        switch choice % 3 {
        case 0: _ = session.call(.unbind, ["Id": "t"], now: now)
        case 1: if let ref = commands.popLast() { session.answer(ref, nil) }
        default: session.pumpMessages()
        }
        promise(session.visitors <= session.mux.openStreams, "visitors' streams are those that are open")
    }
}
