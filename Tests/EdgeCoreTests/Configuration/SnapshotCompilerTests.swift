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
        var wanted = configuration([edge(1), edge(2, module: ["policies": ["ipp_1"]])])
        wanted.policies[IPPolicyID("ipp_1")] = []
        let first = compiler.compile(wanted, touched: nil, previous: nil)
        wanted.policies[IPPolicyID("ipp_1")] = [
            IPPolicyRule(network: IPNetwork(address: .unspecified, prefixLength: 0), allows: true)
        ]
        wanted.revision = 7
        let second = compiler.compile(wanted, touched: ["ipp_1"], previous: first)
        #expect(second.revision == 7)
        #expect(second.edges[EdgeID("edghts_2")] !== first.edges[EdgeID("edghts_2")])
        #expect(second.edges[EdgeID("edghts_1")] === first.edges[EdgeID("edghts_1")])
        #expect(second.hosts.lookup("e1.example.com") === first.edges[EdgeID("edghts_1")])
        #expect(second.faults.isEmpty)
        // What an edge no longer refers to does not touch it.
        wanted.edges[EdgeID("edghts_2")] = edge(2)
        let third = compiler.compile(wanted, touched: ["edghts_2"], previous: second)
        let fourth = compiler.compile(wanted, touched: ["ipp_1"], previous: third)
        #expect(fourth.edges[EdgeID("edghts_2")] === third.edges[EdgeID("edghts_2")])
    }

    @Test func `a changed backend is compiled anew with those that refer to it, and no edge is`() throws {
        var wanted = configuration([edge(1), edge(2, backend: "bkdsc_b"), edge(3, backend: "bkdwd_w")])
        let first = compiler.compile(wanted, touched: nil, previous: nil)
        wanted.backends[BackendID("bkdsc_b")]?.settings = ["address": "other:81", "tls": ["enabled": false]]
        let second = compiler.compile(wanted, touched: ["bkdsc_b"], previous: first)
        for number in 1...3 {
            let id = EdgeID("edghts_\(number)")
            #expect(second.edges[id] === first.edges[id])
        }
        let compiled = { (snapshot: Snapshot, edge: Int) in
            let route = try #require(snapshot.edges[EdgeID("edghts_\(edge)")]?.routes.lookup("/"))
            return try #require(snapshot.backends[route.backend])
        }
        #expect(try compiled(second, 1) === compiled(first, 1))
        // Changed; refers to one that was. Both go on as they were for whoever began with the first snapshot.
        #expect(try compiled(second, 2) !== compiled(first, 2))
        #expect(try compiled(second, 3) !== compiled(first, 3))
        var (balance, path) = (BalanceStates(), SelectionPath())
        guard case .dial(let before) = try compiled(first, 2).choose(&balance, &path),
            case .dial(let after) = try compiled(second, 2).choose(&balance, &path)
        else {
            Issue.record("expected addresses")
            return
        }
        #expect(before.host == "b" && after.host == "other")
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
        let backend = { (snapshot: Snapshot, edge: Int) in
            snapshot.edges[EdgeID("edghts_\(edge)")]?.routes.lookup("/").flatMap { snapshot.backends[$0.backend] }
        }
        #expect(backend(first, 1) == nil)
        #expect(backend(first, 2) == nil)
        let id = BackendID("bkdsc_new")
        wanted.backends[id] = BackendConfiguration(id: id, kind: "static", settings: ["address": "n:1"])
        let second = compiler.compile(wanted, touched: ["bkdsc_new"], previous: first)
        #expect(backend(second, 1)?.id == id)
        #expect(backend(second, 2) == nil)
        wanted.backends[id] = nil
        #expect(backend(compiler.compile(wanted, touched: ["bkdsc_new"], previous: second), 1) == nil)
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
        #expect(snapshot.backends[compiled.backend] != nil)
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
        #expect(snapshot.faults["bkdfo_1"]?.code == "ERR_NGROK_6513")
        #expect(snapshot.faults["bkdfo_2"] != nil)
        #expect(snapshot.backends[BackendID("bkdfo_1")] == nil)
        #expect(snapshot.edges.count == 2)
        // Repaired at one end, both are there.
        wanted.backends[BackendID("bkdfo_2")]?.settings = ["backends": ["bkdsc_a"]]
        let second = compiler.compile(wanted, touched: ["bkdfo_2"], previous: snapshot)
        #expect(second.faults.isEmpty)
        #expect(second.backends[BackendID("bkdfo_1")] != nil)
    }

    @Test func `a backend with a fault keeps its earlier form, and so do those that refer to it`() {
        var wanted = configuration([edge(1)])
        let first = compiler.compile(wanted, touched: nil, previous: nil)
        wanted.backends[BackendID("bkdsc_a")]?.settings = ["address": "no port"]
        let second = compiler.compile(wanted, touched: ["bkdsc_a"], previous: first)
        #expect(second.faults["bkdsc_a"]?.code == "ERR_NGROK_6505")
        #expect(second.backends[BackendID("bkdsc_a")] === first.backends[BackendID("bkdsc_a")])
        #expect(second.backends[BackendID("bkdwd_w")] != nil)
        // A change elsewhere does not hide the fault.
        let third = compiler.compile(wanted, touched: ["edghts_1"], previous: second)
        #expect(third.faults["bkdsc_a"] != nil)
        wanted.backends[BackendID("bkdsc_a")]?.settings = ["address": "a:81"]
        let fourth = compiler.compile(wanted, touched: ["bkdsc_a"], previous: third)
        #expect(fourth.faults.isEmpty)
        #expect(fourth.backends[BackendID("bkdsc_a")] !== first.backends[BackendID("bkdsc_a")])
    }

    @Test func `a certificate follows its domain: new, renewed, moved to another name, gone`() {
        var wanted = Configuration()
        let domain = DomainID("rd_1")
        let material = { (id: String) in CertificateMaterial(id: CertificateID(id), chainPEM: id, keyPEM: "") }
        let (one, two, other) = (material("cert_1"), material("cert_2"), material("cert_1"))
        for each in [one, two] { wanted.certificates[each.id] = each }
        wanted.domains[domain] = DomainConfiguration(id: domain, name: "a.example.com", certificate: one.id)
        let first = compiler.compile(wanted, touched: nil, previous: nil)
        #expect(first.newCertificates.map(\.id) == [one.id])
        wanted.domains[domain]?.certificate = two.id
        let second = compiler.compile(wanted, touched: ["rd_1"], previous: first)
        #expect(second.certificates.lookup("a.example.com") === two)
        #expect(second.newCertificates.map(\.id) == [two.id])
        // The same certificate, with other bytes.
        wanted.domains[domain]?.certificate = one.id
        let third = compiler.compile(wanted, touched: ["rd_1"], previous: second)
        wanted.certificates[one.id] = other
        let fourth = compiler.compile(wanted, touched: ["cert_1"], previous: third)
        #expect(fourth.certificates.lookup("a.example.com") === other)
        wanted.domains[domain]?.name = "b.example.com"
        let fifth = compiler.compile(wanted, touched: ["rd_1"], previous: fourth)
        #expect(fifth.certificates.lookup("a.example.com") == nil)
        #expect(fifth.certificates.lookup("b.example.com") === other)
        wanted.domains[domain] = nil
        let sixth = compiler.compile(wanted, touched: ["rd_1"], previous: fifth)
        #expect(sixth.certificates.lookup("b.example.com") == nil)
        #expect(sixth.newCertificates.isEmpty)
    }

    @Test func `a name that moves from one edge to another in one change answers with the other`() {
        var wanted = configuration([edge(1), edge(2)])
        let first = compiler.compile(wanted, touched: nil, previous: nil)
        wanted.edges[EdgeID("edghts_1")]?.hostports = ["e2.example.com:443"]
        wanted.edges[EdgeID("edghts_2")]?.hostports = ["e1.example.com:443"]
        let second = compiler.compile(wanted, touched: ["edghts_1", "edghts_2"], previous: first)
        #expect(second.hosts.lookup("e2.example.com")?.id == EdgeID("edghts_1"))
        #expect(second.hosts.lookup("e1.example.com")?.id == EdgeID("edghts_2"))
    }

    @Test func `only a change of a TCP edge says that ports are others`() {
        var wanted = configuration([
            edge(1),
            EdgeConfiguration(id: EdgeID("edgtcp_1"), kind: .tcp, hostports: ["tcp.example.com:20443"]),
        ])
        wanted.revision = 1
        let first = compiler.compile(wanted, touched: nil, previous: nil)
        #expect(first.portsRevision == 1)
        wanted.revision = 2
        let second = compiler.compile(wanted, touched: ["edghts_1"], previous: first)
        #expect(second.portsRevision == 1)
        wanted.revision = 3
        wanted.edges[EdgeID("edgtcp_1")]?.hostports = ["tcp.example.com:20444"]
        let third = compiler.compile(wanted, touched: ["edgtcp_1"], previous: second)
        #expect(third.portsRevision > second.portsRevision)
        #expect(third.ports[20443] == nil && third.ports[20444] != nil)
        wanted.edges[EdgeID("edgtcp_1")] = nil
        #expect(compiler.compile(wanted, touched: ["edgtcp_1"], previous: third).ports.isEmpty)
    }

    @Test func `a change among a thousand edges compiles one, and makes one part of the host table anew`() {
        var wanted = configuration((0..<1000).map { edge($0) })
        let first = compiler.compile(wanted, touched: nil, previous: nil)
        wanted.edges[EdgeID("edghts_500")]?.routes[0].match = "/other"
        let second = compiler.compile(wanted, touched: ["edghts_500"], previous: first)
        #expect(second.edges.count { $0.value !== first.edges[$0.key] } == 1)
        let every = first.hosts.names.sharedShards(with: first.hosts.names)
        #expect(every >= 128)
        #expect(second.hosts.names.sharedShards(with: first.hosts.names) == every - 1)
        wanted.edges[EdgeID("edghts_500")]?.hostports = ["new.example.com:443"]
        let third = compiler.compile(wanted, touched: ["edghts_500"], previous: second)
        #expect(third.hosts.lookup("new.example.com")?.id == EdgeID("edghts_500"))
        #expect(third.hosts.lookup("e500.example.com") == nil)
        #expect(third.hosts.names.sharedShards(with: second.hosts.names) >= every - 2)
    }

    @Test func `a thousand changes one by one give what compiling everything gives`() {
        var chance = Chance(11)
        var wanted = configuration([])
        var served: Snapshot?
        for round in 0..<300 {
            let number = Int.random(in: 0..<40, using: &chance)
            let id = EdgeID("edghts_\(number)")
            var changed = edge(number, backend: ["bkdsc_a", "bkdsc_b", "bkdwd_w"].randomElement(using: &chance) ?? "")
            if Bool.random(using: &chance) { changed.hostports.append("*.w\(number).example.com:443") }
            wanted.edges[id] = Int.random(in: 0..<3, using: &chance) == 0 ? nil : changed
            wanted.revision = UInt64(round)
            served = compiler.compile(wanted, touched: [id.rawValue], previous: served)
        }
        let whole = compiler.compile(wanted, touched: nil, previous: nil)
        #expect(Set(served?.edges.keys.map(\.rawValue) ?? []) == Set(whole.edges.keys.map(\.rawValue)))
        for number in 0..<40 {
            for name in ["e\(number).example.com", "x.w\(number).example.com"] {
                #expect(served?.hosts.lookup(name)?.id == whole.hosts.lookup(name)?.id)
            }
        }
    }
}
