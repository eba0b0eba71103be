import Shared
import Testing

@testable import EdgeCore

/// A module for tests: records who ran, and refuses settings that say so.
final class Marking: TrafficModule, BreakerBearing {
    static let name = "marking"
    static let edgeKinds: Set<EdgeKind> = [.https, .tcp]
    static let phases: ModulePhases = [.request]
    static let settings = Shape("Marking", [])
    static let example: JSON = [:]
    static let references = [
        ModuleReference(field: "policies", answerField: "policies", kind: "ip_policy", missingCode: 7007)
    ]
    let mark: String

    init(settings: JSON, environment: ModuleEnvironment) throws(Fault) {
        if settings["broken"] == true { throw Fault(7011, "broken") }
        mark = settings["mark"]?.stringValue ?? ""
        _ = environment.breakers.breaker(
            routeID: RouteID(environment.ownerID), settings: CircuitBreakerSettings())
    }

    static func normalise(_ settings: JSON) throws(Fault) -> JSON { settings }
}

@Suite struct SnapshotCompilerTests {
    private let slots = SlotTable()
    private let breakers = CircuitBreakers()
    private var compiler: SnapshotCompiler {
        SnapshotCompiler(modules: ModuleRegistry([Marking.self]), slots: slots, breakers: breakers)
    }

    private func edge(_ number: Int, backend: String = "bkdsc_a", module: JSON = [:]) -> EdgeConfiguration {
        EdgeConfiguration(
            id: EdgeID("edghts_\(number)"), kind: .https, hostports: ["e\(number).example.com:443"],
            routes: [
                RouteConfiguration(
                    id: RouteID("edghtsrt_\(number)"), matchType: .pathPrefix, match: "/", modules: ["marking": module],
                    backend: BackendReference(id: BackendID(backend)))
            ])
    }

    private func configuration(_ edges: [EdgeConfiguration]) -> Configuration {
        var result = Configuration()
        for edge in edges { result.edges[edge.id] = edge }
        for name in ["a", "b"] {
            let id = BackendID("bkdsc_\(name)")
            result.backends[id] = BackendConfiguration(
                id: id, kind: "static", settings: ["address": .string("\(name):80"), "tls": ["enabled": false]])
        }
        let id = BackendID("bkdwd_w")
        result.backends[id] = BackendConfiguration(
            id: id, kind: "weighted", settings: ["backends": ["bkdsc_a": 1, "bkdsc_b": 1]])
        return result
    }

    @Test func `only edges that a change touches are compiled anew`() {
        var wanted = configuration([edge(1), edge(2, backend: "bkdsc_b"), edge(3, backend: "bkdwd_w")])
        let first = compiler.compile(wanted, touched: nil, previous: nil)
        wanted.backends[BackendID("bkdsc_b")]?.settings = ["address": "other:81", "tls": ["enabled": false]]
        wanted.revision = 7
        let second = compiler.compile(wanted, touched: ["bkdsc_b"], previous: first)
        #expect(second.revision == 7)
        // Refers to it; refers to it through another backend; does not.
        #expect(second.edges[EdgeID("edghts_2")] !== first.edges[EdgeID("edghts_2")])
        #expect(second.edges[EdgeID("edghts_3")] !== first.edges[EdgeID("edghts_3")])
        #expect(second.edges[EdgeID("edghts_1")] === first.edges[EdgeID("edghts_1")])
        #expect(second.hosts.lookup("e1.example.com") === first.edges[EdgeID("edghts_1")])
        #expect(second.faults.isEmpty)
    }

    @Test func `every object that went into an edge is among its dependencies`() {
        var wanted = configuration([edge(3, backend: "bkdwd_w", module: ["policies": ["ipp_1"]])])
        wanted.policies[IPPolicyID("ipp_1")] = []
        let snapshot = compiler.compile(wanted, touched: nil, previous: nil)
        #expect(
            snapshot.edges[EdgeID("edghts_3")]?.dependencies
                == ["edghts_3", "edghtsrt_3", "bkdwd_w", "bkdsc_a", "bkdsc_b", "ipp_1"])
    }

    @Test func `new edges are compiled and deleted ones are gone`() {
        let first = compiler.compile(configuration([edge(1), edge(2)]), touched: nil, previous: nil)
        let second = compiler.compile(
            configuration([edge(1), edge(3)]), touched: ["edghts_2", "edghts_3"], previous: first)
        #expect(Set(second.edges.keys.map(\.rawValue)) == ["edghts_1", "edghts_3"])
        #expect(second.hosts.lookup("e2.example.com") == nil)
        #expect(second.hosts.lookup("e3.example.com") != nil)
    }

    @Test func `a fault stays with its edge, which keeps its earlier form until it is repaired`() {
        let first = compiler.compile(configuration([edge(1), edge(2)]), touched: nil, previous: nil)
        var broken = configuration([edge(1, module: ["broken": true]), edge(2, backend: "bkdsc_b")])
        let second = compiler.compile(broken, touched: ["edghts_1", "edghts_2"], previous: first)
        #expect(second.edges[EdgeID("edghts_1")] === first.edges[EdgeID("edghts_1")])
        #expect(second.edges[EdgeID("edghts_2")] !== first.edges[EdgeID("edghts_2")])
        #expect(second.faults["edghts_1"]?.code == "ERR_NGROK_7011")
        #expect(second.faults["edghtsrt_1"]?.code == "ERR_NGROK_7011")
        // A change elsewhere does not hide the fault.
        let third = compiler.compile(broken, touched: ["edghts_2"], previous: second)
        #expect(third.faults["edghts_1"] != nil)
        broken.edges[EdgeID("edghts_1")] = edge(1)
        let fourth = compiler.compile(broken, touched: ["edghts_1"], previous: third)
        #expect(fourth.faults.isEmpty)
        #expect(fourth.edges[EdgeID("edghts_1")] !== first.edges[EdgeID("edghts_1")])
    }

    @Test func `an edge that never compiled is left out, and the rest serves`() {
        let snapshot = compiler.compile(
            configuration([edge(1, module: ["broken": true]), edge(2)]), touched: nil, previous: nil)
        #expect(snapshot.edges[EdgeID("edghts_1")] == nil)
        #expect(snapshot.hosts.lookup("e2.example.com") != nil)
        #expect(snapshot.faults["edghts_1"] != nil)
    }

    @Test func `a backend that is switched off or missing is none, and comes when it is made`() {
        var wanted = configuration([edge(1, backend: "bkdsc_new"), edge(2)])
        wanted.edges[EdgeID("edghts_2")]?.routes[0].backend?.enabled = false
        let first = compiler.compile(wanted, touched: nil, previous: nil)
        #expect(first.edges[EdgeID("edghts_1")]?.routes.lookup("/")?.backend == nil)
        #expect(first.edges[EdgeID("edghts_2")]?.routes.lookup("/")?.backend == nil)
        let id = BackendID("bkdsc_new")
        wanted.backends[id] = BackendConfiguration(id: id, kind: "static", settings: ["address": "n:1"])
        let second = compiler.compile(wanted, touched: ["bkdsc_new"], previous: first)
        #expect(second.edges[EdgeID("edghts_1")]?.routes.lookup("/")?.backend?.id == id)
    }

    @Test func `C10 two routes of one edge have modules of their own`() throws {
        var edge = edge(1, module: ["mark": "one"])
        edge.routes.append(
            RouteConfiguration(
                id: RouteID("r2"), matchType: .pathPrefix, match: "/two", modules: ["marking": ["mark": "two"]]))
        edge.routes.append(
            RouteConfiguration(
                id: RouteID("r3"), matchType: .exactPath, match: "/three",
                modules: ["marking": ["mark": "three", "enabled": false]]))
        let snapshot = compiler.compile(configuration([edge]), touched: nil, previous: nil)
        let routes = try #require(snapshot.edges[edge.id]).routes
        #expect((routes.lookup("/")?.chain.modules.first as? Marking)?.mark == "one")
        #expect((routes.lookup("/two/x")?.chain.modules.first as? Marking)?.mark == "two")
        #expect(routes.lookup("/three")?.chain.modules.isEmpty == true)
    }

    @Test func `C16 a module is refused on an edge kind that it does not know`() {
        let edge = EdgeConfiguration(
            id: EdgeID("edgtls_1"), kind: .tls, hostports: ["t.example.com:443"], modules: ["marking": [:]])
        let snapshot = compiler.compile(configuration([edge]), touched: nil, previous: nil)
        #expect(snapshot.faults["edgtls_1"]?.code == "ERR_NGROK_7021")
    }

    @Test(
        arguments: [
            (nil, TLSTermination.atEdge, 0x0303), (["terminate_at": "upstream"], .atUpstream, 0x0303),
            (["terminate_at": "edge", "min_version": "1.3"], .atEdge, 0x0304),
            (["min_version": "1.0"], .atEdge, 0x0301),
            (["min_version": nil], .atEdge, 0x0303), (["enabled": false, "terminate_at": "upstream"], .atEdge, 0x0303),
        ] as [(JSON?, TLSTermination, Int32)])
    func `TLS termination is read from the edge`(document: JSON?, place: TLSTermination, version: Int32) throws {
        var edge = EdgeConfiguration(id: EdgeID("edgtls_1"), kind: .tls, hostports: ["t.example.com:443"])
        edge.modules["tls_termination"] = document
        edge.backend = BackendReference(id: BackendID("bkdsc_a"))
        let snapshot = compiler.compile(configuration([edge]), touched: nil, previous: nil)
        let compiled = try #require(snapshot.hosts.lookup("t.example.com"))
        #expect(compiled.termination == place)
        #expect(compiled.minimumTLSVersion == version)
        #expect(compiled.backend != nil)
    }

    @Test func `TCP edges are found by port, and certificates by name with or without an edge`() {
        var wanted = configuration([
            EdgeConfiguration(
                id: EdgeID("edgtcp_1"), kind: .tcp, hostports: ["tcp.example.com:20443"],
                backend: BackendReference(id: BackendID("bkdsc_a")))
        ])
        let material = CertificateMaterial(id: CertificateID("cert_1"), chainPEM: "c", keyPEM: "secret")
        wanted.certificates[material.id] = material
        wanted.domains[DomainID("rd_1")] = DomainConfiguration(
            id: DomainID("rd_1"), name: "*.example.com", certificate: material.id)
        let snapshot = compiler.compile(wanted, touched: nil, previous: nil)
        #expect(snapshot.ports[20443]?.id == EdgeID("edgtcp_1"))
        #expect(snapshot.hosts.lookup("tcp.example.com") == nil)
        #expect(snapshot.certificates.lookup("x.example.com") === material)
        #expect(!"\(material)".contains("secret"))
        var dumped = ""
        dump(material, to: &dumped)
        #expect(!dumped.contains("secret"))
    }

    @Test func `breakers of routes that are gone, or carry none any more, are retired`() {
        let first = compiler.compile(configuration([edge(1), edge(2)]), touched: nil, previous: nil)
        #expect(breakers.statuses(now: MonotonicTime(nanoseconds: 0)).count == 2)
        var second = configuration([edge(1)])
        let next = compiler.compile(second, touched: ["edghts_2"], previous: first)
        #expect(breakers.statuses(now: MonotonicTime(nanoseconds: 0)).map(\.routeID.rawValue) == ["edghtsrt_1"])
        second.edges[EdgeID("edghts_1")]?.routes[0].modules = [:]
        _ = compiler.compile(second, touched: ["edghts_1"], previous: next)
        #expect(breakers.statuses(now: MonotonicTime(nanoseconds: 0)).isEmpty)
    }

    @Test func `a breaker outlives a change of its edge, with its state`() {
        let first = compiler.compile(configuration([edge(1)]), touched: nil, previous: nil)
        #expect(breakers.perform(RouteID("edghtsrt_1"), .open, now: MonotonicTime(seconds: 1)))
        _ = compiler.compile(
            configuration([edge(1, backend: "bkdsc_b", module: ["mark": "x"])]), touched: ["edghts_1"], previous: first)
        #expect(breakers.statuses(now: MonotonicTime(seconds: 2)).map(\.state) == [.open])
    }

    @Test func `an edge that fails to compile leaves no breaker behind`() {
        let first = compiler.compile(configuration([edge(1)]), touched: nil, previous: nil)
        var broken = edge(2)
        broken.routes.append(
            RouteConfiguration(
                id: RouteID("r9"), matchType: .pathPrefix, match: "/x", modules: ["marking": ["broken": true]]))
        let second = compiler.compile(configuration([edge(1), broken]), touched: ["edghts_2"], previous: first)
        #expect(second.faults["edghts_2"] != nil)
        #expect(breakers.statuses(now: MonotonicTime(seconds: 1)).map(\.routeID.rawValue) == ["edghtsrt_1"])
    }

    @Test func `a cycle in the store is a fault and not an endless compilation`() {
        var wanted = configuration([edge(1, backend: "bkdfo_1"), edge(2)])
        for (id, child) in [("bkdfo_1", "bkdfo_2"), ("bkdfo_2", "bkdfo_1")] {
            wanted.backends[BackendID(id)] = BackendConfiguration(
                id: BackendID(id), kind: "failover", settings: ["backends": [.string(child)]])
        }
        let snapshot = compiler.compile(wanted, touched: nil, previous: nil)
        #expect(snapshot.faults["edghts_1"]?.code == "ERR_NGROK_6513")
        #expect(snapshot.edges.count == 1)
    }

    @Test func `a change among a thousand edges compiles one`() {
        var wanted = configuration((0..<1000).map { edge($0) })
        let first = compiler.compile(wanted, touched: nil, previous: nil)
        wanted.edges[EdgeID("edghts_500")]?.hostports = ["new.example.com:443"]
        let second = compiler.compile(wanted, touched: ["edghts_500"], previous: first)
        #expect(second.edges.count { $0.value !== first.edges[$0.key] } == 1)
        #expect(second.hosts.lookup("new.example.com")?.id == EdgeID("edghts_500"))
        #expect(second.hosts.lookup("e500.example.com") == nil)
    }
}
