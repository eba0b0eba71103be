import EdgeCore
import Shared

/// TCP edges: one listening port for each reserved address.
enum TCPEdges: Resource {
    static let kind = ObjectKind.tcpEdge
    static let prefixes = [EdgeKind.tcp.idPrefix]

    static func path(of object: ConfigurationObject) -> String { "/edges/tcp/\(object.id)" }
    static func names(of object: ConfigurationObject) -> [ObjectName] { EdgeWrites.names(of: object) }
    static func references(of object: ConfigurationObject, in state: ConfigurationState) -> [ObjectReference] {
        EdgeWrites.references(of: object, on: .tcp, in: state)
    }
    static func check(_ object: ConfigurationObject, in state: ConfigurationState) throws(Fault) {
        try EdgeWrites.checkBackend(object)
    }
    static func render(_ object: ConfigurationObject, in view: ConfigurationView) -> JSON {
        EdgeWrites.render(object, on: .tcp, in: view)
    }
    static func configure(_ id: String, in state: ConfigurationState, _ configuration: inout Configuration) {
        configuration.edges[EdgeID(id)] = state[id].flatMap { EdgeConfiguration($0, in: state) }
    }
    static func edits(_ catalogue: Catalogue) -> [Edit] { EdgeWrites(.tcp, catalogue).edits }
    static func reads(_ catalogue: Catalogue) -> [ReadOperation] { EdgeWrites(.tcp, catalogue).reads }
    static func lists(_ catalogue: Catalogue) -> [ListOperation] { EdgeWrites(.tcp, catalogue).lists }
}
