import ConsoleKit
import Foundation
import Shared

/// Puts the demo's edge into the server's configuration, over the admin API like any other client.
struct DemoSeed {
    let socket: String

    /// Whether the admin API answers.
    func isServing() -> Bool {
        guard let connection = try? AdminConnection(socketPath: socket) else { return false }
        return (try? connection.request("GET", "/selvage/configuration"))?.status == 200
    }

    /// Makes what is not there. What is there stays as the operator left it, but for the upstreams' addresses and the
    /// certificate file, which may be new with each start.
    func plant(domain: String, upstreams: [(name: String, port: UInt16)], authorityFile: String) throws {
        var backends: [String: JSON] = [:]
        for (upstream, weight) in zip(upstreams, [90, 10] as [JSON]) {
            backends[try backend(for: upstream)] = weight
        }
        if try find("/reserved_domains", key: "reserved_domains", where: { $0["domain"]?.stringValue == domain }) == nil
        {
            try send("POST", "/reserved_domains", ["domain": .string(domain), "description": "The demo's domain"])
        }
        let hostport = JSON.string(domain + ":443")
        let edges = try find("/edges/https", key: "https_edges") { edge in
            edge["hostports"]?.arrayValue?.contains(hostport) == true
        }
        if edges == nil {
            let weighted = try send(
                "POST", "/backends/weighted", ["description": "v1 and v2", "backends": .object(backends)])
            let edge = try send("POST", "/edges/https", ["description": "Demo", "hostports": [hostport]])
            try send("POST", "/edges/https/\(identifier(edge))/routes", route(to: identifier(weighted)))
        }
        try writeAuthority(to: authorityFile)
    }

    /// A tunnel group on a route of its own, and a token for an agent.
    func plantTunnels(domain: String, tokenFile: String) throws {
        let group = try find("/backends/tunnel_group", key: "backends") { $0["labels"] == ["app": "demo"] }
        if group == nil {
            let made = try send(
                "POST", "/backends/tunnel_group", ["description": "Agents", "labels": ["app": "demo"]])
            let hostport = JSON.string(domain + ":443")
            let edge = try find("/edges/https", key: "https_edges") { edge in
                edge["hostports"]?.arrayValue?.contains(hostport) == true
            }
            try send(
                "POST", "/edges/https/\(identifier(edge ?? .null))/routes",
                [
                    "match_type": "path_prefix", "match": "/tunnel", "description": "Through an agent",
                    "backend": ["enabled": true, "backend_id": .string(identifier(made))],
                ])
        }
        // A token is told once: one whose file is gone is of no use to anybody.
        let mark: JSON = "selvage-demo agent"
        if let known = try find("/credentials", key: "credentials", where: { $0["metadata"] == mark }) {
            if FileManager.default.fileExists(atPath: tokenFile) { return }
            try send("DELETE", "/credentials/\(identifier(known))", nil)
        }
        let made = try send("POST", "/credentials", ["description": "The demo's agent", "metadata": mark])
        let token = made["token"]?.stringValue ?? ""
        guard
            FileManager.default.createFile(
                atPath: tokenFile, contents: Data(token.utf8), attributes: [.posixPermissions: 0o600])
        else { throw DemoFailure("\(tokenFile) cannot be written") }
    }

    /// The breaker opens when v2, with its tenth of the requests, fails.
    private func route(to backend: String) -> JSON {
        [
            "match_type": "path_prefix", "match": "/", "description": "Everything",
            "backend": ["enabled": true, "backend_id": .string(backend)],
            "circuit_breaker": [
                "enabled": true, "error_threshold_percentage": 0.05, "volume_threshold": 20, "rolling_window": 10,
                "tripped_duration": 10, "num_buckets": 10,
            ],
            "compression": ["enabled": true],
        ]
    }

    private func backend(for upstream: (name: String, port: UInt16)) throws -> String {
        let address = JSON.string("127.0.0.1:\(upstream.port)")
        // By this the backend is found again at the next start, whatever the operator calls it by then.
        let mark = JSON.string("selvage-demo upstream \(upstream.name)")
        if let known = try find("/backends/static", key: "backends", where: { $0["metadata"] == mark }) {
            if known["address"] != address {
                try send("PATCH", "/backends/static/\(identifier(known))", ["address": address])
            }
            return identifier(known)
        }
        let body: JSON = ["description": .string(upstream.name), "metadata": mark, "address": address]
        return identifier(try send("POST", "/backends/static", body))
    }

    /// The certificate of the server's internal authority, so that curl and the traffic can verify the edge.
    private func writeAuthority(to file: String) throws {
        let answer = try AdminConnection(socketPath: socket).request("GET", "/selvage/ca")
        guard answer.status == 200 else { throw DemoFailure("the server does not tell its authority's certificate") }
        try Data(answer.body).write(to: URL(fileURLWithPath: file))
    }

    // MARK: Requests

    private func identifier(_ object: JSON) -> String { object["id"]?.stringValue ?? "" }

    private func find(_ path: String, key: String, where matches: (JSON) -> Bool) throws -> JSON? {
        try send("GET", path, nil)[key]?.arrayValue?.first(where: matches)
    }

    @discardableResult
    private func send(_ method: String, _ path: String, _ body: JSON?) throws -> JSON {
        let connection = try AdminConnection(socketPath: socket)
        let answer = try connection.request(
            method, path, body: body, headers: [("selvage-command", "selvage-demo up")])
        guard (200..<300).contains(answer.status) else {
            let text = String(decoding: answer.body.prefix(500), as: UTF8.self)
            throw DemoFailure("\(method) \(path) was answered \(answer.status): \(text)")
        }
        return answer.body.isEmpty ? .null : try JSON(parsing: answer.body)
    }
}
