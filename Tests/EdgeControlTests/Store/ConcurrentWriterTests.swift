import EdgeCore
import Shared
import Testing

@testable import EdgeControl

/// Writers who read, change and write back, and try again when somebody else was faster.
@Suite struct ConcurrentWriterTests {
    /// Adds one to the numbers in the metadata of objects, in one apply, and only if nobody else has changed them.
    /// - Returns: how often it had to try.
    private static func addOne(_ room: ControlRoom, _ ids: [String]) async throws -> Int {
        for attempt in 1... {
            var operations: [JSON] = []
            for id in ids {
                let path = "/ip_policies/\(id)"
                let read = try await room.call("GET", path)
                let sum = (read["metadata"]?.stringValue.flatMap { Int($0) } ?? 0) + 1
                operations.append([
                    "method": "PATCH", "path": .string(path), "body": ["metadata": .string(String(sum))],
                    "if_match": .string(read.fields["etag"] ?? ""),
                ])
            }
            let answer = try await room.call("POST", "/selvage/apply", ["operations": .array(operations)])
            if answer.status == 200 { return attempt }
            try #require(answer.status == 412, "\(answer.body.text)")
        }
        return 0
    }

    private static func sum(_ room: ControlRoom, _ id: String) async throws -> Int {
        try await room.call("GET", "/ip_policies/\(id)")["metadata"]?.stringValue.flatMap { Int($0) } ?? 0
    }

    @Test func `of many who read, change and write one object with If-Match no update is lost`() async throws {
        let room = try await ControlRoom()
        let id = try await room.make("/ip_policies", ["metadata": "0"])
        try await withThrowingTaskGroup(of: Void.self) { group in
            for _ in 0..<8 {
                group.addTask {
                    for _ in 0..<10 {
                        while true {
                            let read = try await room.call("GET", "/ip_policies/\(id)")
                            let sum = (read["metadata"]?.stringValue.flatMap { Int($0) } ?? 0) + 1
                            let answer = try await room.call(
                                "PATCH", "/ip_policies/\(id)", ["metadata": .string(String(sum))],
                                fields: [("if-match", read.fields["etag"] ?? "")])
                            if answer.status == 200 { break }
                            try #require(answer.status == 412, "\(answer.body.text)")
                        }
                    }
                }
            }
            try await group.waitForAll()
        }
        #expect(try await Self.sum(room, id) == 80)
        #expect(room.service.revision == 81)
    }

    @Test func `writers of several objects in one apply lose no update of any of them`() async throws {
        let room = try await ControlRoom()
        var made: [String] = []
        for _ in 0..<4 { made.append(try await room.make("/ip_policies", ["metadata": "0"])) }
        let ids = made
        try await withThrowingTaskGroup(of: Void.self) { group in
            for writer in 0..<6 {
                group.addTask {
                    for _ in 0..<6 {
                        // Each writer has two objects that overlap with those of its neighbours.
                        _ = try await Self.addOne(room, [ids[writer % 4], ids[(writer + 1) % 4]])
                    }
                }
            }
            try await group.waitForAll()
        }
        var sums: [Int] = []
        for id in ids { sums.append(try await Self.sum(room, id)) }
        // Writers 0 to 5 touch objects (0,1) (1,2) (2,3) (3,0) (0,1) (1,2), six times each.
        #expect(sums == [18, 24, 18, 12])
        #expect(room.service.revision == 4 + 36)
        // The history tells every one of them, and each step is one more.
        let history = try await room.call("GET", "/selvage/objects/\(ids[1])/history?limit=100")["history"]
        let steps = history?.arrayValue?.compactMap { $0["document"]?["metadata"]?.stringValue.flatMap { Int($0) } }
        #expect(steps == Array((0...24).reversed()))
    }
}
