import Shared

/// Turns a configuration into the snapshot that serves it.
///
/// Only what a change touches is compiled anew; everything else is taken over from the snapshot before, the same
/// object, so that the cost of a change does not grow with the configuration. A fault stays where it is: the edge or
/// backend that has it keeps its earlier form, and all others are compiled.
public struct SnapshotCompiler: Sendable {
    private let modules: ModuleRegistry
    private let slots: SlotTable
    private let breakers: CircuitBreakers
    private let tunnels: TunnelGroups

    public init(
        modules: ModuleRegistry, slots: SlotTable, breakers: CircuitBreakers, tunnels: TunnelGroups = TunnelGroups()
    ) {
        self.modules = modules
        self.slots = slots
        self.breakers = breakers
        self.tunnels = tunnels
    }

    /// A compiler for what will never serve: it gives out no counters that outlive it.
    public var forRehearsal: SnapshotCompiler {
        SnapshotCompiler(modules: modules, slots: SlotTable(), breakers: breakers)
    }

    /// Compiles a configuration and puts its circuit breakers in force: `prepare` and `putInForce` in one.
    public func compile(_ configuration: Configuration, touched: Set<String>?, previous: Snapshot?) -> Snapshot {
        let compilation = prepare(configuration, touched: touched, previous: previous)
        putInForce(compilation)
        return compilation.snapshot
    }

    /// A snapshot that may yet be thrown away: what serves now, its circuit breakers included, is as it was.
    /// - Parameters:
    ///   - touched: identifiers of the objects that differ from those in `previous`, with those of the edges whose
    ///     routes and of the policies whose rules do; `nil` for everything.
    ///   - previous: the snapshot in force.
    public func prepare(_ configuration: Configuration, touched: Set<String>?, previous: Snapshot?) -> Compilation {
        let breakers = breakers.draft()
        var draft = SnapshotDraft(configuration, previous: previous ?? .empty)
        let work = draft.work(previous == nil ? nil : touched)
        compile(work.backends, &draft)
        compile(work.edges, &draft, breakers)
        let snapshot = draft.finish(work)
        return Compilation(
            snapshot: snapshot, changes: draft.changes, breakers: breakers, isFirst: previous == nil)
    }

    private func compile(_ ids: Set<BackendID>, _ draft: inout SnapshotDraft) {
        var compiler = BackendCompiler(
            configurations: draft.configuration.backends, slots: slots, tunnels: tunnels, table: draft.backends)
        compiler.compile(ids)
        draft.backends = compiler.table
        for (id, fault) in compiler.faults { draft.fail(id.rawValue, fault) }
    }

    private func compile(_ ids: Set<EdgeID>, _ draft: inout SnapshotDraft, _ breakers: CircuitBreakers) {
        var compiler = EdgeCompiler(
            configuration: draft.configuration, modules: modules, slots: slots, breakers: breakers,
            backends: draft.backends)
        // Ordered, so that the same configuration always gives the same snapshot.
        for id in ids.sorted() {
            guard let edge = draft.configuration.edges[id] else {
                draft.put(nil, id)
                continue
            }
            do throws(ObjectFault) {
                draft.put(try compiler.compile(edge), id)
            } catch {
                draft.fail(id.rawValue, error.fault)
                draft.fail(error.object, error.fault)
            }
        }
        draft.backends = compiler.backends
    }

    /// Puts the circuit breakers of a snapshot in force and forgets those of routes that have none any more.
    ///
    /// Looks only at edges that differ: a set of all routes would cost more than the change itself.
    public func putInForce(_ compilation: Compilation) {
        var gone: Set<RouteID> = []
        var kept: Set<RouteID> = []
        for change in compilation.changes {
            if let edge = change.after { kept.formUnion(edge.breakerRoutes) }
            if let edge = change.before { gone.formUnion(edge.breakerRoutes) }
        }
        breakers.adopt(compilation.breakers, routes: kept)
        guard compilation.isFirst else { return breakers.retire(gone.subtracting(kept)) }
        breakers.retire(except: kept)
    }
}

/// A compiled snapshot that does not serve yet.
public struct Compilation: Sendable {
    public let snapshot: Snapshot
    let changes: [SnapshotDraft.EdgeChange]
    let breakers: CircuitBreakers
    /// Whether there was no snapshot before it.
    let isFirst: Bool
}

/// A fault, and the object that has it.
struct ObjectFault: Error {
    let object: String
    let fault: Fault
}
