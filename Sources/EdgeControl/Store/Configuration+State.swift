import EdgeCore
import Shared

extension Configuration {
    /// Takes over what objects look like in `state`; everything else stays.
    mutating func update(_ ids: some Sequence<String>, from state: ConfigurationState) {
        revision = state.revision
        var owners: Set<String> = []
        for id in ids {
            switch Resources.kind(of: id) {
            case .httpsEdge, .tlsEdge, .tcpEdge, .ipPolicy: owners.insert(id)
            // Their owners are among the touched objects: a child's write raises its owner's revision.
            case .route, .ipPolicyRule, nil: break
            case .backend:
                backends[BackendID(id)] = state[id].flatMap(Configuration.backend)
            case .reservedDomain:
                domains[DomainID(id)] = state[id].map(Configuration.domain)
            case .certificate:
                certificates[CertificateID(id)] = state[id].map(Configuration.certificate)
            case .reservedAddress: break
            }
        }
        for id in owners {
            if Resources.kind(of: id) == .ipPolicy {
                policies[IPPolicyID(id)] = state[id].map { _ in Configuration.rules(of: id, in: state) }
            } else {
                edges[EdgeID(id)] = state[id].flatMap { Configuration.edge($0, in: state) }
            }
        }
    }

    private static func edge(_ object: ConfigurationObject, in state: ConfigurationState) -> EdgeConfiguration? {
        guard let kind = object.kind.edgeKind else { return nil }
        let routes = state.children(of: object.id).compactMap { state[$0].flatMap(route) }
        return EdgeConfiguration(
            id: EdgeID(object.id), kind: kind, hostports: Hostports.of(object), modules: modules(object),
            backend: backendReference(object), routes: routes)
    }

    private static func route(_ object: ConfigurationObject) -> RouteConfiguration? {
        guard
            let type = object.document["match_type"]?.stringValue.flatMap(RouteConfiguration.MatchType.init(rawValue:))
        else { return nil }
        return RouteConfiguration(
            id: RouteID(object.id), matchType: type, match: object.document["match"]?.stringValue ?? "",
            modules: modules(object), backend: backendReference(object))
    }

    private static func modules(_ object: ConfigurationObject) -> [String: JSON] {
        (object.document["modules"]?.objectValue ?? [:]).filter { $0.key != "backend" }
    }

    private static func backendReference(_ object: ConfigurationObject) -> BackendReference? {
        guard let kept = object.document["modules"]?["backend"], let id = kept["backend_id"]?.stringValue else {
            return nil
        }
        return BackendReference(enabled: kept["enabled"]?.boolValue ?? true, id: BackendID(id))
    }

    private static func backend(_ object: ConfigurationObject) -> BackendConfiguration? {
        BackendObjects.type(of: object).map {
            BackendConfiguration(
                id: BackendID(object.id), kind: $0.kind, settings: object.document["settings"] ?? [:])
        }
    }

    private static func domain(_ object: ConfigurationObject) -> DomainConfiguration {
        DomainConfiguration(
            id: DomainID(object.id), name: ReservedDomains.name(of: object),
            certificate: object.document["certificate_id"]?.stringValue.map { CertificateID($0) })
    }

    private static func certificate(_ object: ConfigurationObject) -> CertificateMaterial {
        CertificateMaterial(
            id: CertificateID(object.id), chainPEM: object.document["certificate_pem"]?.stringValue ?? "",
            keyPEM: object.secret?["private_key_pem"]?.stringValue ?? "")
    }

    private static func rules(of id: String, in state: ConfigurationState) -> [IPPolicyRule] {
        state.children(of: id).compactMap { state[$0] }.compactMap { rule in
            guard let network = try? IPNetwork(cidr: rule.document["cidr"]?.stringValue ?? "") else { return nil }
            return IPPolicyRule(network: network, allows: rule.document["action"] == "allow")
        }
    }
}
