import EdgeCore
import Foundation
import Shared
import Synchronization

@testable import EdgeControl

/// A clock that only moves when told.
final class ManualTime: Sendable {
    private let time = Mutex(MonotonicTime(seconds: 1_000))

    var now: MonotonicTime { time.withLock { $0 } }
    func advance(_ seconds: Double) { time.withLock { $0 = $0 + .seconds(seconds) } }
}

/// A data plane whose counters are set by the test.
final class CountingPlane: DataPlane {
    let slots = SlotTable()
    private let state = Mutex(TrafficSample())
    let troubles = Shelf<[String: String]>([:])

    func publish(_ snapshot: Snapshot) async {}
    func sample() async -> TrafficSample { state.withLock { $0 } }
    func problems() async -> [String: String] { troubles.now }

    /// Counts exchanges of `key` that began and ended, each after `milliseconds`.
    func count(_ key: String, _ exchanges: Int, status: Int = 200, milliseconds: UInt64 = 10) {
        change(key) { counters, latencies in
            for _ in 0..<exchanges {
                counters.started += 1
                counters.ended += 1
                counters.count(status: status)
                latencies.record(microseconds: milliseconds * 1000)
            }
        }
    }

    func change(_ key: String, _ body: (inout TrafficCounters, inout LatencyHistogram) -> Void) {
        let slot = Int(slots.slot(key))
        state.withLock { sample in
            sample.grow(to: slot + 1)
            body(&sample.counters[slot], &sample.latencies[slot])
        }
    }
}

/// A store that remembers what guards asked of it.
final class RecordingStore: GuardStore {
    struct State {
        var unfinished: [GuardPlan] = []
        var restored: [String] = []
        var forgotten: [String] = []
        /// What the next restores throw, first to last.
        var restoreErrors: [any Error] = []
        var forgetErrors: [any Error] = []
    }

    struct Unavailable: Error {}

    let state = Mutex(State())

    func restoreGuarded(_ id: String, reason: String) async throws {
        try state.withLock { state in
            if !state.restoreErrors.isEmpty { throw state.restoreErrors.removeFirst() }
            state.restored.append(id)
        }
    }

    func forgetGuard(_ id: String) async throws {
        try state.withLock { state in
            if !state.forgetErrors.isEmpty { throw state.forgetErrors.removeFirst() }
            state.forgotten.append(id)
        }
    }

    func unfinishedGuards() async throws -> [GuardPlan] { state.withLock { $0.unfinished } }
}

/// A value that the test changes while the service looks at it.
final class Shelf<Value: Sendable>: Sendable {
    private let value: Mutex<Value>

    init(_ value: Value) { self.value = Mutex(value) }

    var now: Value { value.withLock { $0 } }
    func change(_ body: (inout Value) -> Void) { value.withLock { body(&$0) } }
}

/// A live service in a world that the test moves by hand.
final class LiveWorld: Sendable {
    let time = ManualTime()
    let plane = CountingPlane()
    let store = RecordingStore()
    let breakers = CircuitBreakers()
    let events: EventLog
    let audited = Shelf<[String]>([])
    let audit = Shelf<[AuditRecord]>([])
    let configuration = Shelf(LiveWorld.twoVersions)
    let service: LiveService

    static let route = RouteID("edghtsrt_1")
    static let edge = EdgeID("edghts_1")
    static let weighted = BackendID("bkdwd_1")
    static let old = BackendID("bkdsc_1")
    static let canary = BackendID("bkdsc_2")

    init(snapshot: Snapshot? = nil) {
        let wall: @Sendable () -> Date = { Date(timeIntervalSince1970: 1_763_687_805.5) }
        let events = EventLog(wall: wall)
        self.events = events
        let names = Shelf(0)
        service = LiveService(
            name: LiveService.Name(node: "edge-1", region: "eu", version: "0.1.0"),
            sources: LiveService.Sources(
                dataPlane: plane, slots: plane.slots, breakers: breakers, events: events, guards: store,
                configuration: { [configuration] in configuration.now },
                snapshot: { snapshot ?? Snapshot.empty },
                recentAudit: { [audit] limit in Array(audit.now.suffix(limit)) },
                audit: { [audited] principal, command, kind, id in
                    audited.change { $0.append("\(principal.name) \(command) \(kind) \(id)") }
                }),
            clock: LiveService.Clock(
                now: { [time] in time.now }, wall: wall,
                makeID: { prefix in
                    names.change { $0 += 1 }
                    return "\(prefix)_\(names.now)"
                }))
    }

    /// One edge with one route to a weighted backend 95:5.
    static var twoVersions: Configuration {
        var configuration = Configuration()
        configuration.revision = 7
        for id in [old, canary] {
            configuration.backends[id] = BackendConfiguration(
                id: id, kind: "static", settings: ["address": "127.0.0.1:80", "tls": ["enabled": false]])
        }
        configuration.backends[weighted] = BackendConfiguration(
            id: weighted, kind: "weighted",
            settings: ["backends": .object([old.rawValue: 95, canary.rawValue: 5])])
        configuration.edges[edge] = EdgeConfiguration(
            id: edge, kind: .https, hostports: ["app.example:443"],
            routes: [
                RouteConfiguration(
                    id: route, matchType: .pathPrefix, match: "/", backend: BackendReference(id: weighted))
            ])
        return configuration
    }

    static func call(
        _ parameters: [String: String] = [:], query: [String: [String]] = [:], body: JSON? = nil,
        role: Role = .operator, command: String? = nil
    ) -> OperationCall {
        OperationCall(
            request: HandlerRequest(method: "GET", path: "/"), parameters: parameters, query: query, body: body,
            principal: Principal(name: "uid:1 (alice)", role: role, uid: 1), command: command)
    }

    /// Runs the operation that the table has for this method and pattern.
    func perform(_ method: String, _ path: String, _ call: OperationCall = LiveWorld.call()) async throws -> JSON {
        let answer = try await respond(method, path, call)
        guard case .bytes(let bytes) = answer.body else { throw Unexpected() }
        return try JSON(parsing: bytes)
    }

    func respond(
        _ method: String, _ path: String, _ call: OperationCall = LiveWorld.call()
    ) async throws -> HandlerResponse {
        guard let operation = service.operations.first(where: { $0.method == method && $0.path == path }) else {
            throw Unexpected()
        }
        return try await operation.handler(call)
    }

    /// Opens a stream as the transport sees it.
    func open(_ call: OperationCall = LiveWorld.call()) async throws -> AsyncStream<[UInt8]> {
        guard case .stream(let lines) = try await respond("GET", "/selvage/stream", call).body else {
            throw Unexpected()
        }
        return lines
    }

    struct Unexpected: Error {}

    static func line(_ bytes: [UInt8]?) throws -> StreamLine {
        guard let bytes, bytes.last == UInt8(ascii: "\n") else { throw Unexpected() }
        return try JSONDecoder().decode(StreamLine.self, from: Data(bytes))
    }

    static func settings(window: Double = 10) -> CircuitBreakerSettings {
        CircuitBreakerSettings(
            trippedDuration: .seconds(10), rollingWindow: .seconds(window), buckets: 10, volumeThreshold: 2,
            errorThreshold: 0.5)
    }
}
