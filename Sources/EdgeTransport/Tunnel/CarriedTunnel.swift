import EdgeCore
import EdgeTunnel
import Shared
import Synchronization

/// A tunnel as loops use it: names its session's connection, and has a pool for each loop.
///
/// `@unchecked Sendable`: what is not constant is atomic, or belongs to one loop.
final class CarriedTunnel: TunnelTarget, @unchecked Sendable {
    let grant: TunnelGrant
    /// The loop on which its session lives.
    let home: EventLoop
    /// Only to be touched on `home`.
    let link: AgentConnection
    let condition: TunnelCondition
    /// Idle connections to its upstream, by loop.
    private let pools: [UpstreamPool]

    init(_ grant: TunnelGrant, link: AgentConnection, loops: [EventLoop]) {
        self.grant = grant
        self.link = link
        home = link.loop
        let condition = TunnelCondition(keepsStreams: grant.proxyProtocol == 0)
        self.condition = condition
        pools = loops.map { UpstreamPool(loop: $0, limit: 480 / (2 * loops.count), condition: condition) }
        super.init(id: grant.id, labels: grant.labels)
    }

    func pool(on loop: EventLoop) -> UpstreamPool { pools[loop.index] }

    /// Gives idle streams back, on every loop.
    func closeIdle() {
        for pool in pools { pool.loop.post { [self] loop in self.pool(on: loop).closeIdle() } }
    }

    /// A stream through the tunnel for one visitor, in use at once: what opens it goes along with its first bytes.
    /// - Returns: `nil` when the tunnel is gone.
    func connect(_ visitor: Visitor, on loop: EventLoop) -> Channel? {
        guard condition.isLive else { return nil }
        let channel = stream(visitor, on: loop)
        guard grant.speaksHTTP2, visitor.kind == .https else { return channel }
        guard let carrier = HTTP2Carrier(channel) else {
            channel.closeNow()
            return nil
        }
        return Channel(loop: loop, carrier: carrier)
    }

    private func stream(_ visitor: Visitor, on loop: EventLoop) -> Channel {
        let header = visitor.header(of: grant).bytes
        let prefix = ProxyProtocol.header(version: grant.proxyProtocol, visitor)
        if loop === home {
            let stream = TunnelStream(link: link, header: header, prefix: prefix)
            let channel = Channel(loop: loop, carrier: stream)
            link.start(stream)
            return channel
        }
        let stream = CrossedStream(loop: loop, tunnel: self, header: header, prefix: prefix)
        return Channel(loop: loop, carrier: stream)
    }
}

/// What every loop may know of a tunnel at any time.
final class TunnelCondition: Sendable {
    private let live = Atomic<Bool>(true)
    private let scarce = Atomic<Bool>(false)
    /// Whether a stream may serve one visitor after the other.
    private let keepsStreams: Bool

    init(keepsStreams: Bool) { self.keepsStreams = keepsStreams }

    /// Something new may be sent into it.
    var isLive: Bool {
        get { live.load(ordering: .relaxed) }
        set { live.store(newValue, ordering: .relaxed) }
    }

    /// Visitors wait for a place.
    var isScarce: Bool {
        get { scarce.load(ordering: .relaxed) }
        set { scarce.store(newValue, ordering: .relaxed) }
    }

    var mayKeepIdle: Bool { keepsStreams && isLive && !isScarce }
}

/// Who comes through a tunnel, and how.
struct Visitor {
    let facts: ConnectionFacts
    let kind: EdgeKind
    let isPassthrough: Bool
    /// Whether the visitor came with TLS that ended here.
    var isSecure: Bool

    func header(of grant: TunnelGrant) -> ProxyHeader {
        let proto =
            switch kind {
            case .https: isSecure ? "https" : "http"
            case .tls: "tls"
            case .tcp: "tcp"
            }
        let type: ProxyHeader.EdgeType =
            switch kind {
            case .https: .https
            case .tls: .tls
            case .tcp: .tcp
            }
        return ProxyHeader(
            tunnelID: grant.id,
            clientAddress: SocketAddress(facts.clientAddress, port: facts.clientPort).description, proto: proto,
            edgeType: grant.isEndpoint ? .undefined : type, isPassthrough: isPassthrough)
    }
}
