import EdgeCore

/// A client connection to a TLS or TCP edge: modules once, a backend once, then a relay.
final class StreamConnection: ChannelHandler, DialWaiter {
    private let channel: Channel
    private let service: LoopService
    private let edge: CompiledEdge
    private let facts: ConnectionFacts
    private let early: [UInt8]
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
        case .dial(let target):
            let dialer = Dialer(loop: channel.loop, target: target, waiter: self)
            self.dialer = dialer
            dialer.start()
        case .respond, .none:
            // An HTTP answer means nothing here, and neither does an error page: any failure closes.
            close(broken: true)
        }
    }

    func dialed(_ upstream: Channel, target: Target) {
        dialer = nil
        guard !isOver, channel.isOpen else { return upstream.closeNow() }
        tally.add(walk.path, service)
        let relay = Relay(
            service: service, client: channel, upstream: upstream, fromClient: early, fromUpstream: [])
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

    override func channelFailed(_ channel: Channel) { close(broken: true) }

    private func close(broken: Bool) {
        guard !isOver else { return }
        isOver = true
        dialer?.cancel()
        tally.isAborted = broken
        tally.end(service, microseconds: channel.loop.now.microseconds(since: facts.start))
        channel.closeNow()
        keepAlive = nil
    }
}
