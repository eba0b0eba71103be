import EdgeTesting
import Foundation
import Shared
import Testing

extension EndToEnd {
    @Suite struct ImportEndToEndTests {
        private static let lists = [
            "/certificate_authorities", "/ip_policies", "/ip_policy_rules", "/reserved_domains", "/reserved_addrs",
            "/backends/static", "/backends/http_response", "/backends/weighted", "/backends/failover",
            "/edges/https", "/edges/tls", "/edges/tcp",
        ]

        @Test func `what one server answers is taken over by another, which then answers the same`() async throws {
            let (documents, dry, run, before, again) = try await EndToEnd.onThread {
                let old = try ServerProcess()
                try fill(old)
                let folder = old.folder.path + "/export"
                try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
                for (index, list) in Self.lists.enumerated() {
                    let answer = try old.send("GET", list)
                    try Data(answer.bytes).write(to: URL(fileURLWithPath: "\(folder)/\(index).json"))
                }
                let new = try ServerProcess()
                let command = [EndToEnd.binaries + "/selvage", "--socket", new.socket, "import", folder, "-o", "json"]
                let dry = try Command.run(command + ["--dry-run"])
                let before = try new.send("GET", "/ip_policies")["ip_policies"]
                let run = try Command.run(command)
                let documents = try (Self.read(old), Self.read(new))
                return (documents, dry, run, before, try Command.run(command))
            }
            #expect(dry.status == 0, "\(dry.errors)")
            #expect(before == [])
            #expect(run.status == 0, "\(run.errors)")
            let report = try JSON(parsing: Array(run.output.utf8))
            let pairs = try #require(report["objects"]?.arrayValue).map { object in
                (object["old"]?.stringValue ?? "", object["new"]?.stringValue ?? "")
            }
            #expect(pairs.count == 15)
            // Identifiers and addresses apart, the two answer the same.
            var text = documents.0
            for (old, new) in pairs { text = text.replacingOccurrences(of: old, with: new) }
            #expect(text == documents.1)
            // The second time each domain is taken: all is refused, and every reason told.
            #expect(again.status == 8)
            #expect(again.errors.contains("ERR_NGROK_413"))
        }

        private func fill(_ server: ServerProcess) throws {
            let authority = try server.send("GET", "/selvage/authority")["certificate_pem"] ?? ""
            let ca = try server.create("/certificate_authorities", ["ca_pem": authority])
            _ = ca
            let policy = try server.create("/ip_policies", ["description": "office"])
            _ = try server.create(
                "/ip_policy_rules", ["ip_policy_id": .string(policy), "cidr": "127.0.0.0/8", "action": "allow"])
            for name in ["shop.e2e.localhost", "*.raw.e2e.localhost"] {
                _ = try server.create("/reserved_domains", ["domain": .string(name), "metadata": "m"])
            }
            let address = try server.send("POST", "/reserved_addrs", ["region": "eu"])["addr"] ?? ""
            let leaf = try server.create("/backends/static", ["address": "127.0.0.1:9", "tls": ["enabled": true]])
            let page = try server.create(
                "/backends/http_response", ["body": "${new:nothing}", "headers": ["x-a": "b"], "status_code": 503])
            let inner = try server.create("/backends/failover", ["backends": [.string(leaf), .string(page)]])
            let weighted = try server.create(
                "/backends/weighted", ["backends": .object([leaf: 90, page: 10]), "description": "split"])
            let edge = try server.create(
                "/edges/https",
                ["hostports": ["shop.e2e.localhost:443"], "tls_termination": ["min_version": "1.3"]])
            for (match, backend) in [("/", weighted), ("/api", inner)] {
                _ = try server.create(
                    "/edges/https/\(edge)/routes",
                    [
                        "match_type": "path_prefix", "match": .string(match), "description": "r",
                        "backend": ["backend_id": .string(backend)], "compression": ["enabled": false],
                        "ip_restriction": ["ip_policy_ids": [.string(policy)]],
                        "circuit_breaker": ["error_threshold_percentage": 0.25],
                        "request_headers": ["add": ["x-a": "${conn.client_ip}"]],
                    ])
            }
            _ = try server.create(
                "/edges/tls",
                [
                    "hostports": ["*.raw.e2e.localhost:443"], "tls_termination": ["terminate_at": "upstream"],
                    "backend": ["backend_id": .string(leaf)],
                ])
            _ = try server.create(
                "/edges/tcp", ["hostports": [address], "backend": ["backend_id": .string(leaf), "enabled": false]])
        }

        /// Everything by list and in order of creation, without what is the server's own.
        private static func read(_ server: ServerProcess) throws -> String {
            var lines: [String] = []
            for list in lists {
                let answer = try server.send("GET", list)
                let key = answer.objectValue?.first { $0.value.arrayValue != nil }?.key ?? ""
                let objects = answer[key]?.arrayValue ?? []
                lines += objects.map { strip($0).text }.sorted { sortKey($0) < sortKey($1) }
            }
            return lines.joined(separator: "\n")
        }

        /// A line without identifiers, which sort differently on either server.
        private static func sortKey(_ line: String) -> String {
            line.replacingOccurrences(of: #"[a-z]+_[0-9A-Za-z]{27}"#, with: "", options: .regularExpression)
        }

        private static func strip(_ value: JSON) -> JSON {
            switch value {
            case .object(let members):
                let own: Set<String> = [
                    "uri", "created_at", "certificate", "certificate_management_status", "addr", "cname_target",
                ]
                var kept = members.filter { !own.contains($0.key) }.mapValues(strip)
                if let hostports = members["hostports"]?.arrayValue {
                    kept["hostports"] = .array(hostports.filter { $0.stringValue?.hasPrefix("tcp.") != true })
                }
                return .object(kept)
            case .array(let elements):
                return .array(elements.map(strip))
            default: return value
            }
        }
    }
}
