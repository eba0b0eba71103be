import EdgeCore
import EdgeTunnel
import Glibc
import Shared

/// Makes protocol connections of accepted descriptors, for one listener on one loop.
final class Acceptor {
    enum Purpose {
        case https
        case http(ClientService)
        /// A TCP edge's port: the edge is looked up when a connection comes, so that changes act at once.
        case tcp(port: UInt16)
        case handler(RequestHandler)
        case secureHandler(RequestHandler, HandlerCertificate)
        /// Agents, on a port of their own.
        case agents(AgentDoor)
    }

    private let loop: EventLoop
    private let service: LoopService
    private let purpose: Purpose
    private let region: Region
    private let regionSlot: Int32
    /// Counts connections where `regionSlot` counts exchanges.
    private let connectionSlot: Int32

    init(loop: EventLoop, purpose: Purpose, region: Region, regionSlot: Int32, connectionSlot: Int32) {
        self.connectionSlot = connectionSlot
        self.loop = loop
        service = loop.service
        self.purpose = purpose
        self.region = region
        self.regionSlot = regionSlot
    }

    func accept(_ descriptor: Int32) {
        guard service.connectionCount < service.connectionLimit + reserve, !service.isDraining else {
            Glibc.close(descriptor)
            return
        }
        let channel: Channel
        do { channel = try Channel(loop: loop, descriptor: descriptor) } catch {
            Glibc.close(descriptor)
            return
        }
        service.connectionCount += 1
        service.count(connectionSlot) { $0.started &+= 1 }
        channel.onClose = { [service, connectionSlot] in
            service.connectionCount -= 1
            service.count(connectionSlot) { $0.ended &+= 1 }
        }
        if case .handler(let handler) = purpose {
            return startHTTP1(channel, .handler(handler, peer: Sockets.peerIdentity(descriptor)), localFacts)
        }
        guard let peer = Sockets.peerAddress(descriptor), let local = Sockets.localAddress(descriptor) else {
            return channel.closeNow()
        }
        Sockets.setNoDelay(descriptor)
        switch purpose {
        case .https:
            Handshake(acceptor: self, channel: channel, peer: peer, local: local).start()
        case .secureHandler(let handler, let certificate):
            Handshake(acceptor: self, channel: channel, peer: peer, local: local, program: (handler, certificate))
                .start()
        case .agents(let door):
            channel.acknowledgesAtOnce = true
            Sockets.setQuickAcknowledge(descriptor)
            Handshake(acceptor: self, channel: channel, peer: peer, local: local, door: door).start()
        case .http(let kind): startCleartext(channel, kind, facts(peer, local, nil))
        case .tcp(let port):
            guard let edge = service.snapshot.ports[port] else {
                return channel.closeNow()
            }
            startStream(channel, edge, facts(peer, local, nil), early: [])
        case .handler: break
        }
    }

    /// Connections beyond the limit: a server that is full must still answer its operator on the admin socket.
    private var reserve: Int { if case .handler = purpose { 64 } else { 0 } }

    private var localFacts: ConnectionFacts {
        ConnectionFacts(
            clientAddress: .unspecified, clientPort: 0, serverAddress: .unspecified, serverPort: 0, region: region,
            start: loop.now)
    }

    fileprivate func facts(_ peer: SocketAddress, _ local: SocketAddress, _ tls: TLSSession?) -> ConnectionFacts {
        ConnectionFacts(
            clientAddress: peer.address, clientPort: peer.port, serverAddress: local.address, serverPort: local.port,
            serverName: tls?.serverName ?? "", tlsVersion: tls?.version ?? "", tlsCipher: tls?.cipher ?? "",
            region: region, start: loop.now)
    }

    fileprivate func startHTTP1(
        _ channel: Channel, _ kind: ClientService, _ facts: ConnectionFacts, early: [UInt8] = []
    ) {
        HTTP1Connection(
            channel: channel, kind: kind, connection: facts, regionSlot: regionSlot
        ).start(early: early)
    }

    fileprivate func startHTTP2(
        _ channel: Channel, _ kind: ClientService, _ facts: ConnectionFacts, early: [UInt8] = []
    ) {
        HTTP2Connection(
            channel: channel, kind: kind, connection: facts, regionSlot: regionSlot
        ).start(early: early)
    }

    fileprivate func startStream(
        _ channel: Channel, _ edge: CompiledEdge, _ facts: ConnectionFacts, early: [UInt8]
    ) {
        StreamConnection(
            channel: channel, edge: edge, facts: facts, regionSlot: regionSlot, early: early
        ).start()
    }

    /// Cleartext: HTTP/2 by prior knowledge shows in its first bytes (RFC 9113, 3.4).
    private func startCleartext(
        _ channel: Channel, _ kind: ClientService, _ facts: ConnectionFacts
    ) {
        let sniffer = PrefaceSniffer(channel: channel) { [self] early, isHTTP2 in
            if isHTTP2 {
                startHTTP2(channel, kind, facts, early: early)
            } else {
                startHTTP1(channel, kind, facts, early: early)
            }
        }
        sniffer.start()
    }
}

/// Waits for a TLS handshake, and then for the protocol's connection to take over.
private final class Handshake: ChannelHandler {
    private let acceptor: Acceptor
    private let channel: Channel
    private let peer: SocketAddress
    private let local: SocketAddress
    /// Who answers instead of the edges, and the certificate shown to every client, whatever name it asks for.
    private let program: (handler: RequestHandler, certificate: HandlerCertificate)?
    /// Every client is an agent, whatever name it asks for, if any.
    private let door: AgentDoor?
    private var halfOpen: UInt64?

    init(
        acceptor: Acceptor, channel: Channel, peer: SocketAddress, local: SocketAddress,
        program: (RequestHandler, HandlerCertificate)? = nil, door: AgentDoor? = nil
    ) {
        self.program = program
        self.door = door
        self.acceptor = acceptor
        self.channel = channel
        self.peer = peer
        self.local = local
    }

    func start() {
        let service = channel.loop.service!
        channel.handler = self
        channel.setDeadline(milliseconds: service.settings.handshakeTimeout)
        do {
            if let door {
                guard admits(door) else { return channel.closeNow() }
                try channel.beginServerTLS { _ in door.decision }
            } else if let certificate = program?.certificate {
                try channel.beginServerTLS { _ in
                    .terminate(certificate.context, minimumVersion: HandlerCertificate.minimumVersion, http: true)
                }
            } else {
                try channel.beginServerTLS { [unowned service, unowned channel] name in
                    channel.acknowledgesAtOnce = service.agents?.names.contains(name) ?? false
                    return service.decide(name)
                }
            }
        } catch {
            channelFailed(channel)
        }
    }

    override func channelConnected(_ channel: Channel) {
        guard let tls = channel.tls else { return }
        let facts = acceptor.facts(peer, local, tls)
        if let door { return startAgent(door, facts) }
        // Before names: the admin API may have the same one as agents.
        if let handler = program?.handler { return startProgram(handler, facts, tls) }
        if let named = channel.loop.service.agents, named.names.contains(tls.serverName) {
            guard admits(named) else { return channel.closeNow() }
            return startAgent(named, facts)
        }
        let snapshot = channel.loop.service.snapshot
        if let edge = snapshot.hosts.lookup(tls.serverName), edge.kind == .tls {
            acceptor.startStream(channel, edge, facts, early: [])
        } else if tls.negotiatedProtocol == "h2" {
            acceptor.startHTTP2(channel, .edges(isSecure: true), facts)
        } else {
            acceptor.startHTTP1(channel, .edges(isSecure: true), facts)
        }
    }

    /// Strangers who show no token take each other's places, not those of agents that do.
    private func admits(_ door: AgentDoor) -> Bool {
        guard door.hub.gate.admits(peer.address.description) else { return false }
        halfOpen = channel.loop.service.admitHalfOpen(channel, from: peer.address)
        return true
    }

    private func startAgent(_ door: AgentDoor, _ facts: ConnectionFacts) {
        let (service, number) = (channel.loop.service!, halfOpen)
        door.start(channel, facts) { [unowned service] in
            if let number { service.halfOpenSettled(number) }
        }
    }

    private func startProgram(_ handler: @escaping RequestHandler, _ facts: ConnectionFacts, _ tls: TLSSession) {
        let kind = ClientService.handler(handler, peer: nil, isSecure: true)
        if tls.negotiatedProtocol == "h2" {
            acceptor.startHTTP2(channel, kind, facts)
        } else {
            acceptor.startHTTP1(channel, kind, facts)
        }
    }

    override func channelPassThrough(_ channel: Channel, edge: CompiledEdge, helloBytes: [UInt8]) {
        acceptor.startStream(channel, edge, acceptor.facts(peer, local, nil), early: helloBytes)
    }

    override func channelFailed(_ channel: Channel) {
        if let halfOpen { channel.loop.service.halfOpenSettled(halfOpen) }
        channel.closeNow()
    }
}

/// Reads a cleartext connection's first bytes to tell HTTP/2 with prior knowledge from HTTP/1.
private final class PrefaceSniffer: ChannelHandler {
    private let channel: Channel
    private let onKnown: ([UInt8], Bool) -> Void
    private var bytes: [UInt8] = []
    /// No HTTP/1 request can begin like this: `PRI * HTTP/2.0` is reserved for it.
    private static let preface = Array("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".utf8)

    init(channel: Channel, onKnown: @escaping ([UInt8], Bool) -> Void) {
        self.channel = channel
        self.onKnown = onKnown
    }

    func start() {
        channel.handler = self
        channel.setDeadline(milliseconds: channel.loop.service.settings.requestHeadTimeout)
        channel.readAgain()
    }

    override func channelReadable(_ channel: Channel) {
        switch channel.read() {
        case .bytes(let more):
            bytes.append(contentsOf: more)
            let length = min(bytes.count, Self.preface.count)
            if bytes.prefix(length) != Self.preface.prefix(length) { return known(false) }
            if length == Self.preface.count { return known(true) }
            channel.readAgain()
        case .blocked: break
        case .ended, .failed: channelFailed(channel)
        }
    }

    private func known(_ isHTTP2: Bool) {
        channel.handler = nil
        onKnown(bytes, isHTTP2)
    }

    override func channelFailed(_ channel: Channel) {
        channel.closeNow()
    }
}
