import EdgeCore
import Shared

/// TLS edges: found by SNI, terminated here or passed through.
enum TLSEdges: Resource {
    static let kind = ObjectKind.tlsEdge
    static let prefixes = [EdgeKind.tls.idPrefix]

    static func path(of object: ConfigurationObject) -> String { "/edges/tls/\(object.id)" }
    static func names(of object: ConfigurationObject) -> [ObjectName] { EdgeWrites.names(of: object) }
    static func references(of object: ConfigurationObject, in state: ConfigurationState) -> [ObjectReference] {
        EdgeWrites.references(of: object, on: .tls, in: state)
    }

    /// What needs plaintext cannot be enabled on an edge that passes TLS through.
    static func check(_ object: ConfigurationObject, in state: ConfigurationState) throws(Fault) {
        try EdgeWrites.checkBackend(object)
        try ModuleSlot.all(.edge(.tls), state.catalogue).check(object.document["modules"] ?? [:])
    }

    static func render(_ object: ConfigurationObject, in view: ConfigurationView) -> JSON {
        EdgeWrites.render(object, on: .tls, in: view)
    }
    static func configure(_ id: String, in state: ConfigurationState, _ configuration: inout Configuration) {
        configuration.edges[EdgeID(id)] = state[id].flatMap { EdgeConfiguration($0, in: state) }
    }
    static func edits(_ catalogue: Catalogue) -> [Edit] { EdgeWrites(.tls, catalogue).edits }
    static func reads(_ catalogue: Catalogue) -> [ReadOperation] { EdgeWrites(.tls, catalogue).reads }
    static func lists(_ catalogue: Catalogue) -> [ListOperation] { EdgeWrites(.tls, catalogue).lists }
}
