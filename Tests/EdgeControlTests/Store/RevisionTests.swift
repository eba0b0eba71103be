import EdgeCore
import Shared
import Synchronization
import Testing

@testable import EdgeControl

@Suite struct RevisionTests {
    private func list(_ answer: ControlRoom.Answer, _ key: String) -> [JSON] { answer[key]?.arrayValue ?? [] }

    @Test func `an object's history tells who did what when, and outlives the object`() async throws {
        let room = try await ControlRoom()
        let id = try await room.make("/ip_policies", ["description": "one"])
        _ = try await room.call(
            "PATCH", "/ip_policies/\(id)", ["description": "two"], fields: [("selvage-command", "policy edit")],
            uid: 1001)
        _ = try await room.call("DELETE", "/ip_policies/\(id)")
        let answer = try await room.call("GET", "/selvage/objects/\(id)/history", uid: 1002)
        #expect(answer.status == 200)
        #expect(answer["exists"] == false)
        #expect(answer["kind"] == "ip_policy")
        let history = list(answer, "history")
        #expect(history.map { $0["revision"] } == [3, 2, 1])
        #expect(history.map { $0["change"] } == ["removed", "changed", "added"])
        #expect(history.map { $0["document"]?["description"] } == [nil, "two", "one"])
        #expect(history[1]["command"] == "policy edit")
        #expect(history[1]["principal"]?.stringValue?.hasPrefix("uid:1001") == true)
        let page = try await room.call("GET", "/selvage/objects/\(id)/history?limit=1&before=3")
        #expect(list(page, "history").map { $0["revision"] } == [2])
        #expect(page["next_before"] == 2)
        #expect(try await room.call("GET", "/selvage/objects/ipp_nothing/history").status == 404)
        #expect(try await room.call("GET", "/selvage/objects/\(id)/history?limit=0").code == "ERR_NGROK_233")
        #expect(try await room.call("GET", "/selvage/objects/\(id)/history?x=1").code == "ERR_NGROK_231")
    }

    @Test func `two revisions are compared field by field, in either direction, and without secrets`() async throws {
        let room = try await ControlRoom()
        let planted = try await Planting.edge(in: room)
        let from = room.service.revision
        let key = room.service.configuration.certificates.values.first?.keyPEM ?? "none"
        _ = try await room.call(
            "PATCH", planted.routePath, ["match": "/api", "compression": ["enabled": true]])
        let made = try await room.make("/ip_policies", ["description": "new"])
        let gone = try await room.make("/ip_policies", ["description": "short-lived"])
        _ = try await room.call("DELETE", "/ip_policies/\(gone)")
        _ = try await room.call("DELETE", "/edges/https/\(planted.edge)")
        _ = try await room.call("DELETE", "/reserved_domains/\(planted.domain)")
        let to = room.service.revision

        let small = try await room.call("GET", "/selvage/revisions/\(from)/diff/\(from + 1)")
        let route = list(small, "objects").first
        #expect(list(small, "objects").count == 1)
        #expect(route?["change"] == "changed")
        #expect(route?["fields"]?.arrayValue?.map { $0["path"] } == ["/compression", "/match"])
        #expect(route?["fields"]?.arrayValue?.last?["before"] == "/")
        #expect(route?["fields"]?.arrayValue?.last?["after"] == "/api")

        let whole = try await room.call("GET", "/selvage/revisions/\(from)/diff/\(to)")
        let changes = Dictionary(
            list(whole, "objects").map { ($0["id"]?.stringValue ?? "", $0["change"]?.stringValue ?? "") },
            uniquingKeysWith: { first, _ in first })
        #expect(changes[made] == "added")
        #expect(changes[gone] == nil)
        #expect(changes[planted.edge] == "removed")
        #expect(changes[planted.route] == "removed")
        #expect(!whole.body.text.contains("PRIVATE KEY"))
        #expect(!whole.body.text.contains(key.split(separator: "\n").dropFirst().first.map(String.init) ?? "none"))

        let back = try await room.call("GET", "/selvage/revisions/\(to)/diff/\(from)")
        #expect(list(back, "objects").first { $0["id"]?.stringValue == made }?["change"] == "removed")
        var paged: [String] = []
        var after = ""
        repeat {
            let page = try await room.call("GET", "/selvage/revisions/\(from)/diff/\(to)?limit=1&after=\(after)")
            paged += list(page, "objects").compactMap { $0["id"]?.stringValue }
            after = page["next_after"]?.stringValue ?? ""
        } while !after.isEmpty
        #expect(paged == list(whole, "objects").compactMap { $0["id"]?.stringValue })
        #expect(try await room.call("GET", "/selvage/revisions/\(from)/diff/\(to + 1)").status == 404)
        #expect(try await room.call("GET", "/selvage/revisions/x/diff/1").status == 404)
    }

    @Test func `the whole configuration goes back to a revision, as a new one that serves`() async throws {
        let room = try await ControlRoom()
        let planted = try await Planting.edge(in: room)
        let key = room.service.configuration.certificates.values.first?.keyPEM
        let then = room.service.revision
        let before = try await room.call("GET", "/selvage/configuration").body["objects"]?.arrayValue ?? []
        _ = try await room.call("PATCH", planted.routePath, ["match": "/other"])
        let later = try await room.make("/ip_policies")
        _ = try await room.call("DELETE", "/edges/https/\(planted.edge)")
        _ = try await room.call("DELETE", "/reserved_domains/\(planted.domain)")

        let body: JSON = ["revision": .int(Int64(then))]
        var dry = body
        dry["dry_run"] = true
        let judged = try await room.call("POST", "/selvage/revert", dry)
        #expect(judged.status == 200, "\(judged.body.text)")
        #expect(judged["dry_run"] == true)
        #expect(judged["faults"] == [])
        #expect(room.service.state[planted.edge] == nil)

        let revision = room.service.revision
        let answer = try await room.call("POST", "/selvage/revert", body)
        #expect(answer.status == 200, "\(answer.body.text)")
        #expect(answer["revision"]?.intValue == Int64(revision) + 1)
        #expect(answer["changes"] == judged["changes"])
        #expect(room.service.state[later] == nil)
        #expect(room.service.configuration.certificates.values.first?.keyPEM == key)
        #expect(room.dataPlane.last?.edges.count == 1)
        let now = try await room.call("GET", "/selvage/configuration").body["objects"]?.arrayValue ?? []
        #expect(Set(now.map { $0["document"] }) == Set(before.map { $0["document"] }))
        #expect(room.audited.withLock { $0.last?.origin } == "revert")
        #expect(room.audited.withLock { $0.last?.command } == "revert \(then)")
        // A second time changes nothing; and going forward again is the same operation.
        #expect(try await room.call("POST", "/selvage/revert", body)["changes"] == [])
        #expect(room.service.revision == revision + 1)
        let forward = try await room.call("POST", "/selvage/revert", ["revision": .int(Int64(revision))])
        #expect(forward.status == 200)
        #expect(room.service.state[planted.edge] == nil)
        #expect(room.service.state[later] != nil)
    }

    @Test func `one object goes back with its parts, and everything else stays`() async throws {
        let room = try await ControlRoom()
        let planted = try await Planting.edge(in: room)
        let then = room.service.revision
        let edge = try await room.call("GET", "/edges/https/\(planted.edge)").body
        let policy = try await room.make("/ip_policies", ["description": "stays"])
        _ = try await room.call("DELETE", "/edges/https/\(planted.edge)")
        let body: JSON = ["revision": .int(Int64(then)), "id": .string(planted.edge)]
        #expect(try await room.call("POST", "/selvage/revert", body).status == 200)
        #expect(try await room.call("GET", "/edges/https/\(planted.edge)").body == edge)
        #expect(room.service.state[policy] != nil)
        let unknown: JSON = ["revision": .int(Int64(then)), "id": "ipp_000000000000000000000000000"]
        #expect(try await room.call("POST", "/selvage/revert", unknown).status == 404)
    }

    @Test func `a revert is checked like every write, and can be held to the revision that was seen`() async throws {
        let room = try await ControlRoom()
        let planted = try await Planting.edge(in: room)
        let then = room.service.revision
        _ = try await room.call("DELETE", "/edges/https/\(planted.edge)")
        _ = try await room.call("DELETE", "/reserved_domains/\(planted.domain)")
        let body: JSON = ["revision": .int(Int64(then)), "id": .string(planted.edge)]
        let answer = try await room.call("POST", "/selvage/revert", body)
        #expect(answer.code == "ERR_NGROK_7117")
        var dry = body
        dry["dry_run"] = true
        let judged = try await room.call("POST", "/selvage/revert", dry)
        #expect(judged["faults"]?.arrayValue?.map { $0["error_code"] } == ["ERR_NGROK_7117"])
        let held: JSON = ["revision": .int(Int64(then)), "expected_revision": .int(Int64(then))]
        #expect(try await room.call("POST", "/selvage/revert", held).status == 412)
        #expect(try await room.call("POST", "/selvage/revert", ["revision": 4711]).status == 404)
        #expect(try await room.call("POST", "/selvage/revert", ["revision": "x"]).status == 400)
        #expect(try await room.call("POST", "/selvage/revert", ["revision": 1, "dryrun": true]).status == 400)
        #expect(try await room.call("POST", "/selvage/revert", body, uid: 1002).status == 403)
        #expect(room.service.revision == then + 2)
    }

    @Test func `revisions are listed with who made them`() async throws {
        let room = try await ControlRoom()
        for _ in 0..<3 { _ = try await room.make("/ip_policies") }
        let answer = try await room.call("GET", "/selvage/revisions?limit=2")
        #expect(answer["current"] == 3)
        #expect(answer["oldest"] == 0)
        #expect(list(answer, "revisions").map { $0["revision"] } == [3, 2])
        #expect(list(answer, "revisions").allSatisfy { $0["objects"] == 1 && $0["kept"] == true })
        #expect(answer["next_before"] == 2)
        #expect(list(try await room.call("GET", "/selvage/revisions?before=2"), "revisions").count == 1)
    }

    // MARK: Bounds

    @Test func `history is bounded in writes, and what is past it is told as such`() async throws {
        var limits = HistoryLimits()
        limits.writes = 3
        let room = try await ControlRoom(keeping: limits)
        let id = try await room.make("/ip_policies", ["description": "1"])
        for number in 2...6 {
            _ = try await room.call("PATCH", "/ip_policies/\(id)", ["description": .string("\(number)")])
        }
        let revisions = try await room.call("GET", "/selvage/revisions")
        #expect(revisions["oldest"] == 3)
        #expect(list(revisions, "revisions").map { $0["kept"] } == [true, true, true, true, false, false])
        #expect(list(try await room.call("GET", "/selvage/objects/\(id)/history"), "history").count == 3)
        let late = try await room.call("GET", "/selvage/revisions/2/diff/6")
        #expect(late.status == 410)
        #expect(late["msg"]?.stringValue?.contains("the oldest is 3") == true)
        #expect(try await room.call("POST", "/selvage/revert", ["revision": 2]).status == 410)
        #expect(try await room.call("POST", "/selvage/revert", ["revision": 3]).status == 200)
        #expect(try await room.call("GET", "/ip_policies/\(id)")["description"] == "3")
    }

    @Test func `history is bounded in bytes, and the newest write is kept however large it is`() async throws {
        var limits = HistoryLimits()
        limits.bytes = 6000
        let room = try await ControlRoom(keeping: limits)
        let text = JSON.string(String(repeating: "x", count: 4000))
        let id = try await room.make("/ip_policies", ["metadata": text])
        for _ in 0..<3 { _ = try await room.make("/ip_policies", ["metadata": text]) }
        #expect(try await room.call("GET", "/selvage/revisions")["oldest"] == 3)
        _ = try await room.call("PATCH", "/ip_policies/\(id)", ["description": "two large documents"])
        let last = room.audited.withLock { $0.last?.id ?? 0 }
        #expect(try await room.call("GET", "/selvage/revisions")["oldest"] == 4)
        #expect(try await room.call("POST", "/selvage/undo", ["audit_id": .int(Int64(last))]).status == 200)
    }
}
