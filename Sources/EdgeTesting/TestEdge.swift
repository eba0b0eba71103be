public import EdgeCore
import EdgeModules
public import EdgeTransport
import Glibc
public import Shared
import Synchronization

/// A whole data plane on ports that the system chose, with a configuration made by the test.
public final class TestEdge: Sendable {
    public let plane: EdgeDataPlane
    public let breakers = CircuitBreakers()
    public let slots: SlotTable
    private let compiler: SnapshotCompiler
    private let current: Mutex<(Configuration, Snapshot?)>
    public let httpsPort: UInt16
    public let httpsPortV6: UInt16
    public let clearPort: UInt16
    public let redirectPort: UInt16
    /// Where agents come in; 0 without a gate.
    public let agentPort: UInt16
    /// The authority that agents have to trust.
    let agentAuthority: String
    let tunnels = TunnelGroups()
    /// Agents live as long as their edge, unless they are closed.
    let agents = Mutex<[TestAgent]>([])

    init(_ settings: TransportSettings, gate: TestGate?) throws {
        let slots = SlotTable()
        plane = try EdgeDataPlane(settings: settings, slots: slots, tunnels: tunnels)
        self.slots = slots
        compiler = SnapshotCompiler(
            modules: StandardModules.registry, slots: slots, breakers: breakers, tunnels: tunnels)
        current = Mutex((Configuration(), nil))
        let loopback = SocketAddress(IPAddress(v4: 0x7F00_0001), port: 0)
        let loopback6 = SocketAddress(IPAddress(high: 0, low: 1), port: 0)
        httpsPort = try plane.listen(ListenerSettings(kind: .https, address: loopback, region: Region("us"))).port
        httpsPortV6 = try plane.listen(ListenerSettings(kind: .https, address: loopback6, region: Region("eu"))).port
        clearPort = try plane.listen(ListenerSettings(kind: .cleartext, address: loopback, region: Region("us"))).port
        redirectPort = try plane.listen(
            ListenerSettings(kind: .redirect, address: loopback, region: Region("us"), redirectPort: httpsPort)
        ).port
        let material = ThrowAwayCertificate.make(["127.0.0.1"], id: "cert_agents")
        agentAuthority = material.chainPEM
        if let gate {
            plane.serveAgents(names: [], certificate: try HandlerCertificate(material), gate: gate)
            agentPort = try plane.listenForAgents(loopback, region: Region("us")).port
        } else {
            agentPort = 0
        }
        plane.start()
    }

    /// Has every loop know the tunnels as they are now.
    public func publishTunnels() async {
        guard let snapshot = current.withLock({ $0.1 }) else { return }
        await plane.publish(snapshot)
    }

    /// Changes the configuration and puts it in force.
    public func change(_ body: @Sendable (inout Configuration) -> Void) async {
        let snapshot = current.withLock { current -> Snapshot in
            body(&current.0)
            current.0.revision += 1
            let snapshot = compiler.compile(current.0, touched: nil, previous: current.1)
            current.1 = snapshot
            return snapshot
        }
        precondition(snapshot.faults.isEmpty, "\(snapshot.faults)")
        await plane.publish(snapshot)
    }

    /// The counters of one slot, e.g. `backend/bkdsc_a`.
    public func counters(_ key: String) async -> TrafficCounters {
        let sample = await plane.sample()
        let slot = Int(slots.slot(key))
        return slot < sample.counters.count ? sample.counters[slot] : TrafficCounters()
    }
}

/// Runs `body` with an edge, and ends it.
/// - Parameter gate: decides about agents; without one none can come.
public func withEdge(
    _ settings: TransportSettings = TransportSettings(), gate: TestGate? = nil,
    _ configure: @Sendable (inout Configuration) -> Void, _ body: (TestEdge) async throws -> Void
) async throws {
    let edge = try TestEdge(settings, gate: gate)
    defer { edge.plane.shutdown() }
    await edge.change(configure)
    try await body(edge)
}

extension Configuration {
    /// A static backend at 127.0.0.1.
    public mutating func addStatic(_ id: String, port: UInt16, tls: Bool = false) {
        add(id, StaticBackend.self, ["address": .string("127.0.0.1:\(port)"), "tls": ["enabled": .bool(tls)]])
    }

    public mutating func add(_ id: String, _ kind: (some Backend).Type, _ settings: JSON) {
        guard let normal = try? kind.normalise(settings) else { preconditionFailure("settings of \(id)") }
        let id = BackendID(id)
        backends[id] = BackendConfiguration(id: id, kind: kind.kind, settings: normal)
    }

    /// A domain with a throw-away certificate.
    public mutating func addDomain(_ name: String, id: String = "rd_1") {
        let certificate = ThrowAwayCertificate.make([name], id: "cert_\(id)")
        certificates[certificate.id] = certificate
        domains[DomainID(id)] = DomainConfiguration(id: DomainID(id), name: name, certificate: certificate.id)
    }

    /// A domain, its edge, and one upstream at 127.0.0.1 behind it, as backend `bkdsc_a`.
    public mutating func addProxy(_ host: String, to port: UInt16, modules: [String: JSON] = [:]) {
        addDomain(host)
        addStatic("bkdsc_a", port: port)
        addEdge(host: host, backend: "bkdsc_a", modules: modules)
    }

    /// The tunnels with these labels.
    public mutating func addTunnelGroup(_ id: String, _ labels: [String: String]) {
        add(id, TunnelGroupBackend.self, ["labels": .object(labels.mapValues { .string($0) })])
    }

    /// A domain, its edge, and the tunnels with these labels behind it, as backend `bkdtg_a`.
    public mutating func addTunnelProxy(_ host: String, _ labels: [String: String]) {
        addDomain(host)
        addTunnelGroup("bkdtg_a", labels)
        addEdge(host: host, backend: "bkdtg_a")
    }

    /// A TCP edge on this port.
    public mutating func addTCPEdge(port: UInt16, backend: String) {
        edges["edgtcp_1"] = EdgeConfiguration(
            id: "edgtcp_1", kind: .tcp, hostports: ["tcp.example.com:\(port)"],
            backend: BackendReference(id: BackendID(backend)))
    }

    /// An HTTPS edge with one route on `/`.
    public mutating func addEdge(
        _ id: String = "edghts_1", host: String, backend: String, modules: [String: JSON] = [:]
    ) {
        let route = RouteConfiguration(
            id: RouteID("edghtsrt_\(id)"), matchType: .pathPrefix, match: "/", modules: modules,
            backend: BackendReference(id: BackendID(backend)))
        edges[EdgeID(id)] = EdgeConfiguration(
            id: EdgeID(id), kind: .https, hostports: ["\(host):443"], routes: [route])
    }
}

/// An upstream that answers by a function, on the program's own HTTP server.
public final class FakeUpstream: Sendable {
    private let plane: EdgeDataPlane
    public let port: UInt16
    public let requests = Counter()

    /// - Parameter largestBody: of a request, in bytes.
    public init(largestBody: Int = 1 << 20, _ answer: @escaping RequestHandler) throws {
        var settings = TransportSettings()
        settings.maxHandlerBody = largestBody
        plane = try EdgeDataPlane(settings: settings, slots: SlotTable())
        let counter = requests
        port = try plane.listen(SocketAddress(IPAddress(v4: 0x7F00_0001), port: 0)) { request in
            counter.raise()
            return await answer(request)
        }.port
        plane.start()
    }

    deinit { plane.shutdown() }
}
