import EdgeCore
import EdgeModules
import Foundation
import Shared
import Synchronization
import Testing

@testable import EdgeControl

/// Remembers what it was told to serve.
final class RecordingDataPlane: DataPlane {
    let snapshots = Mutex<[Snapshot]>([])
    let troubles = Mutex<[String: String]>([:])

    func publish(_ snapshot: Snapshot) async { snapshots.withLock { $0.append(snapshot) } }
    func sample() async -> TrafficSample { TrafficSample() }
    func problems() async -> [String: String] { troubles.withLock { $0 } }

    var last: Snapshot? { snapshots.withLock { $0.last } }
    var count: Int { snapshots.withLock { $0.count } }
}

/// A control plane on a throw-away folder, called through its table of operations without a socket.
final class ControlRoom: Sendable {
    struct Answer {
        let status: Int
        let body: JSON
        let fields: [String: String]

        subscript(key: String) -> JSON? { body[key] }
        var code: String? { body["error_code"]?.stringValue }
        var id: String { body["id"]?.stringValue ?? "" }
    }

    let folder: String
    let dataPlane = RecordingDataPlane()
    let service: ConfigurationService
    let breakers = CircuitBreakers()
    let api: AdminAPI
    let audited = Mutex<[AuditRecord]>([])
    let now: Mutex<WallTime>
    /// The monotonic clock of what limits requests over TLS, moved by hand.
    let clock = Mutex(MonotonicTime(seconds: 1000))
    /// What operators were told: kind, object and text.
    let told = Mutex<[(kind: String, object: String, text: String)]>([])
    let keys: KeyAccess
    private let ownsFolder: Bool

    init(
        folder: String? = nil, tcpPorts: ClosedRange<UInt16> = 20000...20003, at start: Int64 = 1_800_000_000,
        requestsPerMinute: Int = 0, concurrentRequests: Int = 64, keeping limits: HistoryLimits = HistoryLimits(),
        tunnels: any TunnelDirectory = EmptyTunnelDirectory(), operations more: [EdgeControl.Operation] = [],
        store wrap: (SQLiteStore) -> any ConfigurationStore = { $0 }
    ) async throws {
        ownsFolder = folder == nil
        self.folder = folder ?? NSTemporaryDirectory() + "selvage-control-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: self.folder, withIntermediateDirectories: true)
        now = Mutex(WallTime(seconds: start))
        let clock = ClockBox()
        let sink = SinkBox()
        let authority = try InternalAuthority(folder: self.folder, now: WallTime(seconds: start))
        let rules = AccessRules(owner: 0, operators: [1001], viewers: [1002], authority: authority)
        let catalogue = Catalogue(
            modules: StandardModules.registry, tcpPorts: tcpPorts, publicName: "edge.example.net", owners: rules.owners,
            tunnels: tunnels)
        let service = ConfigurationService(
            store: wrap(try SQLiteStore(path: self.folder + "/selvage.db", keeping: limits)), catalogue: catalogue,
            authority: authority,
            compiler: SnapshotCompiler(
                modules: StandardModules.registry, slots: SlotTable(), breakers: breakers),
            dataPlane: dataPlane,
            sinks: .init(audit: { sink.tell($0) }, event: { _, _, _, _ in }), clock: { clock.now() })
        self.service = service
        let hands = Hands()
        keys = KeyAccess(
            service, requestsPerMinute: requestsPerMinute, concurrentRequests: concurrentRequests,
            now: { hands.room.withLock { $0.room }?.clock.withLock { $0 } ?? MonotonicTime(seconds: 0) },
            tell: { kind, object, text in
                hands.room.withLock { $0.room }?.told.withLock { $0.append((kind, object, text)) }
            })
        api = AdminAPI(
            operations: ResourceOperations.all(service) + ConfigurationOperations.all(service) + more, keys: keys,
            refused: { service.note(refused: $0, $1, $2) }, authorize: { rules.principal(of: $0) })
        hands.room.withLock { $0.room = self }
        clock.source.withLock { $0 = { [weak self] in self?.now.withLock { $0 } ?? WallTime(seconds: start) } }
        sink.target.withLock { $0 = { [weak self] record in self?.audited.withLock { $0.append(record) } } }
        try await service.start()
    }

    deinit { if ownsFolder { try? FileManager.default.removeItem(atPath: folder) } }

    /// Calls one operation as the transport would.
    func call(
        _ method: String, _ path: String, _ body: JSON? = nil, fields: [(name: String, value: String)] = [],
        uid: UInt32? = 0
    ) async throws -> Answer {
        let parts = path.split(separator: "?", maxSplits: 1)
        var all = fields
        if !fields.contains(where: { $0.name == "ngrok-version" }) { all.append(("ngrok-version", "2")) }
        if body != nil, !fields.contains(where: { $0.name == "content-type" }) {
            all.append(("content-type", "application/json"))
        }
        if !fields.contains(where: { $0.name == "host" }) { all.append(("host", "admin.local:80")) }
        return try await send(
            HandlerRequest(
                method: method, path: String(parts[0]), query: parts.count > 1 ? String(parts[1]) : "", fields: all,
                body: body?.bytes ?? [], peer: uid.map { PeerIdentity(uid: $0, pid: 1) }))
    }

    /// Calls one operation as a client elsewhere does, over TLS.
    func remote(
        _ method: String, _ path: String, _ body: JSON? = nil, key: String? = nil, from client: String = "192.0.2.7",
        fields: [(name: String, value: String)] = []
    ) async throws -> Answer {
        let parts = path.split(separator: "?", maxSplits: 1)
        var all = fields + [("ngrok-version", "2"), ("host", "admin.example:8443")]
        if let key { all.append(("authorization", "Bearer " + key)) }
        if body != nil { all.append(("content-type", "application/json")) }
        return try await send(
            HandlerRequest(
                method: method, path: String(parts[0]), query: parts.count > 1 ? String(parts[1]) : "", fields: all,
                body: body?.bytes ?? [], client: IPAddress(client), isSecure: true))
    }

    func send(_ request: HandlerRequest) async throws -> Answer {
        let response = await api.handle(request)
        guard case .bytes(let bytes) = response.body else { throw Unexpected(what: "a stream") }
        let fields = Dictionary(response.fields.map { ($0.name, $0.value) }, uniquingKeysWith: { first, _ in first })
        if !bytes.isEmpty, fields["content-type"] != "application/json" {
            return Answer(
                status: response.status, body: .string(String(decoding: bytes, as: UTF8.self)), fields: fields)
        }
        return Answer(
            status: response.status, body: bytes.isEmpty ? .null : try JSON(parsing: bytes), fields: fields)
    }

    /// Makes an object and gives its identifier.
    func make(_ path: String, _ body: JSON = [:]) async throws -> String {
        let answer = try await call("POST", path, body)
        try #require(answer.status == 201, "\(path): \(answer.body.text)")
        return answer.id
    }

    struct Unexpected: Error { let what: String }
}

/// The room, for closures that are made before it.
private final class Hands: Sendable {
    struct Held { weak var room: ControlRoom? }
    let room = Mutex(Held())
}

private final class ClockBox: Sendable {
    let source = Mutex<(@Sendable () -> WallTime)?>(nil)
    func now() -> WallTime { source.withLock { $0 }?() ?? WallTime(seconds: 0) }
}

private final class SinkBox: Sendable {
    let target = Mutex<(@Sendable (AuditRecord) -> Void)?>(nil)
    func tell(_ record: AuditRecord) { target.withLock { $0 }?(record) }
}
