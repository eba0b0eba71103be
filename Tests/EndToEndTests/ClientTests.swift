import EdgeTesting
import Foundation
import Shared
import Testing

extension EndToEnd {
    /// The edge as clients from other hands see it.
    @Suite struct ClientTests {
        @Test func `curl is served over HTTP/1.1 and HTTP/2, IPv4 and IPv6`() async throws {
            let answers = try await EndToEnd.onThread {
                let server = try ServerProcess()
                let upstream = try UpstreamProcess("v1")
                _ = try server.createEdge(
                    domain: "app.e2e.localhost", backend: server.createStatic(port: upstream.port))
                let curl = try Curl(server, domain: "app.e2e.localhost")
                let six = "app.e2e.localhost:\(server.httpsPort):[::1]"
                return [
                    try curl.get("/one", "--http1.1"), try curl.get("/one", "--http2"),
                    try curl.get("/one", "--http2", "--resolve", six),
                    try curl.get("/one", "--http1.1", "--tls-max", "1.2"),
                ]
            }
            #expect(answers.map(\.version) == ["1.1", "2", "2", "1.1"])
            #expect(answers.map(\.status) == [200, 200, 200, 200])
            #expect(answers.allSatisfy { $0.body.hasPrefix("v1 answers GET /one, ") })
        }

        @Test(arguments: ["--http1.1", "--http2"])
        func `a body of a megabyte goes up, and an early 100 is sent when asked for`(version: String) async throws {
            let answer = try await EndToEnd.onThread {
                let server = try ServerProcess()
                let upstream = try UpstreamProcess("v1")
                _ = try server.createEdge(
                    domain: "app.e2e.localhost", backend: server.createStatic(port: upstream.port))
                let file = server.folder.path + "/body"
                try Data(repeating: 0x61, count: 1 << 20).write(to: URL(fileURLWithPath: file))
                return try Curl(server, domain: "app.e2e.localhost").get(
                    "/up", version, "-H", "Expect: 100-continue", "--data-binary", "@" + file)
            }
            #expect(answer.status == 200)
            #expect(answer.body.hasPrefix("v1 answers POST /up, "))
        }

        @Test func `plain HTTP is redirected to HTTPS`() async throws {
            let (answer, port) = try await EndToEnd.onThread {
                let server = try ServerProcess()
                let backend = try server.create("/backends/http_response", ["body": "x", "status_code": 200])
                _ = try server.createEdge(domain: "app.e2e.localhost", backend: backend)
                let url = "http://app.e2e.localhost:\(server.httpPort)/a?b=c"
                let resolve = "app.e2e.localhost:\(server.httpPort):127.0.0.1"
                let output = try Command.run(["curl", "-s", "-i", "--resolve", resolve, url]).output
                return (try Curl.parse(output), server.httpsPort)
            }
            #expect((300..<400).contains(answer.status))
            #expect(answer.field("location") == "https://app.e2e.localhost:\(port)/a?b=c")
        }

        @Test func `a cloud endpoint answers 501 and names its policy, as long as that cannot act`() async throws {
            let answer = try await EndToEnd.onThread {
                let server = try ServerProcess()
                _ = try server.create("/reserved_domains", ["domain": "app.e2e.localhost"])
                _ = try server.create(
                    "/endpoints", ["url": "https://app.e2e.localhost", "type": "cloud", "traffic_policy": "{}"])
                return try Curl(server, domain: "app.e2e.localhost").get("/any/path")
            }
            #expect(answer.status == 501)
            #expect(answer.body.contains("traffic_policy"))
        }

        @Test func `an unknown path, an unknown host and a dead upstream have their codes`() async throws {
            let answers = try await EndToEnd.onThread {
                let server = try ServerProcess()
                let dead = try FreePorts.one()
                let (edge, route) = try server.createEdge(
                    domain: "app.e2e.localhost", backend: server.createStatic(port: dead))
                let curl = try Curl(server, domain: "app.e2e.localhost")
                let refused = try curl.get("/")
                try server.send("PATCH", "/edges/https/\(edge)/routes/\(route)", ["match": "/only"])
                let noRoute = try curl.get("/else")
                _ = try server.createEdge(
                    domain: "other.e2e.localhost", backend: server.createStatic(port: dead))
                let noHost = try curl.get("/", "--http1.1", "-H", "Host: unknown.e2e.localhost")
                let otherEdge = try curl.get("/", "--http1.1", "-H", "Host: other.e2e.localhost")
                return [refused, noRoute, noHost, otherEdge]
            }
            #expect(answers.map(\.status) == [502, 404, 404, 421])
            #expect(answers[0].field("ngrok-error-code") == "ERR_NGROK_3006")
            #expect(answers[1].field("ngrok-error-code") == "ERR_NGROK_3200")
        }

        @Test(arguments: ["-tls1_2", "-tls1_3"])
        func `C74 openssl gets the domain's certificate, and resumes its session`(version: String) async throws {
            let outputs = try await EndToEnd.onThread {
                let server = try ServerProcess()
                let backend = try server.create("/backends/http_response", ["body": "x", "status_code": 200])
                _ = try server.createEdge(domain: "app.e2e.localhost", backend: backend)
                let session = server.folder.path + "/session"
                let common = [
                    "openssl", "s_client", "-connect", "127.0.0.1:\(server.httpsPort)", version, "-ign_eof",
                    "-servername", "app.e2e.localhost", "-verify_hostname", "app.e2e.localhost",
                    "-verify_return_error", "-CAfile", try server.authorityFile(),
                ]
                // The request makes the client read on, and so take a TLS 1.3 ticket.
                let request = "GET / HTTP/1.1\\r\\nhost: app.e2e.localhost\\r\\nconnection: close\\r\\n\\r\\n"
                return try [["-sess_out", session], ["-sess_in", session]].map { extra in
                    let line = (common + extra).joined(separator: " ")
                    return try Command.run(["sh", "-c", "printf '\(request)' | \(line) 2>&1"]).output
                }
            }
            #expect(outputs.allSatisfy { $0.contains("Verify return code: 0 (ok)") })
            #expect(outputs[0].contains("\nNew, TLSv1."))
            #expect(outputs[1].contains("\nReused, TLSv1."))
        }

        @Test func `C06 C07 a module acts from the next request on, and goes live`() async throws {
            let fields = try await EndToEnd.onThread {
                let server = try ServerProcess()
                let backend = try server.create("/backends/http_response", ["body": "x", "status_code": 200])
                let (edge, route) = try server.createEdge(domain: "app.e2e.localhost", backend: backend)
                let curl = try Curl(server, domain: "app.e2e.localhost")
                let module = "/edges/https/\(edge)/routes/\(route)/response_headers"
                var fields = [try curl.get("/").field("x-color")]
                try server.send("PUT", module, ["add": ["x-color": "red"]])
                fields.append(try curl.get("/").field("x-color"))
                try server.send("PUT", module, ["add": ["x-color": "blue"]])
                fields.append(try curl.get("/").field("x-color"))
                try server.send("DELETE", module)
                fields.append(try curl.get("/").field("x-color"))
                return fields
            }
            #expect(fields == [nil, "red", "blue", nil])
        }
    }
}
