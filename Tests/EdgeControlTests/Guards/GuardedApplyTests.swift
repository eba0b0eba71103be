import EdgeCore
import EdgeTesting
import Foundation
import Shared
import Synchronization
import Testing

@testable import EdgeControl

/// Guards on the real store: what a crash leaves is a closed folder opened again.
struct GuardedApplyTests {
    @Test func `a guarded change that a crash left without a verdict is put back at the next start`() async throws {
        let folder = try ThrowawayFolder()
        let weighted = try await GuardedRoom(folder).changeWeights(90, guarded: ApplyRequest.Guard(seconds: 600))
        // The first room is gone without a word, as after kill -9.
        let room = try await GuardedRoom(folder)
        #expect(room.weights(weighted) == [90, 10])
        try await room.live.recover()
        #expect(room.weights(weighted) == [95, 5])
        let record = try #require(await room.service.recentAudit(1).first)
        #expect(record.origin == "guard")
        #expect(room.events.recent(10).contains { $0.kind == "guard.rolled_back" })
        #expect(try await room.service.unfinishedGuards().isEmpty)
    }

    @Test func `a kept change survives the next start`() async throws {
        let folder = try ThrowawayFolder()
        let first = try await GuardedRoom(folder)
        let weighted = try await first.changeWeights(80, guarded: ApplyRequest.Guard(seconds: 600))
        let id = try #require(first.live.guards.statuses().first?.id)
        let kept = try await first.call("POST", "/selvage/guards/\(id)/keep")
        #expect(kept["state"] == "kept")

        let room = try await GuardedRoom(folder)
        try await room.live.recover()
        #expect(room.weights(weighted) == [80, 20])
    }

    @Test func `what somebody changed since is left alone, and operators are alarmed`() async throws {
        let room = try await GuardedRoom(ThrowawayFolder())
        let weighted = try await room.changeWeights(90, guarded: ApplyRequest.Guard(seconds: 600))
        let id = try #require(room.live.guards.statuses().first?.id)
        _ = try await room.changeWeights(50, of: weighted)
        let answer = try await room.call("POST", "/selvage/guards/\(id)/rollback")
        #expect(answer["state"] == "kept")
        #expect(answer["outcome"]?.stringValue?.contains("was changed by") == true)
        #expect(room.weights(weighted) == [50, 50])
        #expect(room.events.recent(10).contains { $0.kind == "guard.stuck" && $0.severity == .crit })
    }

    @Test func `failing exchanges of the raised child put the weights back on their own`() async throws {
        let room = try await GuardedRoom(ThrowawayFolder())
        let running = Task { await room.live.guards.run() }
        defer { running.cancel() }
        let weighted = try await room.changeWeights(
            90, guarded: ApplyRequest.Guard(seconds: 600, maxErrorRate: 0.02))
        let child = try #require(room.children(weighted).last)
        room.plane.count("backend/\(child)", 250, status: 502)
        await room.live.tick()
        try await eventually("the weights are back") { room.weights(weighted) == [95, 5] }
    }
}

/// A folder that goes with its last reference.
private final class ThrowawayFolder: Sendable {
    let path = NSTemporaryDirectory() + "selvage-guards-\(UUID().uuidString)"

    init() throws { try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true) }

    deinit { try? FileManager.default.removeItem(atPath: path) }
}

/// The configuration and the live side on one folder, without sockets.
private final class GuardedRoom: Sendable {
    struct Refused: Error { let text: String }

    let plane = CountingPlane()
    let events = EventLog(wall: { Date(timeIntervalSince1970: 1_800_000_000) })
    let service: ConfigurationService
    let live: LiveService
    private let api: AdminAPI
    private let folder: ThrowawayFolder

    init(_ folder: ThrowawayFolder) async throws {
        self.folder = folder
        let breakers = CircuitBreakers()
        let modules = ModuleRegistry([])
        service = ConfigurationService(
            store: try SQLiteStore(path: folder.path + "/selvage.db"),
            catalogue: Catalogue(modules: modules, tcpPorts: 20_000...20_003, publicName: "edge.example.net"),
            authority: try InternalAuthority(folder: folder.path, now: WallTime(seconds: 1_800_000_000)),
            compiler: SnapshotCompiler(modules: modules, slots: plane.slots, breakers: breakers), dataPlane: plane,
            sinks: .init(audit: { _ in }, event: { _, _, _, _ in }), clock: { WallTime(seconds: 1_800_000_000) })
        live = LiveService(
            name: LiveService.Name(node: "n", region: "eu", version: "0"),
            sources: LiveService.Sources(
                dataPlane: plane, slots: plane.slots, breakers: breakers, events: events, configuration: service),
            clock: .system)
        service.use(live)
        api = AdminAPI(
            operations: ResourceOperations.all(service) + ConfigurationOperations.all(service) + live.operations,
            authorize: { Principal(name: "uid:\($0.uid)", role: .admin, uid: $0.uid) })
        try await service.start()
    }

    func call(_ method: String, _ path: String, _ body: JSON? = nil) async throws -> JSON {
        let answer = await api.handle(
            HandlerRequest(
                method: method, path: path,
                fields: [("host", "admin"), ("ngrok-version", "2"), ("content-type", "application/json")],
                body: body?.bytes ?? [], peer: PeerIdentity(uid: 0, pid: 1)))
        guard case .bytes(let bytes) = answer.body, (200..<300).contains(answer.status) else {
            throw Refused(text: "\(method) \(path): \(answer)")
        }
        return bytes.isEmpty ? .null : try JSON(parsing: bytes)
    }

    /// Gives the first child of a weighted backend (a new one at 95:5 if none is named) this weight of 100.
    func changeWeights(
        _ weight: Int64, of known: BackendID? = nil, guarded: ApplyRequest.Guard? = nil
    ) async throws -> BackendID {
        let weighted = if let known { known } else { try await make() }
        let ids = children(weighted)
        let body: JSON = ["backends": .object([ids[0]: .int(weight), ids[1]: .int(100 - weight)])]
        let request = ApplyRequest(
            command: "weight set",
            operations: [
                ApplyRequest.Operation(method: "PATCH", path: "/backends/weighted/\(weighted)", body: body)
            ], guard: guarded)
        _ = try await call("POST", "/selvage/apply", try WireJSON.document(of: request))
        return weighted
    }

    private func make() async throws -> BackendID {
        var ids: [String] = []
        for port in [8_001, 8_002] {
            let made = try await call("POST", "/backends/static", ["address": .string("127.0.0.1:\(port)")])
            ids.append(made["id"]?.stringValue ?? "")
        }
        ids.sort()
        let made = try await call(
            "POST", "/backends/weighted", ["backends": .object([ids[0]: 95, ids[1]: 5])])
        return BackendID(made["id"]?.stringValue ?? "")
    }

    func children(_ id: BackendID) -> [String] {
        LiveConfiguration(service.configuration).weights[id]?.map(\.backendID.rawValue) ?? []
    }

    func weights(_ id: BackendID) -> [Int64] {
        LiveConfiguration(service.configuration).weights[id]?.map(\.weight) ?? []
    }
}
