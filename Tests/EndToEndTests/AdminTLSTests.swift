import EdgeTesting
import Foundation
import Shared
import Testing

extension EndToEnd {
    /// The admin API as clients elsewhere use it.
    @Suite struct AdminTLSTests {
        private static func key(_ server: ServerProcess) throws -> (id: String, token: String) {
            let answer = try server.send("POST", "/api_keys", ["description": "e2e"])
            guard let id = answer["id"]?.stringValue, let token = answer["token"]?.stringValue else {
                throw EndToEndFailure("no key in \(answer.text)")
            }
            return (id, token)
        }

        /// Runs a program of scripts/e2e on a server of its own.
        private static func run(_ script: String, overTLS: Bool) async throws -> Command {
            try await EndToEnd.onThread {
                let server = try ServerProcess()
                let place =
                    overTLS
                    ? [
                        "https://127.0.0.1:\(server.adminPort)", "--key", try key(server).token, "--ca",
                        try server.authorityFile(),
                    ] : [server.socket]
                return try Command.run(
                    [EndToEnd.python, EndToEnd.repository + "/scripts/e2e/\(script)"] + place, seconds: 240)
            }
        }

        @Test(.enabled(if: EndToEnd.hasPython))
        func `the official Python client works over TLS with an API key`() async throws {
            let command = try await EndToEnd.onThread {
                let server = try ServerProcess()
                let (_, token) = try Self.key(server)
                return try Command.run(
                    [
                        "env", "REQUESTS_CA_BUNDLE=\(try server.authorityFile())", EndToEnd.python,
                        EndToEnd.repository + "/scripts/e2e/api_keys.py",
                        "https://127.0.0.1:\(server.adminPort)", "--key", token,
                    ], seconds: 60)
            }
            #expect(command.status == 0, "\(command.output)\(command.errors)")
        }

        @Test(.enabled(if: EndToEnd.hasPython), arguments: [true, false])
        func `raw requests are answered as documented, and every module works`(overTLS: Bool) async throws {
            let command = try await Self.run("api_raw.py", overTLS: overTLS)
            #expect(command.status == 0, "\(command.output)\(command.errors)")
        }

        @Test(.enabled(if: EndToEnd.hasPython), arguments: [true, false])
        func `schemathesis finds nothing that is not as the API's description says`(overTLS: Bool) async throws {
            let command = try await Self.run("api_description.py", overTLS: overTLS)
            #expect(command.status == 0, "\(command.output.suffix(20_000))\(command.errors)")
        }

        @Test func `the console makes a key whose token stands alone, lists keys, and deletes one`() async throws {
            let (refused, statuses, list, deleted, credential, audit) = try await EndToEnd.onThread {
                let server = try ServerProcess()
                let console = { (words: [String]) in
                    try Command.run([EndToEnd.binaries + "/selvage", "--socket", server.socket] + words)
                }
                let made = try console(["api-key", "create", "--role", "viewer", "--description", "ci = build"])
                guard made.status == 0, made.errors.contains("ak_") else { throw EndToEndFailure("\(made)") }
                // As `KEY=$(selvage api-key create)` has it: one line, and nothing but the token.
                let token = made.output.trimmingCharacters(in: .newlines)
                let authority = try server.authorityFile()
                let ask = { (path: String) in
                    try Command.run([
                        "curl", "-sS", "--cacert", authority, "-o", "/dev/null", "-w", "%{http_code}", "-H",
                        "ngrok-version: 2", "-H", "authorization: Bearer \(token)",
                        "https://127.0.0.1:\(server.adminPort)\(path)",
                    ]).output
                }
                var statuses = [try ask("/edges/https"), try ask("/api_keys")]
                let list = try console(["-o", "json", "api-key", "list"])
                let id = try JSON(parsing: list.output.utf8).arrayValue?.first?["id"]?.stringValue ?? ""
                let refused = try console(["api-key", "delete", id])
                let deleted = try console(["api-key", "delete", id, "--yes"])
                statuses.append(try ask("/edges/https"))
                let credential = try console(["credential", "create", "acl=bind:*.example.com"])
                return (refused, statuses, list, deleted, credential, try console(["-o", "json", "audit"]).output)
            }
            #expect(statuses == ["200", "403", "403"])
            #expect(list.output.contains("ci = build") && list.output.contains("viewer"))
            #expect(refused.status == 2 && deleted.status == 0, "\(refused) \(deleted)")
            #expect(credential.status == 0 && credential.output.split(separator: "\n").count == 1, "\(credential)")
            let commands = try audit.split(separator: "\n").map { try JSON(parsing: $0.utf8)["command"] }
            #expect(commands.contains("api-key create") && commands.contains("credential create"), "\(audit)")
        }

        @Test func `curl is served over HTTP/1.1 and HTTP/2, and the stream of a deleted key ends`() async throws {
            let (answers, stream) = try await EndToEnd.onThread {
                let server = try ServerProcess()
                let (id, token) = try Self.key(server)
                let base = "https://localhost:\(server.adminPort)"
                let common = [
                    "curl", "-sS", "--cacert", try server.authorityFile(), "-H", "ngrok-version: 2", "-H",
                    "authorization: Bearer \(token)", "--resolve", "localhost:\(server.adminPort):127.0.0.1",
                ]
                let answers = try ["--http1.1", "--http2"].map { version in
                    try Command.run(
                        common + [version, "-o", "/dev/null", "-w", "%{http_version} %{http_code}", base + "/api_keys"])
                }
                let stream = try RunningProcess(
                    ["/usr/bin/env"] + common + ["--no-buffer", "--max-time", "30", base + "/selvage/stream"])
                try EndToEnd.wait(20, for: "the stream's first line") { stream.output.contains("\"hello\"") }
                try server.send("DELETE", "/api_keys/\(id)")
                try EndToEnd.wait(20, for: "the end of the stream") { !stream.isRunning }
                return (answers.map(\.output), stream.output)
            }
            #expect(answers == ["1.1 200", "2 200"])
            #expect(!stream.isEmpty)
        }
    }
}
