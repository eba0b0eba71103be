import Shared

/// Objects without traffic of their own.
extension Report {
    static func policies(_ inventory: Inventory) -> ([String], [Row]) {
        let rows = inventory.policies.map { policy -> Row in
            let name = inventory.name(policy.id)
            let rules = inventory.rules(of: policy.id)
            let users = inventory.restricted(by: policy.id)
            return Row(
                id: policy.id, name: name,
                cells: [
                    name, rules.isEmpty ? "no rule: nobody" : rules.map(Inventory.sentence).joined(separator: ", "),
                    users.isEmpty ? "-" : users.joined(separator: ", "), policy.id,
                ],
                document: [
                    "id": .string(policy.id), "name": .string(name), "revision": .int(Int64(clamping: policy.revision)),
                    "document": policy.document, "rules": .array(rules.map(\.document)),
                    "used_by": .array(users.map(JSON.string)),
                ])
        }
        return (["POLICY", "RULES", "RESTRICTS", "ID"], rows)
    }

    static func domains(_ inventory: Inventory, _ tick: StatisticsTick?) -> ([String], [Row]) {
        let rows = inventory.domains.map { domain -> Row in
            let name = inventory.name(domain.id)
            let certificate = domain.document["certificate"]?["id"]?.stringValue.flatMap { inventory[$0] }
            let edges = inventory.edges.filter { Inventory.hostports($0).contains(name + ":443") }
            return Row(
                id: domain.id, name: name,
                cells: [
                    name, edges.isEmpty ? "-" : edges.map { inventory.edgeKind($0).rawValue }.joined(separator: ", "),
                    certificate.flatMap { daysLeft($0, tick) } ?? "-", domain.id,
                ],
                document: [
                    "id": .string(domain.id), "name": .string(name), "revision": .int(Int64(clamping: domain.revision)),
                    "document": domain.document, "edges": .array(edges.map { .string($0.id) }),
                ])
        }
        return (["DOMAIN", "EDGE", "CERTIFICATE", "ID"], rows.sorted { $0.name < $1.name })
    }

    static func certificates(_ inventory: Inventory, _ tick: StatisticsTick?) -> ([String], [Row]) {
        let rows = inventory.certificates.map { certificate -> Row in
            let left = tick.flatMap { Inventory.days(from: $0.at, to: Inventory.notAfter(certificate)) }
            return Row(
                id: certificate.id, name: Inventory.subjects(certificate).first ?? certificate.id,
                cells: [
                    Inventory.subjects(certificate).joined(separator: ", "),
                    certificate.document["issuer_common_name"]?.stringValue ?? "-", Inventory.notAfter(certificate),
                    daysLeft(certificate, tick) ?? "-", certificate.id,
                ],
                document: [
                    "id": .string(certificate.id), "revision": .int(Int64(clamping: certificate.revision)),
                    "document": certificate.document, "days_left": left.map { .int(Int64($0)) } ?? .null,
                ])
        }
        return (["NAMES", "ISSUER", "NOT AFTER", "LEFT", "ID"], rows)
    }

    private static func daysLeft(_ certificate: StoredObject, _ tick: StatisticsTick?) -> String? {
        tick.flatMap { Inventory.days(from: $0.at, to: Inventory.notAfter(certificate)) }
            .map { $0 < 0 ? "expired" : "\($0) d" }
    }
}
