import EdgeCore
import Foundation
import Glibc
import Shared
import Synchronization
import Testing

@testable import EdgeControl

@Suite struct ConfigurationServiceTests {
    @Test func `an acknowledged write is in force and in the trail, with its revision`() async throws {
        let room = try await ControlRoom()
        let published = room.dataPlane.count
        let backend = try await room.make("/backends/http_response", ["body": "hello"])
        #expect(room.dataPlane.count == published + 1)
        #expect(room.dataPlane.last?.revision == 1)
        #expect(room.service.configuration.backends[BackendID(backend)] != nil)

        let trail = try await room.call("GET", "/selvage/audit")["audit"]?.arrayValue ?? []
        #expect(trail.count == 1)
        #expect(trail[0]["principal"] == "uid:0 (root)")
        #expect(trail[0]["command"] == "POST /backends/http_response")
        #expect(trail[0]["origin"] == "socket")
        #expect(trail[0]["revision"] == 1)
        #expect(trail[0]["changes"]?.arrayValue?.first?["before"] == .some(.null))
        #expect(trail[0]["changes"]?.arrayValue?.first?["after"]?["body"] == "hello")
    }

    @Test func `a refused write changes nothing`() async throws {
        let room = try await ControlRoom()
        let published = room.dataPlane.count
        let answer = try await room.call("POST", "/backends/weighted", ["backends": ["bkdsc_nothing": 1]])
        #expect(answer.status == 400)
        #expect(room.service.revision == 0)
        #expect(room.dataPlane.count == published)
        #expect(try await room.call("GET", "/selvage/audit?refused=false")["audit"] == [])
    }

    @Test func `a write that changes nothing leaves the revision`() async throws {
        let room = try await ControlRoom()
        let id = try await room.make("/ip_policies", ["description": "a"])
        let answer = try await room.call("PATCH", "/ip_policies/\(id)", ["description": "a"])
        #expect(answer.status == 200)
        #expect(answer.fields["etag"] == "\"1\"")
        #expect(room.service.revision == 1)
    }

    @Test func `everything is there after the store was opened again`() async throws {
        let folder = NSTemporaryDirectory() + "selvage-reopen-\(UUID().uuidString)"
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let first = try await ControlRoom(folder: folder)
        try await Planting.edge(in: first)
        let before = try await first.call("GET", "/selvage/configuration").body
        let second = try await ControlRoom(folder: folder)
        #expect(try await second.call("GET", "/selvage/configuration").body == before)
        #expect(second.dataPlane.last?.edges.count == 1)
        #expect(second.dataPlane.last?.certificates.lookup("www.example.com")?.keyPEM.contains("PRIVATE KEY") == true)
        #expect(second.dataPlane.last?.faults == [:])
        // The marks too: no port twice.
        let address = try await second.call("POST", "/reserved_addrs")
        #expect(address["addr"] == "edge.example.net:20001")
    }

    @Test func `the database is readable by its owner alone`() async throws {
        let room = try await ControlRoom()
        for name in ["/selvage.db", "/authority.key"] {
            var facts = stat()
            #expect(stat(room.folder + name, &facts) == 0)
            #expect(facts.st_mode & 0o777 == 0o600)
        }
    }

    @Test func `a damaged database is refused with its path`() async throws {
        let path = NSTemporaryDirectory() + "selvage-damaged-\(UUID().uuidString).db"
        defer { try? FileManager.default.removeItem(atPath: path) }
        try Data("this is no database, but it is long enough to be taken for one at first".utf8)
            .write(to: URL(fileURLWithPath: path))
        let error = #expect(throws: StoreFailure.self) { try SQLiteStore(path: path) }
        #expect(error?.description.contains(path) == true)
        let nowhere = #expect(throws: StoreFailure.self) { try SQLiteStore(path: "/nonexistent/selvage.db") }
        #expect(nowhere?.description.contains("/nonexistent/selvage.db") == true)
    }

    @Test func `an object that contradicts the rest is refused at the start with the path`() async throws {
        let folder = NSTemporaryDirectory() + "selvage-torn-\(UUID().uuidString)"
        defer { try? FileManager.default.removeItem(atPath: folder) }
        _ = try await Planting.edge(in: try await ControlRoom(folder: folder))
        // What a program other than this one, or a broken disk, could leave.
        let store = try SQLiteStore(path: folder + "/selvage.db")
        var stored = try await store.load()
        stored.objects.removeAll { $0.kind == .backend }
        var state = ConfigurationState(catalogue: try await ControlRoom().service.catalogue)
        let fault = #expect(throws: Fault.self) { try state.restore(stored) }
        #expect(fault?.code == "ERR_NGROK_6501")
    }

    @Test func `a transaction that is torn in the middle leaves nothing`() async throws {
        let room = try await ControlRoom()
        let answer = try await room.call(
            "POST", "/selvage/apply",
            [
                "operations": [
                    ["method": "POST", "path": "/ip_policies", "body": ["description": "one"]],
                    ["method": "POST", "path": "/ip_policies", "body": ["description": "two", "wrong": 1]],
                ]
            ])
        #expect(answer.status == 400)
        #expect(answer.code == "ERR_NGROK_214")
        #expect(answer["details"]?["operation"] == "1")
        #expect(room.service.state.count == 0)
        #expect(room.service.revision == 0)
    }

    @Test func `of two writers who saw the same revision exactly one wins`() async throws {
        let room = try await ControlRoom()
        let id = try await room.make("/ip_policies")
        for round in 0..<20 {
            let tag = try await room.call("GET", "/ip_policies/\(id)").fields["etag"] ?? ""
            let statuses = try await withThrowingTaskGroup(of: Int.self) { group in
                for writer in 0..<8 {
                    group.addTask {
                        try await room.call(
                            "PATCH", "/ip_policies/\(id)", ["description": .string("\(round).\(writer)")],
                            fields: [("if-match", tag)]
                        ).status
                    }
                }
                return try await group.reduce(into: [Int]()) { $0.append($1) }
            }
            #expect(statuses.count { $0 == 200 } == 1)
            #expect(statuses.count { $0 == 412 } == 7)
        }
    }

    @Test func `a store that another program wrote to is read again before deciding`() async throws {
        let folder = NSTemporaryDirectory() + "selvage-two-\(UUID().uuidString)"
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let one = try await ControlRoom(folder: folder)
        let other = try await ControlRoom(folder: folder)
        let first = try await one.make("/ip_policies")
        let second = try await other.make("/ip_policies")
        #expect(try await other.call("GET", "/ip_policies/\(first)").status == 200)
        #expect(other.service.revision == 2)
        #expect(try await one.call("DELETE", "/ip_policies/\(second)").status == 404)
        #expect(try await one.call("PATCH", "/ip_policies/\(first)", ["metadata": "m"]).status == 200)
        #expect(one.service.revision == 3)
        #expect(one.service.state.ids(.ipPolicy) == [first, second])
    }

    @Test func `If-Match loses with 412 and wins with the tag or a star`() async throws {
        let room = try await ControlRoom()
        let id = try await room.make("/ip_policies")
        let stale = try await room.call(
            "PATCH", "/ip_policies/\(id)", ["metadata": "x"], fields: [("if-match", "\"7\"")])
        #expect(stale.status == 412)
        #expect(stale["status_code"] == 412)
        #expect(stale["details"]?["revision"] == "1")
        #expect(try await room.call("DELETE", "/ip_policies/\(id)", fields: [("if-match", "\"0\"")]).status == 412)
        let good = try await room.call(
            "PATCH", "/ip_policies/\(id)", ["metadata": "x"], fields: [("if-match", "\"1\"")])
        #expect(good.fields["etag"] == "\"2\"")
        #expect(try await room.call("DELETE", "/ip_policies/\(id)", fields: [("if-match", "*")]).status == 204)
    }

    @Test func `a write to a route or its module raises the edge's revision too`() async throws {
        let room = try await ControlRoom()
        let planted = try await Planting.edge(in: room)
        let edgeTag = { try await room.call("GET", "/edges/https/\(planted.edge)").fields["etag"] ?? "" }
        let before = try await edgeTag()
        let module = try await room.call("PUT", "\(planted.routePath)/compression", [:])
        #expect(module.status == 200)
        let after = try await edgeTag()
        #expect(after != before)
        #expect(module.fields["etag"] == after)
        #expect(try await room.call("GET", planted.routePath).fields["etag"] == after)
        // The edge is no change of the trail: the route is.
        let kinds = room.audited.withLock { $0.last?.changes.map(\.kind) }
        #expect(kinds == ["route"])
    }
}

/// Objects that many tests need.
enum Planting {
    struct Planted: Sendable {
        var edge = ""
        var route = ""
        var backend = ""
        var domain = ""
        var routePath: String { "/edges/https/\(edge)/routes/\(route)" }
    }

    /// A domain, a backend, an HTTPS edge with one route, and an address.
    @discardableResult
    static func edge(in room: ControlRoom) async throws -> Planted {
        var planted = Planted()
        planted.domain = try await room.make("/reserved_domains", ["domain": "www.example.com"])
        planted.backend = try await room.make("/backends/static", ["address": "10.0.0.1:80"])
        planted.edge = try await room.make("/edges/https", ["hostports": ["www.example.com:443"]])
        planted.route = try await room.make(
            "/edges/https/\(planted.edge)/routes",
            [
                "match_type": "path_prefix", "match": "/", "backend": ["backend_id": .string(planted.backend)],
                "circuit_breaker": ["error_threshold_percentage": 1.0],
            ])
        _ = try await room.make("/reserved_addrs")
        return planted
    }
}
