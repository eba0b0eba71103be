import EdgeCore
import Foundation
import Shared
import Testing

@testable import EdgeControl

struct LiveStreamTests {
    @Test func `the first line is a hello with the recent past`() async throws {
        let world = LiveWorld()
        world.events.record(.info, kind: "k", text: "before")
        world.audit.change { $0 = [LiveStreamTests.record(3)] }
        world.plane.count("region/eu", 40)
        world.time.advance(1)
        await world.service.tick()
        world.plane.count("region/eu", 60)
        world.time.advance(2)
        await world.service.tick()

        var lines = try await world.open().makeAsyncIterator()
        guard case .hello(let hello) = try LiveWorld.line(await lines.next()) else {
            Issue.record("no hello")
            return
        }
        #expect(hello.session == "ses_1")
        #expect(hello.node == "edge-1")
        #expect(hello.region == "eu")
        #expect(hello.version == "0.1.0")
        #expect(hello.principal == "uid:1 (alice)")
        #expect(hello.role == .operator)
        #expect(hello.revision == 7)
        #expect(hello.events.map(\.text) == ["before"])
        #expect(hello.audit == [LiveStreamTests.record(3)])
        #expect(hello.history.map(\.region) == ["eu"])
        #expect(hello.history.first?.requestsPerSecond == [40, 30])
    }

    @Test func `of very many breakers a tick has those that matter`() {
        let breakers = (0..<3_000).map { number in
            BreakerStatus(
                routeID: RouteID("edghtsrt_\(10_000 + number)"), state: number == 2_999 ? .open : .closed,
                total: UInt64(number), errors: number == 0 ? 1 : 0, rollingWindow: 10, trippedDuration: 10,
                volumeThreshold: 20, errorThreshold: 0.5, since: 0, reason: nil, nextProbe: nil, trips: 0, rejected: 0)
        }
        let told = LiveService.foremost(breakers)
        #expect(told.count == StatisticsMachine.maximumRows)
        #expect(told.contains { $0.state == .open })
        #expect(told.contains { $0.errors == 1 })
        #expect(told.contains { $0.total == 2_500 })
        #expect(told.map(\.routeID) == told.map(\.routeID).sorted())
        #expect(LiveService.foremost(Array(breakers.prefix(1_000))) == Array(breakers.prefix(1_000)))
    }

    @Test func `it is newline-delimited JSON`() async throws {
        let answer = try await LiveWorld().respond("GET", "/selvage/stream")
        #expect(answer.status == 200)
        #expect(answer.fields.first { $0.name == "content-type" }?.value == "application/x-ndjson")
    }

    @Test func `ticks, events and audit records follow as they happen`() async throws {
        let world = LiveWorld()
        var lines = try await world.open().makeAsyncIterator()
        _ = await lines.next()
        world.plane.count("route/\(LiveWorld.route)", 10)
        world.time.advance(1)
        await world.service.tick()
        world.events.record(.crit, kind: "listener.failed", text: "port in use")
        world.service.publish(LiveStreamTests.record(1))

        guard case .tick(let tick) = try LiveWorld.line(await lines.next()),
            case .event(let event) = try LiveWorld.line(await lines.next()),
            case .audit(let record) = try LiveWorld.line(await lines.next())
        else {
            Issue.record("another order")
            return
        }
        #expect(tick.sequence == 1)
        #expect(tick.at == "2025-11-21T01:16:45.500Z")
        #expect(tick.revision == 7)
        #expect(tick.routes.map(\.requestsPerSecond) == [10])
        #expect(tick.weights.map(\.id) == [LiveWorld.weighted])
        #expect(tick.operators == ["uid:1 (alice)"])
        #expect(event.kind == "listener.failed")
        #expect(record == LiveStreamTests.record(1))
    }

    @Test func `the latest tick is one JSON object`() async throws {
        let world = LiveWorld()
        world.plane.count("region/eu", 5)
        world.time.advance(1)
        await world.service.tick()
        let document = try await world.perform("GET", "/selvage/statistics")
        let tick = try WireJSON.decode(StatisticsTick.self, from: document)
        #expect(tick.regions.map(\.requests) == [5])
        #expect(document["type"] == nil)
    }

    @Test func `C90 a breaker's change reaches a reader within one poll, in words and in numbers`() async throws {
        let world = LiveWorld()
        let breaker = world.breakers.breaker(routeID: LiveWorld.route, settings: LiveWorld.settings())
        world.time.advance(1)
        await world.service.tick()
        var lines = try await world.open().makeAsyncIterator()
        _ = await lines.next()
        for _ in 0..<4 { breaker.record(.failure, at: world.time.now) }
        world.time.advance(0.6)
        _ = breaker.admit(at: world.time.now)
        breaker.record(.failure, at: world.time.now)
        world.service.poll()

        guard case .event(let event) = try LiveWorld.line(await lines.next()),
            case .tick(let tick) = try LiveWorld.line(await lines.next())
        else {
            Issue.record("another order")
            return
        }
        #expect(event.kind == "breaker.opened")
        #expect(event.severity == .crit)
        #expect(event.object == LiveWorld.route.rawValue)
        #expect(event.text.contains("%"))
        #expect(tick.breakers.map(\.state) == [.open])
        // The measurement is the last one: a reader's charts go by the number.
        #expect(tick.sequence == 1)
    }

    @Test func `a reader that does not read is ended, and the others go on`() async throws {
        let world = LiveWorld()
        let stuck = try await world.open()
        var reading = try await world.open().makeAsyncIterator()
        _ = await reading.next()
        for number in 1...200 {
            world.events.record(.info, kind: "k", text: "\(number)")
            guard case .event(let event) = try LiveWorld.line(await reading.next()) else { continue }
            #expect(event.text == "\(number)")
        }
        #expect(world.service.hub.principals.count == 1)
        var late = stuck.makeAsyncIterator()
        #expect(await late.next() == nil)
    }

    @Test func `a reader's leaving ends its session, however it leaves`() async throws {
        let world = LiveWorld()
        let cancelled = try await world.open()
        let task = Task {
            for await _ in cancelled {}
        }
        task.cancel()
        await task.value
        #expect(!world.service.hub.has(session: "ses_1"))

        // Dropped without ever having been read.
        _ = try await world.open()
        #expect(!world.service.hub.has(session: "ses_2"))
    }

    @Test func `more than 64 streams are refused`() async throws {
        let world = LiveWorld()
        var open: [AsyncStream<[UInt8]>] = []
        for _ in 0..<64 { open.append(try await world.open()) }
        await #expect(throws: APIErrorBody.self) { try await world.open() }
        open.removeLast()
        _ = try await world.open()
    }

    @Test func `a hello stays small although audit records are large`() async throws {
        let world = LiveWorld()
        let large = JSON.string(String(repeating: "x", count: 50_000))
        world.audit.change { records in
            records = (1...200).map { LiveStreamTests.record($0, after: large) }
        }
        var lines = try await world.open().makeAsyncIterator()
        let line = try #require(await lines.next())
        #expect(line.count <= LiveService.helloBytes + 1)
        guard case .hello(let hello) = try LiveWorld.line(line) else {
            Issue.record("no hello")
            return
        }
        #expect(hello.audit.last?.id == 200)
        #expect(hello.audit.count >= 20)
    }

    @Test func `events are listed, the latest last`() async throws {
        let world = LiveWorld()
        for number in 1...5 { world.events.record(.info, kind: "k", text: "\(number)") }
        let two = try await world.perform("GET", "/selvage/events", LiveWorld.call(query: ["limit": ["2"]]))
        #expect(two["events"]?.arrayValue?.compactMap { $0["text"]?.stringValue } == ["4", "5"])
        for limit in ["0", "1001", "x"] {
            await #expect(throws: Fault.self) {
                try await world.perform("GET", "/selvage/events", LiveWorld.call(query: ["limit": [limit]]))
            }
        }
    }

    @Test func `run ticks by itself and stops when cancelled`() async throws {
        let world = LiveWorld()
        let running = Task { await world.service.run() }
        var lines = try await world.open().makeAsyncIterator()
        _ = await lines.next()
        guard case .tick(let tick) = try LiveWorld.line(await lines.next()) else {
            Issue.record("no tick")
            return
        }
        #expect(tick.sequence == 1)
        running.cancel()
        await running.value
    }

    static func record(_ id: Int, after: JSON = [:]) -> AuditRecord {
        AuditRecord(
            id: UInt64(id), at: "2026-01-01T00:00:00.000Z", principal: "alice", origin: "socket", command: "c",
            revision: 2, changes: [AuditRecord.Change(kind: "route", id: "r", before: nil, after: after)])
    }

    @Test func `what the data plane cannot put in force is one event when it begins and one when it ends`() async {
        let world = LiveWorld()
        await world.service.tick()
        world.plane.troubles.change { $0 = ["port/20000": "bind: Address already in use"] }
        await world.service.tick()
        await world.service.tick()
        world.plane.troubles.change { $0 = [:] }
        await world.service.tick()
        let told = world.events.recent(10).map { "\($0.severity) \($0.kind) \($0.object)" }
        #expect(told == ["crit transport.failed port/20000", "info transport.recovered port/20000"])
    }
}
