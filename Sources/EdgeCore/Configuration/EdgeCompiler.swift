import Shared

/// Compiles one edge: its routes, chains and backends.
struct EdgeCompiler {
    let configuration: Configuration
    let modules: ModuleRegistry
    let slots: SlotTable
    let breakers: CircuitBreakers
    let backends: BackendCompiler
    private var dependencies: Set<String> = []
    private var breakerRoutes: [RouteID] = []

    init(
        configuration: Configuration, modules: ModuleRegistry, slots: SlotTable, breakers: CircuitBreakers,
        backends: BackendCompiler
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
        dependencies = [edge.id.rawValue]
        var routes: [(matchType: RouteConfiguration.MatchType, match: String, route: CompiledRoute)] = []
        var documents = edge.modules
        let termination = try termination(of: edge, documents.removeValue(forKey: EdgeCompiler.terminationName))
        let chain = try chain(documents, owner: edge.id.rawValue, kind: edge.kind)
        if edge.kind == .https {
            for route in edge.routes {
                routes.append((route.matchType, route.match, try compile(route, of: edge)))
            }
        }
        let backend = edge.kind == .https ? nil : try backend(edge.backend, owner: edge.id.rawValue)
        return CompiledEdge(
            id: edge.id, kind: edge.kind, slot: slots.slot("edge/\(edge.id)"), hostports: edge.hostports,
            termination: termination.place, minimumTLSVersion: termination.version,
            routes: routes.isEmpty ? .empty : RouteTable(routes), chain: chain, backend: backend,
            dependencies: dependencies, breakerRoutes: breakerRoutes)
    }

    private mutating func compile(
        _ route: RouteConfiguration, of edge: EdgeConfiguration
    ) throws(ObjectFault) -> CompiledRoute {
        let id = route.id.rawValue
        dependencies.insert(id)
        let chain = try chain(route.modules, owner: id, kind: edge.kind)
        if chain.modules.contains(where: { $0 is any BreakerBearing }) { breakerRoutes.append(route.id) }
        return CompiledRoute(
            id: route.id, edgeID: edge.id, slot: slots.slot("route/\(id)"), chain: chain,
            backend: try backend(route.backend, owner: id))
    }

    private mutating func chain(
        _ documents: [String: JSON], owner: String, kind: EdgeKind
    ) throws(ObjectFault) -> Chain {
        for (name, document) in documents {
            guard let module = modules[name], !document.isNull else { continue }
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

    /// The backend, or `nil` when it is switched off or does not exist (which a later change may alter).
    private mutating func backend(
        _ reference: BackendReference?, owner: String
    ) throws(ObjectFault) -> (any Backend)? {
        guard let reference else { return nil }
        dependencies.formUnion(backends.dependencies(of: reference.id))
        guard reference.enabled else { return nil }
        return try backends.backend(reference.id)
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
        let isUpstream = edge.kind == .tls && document["terminate_at"]?.stringValue == "upstream"
        return (isUpstream ? .atUpstream : .atEdge, version)
    }
}

/// Compiles backends, each once per change, however many edges and parents refer to it.
final class BackendCompiler {
    let configurations: [BackendID: BackendConfiguration]
    let slots: SlotTable
    private var compiled: [BackendID: any Backend] = [:]
    private var reached: [BackendID: Set<String>] = [:]

    init(configurations: [BackendID: BackendConfiguration], slots: SlotTable) {
        self.configurations = configurations
        self.slots = slots
    }

    /// Compiles a backend and all that it refers to; `nil` when it does not exist.
    func backend(_ id: BackendID) throws(ObjectFault) -> (any Backend)? {
        try backend(id, depth: 1)
    }

    private func backend(_ id: BackendID, depth: Int) throws(ObjectFault) -> (any Backend)? {
        if let known = compiled[id] { return known }
        guard let configuration = configurations[id] else { return nil }
        guard let kind = Backends.kind(named: configuration.kind) else {
            throw ObjectFault(
                object: id.rawValue, fault: Fault(nil, "There is no backend kind \"\(configuration.kind)\"."))
        }
        // Also ends what a cycle in the store would make endless.
        guard depth <= Backends.maximumDepth else {
            throw ObjectFault(
                object: id.rawValue, fault: Fault(6513, "Backends nest deeper than \(Backends.maximumDepth)."))
        }
        var children: [BackendID: any Backend] = [:]
        for child in kind.references(configuration.settings) {
            children[child] = try backend(child, depth: depth + 1)
        }
        let resolved = children
        do throws(Fault) {
            let backend = try kind.init(
                id: id, settings: configuration.settings,
                environment: BackendEnvironment(slots: slots) { resolved[$0] })
            compiled[id] = backend
            return backend
        } catch {
            throw ObjectFault(object: id.rawValue, fault: error)
        }
    }

    /// Identifiers of the backend and of everything below it, also of those that do not exist yet.
    func dependencies(of id: BackendID) -> Set<String> {
        if let known = reached[id] { return known }
        var found: Set<String> = []
        var waiting = [id]
        while let next = waiting.popLast() {
            guard found.insert(next.rawValue).inserted, let configuration = configurations[next] else { continue }
            waiting += Backends.kind(named: configuration.kind)?.references(configuration.settings) ?? []
        }
        reached[id] = found
        return found
    }
}
