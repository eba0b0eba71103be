import Foundation
import Shared

extension Inventory {
    // MARK: IP policies

    var policies: [StoredObject] {
        objects.filter { $0.kind == "ip_policy" }.sorted { (name($0.id), $0.id) < (name($1.id), $1.id) }
    }

    /// The rules of a policy in the order of their ranges.
    func rules(of policy: String) -> [StoredObject] {
        objects.filter {
            $0.kind == "ip_policy_rule"
                && ($0.document["ip_policy"]?["id"] ?? $0.document["ip_policy_id"])?.stringValue == policy
        }
        .sorted { (Inventory.range($0), $0.id) < (Inventory.range($1), $1.id) }
    }

    static func range(_ rule: StoredObject) -> String { rule.document["cidr"]?.stringValue ?? "" }

    /// `allow 10.0.0.0/8`
    static func sentence(_ rule: StoredObject) -> String {
        "\(rule.document["action"]?.stringValue ?? "?") \(range(rule))"
    }

    /// Names of the routes and edges that a policy restricts.
    func restricted(by policy: String) -> [String] {
        let owners = edges.map { ($0.id, $0.document) } + routes.map { ($0.id, $0.document) }
        return owners.filter { _, document in
            (document["ip_restriction"]?["ip_policies"]?.arrayValue ?? []).contains {
                $0["id"]?.stringValue == policy
            }
        }
        .map { name($0.0) }
    }

    // MARK: Certificates

    var certificates: [StoredObject] {
        objects.filter { $0.kind == "tls_certificate" }
            .sorted { (Inventory.notAfter($0), $0.id) < (Inventory.notAfter($1), $1.id) }
    }

    /// RFC 3339, UTC; empty when it is not known.
    static func notAfter(_ certificate: StoredObject) -> String {
        certificate.document["not_after"]?.stringValue ?? ""
    }

    static func subjects(_ certificate: StoredObject) -> [String] {
        let names = certificate.document["subject_alternative_names"]
        let all = [names?["dns_names"], names?["ips"]].flatMap { $0?.arrayValue ?? [] }.compactMap(\.stringValue)
        return all.isEmpty ? [certificate.document["subject_common_name"]?.stringValue ?? ""] : all
    }

    /// The certificate that an edge's first host is served with; `nil` for TCP, and where TLS passes through untouched.
    func certificate(ofEdge edge: StoredObject) -> StoredObject? {
        guard edge.kind != "tcp_edge", !passesThrough(edge) else { return nil }
        return Inventory.hostports(edge).lazy.compactMap { hostport -> StoredObject? in
            let host = hostport.hasSuffix(":443") ? String(hostport.dropLast(4)) : hostport
            let domain = domains.first { $0.document["domain"]?.stringValue == host }
            return domain?.document["certificate"]?["id"]?.stringValue.flatMap { self[$0] }
        }
        .first
    }

    /// A TLS edge whose connections are not opened here.
    func passesThrough(_ edge: StoredObject) -> Bool {
        guard edge.kind == "tls_edge" else { return false }
        guard let termination = edge.document["tls_termination"], !termination.isNull else { return true }
        return termination["enabled"]?.boolValue == false || termination["terminate_at"]?.stringValue == "upstream"
    }

    /// Whole days from one moment to another, both RFC 3339; negative when it is past.
    static func days(from now: String, to then: String) -> Int? {
        guard let start = seconds(now), let end = seconds(then) else { return nil }
        return Int(((end - start) / 86_400).rounded(.down))
    }

    private static func seconds(_ time: String) -> Double? {
        // A fraction of a second is of no matter to days.
        let whole = time.prefix(19) + "Z"
        return (try? Date(String(whole), strategy: .iso8601))?.timeIntervalSince1970
    }
}
