import EdgeCore
import Shared

/// HTTPS edges. TLS is always terminated here; everything else sits on their routes.
enum HTTPSEdges: Resource {
    static let kind = ObjectKind.httpsEdge
    static let prefixes = [EdgeKind.https.idPrefix]

    static func path(of object: ConfigurationObject) -> String { "/edges/https/\(object.id)" }
    static func names(of object: ConfigurationObject) -> [ObjectName] { EdgeWrites.names(of: object) }
    static func references(of object: ConfigurationObject, in state: ConfigurationState) -> [ObjectReference] {
        EdgeWrites.references(of: object, on: .https, in: state)
    }
    static func render(_ object: ConfigurationObject, in view: ConfigurationView) -> JSON {
        EdgeWrites.render(object, on: .https, in: view)
    }
    static func configure(_ id: String, in state: ConfigurationState, _ configuration: inout Configuration) {
        configuration.edges[EdgeID(id)] = state[id].flatMap { EdgeConfiguration($0, in: state) }
    }
    static func edits(_ catalogue: Catalogue) -> [Edit] { EdgeWrites(.https, catalogue).edits }
    static func reads(_ catalogue: Catalogue) -> [ReadOperation] { EdgeWrites(.https, catalogue).reads }
    static func lists(_ catalogue: Catalogue) -> [ListOperation] { EdgeWrites(.https, catalogue).lists }
}
