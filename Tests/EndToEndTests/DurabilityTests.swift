import EdgeTesting
import Foundation
import Shared
import Synchronization
import Testing

extension EndToEnd {
    @Suite struct DurabilityTests {
        /// Writes as fast as the server acknowledges, and is killed in the middle, again and again. The moment is
        /// given by how many writes were acknowledged, which differs from round to round.
        @Test func `every acknowledged write survives kill -9`() async throws {
            let missing = try await EndToEnd.onThread {
                let server = try ServerProcess()
                var acknowledged: Set<String> = []
                for round in 0..<12 {
                    acknowledged.formUnion(try writeUntilKilled(server, after: 3 + round * 2))
                    try server.start()
                    let stored = try identifiers(server)
                    let lost = acknowledged.subtracting(stored)
                    guard lost.isEmpty else { return lost }
                    // A write that was not acknowledged may be there or not, but never by half.
                    acknowledged = stored
                }
                return []
            }
            #expect(missing == [])
        }

        private func writeUntilKilled(_ server: ServerProcess, after count: Int) throws -> Set<String> {
            let acknowledged = Mutex<Set<String>>([])
            let ended = DispatchSemaphore(value: 0)
            let writer = Thread {
                var number = 0
                while let answer = try? server.request(
                    "POST", "/ip_policies", ["description": .string("write \(number)")])
                {
                    guard answer.status == 201, let id = answer.body["id"]?.stringValue else { break }
                    acknowledged.withLock { _ = $0.insert(id) }
                    number += 1
                }
                ended.signal()
            }
            writer.start()
            try EndToEnd.wait(for: "\(count) writes") { acknowledged.withLock { $0.count } >= count }
            server.kill()
            guard ended.wait(timeout: .now() + 60) == .success else { throw EndToEndFailure("the writer hangs") }
            return acknowledged.withLock { $0 }
        }

        private func identifiers(_ server: ServerProcess) throws -> Set<String> {
            let objects = try server.send("GET", "/selvage/configuration")["objects"]?.arrayValue ?? []
            return Set(objects.filter { $0["kind"] == "ip_policy" }.compactMap { $0["id"]?.stringValue })
        }

        @Test func `an edge serves again after kill -9, with the same certificate`() async throws {
            let (before, after) = try await EndToEnd.onThread {
                let server = try ServerProcess()
                let backend = try server.create("/backends/http_response", ["body": "still here", "status_code": 200])
                _ = try server.createEdge(domain: "kept.e2e.localhost", backend: backend)
                let curl = try Curl(server, domain: "kept.e2e.localhost")
                let before = try curl.get("/")
                server.kill()
                try server.start()
                return (before, try curl.get("/"))
            }
            #expect(before.body == "still here")
            #expect(after.body == "still here")
        }
    }
}
