import EdgeCore
import Shared

extension EdgeConfiguration {
    /// What an edge with its routes means for traffic.
    init?(_ object: ConfigurationObject, in state: ConfigurationState) {
        guard let kind = object.kind.edgeKind else { return nil }
        self.init(
            id: EdgeID(object.id), kind: kind, hostports: Hostports.of(object), modules: object.trafficModules,
            backend: object.backendReference,
            routes: state.children(of: object.id).compactMap { state[$0].flatMap(RouteConfiguration.init) })
    }
}

extension RouteConfiguration {
    fileprivate init?(_ object: ConfigurationObject) {
        guard let type = object.document["match_type"]?.stringValue.flatMap(MatchType.init(rawValue:)) else {
            return nil
        }
        self.init(
            id: RouteID(object.id), matchType: type, match: object.document["match"]?.stringValue ?? "",
            modules: object.trafficModules, backend: object.backendReference)
    }
}

extension ConfigurationObject {
    fileprivate var trafficModules: [String: JSON] {
        (document["modules"]?.objectValue ?? [:]).filter { $0.key != "backend" }
    }

    fileprivate var backendReference: BackendReference? {
        guard let kept = document["modules"]?["backend"], let id = kept["backend_id"]?.stringValue else { return nil }
        return BackendReference(enabled: kept["enabled"]?.boolValue ?? true, id: BackendID(id))
    }
}
