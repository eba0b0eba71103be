import EdgeCore
import EdgeTesting
import Shared
import Synchronization
import Testing

@testable import EdgeControl

struct GuardServiceTests {
    private static let change = AuditRecord.Change(
        kind: "backend", id: LiveWorld.weighted.rawValue,
        before: ["backends": .object([LiveWorld.old.rawValue: 95, LiveWorld.canary.rawValue: 5])],
        after: ["backends": .object([LiveWorld.old.rawValue: 80, LiveWorld.canary.rawValue: 20])])

    private let canary = "backend/\(LiveWorld.canary)"

    private func start(
        _ world: LiveWorld, _ wanted: ApplyRequest.Guard = ApplyRequest.Guard(seconds: 30, maxErrorRate: 0.02)
    ) async throws -> GuardStatus {
        let plan = try world.service.planGuard(
            wanted, command: "weight set shop canary=20", principal: "alice", changes: [GuardServiceTests.change])
        return await world.service.startGuard(plan)
    }

    /// Waits until the guard's end is known: rollbacks run beside the ticks.
    private func ended(_ world: LiveWorld, _ id: String) async -> GuardStatus? {
        let end = { @Sendable in
            world.service.guards.statuses().first { $0.id == id && $0.state != .running }
        }
        try? await eventually("the guard ends") { end() != nil }
        return end()
    }

    private func whileRollingBack<R>(_ world: LiveWorld, _ body: () async throws -> R) async rethrows -> R {
        let working = Task { await world.service.guards.run() }
        defer { working.cancel() }
        return try await body()
    }

    @Test func `errors of the raised child since the change roll it back, and everybody is told`() async throws {
        let world = LiveWorld()
        world.plane.count(canary, 500, status: 503)
        await world.service.tick()
        let status = try await start(world)
        #expect(status.state == .running)
        #expect(status.objects == [LiveWorld.weighted.rawValue])
        try await whileRollingBack(world) {
            world.plane.count(canary, 300)
            world.time.advance(1)
            await world.service.tick()
            #expect(world.service.guards.statuses().first?.samples == 300)
            world.plane.count(canary, 30, status: 500)
            world.time.advance(1)
            await world.service.tick()
            let end = try #require(await ended(world, status.id))
            #expect(end.state == .rolledBack)
        }
        #expect(world.store.state.withLock { $0.restored } == [status.id])
        #expect(world.events.recent(10).map(\.kind) == ["guard.started", "guard.rolled_back"])
        #expect(world.service.latest.guards.map(\.state) == [.rolledBack])
    }

    @Test func `the baseline is what the raised child did before`() async throws {
        let world = LiveWorld()
        await world.service.tick()
        world.plane.count(canary, 98)
        world.plane.count(canary, 2, status: 502)
        world.time.advance(10)
        await world.service.tick()
        let status = try await start(world)
        #expect(status.baselineErrorRate == 0.02)
        #expect(status.baselineP95 != nil)
        #expect(status.samples == 0)
    }

    @Test func `a kept guard is forgotten by the store before that is answered`() async throws {
        let world = LiveWorld()
        let id = try await start(world).id
        let answer = try await world.perform("POST", "/selvage/guards/{id}/keep", LiveWorld.call(["id": id]))
        #expect(answer["state"] == "kept")
        #expect(answer["outcome"] == "kept by uid:1 (alice)")
        #expect(world.store.state.withLock { $0.forgotten } == [id])
        await #expect(throws: Fault.self) {
            try await world.perform("POST", "/selvage/guards/{id}/keep", LiveWorld.call(["id": id]))
        }
    }

    @Test func `when the store cannot forget it the guard is not kept`() async throws {
        let world = LiveWorld()
        let id = try await start(world).id
        world.store.state.withLock { $0.forgetErrors = [RecordingStore.Unavailable()] }
        await #expect(throws: RecordingStore.Unavailable.self) {
            try await world.perform("POST", "/selvage/guards/{id}/keep", LiveWorld.call(["id": id]))
        }
        #expect(world.service.guards.statuses().map(\.state) == [.running])
    }

    @Test func `an operator rolls back at once, and extends`() async throws {
        let world = LiveWorld()
        let id = try await start(world).id
        let longer = try await world.perform(
            "POST", "/selvage/guards/{id}/extend", LiveWorld.call(["id": id], body: ["seconds": 60]))
        #expect(longer["remaining"]?.doubleValue == 90)
        for body: JSON in [["seconds": 0], ["seconds": "60"], ["minutes": 1], 60] {
            await #expect(throws: Fault.self) {
                try await world.perform("POST", "/selvage/guards/{id}/extend", LiveWorld.call(["id": id], body: body))
            }
        }
        let answer = try await world.perform("POST", "/selvage/guards/{id}/rollback", LiveWorld.call(["id": id]))
        #expect(answer["state"] == "rolled_back")
        #expect(world.store.state.withLock { $0.restored } == [id])
    }

    @Test func `a dead link rolls back`() async throws {
        let world = LiveWorld()
        try await whileRollingBack(world) {
            var lines: AsyncStream<[UInt8]>? = try await world.open()
            let status = try await start(world, ApplyRequest.Guard(seconds: 600, session: "ses_1"))
            #expect(lines != nil)
            lines = nil
            let end = try #require(await ended(world, status.id))
            #expect(end.state == .rolledBack)
            #expect(end.outcome == "the operator's session ended")
        }
    }

    @Test func `objects that a guard holds cannot be guarded twice`() async throws {
        let world = LiveWorld()
        let id = try await start(world).id
        await #expect(throws: Fault(nil, "\(id) guards the same objects: keep it or roll it back first.", status: 409))
        {
            try await start(world)
        }
        _ = try await world.perform("POST", "/selvage/guards/{id}/keep", LiveWorld.call(["id": id]))
        _ = try await start(world)
    }

    @Test func `a guard for a session that is not open is refused`() async throws {
        let world = LiveWorld()
        await #expect(throws: Fault.self) {
            try await start(world, ApplyRequest.Guard(seconds: 30, session: "ses_9"))
        }
    }

    @Test func `a session that ended while the change was written rolls back at once`() async throws {
        let world = LiveWorld()
        try await whileRollingBack(world) {
            var lines: AsyncStream<[UInt8]>? = try await world.open()
            let plan = try world.service.planGuard(
                ApplyRequest.Guard(seconds: 600, session: "ses_1"), command: "c", principal: "alice",
                changes: [GuardServiceTests.change])
            #expect(lines != nil)
            lines = nil
            let status = await world.service.startGuard(plan)
            #expect(await ended(world, status.id)?.state == .rolledBack)
        }
    }

    @Test func `what somebody else changed stays, and operators are alarmed`() async throws {
        let world = LiveWorld()
        let id = try await start(world).id
        world.store.state.withLock { $0.restoreErrors = [GuardConflict("bkdwd_1 was changed by bob since")] }
        let answer = try await world.perform("POST", "/selvage/guards/{id}/rollback", LiveWorld.call(["id": id]))
        #expect(answer["state"] == "kept")
        #expect(answer["outcome"]?.stringValue?.contains("changed by bob") == true)
        #expect(world.store.state.withLock { $0.forgotten } == [id])
        let alarm = try #require(world.events.recent(1).first)
        #expect(alarm.severity == .crit)
        #expect(alarm.kind == "guard.stuck")
    }

    @Test func `a store that is away for a while does not stop a rollback`() async throws {
        let world = LiveWorld()
        let id = try await start(world).id
        world.store.state.withLock {
            $0.restoreErrors = [RecordingStore.Unavailable(), RecordingStore.Unavailable()]
        }
        try await whileRollingBack(world) {
            try await eventually("it is put back") {
                world.time.advance(5)
                world.service.poll()
                return world.store.state.withLock { !$0.restored.isEmpty }
            }
            let end = try #require(await ended(world, id))
            #expect(end.state == .rolledBack)
        }
        #expect(world.events.recent(10).map(\.kind) == ["guard.started", "guard.failed", "guard.rolled_back"])
    }

    @Test func `what an earlier process left half tested is put back before anything is served`() async throws {
        let world = LiveWorld()
        let plan = GuardPlan(
            id: "grd_old", command: "weight set", principal: "alice", objects: ["bkdwd_1"], watched: [],
            limits: GuardPlan.Limits(seconds: 30), session: "ses_gone")
        var newer = plan
        newer.id = "grd_newer"
        world.store.state.withLock { $0.unfinished = [plan, newer] }
        try await world.service.recover()
        #expect(world.store.state.withLock { $0.restored } == ["grd_newer", "grd_old"])
        let event = try #require(world.events.recent(1).first)
        #expect(event.kind == "guard.rolled_back")
        #expect(event.text.contains("the server stopped"))
    }

    @Test func `a guard's beginning and end reach readers without waiting for the next second`() async throws {
        let world = LiveWorld()
        var lines = try await world.open().makeAsyncIterator()
        _ = await lines.next()
        let id = try await start(world).id
        world.service.poll()
        _ = try LiveWorld.line(await lines.next())
        guard case .tick(let tick) = try LiveWorld.line(await lines.next()) else {
            Issue.record("no tick")
            return
        }
        #expect(tick.guards.map(\.id) == [id])
    }

    @Test func `guards are listed`() async throws {
        let world = LiveWorld()
        let id = try await start(world).id
        let list = try await world.perform("GET", "/selvage/guards")
        #expect(list["guards"]?.arrayValue?.compactMap { $0["id"]?.stringValue } == [id])
    }
}
