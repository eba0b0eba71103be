import EdgeCore
import EdgeTunnel

/// One visitor at the agent: TLS if it ends here, then the upstream or the program.
final class AgentVisitor: ChannelHandler, DialWaiter {
    /// An event without the number of its tunnel.
    enum Event {
        case opened(String)
        case traffic(UInt64, UInt64)
        case closed(UInt64, UInt64, Double, Double?)
        case upstreamFailed(String)

        func numbered(_ index: Int) -> AgentLinkEvent {
            switch self {
            case .opened(let client): .opened(index, client: client)
            case .traffic(let bytesIn, let bytesOut): .traffic(index, bytesIn: bytesIn, bytesOut: bytesOut)
            case .closed(let bytesIn, let bytesOut, let duration, let first):
                .closed(index, bytesIn: bytesIn, bytesOut: bytesOut, duration: duration, firstByte: first)
            case .upstreamFailed(let text): .upstreamFailed(index, text)
            }
        }
    }

    private let channel: Channel
    private let header: ProxyHeader
    private let tunnel: AgentTunnel
    private let events: (Event) -> Void
    private let began: MonotonicTime
    private var dialer: Dialer?
    private var onEnd: (() -> Void)?
    private var isOver = false
    private var bytesIn: UInt64 = 0
    private var bytesOut: UInt64 = 0
    private var toldIn: UInt64 = 0
    private var toldOut: UInt64 = 0
    private var firstByte: Double?

    init(channel: Channel, header: ProxyHeader, tunnel: AgentTunnel, events: @escaping (Event) -> Void) {
        self.channel = channel
        self.header = header
        self.tunnel = tunnel
        self.events = events
        began = channel.loop.now
    }

    /// - Parameter onEnd: called once, when the visitor is gone.
    func start(onEnd: @escaping () -> Void) {
        self.onEnd = onEnd
        events(.opened(header.clientAddress))
        channel.handler = self
        guard header.isPassthrough, let certificate = tunnel.certificate else { return proceed() }
        channel.setDeadline(milliseconds: channel.loop.service.settings.handshakeTimeout)
        do {
            try channel.beginServerTLS { _ in
                .terminate(certificate.context, minimumVersion: HandlerCertificate.minimumVersion, http: false)
            }
            channel.readAgain()
            channel.ready(.readable)
        } catch {
            channelFailed(channel)
        }
    }

    override func channelConnected(_ channel: Channel) {
        channel.clearDeadline()
        proceed()
    }

    private func proceed() {
        channel.pauseReading()
        switch tunnel.use {
        case .forward(let upstream):
            let dialer = Dialer(loop: channel.loop, place: upstream.place, waiter: self)
            self.dialer = dialer
            dialer.start()
        case .serve(let serve):
            let connection = TunnelConnection(channel: channel, clientAddress: header.clientAddress) { [self] bridge in
                bytesIn = bridge.bytesIn
                bytesOut = bridge.bytesOut
                end()
            }
            serve(connection)
        }
    }

    func dialed(_ upstream: Channel) {
        dialer = nil
        guard !isOver, channel.isOpen else { return upstream.closeNow() }
        let relay = Relay(
            service: channel.loop.service, client: channel, upstream: upstream, fromClient: [], fromUpstream: [])
        relay.start { [self] fromVisitor, fromUpstream in
            bytesIn &+= fromVisitor
            bytesOut &+= fromUpstream
            if fromUpstream > 0, firstByte == nil { firstByte = channel.loop.now.seconds(since: began) }
        } onEnd: { [self] _ in
            end()
        }
    }

    func dialFailed(_ error: EdgeError) {
        dialer = nil
        events(.upstreamFailed(error.agentText))
        channel.refuse(error == .upstreamUnreachable ? .timedOut : .refused)
        end()
    }

    override func channelFailed(_ channel: Channel) {
        channel.closeNow()
        end()
    }

    /// Long connections count while they last.
    func tellTraffic() {
        guard bytesIn != toldIn || bytesOut != toldOut else { return }
        events(.traffic(bytesIn &- toldIn, bytesOut &- toldOut))
        (toldIn, toldOut) = (bytesIn, bytesOut)
    }

    private func end() {
        guard !isOver else { return }
        isOver = true
        dialer?.cancel()
        tellTraffic()
        events(.closed(bytesIn, bytesOut, channel.loop.now.seconds(since: began), firstByte))
        let onEnd = self.onEnd
        self.onEnd = nil
        onEnd?()
    }
}
