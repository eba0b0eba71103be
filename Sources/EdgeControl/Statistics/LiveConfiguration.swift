public import EdgeCore
public import Shared

/// What the live side needs to know of the configuration in force: which objects exist, and the weights as configured.
/// Taken anew before each tick.
public struct LiveConfiguration: Sendable {
    /// A child of a weighted backend.
    public struct Share: Sendable, Hashable {
        public let backendID: BackendID
        /// 0…10000.
        public let weight: Int64

        public init(backendID: BackendID, weight: Int64) {
            self.backendID = backendID
            self.weight = weight
        }
    }

    public var revision: UInt64
    public var edges: Set<EdgeID>
    public var routes: Set<RouteID>
    public var backends: Set<BackendID>
    /// Children of each weighted backend, by identifier.
    public var weights: [BackendID: [Share]]

    public init(
        revision: UInt64 = 0, edges: Set<EdgeID> = [], routes: Set<RouteID> = [], backends: Set<BackendID> = [],
        weights: [BackendID: [Share]] = [:]
    ) {
        self.revision = revision
        self.edges = edges
        self.routes = routes
        self.backends = backends
        self.weights = weights
    }

    public init(_ configuration: Configuration) {
        self.init(
            revision: configuration.revision,
            edges: Set(configuration.edges.values.lazy.filter { !$0.isEphemeral }.map(\.id)),
            routes: Set(configuration.edges.values.lazy.filter { !$0.isEphemeral }.flatMap { $0.routes.map(\.id) }),
            backends: Set(configuration.backends.values.lazy.filter { !$0.isEphemeral }.map(\.id)))
        for backend in configuration.backends.values where backend.kind == WeightedBackend.kind {
            weights[backend.id] = LiveConfiguration.shares(backend.settings)
        }
    }

    /// The children that a weighted backend's document names, in the order of their identifiers.
    static func shares(_ document: JSON) -> [Share] {
        (document["backends"]?.objectValue ?? [:])
            .compactMap { id, weight in weight.intValue.map { Share(backendID: BackendID(id), weight: $0) } }
            .sorted { $0.backendID < $1.backendID }
    }
}
