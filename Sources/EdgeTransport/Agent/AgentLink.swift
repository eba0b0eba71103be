import EdgeCore
import EdgeTunnel
import Shared

/// The agent's half of one connection: Auth, the tunnels one after the other, and then visitors.
final class AgentLink: TunnelLink {
    private var session: AgentSession
    private let settings: AgentLinkSettings
    private let events: @Sendable (AgentLinkEvent) -> Void
    /// Tunnels by the identifier that visitors come with.
    private var tunnels: [String: Int] = [:]
    /// The tunnel that is being opened, and the stream of its answer.
    private var opening: (index: Int, ref: StreamRef)?
    private var commands: [ServerCommand: StreamRef] = [:]
    private var visitors: [ObjectIdentifier: AgentVisitor] = [:]
    private var isDraining = false
    /// It is this side that wants to go.
    private var isLeaving = false
    /// Answers of the server that it sends no more visitors to a tunnel.
    private var leaving: Set<StreamRef> = []
    private var told: UInt64?

    init(
        channel: Channel, settings: AgentLinkSettings, events: @escaping @Sendable (AgentLinkEvent) -> Void
    ) {
        self.settings = settings
        self.events = events
        session = AgentSession(
            heartbeat: UInt64(max(1, settings.auth.heartbeatInterval)),
            tolerance: UInt64(max(1, settings.auth.heartbeatTolerance)), now: channel.loop.now.nanoseconds,
            seed: UInt32.random(in: 0 ... .max))
        super.init(channel: channel)
    }

    func start() {
        session.start(settings.auth, now: loop.now.nanoseconds)
        channel.setDeadline(milliseconds: Self.tickMilliseconds)
        flush()
        channel.readAgain()
    }

    var visitorCount: Int { visitors.count }

    // MARK: The session

    override func open() -> StreamRef? { session.mux.open() }
    override func send(_ ref: StreamRef, _ bytes: UnsafeRawBufferPointer) -> Int { session.mux.send(ref, bytes) }
    override func finish(_ ref: StreamRef) { session.mux.finish(ref) }
    override func credit(_ ref: StreamRef, _ count: Int) { session.mux.credit(ref, count, now: loop.now.nanoseconds) }
    override func abandon(_ ref: StreamRef, _ code: MuxCode) { session.mux.abandon(ref, code) }
    override func credited(_ ref: StreamRef) -> UInt64? { session.mux.credited(ref) }
    override var isExtended: Bool { session.mux.isExtended }
    override var isOutputFull: Bool { session.mux.isOutputFull }
    override var outputCount: Int { session.mux.outputCount }
    override func pumpMessages() { session.pumpMessages() }

    override func drainOutput() {
        session.mux.withOutput { channel.write($0) }
        session.mux.dropOutput(session.mux.outputCount)
    }

    override func receive(_ bytes: UnsafeRawBufferPointer) {
        var offset = 0
        let now = loop.now.nanoseconds
        do throws(AgentSession.End) {
            while !isOver, let event = try session.next(bytes, &offset, now: now) { act(on: event, bytes) }
        } catch {
            end(describe(error))
        }
    }

    private func act(on event: AgentSession.Event, _ bytes: UnsafeRawBufferPointer) {
        switch event {
        case .accepted(let reply):
            events(.accepted(reply))
            openTunnel(0)
        case .refused(let refusal):
            events(.refused(refusal))
            end("the server refused the session")
        case .answered(let ref, let outcome): answered(ref, outcome)
        case .visitor(let ref, let header): arrived(ref, header)
        case .stream(let event): handle(event, bytes)
        case .command(let ref, let command): obey(ref, command)
        case .draining:
            isDraining = true
            events(.draining)
            endIfDrained()
        }
    }

    override func channelDeadline(_ channel: Channel) {
        do throws(AgentSession.End) {
            try session.tick(now: loop.now.nanoseconds)
        } catch {
            return end(describe(error))
        }
        receive(UnsafeRawBufferPointer(start: nil, count: 0))
        guard !isOver else { return }
        if let measured = session.roundTrip, measured != told {
            told = measured
            events(.latency(nanoseconds: measured))
        }
        for visitor in visitors.values { visitor.tellTraffic() }
        settle()
        endIfDrained()
        channel.setDeadline(milliseconds: Self.tickMilliseconds)
    }

    // MARK: Tunnels

    private func openTunnel(_ index: Int) {
        guard index < settings.tunnels.count else { return opening = nil }
        let (kind, document): (StreamKind, JSON) =
            switch settings.tunnels[index].request {
            case .labelled(let document): (.startLabelled, document)
            case .endpoint(let document): (.bind, document)
            }
        guard let ref = session.call(kind, document, now: loop.now.nanoseconds) else {
            return end("no stream could be opened")
        }
        opening = (index, ref)
        scheduleFlush()
    }

    private func answered(_ ref: StreamRef, _ outcome: Result<JSON, Refusal>) {
        if leaving.remove(ref) != nil { return endIfDrained() }
        guard let (index, expected) = opening, expected == ref else { return }
        switch outcome {
        case .failure(let refusal): events(.bindFailed(index, refusal))
        case .success(let document):
            var reply: BindReply?
            if case .endpoint = settings.tunnels[index].request { reply = BindReply(document) }
            let id = reply?.id ?? document["Id"]?.stringValue ?? ""
            tunnels[id] = index
            events(.bound(index, id: id, reply: reply))
            if isLeaving { leave(id) }
        }
        openTunnel(index + 1)
    }

    private func obey(_ ref: StreamRef, _ command: ServerCommand) {
        if case .stopTunnel(let id, let message, _) = command {
            guard let index = tunnels.removeValue(forKey: id) else { return }
            return events(.stopped(index, message: message))
        }
        commands[command] = ref
        events(.command(command))
    }

    func answer(_ command: ServerCommand, _ refusal: Refusal?) {
        guard let ref = commands.removeValue(forKey: command), !isOver else { return }
        session.answer(ref, refusal)
        scheduleFlush()
    }

    // MARK: Visitors

    private func arrived(_ ref: StreamRef, _ header: ProxyHeader) {
        let stream = TunnelStream(link: self, header: [])
        let visitorChannel = Channel(loop: loop, carrier: stream)
        adopt(stream, ref)
        guard let index = tunnels[header.tunnelID] else { return visitorChannel.closeGracefully() }
        let visitor = AgentVisitor(
            channel: visitorChannel, header: header, tunnel: settings.tunnels[index]
        ) { [events] event in
            events(event.numbered(index))
        }
        let key = ObjectIdentifier(visitor)
        visitors[key] = visitor
        visitor.start { [self] in
            visitors[key] = nil
            endIfDrained()
        }
    }

    /// Gives the tunnels back, so that the server sends nothing new and keeps no streams for later, and ends when all
    /// that is open has finished.
    func drain() {
        guard !isLeaving else { return }
        isDraining = true
        isLeaving = true
        for id in tunnels.keys { leave(id) }
        endIfDrained()
    }

    /// Visitors that are on their way are still served.
    private func leave(_ id: String) {
        guard let ref = session.call(.unbind, ["Id": .string(id)], now: loop.now.nanoseconds) else { return }
        leaving.insert(ref)
        scheduleFlush()
    }

    private var isDrained: Bool { isDraining && visitors.isEmpty && leaving.isEmpty && openVisitors == 0 }

    private func endIfDrained() {
        guard isDrained else { return }
        loop.afterRound { [self] in
            // Somebody may have come meanwhile.
            if isDrained { end("drained", inOrder: true) }
        }
    }

    /// Told when the last byte is out: a program may end itself then.
    override func ended() {
        visitors = [:]
        let (events, reason) = (self.events, endReason)
        guard channel.isOpen else { return events(.ended(reason: reason)) }
        channel.onClose = { events(.ended(reason: reason)) }
    }

    private func describe(_ end: AgentSession.End) -> String {
        switch end {
        case .violation(let violation): "the server broke the protocol: \(violation)"
        case .goodbye: "the server said goodbye"
        case .heartbeatsLost: "the server's heartbeats stopped"
        case .disorder(let what): "the server broke the protocol: \(what)"
        case .silent: "the server did not answer"
        }
    }
}
