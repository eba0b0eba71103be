import ConsoleKit
import EdgeTesting
import Foundation
import Glibc
import Shared

/// A real `selvage-server` on free ports of this machine, with its data in a folder that outlives restarts.
final class ServerProcess: @unchecked Sendable {
    // Unchecked: `process` changes only in `start` and `kill`, which one thread of the test calls.
    let folder: ScratchFolder
    let httpsPort: UInt16
    let httpPort: UInt16
    let cleartextPort: UInt16
    /// The admin API over TLS.
    let adminPort: UInt16
    let agentPort: UInt16
    let tcpPorts: ClosedRange<UInt16>
    private(set) var process: RunningProcess?

    init(folder: ScratchFolder) throws {
        self.folder = folder
        httpsPort = try FreePorts.one()
        httpPort = try FreePorts.one()
        cleartextPort = try FreePorts.one()
        adminPort = try FreePorts.one()
        agentPort = try FreePorts.one()
        tcpPorts = try FreePorts.range(20)
        try settings.write(toFile: settingsFile, atomically: true, encoding: .utf8)
        try start()
    }

    convenience init() throws { try self.init(folder: ScratchFolder()) }

    deinit { process?.kill() }

    var socket: String { folder.path + "/admin.sock" }
    var settingsFile: String { folder.path + "/selvage.toml" }

    var settings: String {
        """
        node = "e2e"
        region = "eu"
        data_folder = "\(folder.path)/data"
        [admin]
        socket = "\(socket)"
        listen = "127.0.0.1:\(adminPort)"
        requests_per_minute = 0
        [limits]
        connections = 4000
        [timeouts]
        drain = "10s"
        [agents]
        address = ["127.0.0.1", "::1"]
        port = \(agentPort)
        host = ["localhost", "127.0.0.1", "::1", "connect.e2e.localhost"]
        domain = "agents.e2e.localhost"
        [tcp]
        public_host = "tcp.e2e.localhost"
        address = "127.0.0.1"
        ports = "\(tcpPorts.lowerBound)-\(tcpPorts.upperBound)"
        [[listener]]
        kind = "https"
        address = ["127.0.0.1", "::1"]
        port = \(httpsPort)
        [[listener]]
        kind = "http"
        address = "127.0.0.1"
        port = \(httpPort)
        [[listener]]
        kind = "http"
        cleartext = "serve"
        address = "127.0.0.1"
        port = \(cleartextPort)
        """
    }

    /// Starts it and returns when the admin API answers.
    func start() throws {
        let process = try RunningProcess([EndToEnd.binaries + "/selvage-server", "--config", settingsFile])
        self.process = process
        try EndToEnd.wait(for: "the admin socket") {
            guard process.isRunning else { throw EndToEndFailure("the server has ended: \(process.errors)") }
            return (try? self.request("GET", "/selvage/configuration"))?.status == 200
        }
    }

    func kill() {
        process?.kill()
        process = nil
    }

    // MARK: Admin API

    func request(_ method: String, _ path: String, _ body: JSON? = nil) throws -> (status: Int, body: JSON) {
        let answer = try AdminConnection(socketPath: socket).request(method, path, body: body)
        return (answer.status, answer.body.isEmpty ? .null : try JSON(parsing: answer.body))
    }

    /// A request that must succeed.
    @discardableResult
    func send(_ method: String, _ path: String, _ body: JSON? = nil) throws -> JSON {
        let (status, answer) = try request(method, path, body)
        guard (200..<300).contains(status) else {
            throw EndToEndFailure("\(method) \(path): \(status) \(answer.text)")
        }
        return answer
    }

    /// A request that must succeed, and the identifier in its answer.
    func create(_ path: String, _ body: JSON) throws -> String {
        let answer = try send("POST", path, body)
        guard let id = answer["id"]?.stringValue else { throw EndToEndFailure("POST \(path): no id in \(answer.text)") }
        return id
    }

    /// An HTTPS edge on a new domain with one route `/`.
    func createEdge(domain: String, backend: String, modules: [String: JSON] = [:]) throws -> (
        edge: String, route: String
    ) {
        _ = try create("/reserved_domains", ["domain": .string(domain)])
        let edge = try create("/edges/https", ["hostports": [.string(domain + ":443")]])
        var route: [String: JSON] = [
            "match_type": "path_prefix", "match": "/", "backend": ["enabled": true, "backend_id": .string(backend)],
        ]
        route.merge(modules) { _, new in new }
        return (edge, try create("/edges/https/\(edge)/routes", .object(route)))
    }

    func createStatic(port: UInt16) throws -> String {
        try create("/backends/static", ["address": .string("127.0.0.1:\(port)")])
    }

    /// Writes the internal authority's certificate into a file.
    func authorityFile() throws -> String {
        let file = folder.path + "/ca.pem"
        let pem = try AdminConnection(socketPath: socket).request("GET", "/selvage/ca").body
        try Data(pem).write(to: URL(fileURLWithPath: file))
        return file
    }
}

/// A `selvage-demo upstream` on a free port.
final class UpstreamProcess: Sendable {
    let process: RunningProcess
    let port: UInt16

    init(_ name: String) throws {
        let process = try RunningProcess([
            EndToEnd.binaries + "/selvage-demo", "upstream", "--name", name, "--port", "0",
        ])
        self.process = process
        try EndToEnd.wait(for: "the upstream's port") { process.output.hasSuffix("\n") }
        guard let port = process.output.split(separator: ":").last.flatMap({ UInt16($0.dropLast()) }) else {
            throw EndToEndFailure("the upstream said: \(process.output)")
        }
        self.port = port
    }

    /// `fail`, `heal`; or `count`: how many requests it has answered.
    @discardableResult
    func tell(_ what: String) throws -> String {
        let method = what == "count" ? "GET" : "POST"
        return try Command.run(["curl", "-s", "-X", method, "http://127.0.0.1:\(port)/\(what)"]).output
    }

    func count() throws -> Int {
        guard let count = Int(try tell("count").filter(\.isNumber)) else { throw EndToEndFailure("no count") }
        return count
    }
}
