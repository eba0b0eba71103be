import EdgeCore
import Shared
import Synchronization
import Testing

@testable import EdgeControl

@Suite struct ApplyTests {
    private func operation(_ method: String, _ path: String, _ body: JSON? = nil, ifMatch: String? = nil) -> JSON {
        var operation: [String: JSON] = ["method": .string(method), "path": .string(path)]
        operation["body"] = body
        operation["if_match"] = ifMatch.map { .string($0) }
        return .object(operation)
    }

    @Test(
        arguments: [
            ["operations": [["method": "POST", "path": "/ip_policies", "body": [:], "ifMatch": "\"1\""]]],
            [
                "operations": [["method": "POST", "path": "/ip_policies", "body": [:]]],
                "guard": ["seconds": 5, "max_errorrate": 0.1],
            ],
        ] as [JSON])
    func `a misspelt condition refuses the whole request`(body: JSON) async throws {
        let room = try await ControlRoom()
        let answer = try await room.call("POST", "/selvage/apply", body)
        #expect(answer.status == 400)
        #expect(answer.code == "ERR_NGROK_214")
        #expect(room.service.revision == 0)
    }

    @Test func `several writes are one revision and one record, and see each other`() async throws {
        let room = try await ControlRoom()
        let planted = try await Planting.edge(in: room)
        let revision = room.service.revision
        let published = room.dataPlane.count
        let answer = try await room.call(
            "POST", "/selvage/apply",
            [
                "command": "edge rebuild www",
                "operations": [
                    operation("DELETE", planted.routePath),
                    operation("DELETE", "/backends/static/\(planted.backend)"),
                    operation(
                        "POST", "/edges/https/\(planted.edge)/routes", ["match_type": "path_prefix", "match": "/"]),
                ],
            ])
        #expect(answer.status == 200)
        #expect(answer["results"]?.arrayValue?.map { $0["status"] } == [204, 204, 201])
        #expect(answer["revision"]?.intValue == Int64(revision) + 1)
        #expect(room.dataPlane.count == published + 1)
        let record = room.audited.withLock { $0.last }
        #expect(record?.command == "edge rebuild www")
        #expect(record?.changes.count == 3)
        #expect(record?.revision == revision + 1)
    }

    @Test func `a revision that the writer did not see refuses all of it`() async throws {
        let room = try await ControlRoom()
        let one = try await room.make("/ip_policies")
        let two = try await room.make("/ip_policies")
        let operations: [JSON] = [
            operation("PATCH", "/ip_policies/\(one)", ["metadata": "x"], ifMatch: "\"1\""),
            operation("PATCH", "/ip_policies/\(two)", ["metadata": "x"], ifMatch: "\"1\""),
        ]
        let answer = try await room.call("POST", "/selvage/apply", ["operations": .array(operations)])
        #expect(answer.status == 412)
        #expect(answer["details"]?["operation"] == "1")
        #expect(answer["details"]?["id"]?.stringValue == two)
        #expect(room.service.state[one]?.revision == 1)
        // Two writes to one object compare with what the writer saw, not with each other.
        let same: [JSON] = [
            operation("PATCH", "/ip_policies/\(one)", ["metadata": "x"], ifMatch: "\"1\""),
            operation("PATCH", "/ip_policies/\(one)", ["description": "y"], ifMatch: "\"1\""),
        ]
        #expect(try await room.call("POST", "/selvage/apply", ["operations": .array(same)]).status == 200)
    }

    @Test func `the same idempotency id writes once, also after a restart`() async throws {
        let room = try await ControlRoom()
        let body: JSON = [
            "idempotency_id": "abc", "operations": [operation("POST", "/ip_policies", ["description": "x"])],
        ]
        let first = try await room.call("POST", "/selvage/apply", body)
        #expect(first.status == 200)
        #expect(try await room.call("POST", "/selvage/apply", body).body == first.body)
        let restarted = try await ControlRoom(folder: room.folder)
        #expect(try await restarted.call("POST", "/selvage/apply", body).body == first.body)
        #expect(restarted.service.state.objects(.ipPolicy).count == 1)
        let other: JSON = ["idempotency_id": "abc", "operations": [operation("POST", "/ip_policies")]]
        #expect(try await restarted.call("POST", "/selvage/apply", other).status == 409)
        restarted.now.withLock { $0 = WallTime(seconds: 1_800_000_601) }
        #expect(try await restarted.call("POST", "/selvage/apply", body).status == 200)
        #expect(restarted.service.state.objects(.ipPolicy).count == 2)
    }

    @Test(arguments: [
        ("GET", "/ip_policies"), ("POST", "/selvage/undo"), ("POST", "/nothing"), ("DELETE", "/ip_policies"),
    ])
    func `only writes of the public API can be applied`(method: String, path: String) async throws {
        let room = try await ControlRoom()
        let answer = try await room.call("POST", "/selvage/apply", ["operations": [operation(method, path)]])
        #expect(answer.status == 404)
        #expect(answer["details"]?["path"]?.stringValue == path)
    }

    // MARK: Undo

    @Test func `undo puts back what a change did, secrets and order and all`() async throws {
        let room = try await ControlRoom()
        let planted = try await Planting.edge(in: room)
        let other = try await room.make(
            "/edges/https/\(planted.edge)/routes", ["match_type": "exact_path", "match": "/second"])
        let before = try await room.call("GET", "/edges/https/\(planted.edge)").body
        let key = room.service.configuration.certificates.values.first?.keyPEM
        _ = try await room.call("DELETE", "/edges/https/\(planted.edge)")
        let deletion = room.audited.withLock { $0.last?.id ?? 0 }
        _ = try await room.call("DELETE", "/reserved_domains/\(planted.domain)")
        let domainDeletion = room.audited.withLock { $0.last?.id ?? 0 }
        #expect(room.service.configuration.certificates.isEmpty)

        // The edge needs its domain, so the order matters and the first try says so.
        let early = try await room.call("POST", "/selvage/undo", ["audit_id": .int(Int64(deletion))])
        #expect(early.code == "ERR_NGROK_7117")
        for id in [domainDeletion, deletion] {
            #expect(try await room.call("POST", "/selvage/undo", ["audit_id": .int(Int64(id))]).status == 200)
        }
        #expect(try await room.call("GET", "/edges/https/\(planted.edge)").body == before)
        #expect(room.service.configuration.certificates.values.first?.keyPEM == key)
        #expect(room.service.state.children(of: planted.edge) == [planted.route, other])
        #expect(room.audited.withLock { $0.last?.origin } == "undo")

        // An undo is a change that can be undone.
        let last = room.audited.withLock { $0.last?.id ?? 0 }
        #expect(try await room.call("POST", "/selvage/undo", ["audit_id": .int(Int64(last))]).status == 200)
        #expect(try await room.call("GET", "/edges/https/\(planted.edge)").status == 404)
    }

    @Test func `undo refuses when somebody has changed the object since, and says who`() async throws {
        let room = try await ControlRoom()
        let id = try await room.make("/ip_policies", ["description": "one"])
        _ = try await room.call("PATCH", "/ip_policies/\(id)", ["description": "two"])
        let change = room.audited.withLock { $0.last?.id ?? 0 }
        _ = try await room.call("PATCH", "/ip_policies/\(id)", ["description": "three"], uid: 1001)
        let answer = try await room.call("POST", "/selvage/undo", ["audit_id": .int(Int64(change))])
        #expect(answer.status == 412)
        #expect(answer["details"]?[id]?.stringValue?.contains("uid:1001") == true)
        #expect(try await room.call("POST", "/selvage/undo", ["audit_id": 4711]).status == 404)
        #expect(try await room.call("POST", "/selvage/undo", ["audit_id": "x"]).status == 400)
    }

    @Test func `a whole number written with a fraction survives a restart as the same content`() async throws {
        let room = try await ControlRoom()
        let planted = try await Planting.edge(in: room)
        _ = try await room.call("PUT", "\(planted.routePath)/circuit_breaker", ["error_threshold_percentage": 0.0])
        let change = room.audited.withLock { $0.last?.id ?? 0 }
        let restarted = try await ControlRoom(folder: room.folder)
        let answer = try await restarted.call("POST", "/selvage/undo", ["audit_id": .int(Int64(change))])
        #expect(answer.status == 200, "\(answer.body.text)")
    }

    // MARK: Guards

    /// Plans whatever it is asked for.
    private final class Guards: GuardStarting {
        let started = Mutex<[GuardPlan]>([])

        func planGuard(
            _ wanted: ApplyRequest.Guard, command: String, principal: String, changes: [AuditRecord.Change]
        ) throws(Fault) -> GuardPlan {
            GuardPlan(
                id: "guard_1", command: command, principal: principal, objects: changes.map(\.id),
                watched: GuardedChange.watched(changes), limits: try GuardPlan.Limits(wanted), session: wanted.session)
        }

        func startGuard(_ plan: GuardPlan) async -> GuardStatus {
            started.withLock { $0.append(plan) }
            return GuardStatus(
                id: plan.id, state: .running, command: plan.command, principal: plan.principal, objects: plan.objects,
                remaining: plan.limits.seconds, maxErrorRate: nil, maxP95: nil, minSamples: 0, samples: 0,
                errorRate: 0, p95: nil, baselineErrorRate: nil, baselineP95: nil, outcome: nil)
        }
    }

    private func guarded(_ room: ControlRoom) async throws -> (backend: String, before: JSON) {
        let leaf = try await room.make("/backends/static", ["address": "10.0.0.1:80"])
        let weighted = try await room.make("/backends/weighted", ["backends": .object([leaf: 5])])
        let before = try await room.call("GET", "/backends/weighted/\(weighted)").body
        let request: JSON = [
            "command": "weight set", "guard": ["seconds": 60], "idempotency_id": "once",
            "operations": [
                operation("PATCH", "/backends/weighted/\(weighted)", ["backends": .object([leaf: 9])])
            ],
        ]
        let answer = try await room.call("POST", "/selvage/apply", request)
        #expect(answer.status == 200)
        #expect(try await room.call("POST", "/selvage/apply", request).body == answer.body)
        #expect(answer["guard"]?["id"] == "guard_1")
        return (weighted, before)
    }

    @Test func `a guarded change is kept with its plan and goes back as it was, after a restart too`() async throws {
        let room = try await ControlRoom()
        let guards = Guards()
        room.service.use(guards)
        let (weighted, before) = try await guarded(room)
        #expect(guards.started.withLock { $0.count } == 1)

        let restarted = try await ControlRoom(folder: room.folder)
        let plans = try await restarted.service.unfinishedGuards()
        #expect(plans.map(\.id) == ["guard_1"])
        #expect(plans.first?.objects == [weighted])
        try await restarted.service.restoreGuarded("guard_1", reason: "too many errors")
        #expect(try await restarted.call("GET", "/backends/weighted/\(weighted)").body == before)
        #expect(try await restarted.service.unfinishedGuards().isEmpty)
        let record = restarted.audited.withLock { $0.last }
        #expect(record?.origin == "guard")
        #expect(record?.command == "rollback weight set: too many errors")
        // Once is enough.
        let revision = restarted.service.revision
        try await restarted.service.restoreGuarded("guard_1", reason: "again")
        #expect(restarted.service.revision == revision)
    }

    @Test func `a guarded change that somebody changed since is a conflict, and a kept one is forgotten`() async throws
    {
        let room = try await ControlRoom()
        room.service.use(Guards())
        let (weighted, _) = try await guarded(room)
        _ = try await room.call("PATCH", "/backends/weighted/\(weighted)", ["metadata": "mine"], uid: 1001)
        let conflict = await #expect(throws: GuardConflict.self) {
            try await room.service.restoreGuarded("guard_1", reason: "r")
        }
        #expect(conflict?.cause.contains("uid:1001") == true)
        try await room.service.forgetGuard("guard_1")
        #expect(try await room.service.unfinishedGuards().isEmpty)
    }

    @Test func `without guards a guarded change is refused, and writes nothing`() async throws {
        let room = try await ControlRoom()
        let answer = try await room.call(
            "POST", "/selvage/apply", ["guard": ["seconds": 60], "operations": [operation("POST", "/ip_policies")]])
        #expect(answer.status == 503)
        #expect(room.service.state.count == 0)
    }
}
