import EdgeTesting
import Foundation
import Shared
import Testing

extension EndToEnd {
    /// History, comparing, going back and files of operations, by the command, against the real server.
    @Suite struct RevisionCommandTests {
        @Test func `a large file is applied as one revision, looked at, and taken back by the command`() async throws {
            try await EndToEnd.onThread {
                let server = try ServerProcess()
                let selvage = { (words: [String]) throws -> Command in
                    try Command.run([EndToEnd.binaries + "/selvage", "--socket", server.socket] + words)
                }
                // More than a request's body may have elsewhere.
                let text = JSON.string(String(repeating: "x", count: 4000))
                var operations: [JSON] = (0..<400).map { _ in
                    ["method": "POST", "path": "/ip_policies", "body": ["metadata": text]]
                }
                operations.append(["method": "POST", "path": "/ip_policies", "as": "last"])
                operations.append([
                    "method": "PATCH", "path": "/ip_policies/${new:last}", "body": ["description": "named"],
                ])
                let file = server.folder.path + "/operations.json"
                let bytes = JSON.array(operations).bytes
                #expect(bytes.count > 1 << 20)
                try Data(bytes).write(to: URL(fileURLWithPath: file))

                let judged = try selvage(["apply", file, "--dry-run"])
                #expect(judged.status == 0, "\(judged.errors)")
                #expect(judged.output.contains("nothing was changed"))
                #expect(try server.send("GET", "/selvage/revision")["revision"] == 0)
                let applied = try selvage(["apply", file])
                #expect(applied.status == 0, "\(applied.errors)")
                #expect(try server.send("GET", "/selvage/revision")["revision"] == 1)

                let named = try server.send("GET", "/ip_policies?limit=1")["ip_policies"]?.arrayValue?.first
                let id = named?["id"]?.stringValue ?? ""
                #expect(named?["description"] == "named")
                try server.send("PATCH", "/ip_policies/\(id)", ["description": "renamed"])
                #expect(try selvage(["history", id]).output.split(separator: "\n").count == 2)
                let difference = try selvage(["diff", "1", "2"])
                #expect(difference.output.contains("/description: \"named\" -> \"renamed\""), "\(difference.output)")

                // Going back may interrupt traffic, so it wants a yes.
                #expect(try selvage(["revert", "1"]).status == 2)
                #expect(try selvage(["revert", "1", "--yes"]).status == 0)
                #expect(try server.send("GET", "/ip_policies/\(id)")["description"] == "named")
                #expect(try selvage(["revert", "0", "--yes", "--if-match", "1"]).status == 3)

                try #"[{"method": "POST", "path": "/nothing"}]"#
                    .write(toFile: file, atomically: true, encoding: .utf8)
                let wrong = try selvage(["apply", file, "--dry-run"])
                #expect(wrong.status == 8)
                #expect(wrong.output.contains("operation 0 POST /nothing: 404"), "\(wrong.output)")
            }
        }
    }
}
