import Shared

/// Turns a configuration into the snapshot that serves it.
///
/// Only what a change touches is compiled anew; every other edge is taken over from the snapshot before, the same
/// object, so that the cost of a change does not grow with the configuration. A fault stays where it is: the edge that
/// has it keeps its earlier form, and all others are compiled.
public struct SnapshotCompiler: Sendable {
    private let modules: ModuleRegistry
    private let slots: SlotTable
    private let breakers: CircuitBreakers

    public init(modules: ModuleRegistry, slots: SlotTable, breakers: CircuitBreakers) {
        self.modules = modules
        self.slots = slots
        self.breakers = breakers
    }

    /// A compiler for what will never serve: it gives out no counters that outlive it.
    public var forRehearsal: SnapshotCompiler {
        SnapshotCompiler(modules: modules, slots: SlotTable(), breakers: breakers)
    }

    /// Compiles a configuration and puts its circuit breakers in force: `prepare` and `putInForce` in one.
    public func compile(_ configuration: Configuration, touched: Set<String>?, previous: Snapshot?) -> Snapshot {
        let compilation = prepare(configuration, touched: touched, previous: previous)
        putInForce(compilation, previous: previous)
        return compilation.snapshot
    }

    /// A snapshot that may yet be thrown away: what serves now, its circuit breakers included, is as it was.
    /// - Parameters:
    ///   - touched: identifiers of the objects that differ from those in `previous`; `nil` for everything.
    ///   - previous: the snapshot in force.
    public func prepare(_ configuration: Configuration, touched: Set<String>?, previous: Snapshot?) -> Compilation {
        let breakers = breakers.draft()
        var edges: [EdgeID: CompiledEdge] = [:]
        var faults: [String: Fault] = [:]
        let backends = BackendCompiler(configurations: configuration.backends, slots: slots)
        for (id, edge) in configuration.edges {
            let earlier = previous?.edges[id]
            // An edge that kept an earlier form is tried again at every change, whatever that touched.
            if let earlier, let touched, touched.isDisjoint(with: earlier.dependencies),
                previous?.faults[id.rawValue] == nil
            {
                edges[id] = earlier
                continue
            }
            var compiler = EdgeCompiler(
                configuration: configuration, modules: modules, slots: slots, breakers: breakers,
                backends: backends)
            do throws(ObjectFault) {
                edges[id] = try compiler.compile(edge)
            } catch {
                edges[id] = earlier
                faults[id.rawValue] = error.fault
                faults[error.object] = error.fault
            }
        }
        return Compilation(snapshot: assemble(configuration, edges, faults), breakers: breakers)
    }

    /// Puts the circuit breakers of a snapshot in force and forgets those of routes that have none any more.
    ///
    /// Looks only at edges that differ: a set of all routes would cost more than the change itself. Without `previous`
    /// (the first time) it looks at all.
    public func putInForce(_ compilation: Compilation, previous: Snapshot?) {
        let edges = compilation.snapshot.edges
        var gone: Set<RouteID> = []
        var kept: Set<RouteID> = []
        for (id, edge) in edges where previous?.edges[id] !== edge { kept.formUnion(edge.breakerRoutes) }
        breakers.adopt(compilation.breakers, routes: kept)
        guard let previous else {
            breakers.retire(except: kept)
            return
        }
        for (id, edge) in previous.edges where edges[id] !== edge { gone.formUnion(edge.breakerRoutes) }
        breakers.retire(gone.subtracting(kept))
    }

    private func assemble(
        _ configuration: Configuration, _ edges: [EdgeID: CompiledEdge], _ faults: [String: Fault]
    ) -> Snapshot {
        var hosts: [(name: String, value: CompiledEdge)] = []
        var ports: [UInt16: CompiledEdge] = [:]
        // Ordered, so that the same configuration always gives the same snapshot.
        for edge in edges.values.sorted(by: { $0.id < $1.id }) {
            for hostport in edge.hostports {
                guard let colon = hostport.lastIndex(of: ":") else { continue }
                if edge.kind == .tcp {
                    guard let port = UInt16(hostport[hostport.index(after: colon)...]) else { continue }
                    if ports[port] == nil { ports[port] = edge }
                } else {
                    hosts.append((String(hostport[..<colon]), edge))
                }
            }
        }
        let certificates = configuration.domains.values.sorted { $0.id < $1.id }.compactMap { domain in
            domain.certificate.flatMap { configuration.certificates[$0] }.map { (name: domain.name, value: $0) }
        }
        return Snapshot(
            revision: configuration.revision, edges: edges, hosts: HostTable(hosts), ports: ports,
            certificates: HostTable(certificates), faults: faults)
    }
}

/// A compiled snapshot that does not serve yet.
public struct Compilation: Sendable {
    public let snapshot: Snapshot
    let breakers: CircuitBreakers
}

/// A fault, and the object that has it.
struct ObjectFault: Error {
    let object: String
    let fault: Fault
}
