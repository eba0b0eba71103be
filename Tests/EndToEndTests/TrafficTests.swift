import ConsoleKit
import EdgeTesting
import Foundation
import Shared
import Synchronization
import Testing

extension EndToEnd {
    @Suite struct TrafficTests {
        @Test func `C42 weights 95:5 over 100,000 requests are exact to 0.1 points`() async throws {
            let output = try await EndToEnd.onThread {
                let server = try ServerProcess()
                let many = try server.create("/backends/http_response", ["body": "v1", "status_code": 200])
                let few = try server.create("/backends/http_response", ["body": "v2", "status_code": 404])
                let weighted = try server.create("/backends/weighted", ["backends": [many: 95, few: 5]])
                _ = try server.createEdge(domain: "split.e2e.localhost", backend: weighted)
                let command = [
                    "h2load", "-n", "100000", "-c", "20", "-m", "10", "--connect-to", "127.0.0.1:\(server.httpsPort)",
                    "https://split.e2e.localhost/",
                ]
                return try Command.run(command, seconds: 180).output
            }
            // "status codes: 95000 2xx, 0 3xx, 5000 4xx, 0 5xx"
            let numbers =
                output.split(separator: "\n").first { $0.hasPrefix("status codes:") }?
                .split(whereSeparator: { !$0.isNumber }).compactMap { Int($0) } ?? []
            try #require(numbers.count == 8, "\(output)")
            #expect(numbers[0] + numbers[4] == 100_000)
            #expect(abs(numbers[0] - 95_000) <= 100)
        }

        /// C89, C90, C91, with the state as the console gets it.
        @Test func `a broken upstream opens the breaker, sees probes only, and closes it by healing`() async throws {
            let seen = try await EndToEnd.onThread { try breakAndHeal() }
            #expect(seen.blocked.status == 503)
            #expect(seen.blocked.field("ngrok-error-code") == "ERR_NGROK_3202")
            #expect(seen.requestsBeyondProbes <= 0)
            #expect(seen.rejected >= 100)
            #expect(seen.states.first == "closed")
            #expect(seen.states.contains("open"))
            #expect(seen.states.last == "closed")
        }

        struct BreakerRun: Sendable {
            var blocked: Curl.Answer
            var requestsBeyondProbes: Int
            var rejected: Int
            var states: [String]
        }

        private func breakAndHeal() throws -> BreakerRun {
            let server = try ServerProcess()
            let upstream = try UpstreamProcess("v1")
            let breaker: JSON = [
                "error_threshold_percentage": 0.5, "volume_threshold": 10, "rolling_window": 10,
                "tripped_duration": 2, "num_buckets": 10,
            ]
            _ = try server.createEdge(
                domain: "brk.e2e.localhost", backend: server.createStatic(port: upstream.port),
                modules: ["circuit_breaker": breaker])
            let states = try StateWatch(server)
            let curl = try Curl(server, domain: "brk.e2e.localhost")
            for _ in 0..<3 { _ = try curl.get("/") }
            try EndToEnd.wait(for: "the closed state") { states.seen == ["closed"] }
            try upstream.tell("fail")
            var blocked = try curl.get("/")
            try EndToEnd.wait(for: "the breaker to open") {
                blocked = try curl.get("/")
                return blocked.status == 503
            }
            let before = try upstream.count()
            let began = ContinuousClock.now
            let hits = try Command.run(
                [
                    "h2load", "-n", "200", "-c", "2", "--connect-to", "127.0.0.1:\(server.httpsPort)",
                    "https://brk.e2e.localhost/",
                ])
            let rejected =
                hits.output.split(separator: "\n").first { $0.hasPrefix("status codes:") }?
                .split(whereSeparator: { !$0.isNumber }).compactMap { Int($0) } ?? []
            let after = try upstream.count()
            // One probe each time that it has been open for its two seconds, on each of two loops at most.
            let probes = 2 * (1 + Int((ContinuousClock.now - began) / .seconds(2)))
            // Without requests it would stay half-open, should no figures have been told while it was open.
            try EndToEnd.wait(for: "the open state") {
                _ = try curl.get("/")
                return states.seen.contains("open")
            }
            try upstream.tell("heal")
            try EndToEnd.wait(for: "the breaker to close") { try curl.get("/").status == 200 }
            try EndToEnd.wait(for: "the closed state again") { states.seen.last == "closed" }
            return BreakerRun(
                blocked: blocked, requestsBeyondProbes: after - before - probes,
                rejected: rejected.dropFirst(6).first ?? 0,
                states: states.seen)
        }

        /// Follows the state of the only breaker on the server's stream.
        final class StateWatch: Sendable {
            private let states = Mutex<[String]>([])

            var seen: [String] { states.withLock { $0 } }

            init(_ server: ServerProcess) throws {
                let path = server.socket
                let thread = Thread { [weak self] in
                    // Ends with the server.
                    try? AdminConnection(socketPath: path).lines("/selvage/stream") { line in
                        guard let self else { return false }
                        guard case .tick(let tick) = try? JSONDecoder().decode(StreamLine.self, from: Data(line)),
                            let state = tick.breakers.first?.state.rawValue
                        else { return true }
                        self.states.withLock { if $0.last != state { $0.append(state) } }
                        return true
                    }
                }
                thread.start()
            }
        }

        @Test func `an account-wide IP restriction shuts strangers out, at once and after a restart`() async throws {
            let answers = try await EndToEnd.onThread {
                let server = try ServerProcess()
                let backend = try server.create("/backends/http_response", ["body": "in", "status_code": 200])
                _ = try server.createEdge(domain: "entry.e2e.localhost", backend: backend)
                let curl = try Curl(server, domain: "entry.e2e.localhost")
                var answers = [try curl.get("/")]
                let policy = try server.create("/ip_policies", [:])
                let restriction = try server.create(
                    "/ip_restrictions", ["type": "endpoints", "enforced": true, "ip_policy_ids": [.string(policy)]])
                answers.append(try curl.get("/"))
                server.kill()
                try server.start()
                answers.append(try curl.get("/"))
                _ = try server.create(
                    "/ip_policy_rules", ["cidr": "127.0.0.0/8", "action": "allow", "ip_policy_id": .string(policy)])
                answers.append(try curl.get("/"))
                try server.send("DELETE", "/ip_restrictions/\(restriction)")
                answers.append(try curl.get("/"))
                return answers
            }
            #expect(answers.map(\.status) == [200, 403, 403, 200, 200])
            #expect(answers[1].field("ngrok-error-code") == "ERR_NGROK_3203")
            #expect(answers[2].field("ngrok-error-code") == "ERR_NGROK_3203")
        }

        /// C04, C05, C44. `scripts/soak` runs it for a minute.
        @Test(.enabled(if: EndToEnd.hasPython))
        func `C04 changes of every kind under load fail no request and cut no connection`() async throws {
            let seconds = EndToEnd.soakSeconds
            let command = try await EndToEnd.onThread {
                let server = try ServerProcess()
                let upstreams = [try UpstreamProcess("v1"), try UpstreamProcess("v2")]
                return try Command.run(
                    [
                        EndToEnd.python, EndToEnd.repository + "/scripts/e2e/live_change.py",
                        "--socket", server.socket, "--https", "\(server.httpsPort)", "--seconds", "\(seconds)",
                        "--changes", "100", "--upstreams", upstreams.map { "\($0.port)" }.joined(separator: ","),
                    ], seconds: Double(seconds) + 60)
            }
            try #require(command.status == 0, "\(command.errors)")
            let result = try JSON(parsing: command.output.utf8)
            #expect(result["failed_requests"] == 0, "\(command.output)")
            #expect(result["cut_websockets"] == 0)
            #expect(result["download_complete"] == true)
            #expect(result["changes"] == 100)
            #expect(result["websockets"] == 20)
            // 500 a second are offered; on a machine that is busy otherwise too, a fifth still is a load.
            #expect((result["requests"]?.intValue ?? 0) >= Int64(seconds * 100))
        }

        /// The official client, with scripts that walk through the resources.
        @Test(.enabled(if: EndToEnd.hasPython), arguments: ["api_client.py", "api_endpoints.py", "api_resources.py"])
        func `the official Python client works for every resource that is served`(script: String) async throws {
            let command = try await EndToEnd.onThread {
                let server = try ServerProcess()
                return try Command.run(
                    [EndToEnd.python, EndToEnd.repository + "/scripts/e2e/\(script)", server.socket], seconds: 60)
            }
            #expect(command.status == 0, "\(command.output)\(command.errors)")
        }
    }
}
