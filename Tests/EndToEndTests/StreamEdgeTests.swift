import EdgeTesting
import Foundation
import Glibc
import Shared
import Testing

extension EndToEnd {
    /// TCP and TLS edges, and what the system passes to the server.
    @Suite struct StreamEdgeTests {
        @Test func `C79 a TCP edge carries bytes untouched, each direction closed on its own`() async throws {
            let (sent, received) = try await EndToEnd.onThread {
                let server = try ServerProcess()
                let echo = try EchoUpstream()
                let backend = try server.createStatic(port: echo.port)
                guard let address = try server.send("POST", "/reserved_addrs", [:])["addr"]?.stringValue,
                    let port = address.split(separator: ":").last.flatMap({ UInt16($0) })
                else { throw EndToEndFailure("no address") }
                _ = try server.create(
                    "/edges/tcp", ["hostports": [.string(address)], "backend": ["backend_id": .string(backend)]])
                // Every byte there is, and none of it HTTP or TLS.
                let bytes = (0..<200_000).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ $0 / 251) }
                return (bytes, try EchoUpstream.exchange(bytes, port: port))
            }
            // The echo answers only once its client has closed: so the half-close came through.
            #expect(received == sent)
        }

        @Test func `C73 C78 a TLS edge terminates, or passes the handshake through to the upstream`() async throws {
            let subjects = try await EndToEnd.onThread {
                let server = try ServerProcess()
                let own = try OwnCertificate(in: server.folder, name: "up.e2e.localhost")
                let upstream = try own.serve()
                let backend: JSON = ["backend_id": .string(try server.createStatic(port: upstream.port))]
                for domain in ["cut.e2e.localhost", "through.e2e.localhost"] {
                    _ = try server.create("/reserved_domains", ["domain": .string(domain)])
                }
                _ = try server.create("/edges/tls", ["hostports": ["cut.e2e.localhost:443"], "backend": backend])
                _ = try server.create(
                    "/edges/tls",
                    [
                        "hostports": ["through.e2e.localhost:443"], "backend": backend,
                        "tls_termination": ["terminate_at": "upstream"],
                    ])
                return try ["cut", "through"].map { name in
                    try Command.run(
                        [
                            "sh", "-c",
                            "openssl s_client -connect 127.0.0.1:\(server.httpsPort) -servername \(name).e2e.localhost"
                                + " </dev/null 2>/dev/null | openssl x509 -noout -subject",
                        ]
                    ).output
                }
            }
            #expect(!subjects[0].contains("up.e2e.localhost"))
            #expect(subjects[0].contains("subject"))
            #expect(subjects[1].contains("CN = up.e2e.localhost"))
        }

        @Test(.enabled(if: EndToEnd.hasPython))
        func `sockets that systemd passes are served, and it is told of each state`() async throws {
            let (answer, states, status) = try await EndToEnd.onThread {
                let folder = try ScratchFolder()
                let file = folder.path + "/s.toml"
                try """
                data_folder = "\(folder.path)/data"
                [[listener]]
                kind = "http"
                cleartext = "serve"
                socket = "web"
                """.write(toFile: file, atomically: true, encoding: .utf8)
                let script = EndToEnd.repository + "/scripts/e2e/activate.py"
                let process = try RunningProcess(
                    [EndToEnd.python, script, "web", EndToEnd.binaries + "/selvage-server", "--config", file])
                try EndToEnd.wait(for: "READY") { process.output.contains("READY=1") }
                let port = process.output.split(whereSeparator: \.isWhitespace).dropFirst().first ?? ""
                let answer = try Command.run(["curl", "-s", "-i", "--max-time", "50", "http://127.0.0.1:\(port)/"])
                    .output
                process.signal(SIGTERM)
                try EndToEnd.wait(for: "the end") { !process.isRunning }
                return (answer, process.output, process.status)
            }
            #expect(answer.hasPrefix("HTTP/1.1 404 "))
            #expect(answer.contains("ERR_NGROK_3200"))
            #expect(states.contains("STOPPING=1"))
            #expect(status == 0)
        }

        @Test func `draining finishes a request that runs, and takes no new one`() async throws {
            let (answer, refused, status) = try await EndToEnd.onThread {
                let server = try ServerProcess()
                guard let process = server.process else { throw EndToEndFailure("no process") }
                let slow = try EchoUpstream(delay: 1.5)
                _ = try server.createEdge(
                    domain: "slow.e2e.localhost", backend: server.createStatic(port: slow.port))
                let url = "http://127.0.0.1:\(server.cleartextPort)/"
                let host = "Host: slow.e2e.localhost"
                let running = try RunningProcess(["curl", "-s", "--max-time", "50", "-H", host, url])
                try EndToEnd.wait(for: "the request at the upstream") { slow.accepted > 0 }
                process.signal(SIGTERM)
                try EndToEnd.wait(for: "the drain") { process.errors.contains("draining") }
                // Listeners are closed a moment after the line above.
                try EndToEnd.wait(for: "a refusal") { try Command.run(["curl", "-s", "-H", host, url]).status == 7 }
                try EndToEnd.wait(for: "curl to end") { !running.isRunning }
                try EndToEnd.wait(for: "the server to end") { !process.isRunning }
                return (running.output, true, process.status)
            }
            #expect(answer == "slow")
            #expect(refused)
            #expect(status == 0)
        }
    }
}
