import EdgeCore
import Shared
import Testing

@testable import EdgeControl

@Suite struct EventSubscriptionTests {
    private static let target: JSON = ["datadog": ["api_key": "k"]]

    private func destination(_ room: ControlRoom) async throws -> String {
        try await room.make("/event_destinations", ["format": "json", "target": EventSubscriptionTests.target])
    }

    @Test func `a subscription is answered with its sources and destinations, and every field present`() async throws {
        let room = try await ControlRoom()
        let destination = try await destination(room)
        let made = try await room.call(
            "POST", "/event_subscriptions",
            [
                "description": "d", "sources": [["type": "ip_policy_created.v0"], ["type": "agent_session_stop.v0"]],
                "destination_ids": [.string(destination), .string(destination)],
            ])
        #expect(made.status == 201, "\(made.body.text)")
        #expect(made.id.hasPrefix("esb_"))
        let uri = "http://admin.local:80/event_subscriptions/\(made.id)"
        let expected: JSON = [
            "id": .string(made.id), "uri": .string(uri), "created_at": "2027-01-15T08:00:00Z", "description": "d",
            "metadata": "",
            "sources": [
                ["type": "ip_policy_created.v0", "uri": .string(uri + "/sources/ip_policy_created.v0")],
                ["type": "agent_session_stop.v0", "uri": .string(uri + "/sources/agent_session_stop.v0")],
            ],
            "destinations": [
                ["id": .string(destination), "uri": .string("http://admin.local:80/event_destinations/\(destination)")]
            ],
        ]
        #expect(made.body == expected)
        let path = "/event_subscriptions/\(made.id)"
        #expect(try await room.call("GET", path).body == expected)
        #expect(try await room.call("GET", "/event_subscriptions")["event_subscriptions"] == [expected])
        // The official Python client sends no sources when its caller gave none.
        #expect(try await room.call("PATCH", path, ["sources": []]).body == expected)
        #expect(try await room.call("PATCH", path, [:]).body == expected)
        let fewer = try await room.call("PATCH", path, ["sources": [["type": "domain_deleted.v0"]], "metadata": "m"])
        #expect(fewer["sources"]?.arrayValue?.map { $0["type"] } == ["domain_deleted.v0"])
        #expect(fewer["destinations"] == expected["destinations"])
        #expect(try await room.call("DELETE", "/event_destinations/\(destination)").code == "ERR_NGROK_5112")
        #expect(try await room.call("PATCH", path, ["destination_ids": []])["destinations"] == [])
        #expect(try await room.call("DELETE", "/event_destinations/\(destination)").status == 204)
        #expect(try await room.call("DELETE", path).status == 204)
        let empty = try await room.call("POST", "/event_subscriptions")
        #expect(empty["sources"] == [] && empty["destinations"] == [])
    }

    @Test func `sources are found by their type, and the list of them has no pages`() async throws {
        let room = try await ControlRoom()
        let id = try await room.make("/event_subscriptions")
        let path = "/event_subscriptions/\(id)/sources"
        let uri = "http://admin.local:80\(path)"
        let made = try await room.call("POST", path, ["type": "tcp_connection_closed.v0"])
        #expect(made.status == 201)
        let expected: JSON = [
            "type": "tcp_connection_closed.v0", "uri": .string(uri + "/tcp_connection_closed.v0"),
        ]
        #expect(made.body == expected)
        #expect(try await room.call("GET", path + "/tcp_connection_closed.v0").body == expected)
        #expect(try await room.call("GET", path).body == ["sources": [expected], "uri": .string(uri)])
        #expect(try await room.call("GET", path + "?limit=1").code == "ERR_NGROK_231")
        let revision = room.service.revision
        #expect(try await room.call("PATCH", path + "/tcp_connection_closed.v0").body == expected)
        #expect(try await room.call("PATCH", path + "/tcp_connection_closed.v0", [:]).body == expected)
        #expect(room.service.revision == revision)
        let more: JSON = ["type": "x"]
        #expect(try await room.call("PATCH", path + "/tcp_connection_closed.v0", more).code == "ERR_NGROK_214")
        #expect(try await room.call("POST", path, ["type": "tcp_connection_closed.v0"]).code == "ERR_NGROK_5127")
        #expect(try await room.call("DELETE", path + "/tcp_connection_closed.v0").status == 204)
        for method in ["GET", "PATCH", "DELETE"] {
            let gone = try await room.call(method, path + "/tcp_connection_closed.v0")
            #expect(gone.status == 404 && gone.code == "ERR_NGROK_5125")
        }
        #expect(try await room.call("GET", path).body == ["sources": [], "uri": .string(uri)])
        let nowhere = "/event_subscriptions/esb_000000000000000000000000000"
        let missing = try await room.call("GET", nowhere + "/sources")
        #expect(missing.status == 404 && missing.code == "ERR_NGROK_5123")
        #expect(try await room.call("GET", nowhere).code == nil)
    }

    @Test func `mistakes have their codes and change nothing`() async throws {
        let room = try await ControlRoom()
        let unknown: JSON = "ed_000000000000000000000000000"
        let faults: [(JSON, String)] = [
            (["sources": [["type": "edge_created.v0"]]], "238"), (["sources": [[:]]], "238"),
            (["sources": [["type": "domain_created.v0"], ["type": "domain_created.v0"]]], "5127"),
            (["sources": [["type": "domain_created.v0", "filter": "x"]]], "214"), (["sources": ["domain"]], "213"),
            (["destination_ids": [unknown]], "5103"), (["destination_ids": ["x"]], "5103"),
            (["destination_ids": .array(Array(repeating: unknown, count: 17))], "5126"),
        ]
        let id = try await room.make("/event_subscriptions")
        let revision = room.service.revision
        for (body, code) in faults {
            #expect(
                try await room.call("POST", "/event_subscriptions", body).code == "ERR_NGROK_\(code)", "\(body.text)")
            #expect(try await room.call("PATCH", "/event_subscriptions/\(id)", body).code == "ERR_NGROK_\(code)")
        }
        let policy = try await room.make("/ip_policies")
        let other: JSON = ["destination_ids": [.string(policy)]]
        #expect(try await room.call("POST", "/event_subscriptions", other).code == "ERR_NGROK_5103")
        #expect(room.service.revision == revision + 1)
        #expect(try await room.call("POST", "/event_subscriptions/\(id)/sources").code == "ERR_NGROK_238")
    }

    @Test func `every documented type of event is accepted once`() async throws {
        let room = try await ControlRoom()
        let sources = EventTypes.all.map { ["type": .string($0)] as JSON }
        #expect(Set(EventTypes.all).count == EventTypes.all.count)
        let made = try await room.call("POST", "/event_subscriptions", ["sources": .array(sources)])
        #expect(made["sources"]?.arrayValue?.count == EventTypes.all.count)
    }
}
