import EdgeCore
import Shared

/// A client connection to a TLS or TCP edge: modules once, a backend once, then a relay.
///
/// Through a tunnel the relay begins with the first byte from the upstream: until then the agent may find that it reaches
/// nobody, and what the client sent goes to the next leg.
final class StreamConnection: ChannelHandler, DialWaiter {
    private let channel: Channel
    private let service: LoopService
    private let edge: CompiledEdge
    private let facts: ConnectionFacts
    /// What the client sent and no upstream is known to have.
    private var early: [UInt8]
    /// The client sends no more, which is part of what goes to the next leg.
    private var clientEnded = false
    /// The tunnel's stream that is being tried.
    private var attempt: Channel?
    private var walk = BackendWalk()
    private var dialer: Dialer?
    private var tally = ExchangeTally()
    private var isOver = false
    /// Holds this object until the connection ends: nobody else does while a dial is under way.
    private var keepAlive: StreamConnection?

    /// - Parameter early: bytes that were read already, for the upstream.
    init(
        channel: Channel, edge: CompiledEdge, facts: ConnectionFacts, regionSlot: Int32, early: [UInt8]
    ) {
        self.channel = channel
        self.edge = edge
        self.facts = facts
        self.early = early
        service = channel.loop.service
        super.init()
        tally.begin(service, regionSlot: regionSlot, bytesIn: 0)
        tally.add(edge.slot, service)
    }

    func start() {
        keepAlive = self
        channel.handler = self
        channel.clearDeadline()
        channel.pauseReading()
        let isAdmitted = service.snapshot.entry?.admits(facts.clientAddress) ?? true
        guard isAdmitted, edge.chain.admits(facts) else { return close(broken: false) }
        proceed(walk.first(service.snapshot.backends[edge.backend], &service.balance))
    }

    private func proceed(_ step: BackendWalk.Step) {
        switch step {
        case .enter(let tunnel): enter(tunnel)
        case .dial(let target):
            let dialer = Dialer(loop: channel.loop, place: DialPlace(target, service), waiter: self)
            self.dialer = dialer
            dialer.start()
        case .respond, .none:
            // An HTTP answer means nothing here, and neither does an error page: any failure closes.
            close(broken: true)
        }
    }

    func dialed(_ upstream: Channel) {
        dialer = nil
        guard !isOver, channel.isOpen else { return upstream.closeNow() }
        relay(upstream, fromClient: early, fromUpstream: [])
    }

    private func relay(_ upstream: Channel, fromClient: [UInt8], fromUpstream: [UInt8]) {
        attempt = nil
        early = []
        tally.add(walk.path, service)
        let relay = Relay(
            service: service, client: channel, upstream: upstream, fromClient: fromClient, fromUpstream: fromUpstream)
        relay.start { [self] fromClient, fromUpstream in
            tally.bytesIn &+= fromClient
            tally.bytesOut &+= fromUpstream
            tally.spill(service)
        } onEnd: { [self] isBroken in
            close(broken: isBroken)
        }
    }

    func dialFailed(_ error: EdgeError) {
        dialer = nil
        guard let step = walk.next(&service.balance) else { return close(broken: true) }
        proceed(step)
    }

    // MARK: Through a tunnel

    private static let maximumEarly = 64 << 10

    private func enter(_ target: TunnelTarget) {
        let visitor = Visitor(
            facts: facts, kind: edge.kind, isPassthrough: edge.kind == .tls && edge.termination == .atUpstream,
            isSecure: !facts.tlsVersion.isEmpty)
        guard let tunnel = target as? CarriedTunnel, let stream = tunnel.connect(visitor, on: channel.loop) else {
            return dialFailed(.noTunnel)
        }
        attempt = stream
        stream.handler = self
        stream.write(early)
        if clientEnded { stream.shutdownWriting() }
        channel.setDeadline(milliseconds: service.settings.relayIdleTimeout)
        channel.resumeReading()
        channel.readAgain()
    }

    override func channelReadable(_ channel: Channel) {
        guard let attempt else { return }
        if channel === attempt { readUpstream(attempt) } else { readClient(attempt) }
    }

    private func readClient(_ attempt: Channel) {
        while early.count < Self.maximumEarly {
            switch channel.read() {
            case .bytes(let bytes):
                early.append(contentsOf: bytes)
                attempt.write(UnsafeRawBufferPointer(bytes))
            case .blocked: return
            case .ended:
                clientEnded = true
                return attempt.shutdownWriting()
            case .failed: return commit(attempt, [])
            }
        }
        commit(attempt, [])
    }

    private func readUpstream(_ attempt: Channel) {
        switch attempt.read() {
        case .bytes(let bytes): commit(attempt, Array(bytes))
        case .blocked: break
        case .ended, .failed:
            guard let error = attempt.dialFailure else { return commit(attempt, []) }
            self.attempt = nil
            attempt.closeNow()
            dialFailed(error)
        }
    }

    /// The upstream is there, as far as can be told.
    private func commit(_ attempt: Channel, _ fromUpstream: [UInt8]) {
        tally.bytesIn &+= UInt64(early.count)
        relay(attempt, fromClient: [], fromUpstream: fromUpstream)
    }

    override func channelFailed(_ channel: Channel) {
        if channel === attempt {
            attempt = nil
            if let error = channel.dialFailure { return dialFailed(error) }
        }
        close(broken: true)
    }

    private func close(broken: Bool) {
        guard !isOver else { return }
        isOver = true
        dialer?.cancel()
        attempt?.closeNow()
        tally.isAborted = broken
        tally.end(service, microseconds: channel.loop.now.microseconds(since: facts.start))
        channel.closeNow()
        keepAlive = nil
    }
}
