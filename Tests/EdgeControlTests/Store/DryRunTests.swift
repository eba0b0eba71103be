import EdgeCore
import Shared
import Synchronization
import Testing

@testable import EdgeControl

@Suite struct DryRunTests {
    private func apply(_ room: ControlRoom, _ operations: [JSON], _ more: [String: JSON] = [:]) async throws
        -> ControlRoom.Answer
    {
        var body = more
        body["operations"] = .array(operations)
        return try await room.call("POST", "/selvage/apply", .object(body))
    }

    private static let whole: [JSON] = [
        ["method": "POST", "path": "/reserved_domains", "as": "domain", "body": ["domain": "shop.example.net"]],
        ["method": "POST", "path": "/backends/static", "as": "v1", "body": ["address": "10.0.0.1:80"]],
        ["method": "POST", "path": "/backends/static", "as": "v2", "body": ["address": "10.0.0.2:80"]],
        [
            "method": "POST", "path": "/backends/weighted", "as": "both",
            "body": ["backends": ["${new:v1}": 90, "${new:v2}": 10]],
        ],
        ["method": "POST", "path": "/edges/https", "as": "edge", "body": ["hostports": ["shop.example.net:443"]]],
        [
            "method": "POST", "path": "/edges/https/${new:edge}/routes", "as": "route",
            "body": ["match_type": "path_prefix", "match": "/", "backend": ["backend_id": "${new:both}"]],
        ],
        ["method": "PUT", "path": "/edges/https/${new:edge}/routes/${new:route}/compression", "body": [:]],
    ]

    @Test func `an edge from nothing is one request, its parts named before they exist`() async throws {
        let room = try await ControlRoom()
        let answer = try await apply(room, Self.whole)
        #expect(answer.status == 200, "\(answer.body.text)")
        #expect(room.service.revision == 1)
        let results = answer["results"]?.arrayValue ?? []
        #expect(results.map { $0["status"] } == [201, 201, 201, 201, 201, 201, 200])
        let weighted = results[3]["body"]?["backends"]?.objectValue ?? [:]
        #expect(Set(weighted.keys) == Set([1, 2].compactMap { results[$0]["body"]?["id"]?.stringValue }))
        #expect(room.dataPlane.last?.edges.count == 1)
    }

    @Test func `a field of a new object can be named, also inside a list`() async throws {
        let room = try await ControlRoom()
        let answer = try await apply(
            room,
            [
                ["method": "POST", "path": "/reserved_addrs", "as": "addr"],
                ["method": "POST", "path": "/edges/tcp", "body": ["hostports": ["${new:addr.addr}"]]],
            ])
        #expect(answer.status == 200, "\(answer.body.text)")
        let results = answer["results"]?.arrayValue ?? []
        #expect(results[1]["body"]?["hostports"]?.arrayValue?.first == results[0]["body"]?["addr"])
    }

    @Test func `a text that looks like a placeholder is written with one more dollar, and other languages' stay`()
        async throws
    {
        let room = try await ControlRoom()
        let answer = try await apply(
            room,
            [
                [
                    "method": "POST", "path": "/ip_policies",
                    "body": ["description": "$${new:x}", "metadata": "${conn.ip}"],
                ],
                ["method": "POST", "path": "/ip_policies", "body": ["description": "$$x", "metadata": "a ${new:x}"]],
            ])
        let results = answer["results"]?.arrayValue ?? []
        #expect(results.map { $0["body"]?["description"] } == ["${new:x}", "$$x"])
        #expect(results.map { $0["body"]?["metadata"] } == ["${conn.ip}", "a ${new:x}"])
    }

    @Test(
        arguments: [
            ["method": "POST", "path": "/ip_policies", "body": ["description": "${new:nobody}"]],
            ["method": "PATCH", "path": "/ip_policies/${new:nobody}", "body": [:]],
            ["method": "POST", "path": "/backends/weighted", "body": ["backends": ["${new:nobody}": 1]]],
        ] as [JSON])
    func `a name that no earlier operation gives is refused by name`(operation: JSON) async throws {
        let room = try await ControlRoom()
        let later: JSON = ["method": "POST", "path": "/ip_policies", "as": "nobody"]
        for operations in [[operation], [operation, later]] {
            let answer = try await apply(room, operations)
            #expect(answer.status == 400)
            #expect(answer["msg"]?.stringValue?.contains("'nobody'") == true)
            #expect(room.service.revision == 0)
        }
    }

    @Test(arguments: ["${new:}", "${new:a b}", "${new:a", "${new:a.b.c}", "${new:1}"])
    func `what begins like a placeholder and is none is an error`(text: String) async throws {
        let room = try await ControlRoom()
        let answer = try await apply(
            room,
            [
                ["method": "POST", "path": "/ip_policies", "as": "a"],
                ["method": "POST", "path": "/ip_policies", "body": ["description": .string(text)]],
            ])
        #expect(answer.status == 400)
        #expect(answer["details"]?["operation"] == "1")
    }

    // MARK: Dry runs

    @Test func `a dry run tells what would change, and changes nothing`() async throws {
        let room = try await ControlRoom()
        let published = room.dataPlane.count
        let answer = try await apply(room, Self.whole, ["dry_run": true])
        #expect(answer.status == 200)
        #expect(answer["dry_run"] == true)
        #expect(answer["faults"] == [])
        #expect(answer["revision"] == 0)
        let changes = answer["changes"]?.arrayValue ?? []
        #expect(changes.count == 7)
        #expect(changes.allSatisfy { $0["before"]?.isNull == true && $0["after"]?.isNull == false })
        #expect(answer["results"]?.arrayValue?.allSatisfy { $0["body"]?.isNull == true } == true)
        #expect(room.service.revision == 0)
        #expect(room.service.state.count == 0)
        #expect(room.dataPlane.count == published)
        #expect(room.audited.withLock { $0.isEmpty })
        // And it is carried out as it was judged.
        #expect(try await apply(room, Self.whole).status == 200)
    }

    @Test func `a dry run reports every fault, and says which follow from another`() async throws {
        let room = try await ControlRoom()
        let kept = try await room.make("/ip_policies", ["description": "kept"])
        let before = room.service.revision
        let operations: [JSON] = [
            [
                "method": "POST", "path": "/reserved_domains", "as": "domain",
                "body": ["domain": "a.example", "nonsense": 1],
            ],
            ["method": "POST", "path": "/edges/https", "as": "edge", "body": ["hostports": ["a.example:443"]]],
            ["method": "POST", "path": "/edges/https/${new:edge}/routes", "body": ["match_type": "x", "match": "/"]],
            ["method": "POST", "path": "/backends/static", "body": ["address": "nowhere"]],
            ["method": "PATCH", "path": .string("/ip_policies/\(kept)"), "body": [:], "if_match": "99"],
            ["method": "GET", "path": "/ip_policies"],
            ["method": "POST", "path": "/ip_policies", "body": ["description": "fine"]],
            ["method": "POST", "path": "/ip_policies", "if_match": "*"],
        ]
        let answer = try await apply(room, operations, ["dry_run": true])
        #expect(answer.status == 200)
        let faults = answer["faults"]?.arrayValue ?? []
        #expect(faults.map { $0["operation"]?.intValue } == [0, 1, 2, 3, 4, 5, 7])
        #expect(faults.map { $0["status"]?.intValue } == [400, 400, 424, 400, 412, 404, 412])
        #expect(faults.map { $0["because_of"]?.intValue } == [nil, 0, 1, nil, nil, nil, nil])
        #expect(faults[0]["error_code"] == "ERR_NGROK_214")
        #expect(faults[1]["error_code"] == "ERR_NGROK_7117")
        #expect(faults[4]["path"]?.stringValue == "/ip_policies/\(kept)")
        #expect(answer["changes"]?.arrayValue?.count == 1)
        #expect(room.service.revision == before)
        // Carried out, it stops at the first.
        let real = try await apply(room, operations)
        #expect(real.status == 404)
        #expect(room.service.revision == before)
    }

    @Test func `a failed operation leaves nothing behind for the next ones`() async throws {
        let room = try await ControlRoom()
        let planted = try await Planting.edge(in: room)
        // Deleting a domain that an edge uses is found out only after it was taken away.
        let operations: [JSON] = [
            ["method": "DELETE", "path": .string("/reserved_domains/\(planted.domain)")],
            ["method": "PATCH", "path": .string("/reserved_domains/\(planted.domain)"), "body": ["metadata": "still"]],
        ]
        let answer = try await apply(room, operations, ["dry_run": true])
        #expect(answer["faults"]?.arrayValue?.map { $0["operation"] } == [0], "\(answer.body.text)")
        #expect(answer["results"]?.arrayValue?.map { $0["status"] } == [0, 200])
    }

    @Test func `another revision of the whole than the writer saw is refused`() async throws {
        let room = try await ControlRoom()
        _ = try await room.make("/ip_policies")
        let operation: JSON = ["method": "POST", "path": "/ip_policies"]
        #expect(try await apply(room, [operation], ["expected_revision": 0]).status == 412)
        let dry = try await apply(room, [operation], ["expected_revision": 0, "dry_run": true])
        #expect(dry["faults"]?.arrayValue?.map { $0["status"] } == [412])
        #expect(try await apply(room, [operation], ["expected_revision": 1]).status == 200)
    }

    @Test func `If-Match on what is yet to be made is refused, also a star`() async throws {
        let room = try await ControlRoom()
        for tag in ["*", "\"1\""] {
            let answer = try await room.call("POST", "/ip_policies", [:], fields: [("if-match", tag)])
            #expect(answer.status == 412)
        }
        #expect(room.service.state.count == 0)
    }

    @Test func `thousands of operations are one request, and their cost grows with their number only`() async throws {
        let room = try await ControlRoom()
        let made: [JSON] = (0..<2000).flatMap { number -> [JSON] in
            [
                ["method": "POST", "path": "/ip_policies", "as": .string("p\(number)")],
                [
                    "method": "POST", "path": "/ip_policy_rules",
                    "body": [
                        "ip_policy_id": .string("${new:p\(number)}"), "action": "allow", "cidr": "10.0.0.0/8",
                    ],
                ],
            ]
        }
        let clock = ContinuousClock()
        let start = clock.now
        let small = try await apply(room, Array(made.prefix(400)))
        let few = clock.now - start
        let large = try await apply(room, made)
        let many = clock.now - start - few
        #expect(small.status == 200)
        #expect(large.status == 200)
        #expect(room.service.revision == 2)
        #expect(room.service.state.count == 4400)
        // Ten times as many; a cost that grows with the square would be a hundredfold.
        #expect(many < few * 40, "\(few) for 400, \(many) for 4,000")
        let tooMany = Array(repeating: made[0], count: Apply.maximumOperations + 1)
        #expect(try await apply(room, tooMany).status == 400)
    }
}
