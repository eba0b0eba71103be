import Shared

/// Compiles edges, one after the other: their routes and chains, and which backends they go to.
struct EdgeCompiler {
    let configuration: Configuration
    let modules: ModuleRegistry
    let slots: SlotTable
    let breakers: CircuitBreakers
    /// Gives backends their numbers.
    private(set) var backends: BackendTable
    private var dependencies: Set<String> = []
    private var breakerRoutes: [RouteID] = []

    init(
        configuration: Configuration, modules: ModuleRegistry, slots: SlotTable, breakers: CircuitBreakers,
        backends: BackendTable
    ) {
        self.configuration = configuration
        self.modules = modules
        self.slots = slots
        self.breakers = breakers
        self.backends = backends
    }

    /// The module document that is no traffic module: it acts before there is any traffic to act on.
    static let terminationName = "tls_termination"

    mutating func compile(_ edge: EdgeConfiguration) throws(ObjectFault) -> CompiledEdge {
        dependencies = []
        breakerRoutes = []
        var routes: [(matchType: RouteConfiguration.MatchType, match: String, route: CompiledRoute)] = []
        var documents = edge.modules
        let termination = try termination(of: edge, documents.removeValue(forKey: EdgeCompiler.terminationName))
        let chain = try chain(documents, owner: edge.id.rawValue, kind: edge.kind)
        if edge.kind == .https {
            for route in edge.routes {
                routes.append((route.matchType, route.match, try compile(route, of: edge, behind: chain)))
            }
        }
        return CompiledEdge(
            id: edge.id, kind: edge.kind, slot: slots.slot("edge/" + counted(edge, edge.id.rawValue)),
            hostports: edge.hostports,
            termination: termination.place, minimumTLSVersion: termination.version,
            routes: routes.isEmpty ? .empty : RouteTable(routes), chain: chain,
            backend: edge.kind == .https ? BackendTable.none : backend(edge.backend),
            dependencies: dependencies, breakerRoutes: breakerRoutes, servesCleartext: edge.servesCleartext,
            certificate: edge.certificate.flatMap { configuration.certificates[$0] })
    }

    /// Under which name something of an edge is counted: slots are for ever, ephemeral edges are not.
    private func counted(_ edge: EdgeConfiguration, _ id: String) -> String {
        edge.isEphemeral ? SlotTable.ephemeral : id
    }

    private mutating func compile(
        _ route: RouteConfiguration, of edge: EdgeConfiguration, behind guards: Chain
    ) throws(ObjectFault) -> CompiledRoute {
        let id = route.id.rawValue
        let chain = try chain(route.modules, owner: id, kind: edge.kind)
        if chain.modules.contains(where: { $0 is any BreakerBearing }) { breakerRoutes.append(route.id) }
        return CompiledRoute(
            id: route.id, edgeID: edge.id, slot: slots.slot("route/" + counted(edge, id)),
            chain: guards.followed(by: chain),
            backend: backend(route.backend))
    }

    private mutating func chain(
        _ documents: [String: JSON], owner: String, kind: EdgeKind
    ) throws(ObjectFault) -> Chain {
        for (name, document) in documents {
            guard !document.isNull else { continue }
            guard let module = modules[name] else {
                // Of a store written by another version: not to serve is better than to serve without it.
                guard document["enabled"]?.boolValue != false else { continue }
                throw ObjectFault(object: owner, fault: Fault(nil, "There is no module \"\(name)\" in this version."))
            }
            for reference in module.references {
                for id in document[reference.field]?.arrayValue ?? [] {
                    if let id = id.stringValue { dependencies.insert(id) }
                }
            }
            // Control refuses this; a store written by another version must not make a module act where it cannot.
            guard module.edgeKinds.contains(kind) else {
                throw ObjectFault(object: owner, fault: Fault(7021, "\(name) does not work on \(kind.rawValue) edges."))
            }
        }
        let policies = configuration.policies
        let environment = ModuleEnvironment(ownerID: owner, breakers: breakers) { policies[$0] }
        do throws(Fault) {
            return try modules.chain(documents, environment: environment)
        } catch {
            throw ObjectFault(object: owner, fault: error)
        }
    }

    /// The backend's number. Whether there is such a backend is looked up with each exchange.
    private mutating func backend(_ reference: BackendReference?) -> Int32 {
        guard let reference, reference.enabled else { return BackendTable.none }
        return backends.number(of: reference.id)
    }

    private func termination(
        of edge: EdgeConfiguration, _ document: JSON?
    ) throws(ObjectFault) -> (place: TLSTermination, version: Int32) {
        var version: Int32 = 0x0303
        guard let document, !document.isNull, document["enabled"]?.boolValue != false else {
            return (.atEdge, version)
        }
        if let text = document["min_version"]?.stringValue, !text.isEmpty {
            let minor: [String: Int32] = ["1.0": 0x0301, "1.1": 0x0302, "1.2": 0x0303, "1.3": 0x0304]
            guard let known = minor[text] else {
                throw ObjectFault(
                    object: edge.id.rawValue, fault: Fault(219, "min_version must be 1.0, 1.1, 1.2 or 1.3."))
            }
            version = known
        }
        // An agent that terminates is to the edge what an upstream is that does: it gets the bytes untouched.
        let isElsewhere = ["upstream", "agent"].contains(document["terminate_at"]?.stringValue)
        return (edge.kind == .tls && isElsewhere ? .atUpstream : .atEdge, version)
    }
}
