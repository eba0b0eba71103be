import EdgeCore
import Shared
import Testing

@testable import EdgeControl

struct LiveOperationsTests {
    @Test func `what changes something needs an operator`() {
        for operation in LiveWorld().service.operations {
            #expect(operation.role == (operation.method == "GET" ? .viewer : .operator), "\(operation.path)")
        }
    }

    @Test func `a breaker is opened by hand, noted, told and answered`() async throws {
        let world = LiveWorld()
        _ = world.breakers.breaker(routeID: LiveWorld.route, settings: LiveWorld.settings())
        await world.service.tick()
        let route = ["route_id": LiveWorld.route.rawValue]
        let answer = try await world.perform(
            "POST", "/selvage/breakers/{route_id}/open", LiveWorld.call(route, command: "breaker open shop"))
        #expect(answer["state"] == "open")
        #expect(world.audited.now == ["uid:1 (alice) breaker open shop circuit_breaker edghtsrt_1"])
        #expect(world.events.recent(5).map(\.kind) == ["breaker.forced", "breaker.opened"])
        let list = try await world.perform("GET", "/selvage/breakers")
        #expect(list["breakers"]?.arrayValue?.compactMap { $0["state"] } == ["open"])
        let closed = try await world.perform("POST", "/selvage/breakers/{route_id}/close", LiveWorld.call(route))
        #expect(closed["state"] == "closed")
    }

    @Test func `a route without breaker is not found, and nothing is noted`() async throws {
        let world = LiveWorld()
        await world.service.tick()
        await #expect(throws: APIErrorBody.self) {
            try await world.perform(
                "POST", "/selvage/breakers/{route_id}/open", LiveWorld.call(["route_id": "edghtsrt_9"]))
        }
        #expect(world.audited.now.isEmpty)
    }

    @Test func `C19 explain lists the modules in order and then the backend with its shares`() async throws {
        let world = LiveWorld(snapshot: LiveOperationsTests.snapshot())
        let trace = try await world.perform(
            "GET", "/selvage/explain",
            LiveWorld.call(query: ["host": ["App.example:443"], "path": ["/x?q"], "client": ["192.0.2.7"]]))
        #expect(trace["edge"]?["id"] == .string(LiveWorld.edge.rawValue))
        #expect(trace["route"]?["match"] == "/")
        #expect(trace["modules"]?.arrayValue?.compactMap { $0["name"]?.stringValue } == ["gate", "stamp"])
        #expect(trace["modules"]?.arrayValue?.compactMap { $0["admits"] } == [false, .null])
        let children = trace["backend"]?["children"]?.arrayValue
        #expect(children?.compactMap { $0["share"]?.doubleValue } == [0.95, 0.05])
        #expect(children?.compactMap { $0["weight"]?.intValue } == [95, 5])
        #expect(children?.first?["address"] == "127.0.0.1:80")
        #expect(trace["answer"] == .null)
    }

    @Test func `explain says what the edge itself would answer`() async throws {
        let world = LiveWorld(snapshot: LiveOperationsTests.snapshot())
        let stranger = try await world.perform(
            "GET", "/selvage/explain", LiveWorld.call(query: ["host": ["other.example"]]))
        #expect(stranger["edge"] == .null)
        #expect(stranger["answer"]?["error_code"] == "ERR_NGROK_3200")
        for query in [[:], ["host": ["a"], "path": ["x"]], ["host": ["a"], "client": ["nobody"]]] {
            await #expect(throws: Fault.self) {
                try await world.perform("GET", "/selvage/explain", LiveWorld.call(query: query))
            }
        }
    }

    @Test(
        arguments: [
            ("a.example", "a.example", nil), ("A.example:8443", "a.example", 8443), ("[::1]:80", "[::1]", 80),
            ("::1", "::1", nil), ("a:99999", "a:99999", nil),
        ] as [(String, String, UInt16?)])
    func `a host may carry a port`(text: String, host: String, port: UInt16?) {
        #expect(Explanation.split(text) == (host, port))
    }

    static func snapshot() -> Snapshot {
        let slots = SlotTable()
        let chain = Chain([Gate(), Stamp()])
        let route = CompiledRoute(
            id: LiveWorld.route, edgeID: LiveWorld.edge, slot: slots.slot("route/x"), chain: chain,
            backend: BackendTable.none)
        let edge = CompiledEdge(
            id: LiveWorld.edge, kind: .https, slot: slots.slot("edge/x"), hostports: ["app.example:443"],
            termination: .atEdge, minimumTLSVersion: 0x0303,
            routes: RouteTable([(matchType: .pathPrefix, match: "/", route: route)]), chain: .empty,
            backend: BackendTable.none,
            dependencies: [])
        return Snapshot(
            configuration: LiveWorld.twoVersions, edges: [edge.id: edge],
            hosts: HostTable([(name: "app.example", value: edge)]))
    }
}

/// Lets nobody in.
private final class Gate: TrafficModule {
    static let name = "gate"
    static let edgeKinds: Set<EdgeKind> = [.https]
    static let phases: ModulePhases = [.connection, .request]
    static let settings = Shape("Gate", [])
    static let example: JSON = [:]
    static func normalise(_ settings: JSON) throws(Fault) -> JSON { settings }
    init() {}
    init(settings: JSON, environment: ModuleEnvironment) throws(Fault) {}
    func admits(_ connection: ConnectionFacts) -> Bool { false }
}

private final class Stamp: TrafficModule {
    static let name = "stamp"
    static let edgeKinds: Set<EdgeKind> = [.https]
    static let phases: ModulePhases = [.response]
    static let settings = Shape("Stamp", [])
    static let example: JSON = [:]
    static func normalise(_ settings: JSON) throws(Fault) -> JSON { settings }
    init() {}
    init(settings: JSON, environment: ModuleEnvironment) throws(Fault) {}
}

struct LiveClockTests {
    @Test func `the system's clock goes forward, and its names are not repeated`() {
        let clock = LiveService.Clock.system
        let earlier = clock.now()
        #expect(earlier.nanoseconds > 0)
        #expect(clock.now() >= earlier)
        #expect(Identity.prefix(of: clock.makeID("ses")) == "ses")
        #expect(clock.makeID("ses") != clock.makeID("ses"))
    }
}
