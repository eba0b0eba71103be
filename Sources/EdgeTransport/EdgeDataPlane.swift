public import EdgeCore
public import EdgeTunnel
import Glibc
public import Shared
import Synchronization

/// The data plane: loops, listeners, and the snapshot in force on them.
///
/// Callable from anywhere; what happens on a loop is sent there as a message.
public final class EdgeDataPlane: DataPlane {
    private struct State {
        /// Where TCP edges are listened for; an address that could not be had is tried again with the next snapshot.
        var ports: Set<SocketAddress> = []
        /// Of the snapshot whose ports are open.
        var portsRevision: UInt64 = 0
        var portProblems: [String: String] = [:]
        /// Certificates that OpenSSL will not have, and why.
        var badCertificates: [(material: CertificateMaterial, problem: String)] = []
        var isStarted = false
    }

    private let settings: TransportSettings
    private let slots: SlotTable
    private let ticketKeys = TicketKeys()
    private let loops: [EventLoop]
    private let tunnels: TunnelGroups
    /// Agents' connections, once there is somebody to decide about them.
    private let agents = Mutex<AgentDoor?>(nil)
    private let state = Mutex(State())
    /// The snapshot whose ports are open.
    private let portRevision = Mutex<UInt64>(0)
    private let rotation = Mutex<Task<Void, Never>?>(nil)

    /// - Throws: what the system or OpenSSL says, when there is no way to serve.
    /// - Parameter tunnels: the groups that backends name.
    public init(settings: TransportSettings, slots: SlotTable, tunnels: TunnelGroups = TunnelGroups()) throws {
        self.tunnels = tunnels
        self.settings = settings
        self.slots = slots
        let listenerTLS = try TLSContext.listener()
        let upstreamTLS = try TLSContext.client(settings.verifyUpstreamTLS ? .system : .anyone)
        let resolver = Resolver()
        var loops: [EventLoop] = []
        for index in 0..<max(1, settings.loops) {
            let loop = try EventLoop(index: index)
            loop.service = LoopService(
                loop: loop, settings: settings, listenerTLS: listenerTLS, upstreamTLS: upstreamTLS,
                ticketKeys: ticketKeys, resolver: resolver, snapshot: .empty)
            loops.append(loop)
        }
        self.loops = loops
    }

    /// Starts the loops' threads.
    public func start() {
        guard
            state.withLock({ state in
                defer { state.isStarted = true }
                return !state.isStarted
            })
        else { return }
        for loop in loops { Threads.start { loop.run() } }
        let keys = ticketKeys
        let interval = Duration.milliseconds(Int64(settings.ticketKeyRotation))
        rotation.withLock {
            $0 = Task {
                while (try? await Task.sleep(for: interval)) != nil { keys.rotate() }
            }
        }
    }

    // MARK: Listeners

    /// Opens a listener on every loop.
    /// - Returns: the address bound, with the port that the system chose if 0 was asked for.
    @discardableResult
    public func listen(_ listener: ListenerSettings) throws(SystemError) -> SocketAddress {
        let purpose: Acceptor.Purpose =
            switch listener.kind {
            case .https: .https
            case .redirect: .http(.redirect(port: listener.redirectPort))
            case .cleartext: .http(.edges(isSecure: false))
            }
        let slot = slots.slot("region/\(listener.region.code)")
        var bound = listener.address
        for (index, loop) in loops.enumerated() {
            let descriptor = try EdgeDataPlane.descriptor(bound, inherited: listener.inherited)
            if index == 0, let local = Sockets.localAddress(descriptor) { bound = local }
            open(descriptor, purpose, listener.region, slot, on: loop, shared: listener.inherited != nil, port: nil)
        }
        return bound
    }

    /// Serves a program's answers on a Unix socket: the admin API.
    public func listen(
        unixPath: String, mode: UInt32 = 0o600, handler: @escaping RequestHandler
    ) throws(SystemError) {
        let descriptor = try Sockets.listen(unixPath: unixPath, mode: mode)
        open(
            descriptor, .handler(handler), Region("local"), slots.slot("admin"), on: loops[0], shared: false, port: nil)
    }

    /// Serves a program's answers over cleartext TCP, for demo upstreams and tests.
    @discardableResult
    public func listen(_ address: SocketAddress, handler: @escaping RequestHandler) throws(SystemError) -> SocketAddress
    {
        var bound = address
        for (index, loop) in loops.enumerated() {
            let descriptor = try Sockets.listen(bound)
            if index == 0, let local = Sockets.localAddress(descriptor) { bound = local }
            open(
                descriptor, .http(.handler(handler, peer: nil)), Region("local"), slots.slot("admin"), on: loop,
                shared: false, port: nil)
        }
        return bound
    }

    /// Serves a program's answers over TLS: the admin API for clients elsewhere. HTTP/1.1 and HTTP/2.
    /// - Returns: the address bound, with the port that the system chose if 0 was asked for.
    @discardableResult
    public func listen(
        _ address: SocketAddress, certificate: HandlerCertificate, handler: @escaping RequestHandler
    ) throws(SystemError) -> SocketAddress {
        var bound = address
        for (index, loop) in loops.enumerated() {
            let descriptor = try Sockets.listen(bound)
            if index == 0, let local = Sockets.localAddress(descriptor) { bound = local }
            open(
                descriptor, .secureHandler(handler, certificate), Region("local"), slots.slot("admin"), on: loop,
                shared: false, port: nil)
        }
        return bound
    }

    private func open(
        _ descriptor: Int32, _ purpose: Acceptor.Purpose, _ region: Region, _ slot: Int32, on loop: EventLoop,
        shared: Bool, port: UInt16?
    ) {
        let connections = slots.slot("connections/\(region.code)")
        loop.post { loop in
            let acceptor = Acceptor(
                loop: loop, purpose: purpose, region: region, regionSlot: slot, connectionSlot: connections)
            do {
                let listener = try Listener(
                    loop: loop, descriptor: descriptor, shared: shared, onConnection: acceptor.accept)
                if let port {
                    loop.service.portListeners[port, default: []].append(listener)
                } else {
                    loop.service.listeners.append(listener)
                }
                // What connected before the loop watched has given its signal already.
                listener.ready(.readable)
            } catch {
                close(descriptor)
            }
        }
    }

    // MARK: Agents

    /// Lets agents in, by the ports that visitors use, where they ask for one of these names.
    /// - Parameters:
    ///   - names: agent host names; a port of their own is `listenForAgents`'s.
    ///   - certificate: what agents are shown.
    public func serveAgents(names: [String], certificate: HandlerCertificate, gate: any TunnelGate) {
        let door = AgentDoor(
            hub: AgentHub(gate: gate, groups: tunnels, loops: loops), names: names, certificate: certificate)
        agents.withLock { $0 = door }
        for loop in loops { loop.post { $0.service.agents = door } }
    }

    /// Opens a port of the agents' own. After `serveAgents`.
    /// - Parameter inherited: a socket handed over by the service manager, already listening.
    @discardableResult
    public func listenForAgents(
        _ address: SocketAddress, region: Region, inherited: Int32? = nil
    ) throws(SystemError) -> SocketAddress {
        guard let door = agents.withLock({ $0 }) else { throw SystemError("no agents are served", code: EINVAL) }
        var bound = address
        let slot = slots.slot("region/\(region.code)")
        for (index, loop) in loops.enumerated() {
            let descriptor = try EdgeDataPlane.descriptor(bound, inherited: inherited)
            if index == 0, let local = Sockets.localAddress(descriptor) { bound = local }
            open(descriptor, .agents(door), region, slot, on: loop, shared: inherited != nil, port: nil)
        }
        return bound
    }

    private static func descriptor(_ address: SocketAddress, inherited: Int32?) throws(SystemError) -> Int32 {
        guard let inherited else { return try Sockets.listen(address) }
        let descriptor = fcntl(inherited, F_DUPFD_CLOEXEC, 0)
        guard descriptor >= 0 else { throw SystemError("dup") }
        _ = fcntl(descriptor, F_SETFL, fcntl(descriptor, F_GETFL) | O_NONBLOCK)
        return descriptor
    }

    public func agentReadings() async -> [AgentReading] { await agents.withLock { $0?.hub }?.readings() ?? [] }

    public func order(_ order: AgentOrder, of connection: UInt64) -> Bool {
        agents.withLock { $0?.hub }?.order(order, connection) ?? false
    }

    // MARK: DataPlane

    public func publish(_ snapshot: Snapshot) async {
        checkCertificates(snapshot)
        let tunnels = tunnels.table
        await onEveryLoop { loop in
            // A backend that is new names a group that is.
            loop.service.take(tunnels)
            guard snapshot.revision >= loop.service.snapshot.revision else { return }
            loop.service.snapshot = snapshot
        }
        portRevision.withLock { revision in
            // Publications may overtake one another; the loops keep the latest, and so do the ports.
            guard snapshot.revision >= revision else { return }
            revision = snapshot.revision
            openPorts(of: snapshot)
        }
    }

    /// More new certificates than this are not looked at before their first handshake: as many come with a start.
    private static let checkedCertificates = 64

    /// Readies what a change brings, so that no handshake has to wait for it, and its faults are told at once.
    private func checkCertificates(_ snapshot: Snapshot) {
        let new = snapshot.newCertificates
        let bad =
            new.count > EdgeDataPlane.checkedCertificates
            ? []
            : new.compactMap { material in
                material.served.problem.map { (material, $0) }
            }
        state.withLock { state in
            state.badCertificates.removeAll { bad in
                snapshot.configuration.certificates[bad.material.id] !== bad.material
            }
            state.badCertificates += bad
        }
    }

    /// Listens where TCP edges are, and no longer where they were. Connections that are open go on.
    private func openPorts(of snapshot: Snapshot) {
        let isDone = state.withLock { state in
            defer { state.portsRevision = snapshot.portsRevision }
            return state.portsRevision == snapshot.portsRevision && state.portProblems.isEmpty
        }
        guard !isDone else { return }
        let wanted = Set(snapshot.ports.keys)
        let before = state.withLock { state in
            defer { state.ports = state.ports.filter { wanted.contains($0.port) } }
            state.portProblems = [:]
            return state.ports
        }
        for port in Set(before.map(\.port)).subtracting(wanted) {
            for loop in loops {
                loop.post { loop in
                    for listener in loop.service.portListeners.removeValue(forKey: port) ?? [] { listener.close() }
                }
            }
        }
        let slot = slots.slot("region/\(settings.tcpRegion.code)")
        for port in wanted.sorted() {
            for address in settings.tcpAddresses.map({ SocketAddress($0, port: port) }) where !before.contains(address)
            {
                var descriptors: [Int32] = []
                do {
                    for _ in loops { descriptors.append(try Sockets.listen(address)) }
                    for (loop, descriptor) in zip(loops, descriptors) {
                        open(
                            descriptor, .tcp(port: port), settings.tcpRegion, slot, on: loop, shared: false,
                            port: port)
                    }
                    state.withLock { _ = $0.ports.insert(address) }
                } catch {
                    for descriptor in descriptors { close(descriptor) }
                    state.withLock { $0.portProblems["port/\(port)"] = "\(error)" }
                }
            }
        }
    }

    public func sample() async -> TrafficSample {
        let total = Mutex(TrafficSample())
        await onEveryLoop { loop in
            let sample = loop.service.traffic
            total.withLock { $0.add(sample) }
        }
        return total.withLock { $0 }
    }

    public func problems() async -> [String: String] {
        state.withLock { state in
            state.badCertificates.reduce(into: state.portProblems) { $0[$1.material.id.rawValue] = $1.problem }
        }
    }

    /// Client connections open now.
    public func openConnections() async -> Int {
        let total = Mutex(0)
        await onEveryLoop { loop in
            let count = loop.service.connectionCount
            total.withLock { $0 += count }
        }
        return total.withLock { $0 }
    }

    /// Runs `work` on each loop's thread and returns when all have.
    func onEveryLoop(_ work: @escaping @Sendable (EventLoop) -> Void) async {
        await withTaskGroup(of: Void.self) { group in
            for loop in loops {
                group.addTask {
                    await withCheckedContinuation { done in
                        loop.post { loop in
                            work(loop)
                            done.resume()
                        }
                    }
                }
            }
        }
    }

    // MARK: End

    /// Accepts nothing new, lets what is open finish, and returns when all is closed or the deadline has passed.
    /// - Returns: how many client connections were still open.
    public func drain(seconds: Double) async -> Int {
        await onEveryLoop { $0.service.drain() }
        let deadline = ContinuousClock.now + .seconds(seconds)
        var open = await openConnections()
        while open > 0, ContinuousClock.now < deadline, !Task.isCancelled {
            try? await Task.sleep(for: .milliseconds(50))
            open = await openConnections()
        }
        return open
    }

    /// Ends the loops. Nothing can be sent to them afterwards.
    public func shutdown() {
        rotation.withLock { $0?.cancel() }
        for loop in loops { loop.stop() }
    }
}
