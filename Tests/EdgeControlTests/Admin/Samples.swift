import EdgeCore
import Foundation
import Shared

@testable import EdgeControl

/// A request for one object of every kind, in an order in which each finds what it refers to.
///
/// `@/path` in a string stands for the identifier of the object that was made by a `POST` to that path; `@authority`,
/// `@chain` and `@key` for PEM texts.
enum Samples {
    static let all: [(path: String, body: JSON)] = [
        ("/reserved_domains", ["domain": "www.example.com"]),
        ("/reserved_addrs", ["region": "eu"]),
        ("/certificate_authorities", ["ca_pem": "@authority"]),
        ("/tls_certificates", ["certificate_pem": "@chain", "private_key_pem": "@key"]),
        ("/ip_policies", ["description": "office"]),
        ("/ip_policy_rules", ["ip_policy_id": "@/ip_policies", "cidr": "10.0.0.0/8", "action": "allow"]),
        ("/backends/static", ["address": "10.0.0.1:80", "tls": ["enabled": true]]),
        ("/backends/http_response", ["body": "gone", "status_code": 410, "headers": ["x-a": "b"]]),
        ("/backends/weighted", ["backends": ["@/backends/static": 95, "@/backends/http_response": 5]]),
        ("/backends/failover", ["backends": ["@/backends/weighted", "@/backends/http_response"]]),
        ("/backends/tunnel_group", ["labels": ["app": "web"]]),
        ("/ip_restrictions", ["type": "agent", "ip_policy_ids": ["@/ip_policies"]]),
        ("/api_keys", ["description": "deploy"]),
        ("/credentials", ["acl": ["bind:*.example.com"]]),
        ("/agent_ingresses", ["domain": "connect.example.com"]),
        ("/event_destinations", ["format": "json", "target": ["datadog": ["api_key": "0123456789abcdef"]]]),
        (
            "/event_subscriptions",
            ["sources": [["type": "ip_policy_created.v0"]], "destination_ids": ["@/event_destinations"]]
        ),
        ("/event_subscriptions/{subscription_id}/sources", ["type": "ip_policy_updated.v0"]),
        ("/edges/https", ["hostports": ["www.example.com:443"]]),
        (
            "/edges/https/{edge_id}/routes",
            ["match_type": "path_prefix", "match": "/", "backend": ["backend_id": "@/backends/static"]]
        ),
        ("/endpoints", ["url": "http://www.example.com", "type": "cloud", "traffic_policy": "{}"]),
        ("/edges/tls", ["backend": ["backend_id": "@/backends/static"]]),
        ("/edges/tcp", ["backend": ["backend_id": "@/backends/static"]]),
    ]

    /// Settings with which a module works: its own example, with objects that exist.
    static func settings(of slot: ModuleSlot, in state: ConfigurationState) -> JSON? {
        switch slot.part {
        case .backend: return ["backend_id": state.ids(.backend).first.map { .string($0) } ?? ""]
        case .termination: return ["min_version": "1.3"]
        case .module(let module, _):
            var example = module.example
            for reference in module.references {
                let id = state.ids(ObjectKind(rawValue: reference.kind)).first
                example[reference.field] = .array(id.map { [.string($0)] } ?? [])
            }
            return example
        case .unavailable: return nil
        }
    }
}

/// Makes one object of every kind and asks for it in every way, comparing each answer with the description.
final class SampleWalk {
    let room: ControlRoom
    /// Identifiers by the path of the `POST` that made them.
    private(set) var made: [String: String] = [:]
    private(set) var faults: [String] = []

    init(_ room: ControlRoom) { self.room = room }

    func makeAll() async throws {
        let authority = room.service.authority
        let issued = try authority.issue("own.example.com", .ecdsa, WallTime(seconds: 1_800_000_000))
        made = ["authority": authority.certificatePEM, "chain": issued.chainPEM, "key": issued.keyPEM]
        for sample in Samples.all {
            let answer = try await call("POST", sample.path, filled(sample.body))
            made[sample.path] = (answer["id"] ?? answer["type"])?.stringValue ?? ""
        }
        made["/selvage/objects"] = made["/ip_policies"]
        made["/selvage/revisions"] = "1"
        made["/selvage/revisions/{from}/diff"] = "2"
    }

    private func filled(_ body: JSON) -> JSON {
        switch body {
        case .string(let text) where text.hasPrefix("@"): .string(made[String(text.dropFirst())] ?? "")
        case .array(let elements): .array(elements.map(filled))
        case .object(let members):
            .object(
                Dictionary(
                    members.map { name, value in (filled(.string(name)).stringValue ?? name, filled(value)) },
                    uniquingKeysWith: { first, _ in first }))
        default: body
        }
    }

    /// Whether there is an object for each of the pattern's names.
    func canFill(_ pattern: String) -> Bool { !path(pattern).contains("/none") }

    /// A pattern's names are those of the objects that were made at the collection before them.
    func path(_ pattern: String) -> String {
        var path = ""
        var prefix = ""
        for segment in pattern.split(separator: "/") {
            if segment.first == "{" {
                path += "/" + (made[prefix] ?? "none")
            } else {
                path += "/" + segment
            }
            prefix += "/" + segment
        }
        return path.isEmpty ? "/" : path
    }

    /// Calls the operation and compares what it answers.
    @discardableResult
    func call(_ method: String, _ pattern: String, _ body: JSON? = nil) async throws -> JSON {
        let operation = room.api.operations.first { $0.method == method && $0.path == pattern }
        let name = "\(method) \(pattern)"
        guard let about = operation?.about else {
            faults.append("\(name) is not in the table")
            return .null
        }
        let answer = try await room.call(method, path(pattern), body)
        if answer.status != about.status {
            faults.append("\(name) answers \(answer.status): \(answer.body.text)")
        } else if let form = about.answer {
            if let fault = form.fault(in: answer.body) { faults.append("\(name): \(fault)") }
        } else if answer.body != .null {
            faults.append("\(name) answers a body")
        }
        return answer.body
    }
}
