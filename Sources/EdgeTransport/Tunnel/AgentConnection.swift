import EdgeCore
import EdgeTunnel
import Shared

/// The server's half of one agent connection.
///
/// `@unchecked Sendable`: confined to its loop, and named elsewhere only to be posted to.
final class AgentConnection: TunnelLink, @unchecked Sendable {
    let number: UInt64
    private let hub: AgentHub
    private let region: Region
    private let address: String
    private let accepted: MonotonicTime
    private var session: ServerSession
    private var tunnels: [String: CarriedTunnel] = [:]
    /// Tunnels whose agent has not read the answer yet: traffic that came earlier would be dropped over there.
    private var unconfirmed: [StreamRef: CarriedTunnel] = [:]
    private var isAuthenticated = false
    /// Called once, when a token was shown or the connection ends.
    private var onSettled: (() -> Void)?

    /// Nanoseconds between this side's heartbeats.
    private static let heartbeatInterval: UInt64 = 10_000_000_000

    init(channel: Channel, hub: AgentHub, region: Region, address: String, onSettled: @escaping () -> Void) {
        number = hub.nextNumber()
        self.hub = hub
        self.region = region
        self.address = address
        self.onSettled = onSettled
        accepted = channel.loop.now
        session = ServerSession(now: channel.loop.now.nanoseconds, seed: UInt32.random(in: 0 ... .max))
        super.init(channel: channel)
    }

    func start() {
        hub.add(self)
        let key = ObjectIdentifier(self)
        loop.service.drainers[key] = { [unowned self] in drain() }
        channel.setDeadline(milliseconds: Self.tickMilliseconds)
        channel.readAgain()
    }

    // MARK: The session

    override func open() -> StreamRef? { session.mux.open() }
    override func send(_ ref: StreamRef, _ bytes: UnsafeRawBufferPointer) -> Int { session.mux.send(ref, bytes) }
    override func finish(_ ref: StreamRef) { session.mux.finish(ref) }
    override func credit(_ ref: StreamRef, _ count: Int) {
        session.mux.credit(ref, count, now: loop.now.nanoseconds)
    }
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
        do throws(ServerSession.End) {
            while !isOver, let event = try session.next(bytes, &offset, now: now) { act(on: event, bytes) }
        } catch {
            end(describe(error), inOrder: error == .drained)
        }
    }

    private func act(on event: ServerSession.Event, _ bytes: UnsafeRawBufferPointer) {
        switch event {
        case .stream(let event): handle(event, bytes)
        case .call(let ref, let call): ask(ref, call)
        case .confirmed(let ref): confirmed(ref)
        case .commandAnswered: break
        }
    }

    override func channelDeadline(_ channel: Channel) {
        do throws(ServerSession.End) {
            try session.tick(now: loop.now.nanoseconds)
        } catch {
            return end(describe(error), inOrder: error == .drained)
        }
        poll()
        guard !isOver else { return }
        expireWaiting()
        settle()
        channel.setDeadline(milliseconds: Self.tickMilliseconds)
    }

    // MARK: Calls

    /// Has the control plane decide, off the loop.
    private func ask(_ ref: StreamRef, _ call: AgentCall) {
        let (gate, number) = (hub.gate, self.number)
        switch call {
        case .authenticate(let request):
            let origin = AgentOrigin(connection: number, address: address, region: region.code)
            decide {
                await gate.authenticate(request, from: origin)
            } then: {
                $0.authenticated(ref, request, $1)
            }
        case .bind(let request):
            decide {
                await gate.bind(request, on: number)
            } then: { connection, outcome in
                connection.bound(ref, outcome.map { ($0.0.document, $0.1) })
            }
        case .startLabelled(let request):
            decide {
                await gate.startLabelled(request, on: number)
            } then: { connection, outcome in
                connection.bound(ref, outcome.map { (["Id": .string($0.id), "Error": ""], $0) })
            }
        case .unbind(let id):
            takeOut(id)
            decide {
                await gate.unbound(id, on: number)
            } then: { connection, _ in
                connection.answer(ref, ["Error": "", "Extra": nil])
            }
        case .patch(let request):
            decide {
                await gate.patch(request, on: number)
            } then: { connection, refusal in
                connection.answer(ref, refusal?.document ?? ["Error": ""])
            }
        case .serverInformation: answer(ref, ["Region": .string(region.code)])
        case .unknown(let kind):
            answer(ref, Refusal(nil, "This server does not know requests of type \(kind).").document)
        }
    }

    private func decide<Outcome: Sendable>(
        _ question: @escaping @Sendable () async -> Outcome,
        then answer: @escaping @Sendable (AgentConnection, Outcome) -> Void
    ) {
        let loop = self.loop
        Task {
            let outcome = await question()
            loop.post { [self] _ in
                answer(self, outcome)
                settle()
            }
        }
    }

    private func answer(_ ref: StreamRef, _ document: JSON) {
        guard !isOver else { return }
        session.answer(ref, document)
        poll()
        scheduleFlush()
    }

    /// What the session has to tell without another byte having come.
    private func poll() { receive(UnsafeRawBufferPointer(start: nil, count: 0)) }

    private func authenticated(_ ref: StreamRef, _ request: AuthRequest, _ outcome: Result<SessionGrant, Refusal>) {
        guard !isOver else { return }
        let now = loop.now.nanoseconds
        switch outcome {
        case .failure(let refusal): session.refuse(ref, refusal, now: now)
        case .success(let grant):
            for old in grant.replaces where old != number { _ = hub.order(.disconnect, old) }
            session.accept(ref, grant.reply, heartbeat: Self.heartbeatInterval, now: now)
            // Agents of ours send small segments at once: there is nothing to hurry.
            if grant.reply.extension != nil { channel.acknowledgesAtOnce = false }
            isAuthenticated = true
            settled()
        }
        scheduleFlush()
    }

    private func bound(_ ref: StreamRef, _ outcome: Result<(JSON, TunnelGrant), Refusal>) {
        switch outcome {
        case .failure(let refusal): answer(ref, refusal.document)
        case .success(let (document, grant)):
            guard !isOver else {
                let (gate, number) = (hub.gate, self.number)
                Task { await gate.unbound(grant.id, on: number) }
                return
            }
            let tunnel = CarriedTunnel(grant, link: self, loops: hub.loops)
            unconfirmed[ref] = tunnel
            answer(ref, document)
        }
    }

    private func confirmed(_ ref: StreamRef) {
        guard let tunnel = unconfirmed.removeValue(forKey: ref) else { return }
        if let old = tunnels.updateValue(tunnel, forKey: tunnel.id) { hub.remove([old]) }
        hub.add(tunnel)
    }

    private func takeOut(_ id: String) {
        if let ref = unconfirmed.first(where: { $0.value.id == id })?.key { unconfirmed[ref] = nil }
        guard let tunnel = tunnels.removeValue(forKey: id) else { return }
        hub.remove([tunnel])
    }

    // MARK: Orders

    func obey(_ order: AgentOrder) {
        guard !isOver else { return }
        switch order {
        case .disconnect: end("an operator ended it, or another connection took its place")
        case .drain: drain()
        case .stop: _ = session.send(.stop)
        case .restart: _ = session.send(.restart)
        case .update: _ = session.send(.update(version: ""))
        case .stopTunnel(let id):
            takeOut(id)
            _ = session.send(.stopTunnel(id: id, message: "The tunnel was stopped by the server.", code: nil))
        }
        settle()
    }

    private func drain() {
        hub.remove(Array(tunnels.values))
        tunnels = [:]
        session.drain()
        turnAwayWaiting()
        settle()
    }

    override func scarcityChanged(_ isScarce: Bool) {
        for tunnel in tunnels.values {
            tunnel.condition.isScarce = isScarce
            if isScarce { tunnel.closeIdle() }
        }
    }

    var reading: AgentReading {
        AgentReading(
            connection: number, isDraining: isAuthenticated && !session.isReady,
            uptime: loop.now.seconds(since: accepted), roundTrip: session.roundTrip.map { Double($0) / 1e6 },
            streams: session.visitorStreams, streamLimit: session.mux.limits.streams, opened: opened,
            bytesIn: bytesIn, bytesOut: bytesOut)
    }

    // MARK: End

    private func settled() {
        onSettled?()
        onSettled = nil
    }

    /// First out of the groups, then the streams: who tries again must not come back here.
    override func ended() {
        loop.service.drainers[ObjectIdentifier(self)] = nil
        settled()
        hub.remove(self)
        hub.remove(Array(tunnels.values))
        tunnels = [:]
        unconfirmed = [:]
        loop.service.take(hub.groups.table)
        guard isAuthenticated else { return }
        let (gate, number, reason) = (hub.gate, self.number, endReason)
        Task { await gate.ended(number, reason: reason) }
    }

    private func describe(_ end: ServerSession.End) -> String {
        switch end {
        case .violation(let violation): "it broke the protocol: \(violation)"
        case .goodbye: "the agent said goodbye"
        case .unauthenticated: "no authtoken was shown in time"
        case .refused: "it was refused"
        case .heartbeatsLost: "its heartbeats stopped"
        case .disorder(let what): "it broke the protocol: \(what)"
        case .drained: "it has drained"
        }
    }
}
