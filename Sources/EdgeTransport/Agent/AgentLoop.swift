public import EdgeCore
public import EdgeTunnel
import Synchronization

/// How an agent reaches its server.
public struct AgentLinkSettings: Sendable {
    /// The name or address that the certificate must be for.
    public var host: String
    /// Where to dial, where that is not `host`.
    public var address: String?
    public var port: UInt16
    public var trust: TLSTrust
    public var auth: AuthRequest
    public var tunnels: [AgentTunnel]

    public init(host: String, port: UInt16, trust: TLSTrust, auth: AuthRequest, tunnels: [AgentTunnel]) {
        self.host = host
        self.port = port
        self.trust = trust
        self.auth = auth
        self.tunnels = tunnels
    }
}

/// The event loop of an agent program: one thread for all its connections.
public final class AgentLoop: Sendable {
    let loop: EventLoop

    /// - Throws: what the system or OpenSSL says.
    public init() throws {
        loop = try EventLoop(index: 0)
        var settings = TransportSettings()
        settings.loops = 1
        settings.dialTimeout = 10_000
        loop.service = LoopService(
            loop: loop, settings: settings, listenerTLS: try TLSContext.listener(),
            upstreamTLS: try TLSContext.client(.anyone), ticketKeys: TicketKeys(), resolver: Resolver(),
            snapshot: .empty)
        Threads.start { [loop] in loop.run() }
    }

    deinit { loop.stop() }

    /// Dials the server and begins a session. Does not reconnect: `ended` is the last event.
    /// - Parameter events: called on the loop; must be quick.
    /// - Throws: when the authorities cannot be used.
    public func connect(
        _ settings: AgentLinkSettings, events: @escaping @Sendable (AgentLinkEvent) -> Void
    ) throws -> AgentLinkHandle {
        let context: TLSContext
        do throws(TLSError) { context = try TLSContext.client(settings.trust) } catch {
            throw HandlerCertificate.Failure(description: "\(error)")
        }
        let handle = AgentLinkHandle(loop: loop)
        loop.post { loop in
            let tls = ClientTLS(context, host: settings.host, isVerified: settings.trust != .anyone)
            let place = DialPlace(host: settings.address ?? settings.host, port: settings.port, tls: tls)
            let start = AgentStart(loop: loop, settings: settings, handle: handle, events: events)
            start.dial(place)
        }
        return handle
    }

    /// The addresses of a name; none when it has none.
    public func addresses(of host: String) async -> [String] {
        await withCheckedContinuation { done in
            loop.service.resolver.resolve(host, loop: loop) { done.resume(returning: $0.map(\.description)) }
        }
    }

    /// Tries a TCP connection, and TLS if `trust` is given. For diagnosis.
    /// - Returns: the version of TLS, empty without it; or what went wrong.
    public func probe(
        address: String, port: UInt16, serverName: String, trust: TLSTrust?
    ) async throws -> Result<String, EdgeError> {
        let context: TLSContext?
        do throws(TLSError) { context = try trust.map { trust throws(TLSError) in try TLSContext.client(trust) } } catch
        {
            throw HandlerCertificate.Failure(description: "\(error)")
        }
        return await withCheckedContinuation { done in
            loop.post { loop in
                let tls = context.map { ClientTLS($0, host: serverName, isVerified: trust != .anyone) }
                Probe(loop: loop, place: DialPlace(host: address, port: port, tls: tls)) { done.resume(returning: $0) }
                    .start()
            }
        }
    }
}

/// One connection of an agent, from outside its loop.
///
/// `@unchecked Sendable`: `link` is confined to the loop.
public final class AgentLinkHandle: @unchecked Sendable {
    private let loop: EventLoop
    fileprivate var link: AgentLink?
    /// Closed before the connection stood.
    fileprivate var isClosed = false

    fileprivate init(loop: EventLoop) { self.loop = loop }

    /// Closes at once; visitors' connections are cut.
    public func close() {
        loop.post { [self] _ in
            isClosed = true
            link?.end("closed")
        }
    }

    /// Takes nothing new, and closes when all visitors have finished.
    public func drain() {
        loop.post { [self] _ in
            if let link { link.drain() } else { isClosed = true }
        }
    }

    /// Answers a command: `nil` for a success.
    public func answer(_ command: ServerCommand, _ refusal: Refusal?) {
        loop.post { [self] _ in link?.answer(command, refusal) }
    }

    /// Visitors' connections that are open now.
    public func openConnections() async -> Int {
        await withCheckedContinuation { done in
            loop.post { [self] _ in done.resume(returning: link?.visitorCount ?? 0) }
        }
    }
}

/// The way to a session: the dial.
private final class AgentStart: DialWaiter {
    private let loop: EventLoop
    private let settings: AgentLinkSettings
    private let handle: AgentLinkHandle
    private let events: @Sendable (AgentLinkEvent) -> Void
    private var dialer: Dialer?

    init(
        loop: EventLoop, settings: AgentLinkSettings, handle: AgentLinkHandle,
        events: @escaping @Sendable (AgentLinkEvent) -> Void
    ) {
        self.loop = loop
        self.settings = settings
        self.handle = handle
        self.events = events
    }

    func dial(_ place: DialPlace) {
        let dialer = Dialer(loop: loop, place: place, waiter: self)
        self.dialer = dialer
        dialer.start()
    }

    func dialed(_ channel: Channel) {
        dialer = nil
        guard !handle.isClosed else {
            channel.closeNow()
            return events(.ended(reason: "closed"))
        }
        let link = AgentLink(channel: channel, settings: settings, events: events)
        handle.link = link
        link.start()
    }

    func dialFailed(_ error: EdgeError) {
        dialer = nil
        events(.ended(reason: error.agentText))
    }
}

/// One try to connect.
private final class Probe: DialWaiter {
    private let done: (Result<String, EdgeError>) -> Void
    private let loop: EventLoop
    private let place: DialPlace
    private var running: Dialer?

    init(loop: EventLoop, place: DialPlace, done: @escaping (Result<String, EdgeError>) -> Void) {
        self.loop = loop
        self.place = place
        self.done = done
    }

    func start() {
        let dialer = Dialer(loop: loop, place: place, waiter: self)
        running = dialer
        dialer.start()
    }

    func dialed(_ channel: Channel) {
        running = nil
        let version = channel.tls?.version ?? ""
        channel.closeNow()
        done(.success(version))
    }

    func dialFailed(_ error: EdgeError) {
        running = nil
        done(.failure(error))
    }
}

extension EdgeError {
    /// As an agent says it, of its server or its upstream.
    public var agentText: String {
        switch self {
        case .upstreamRefused: "the connection was refused"
        case .upstreamUnreachable: "it could not be reached in time, or its certificate is not trusted"
        default: title
        }
    }
}
