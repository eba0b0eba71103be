import Shared

/// A snapshot in the making: what served before, with what a change touches put in its place.
///
/// Every step costs as much as what it changes, however large the rest is.
struct SnapshotDraft {
    /// One edge before and after: `nil` for one that was not there, or is not any more.
    struct EdgeChange {
        let before: CompiledEdge?
        let after: CompiledEdge?
    }

    let configuration: Configuration
    private let previous: Snapshot
    private var edges: PersistentTable<EdgeID, CompiledEdge>
    private(set) var changes: [EdgeChange] = []
    private(set) var faults: [String: Fault] = [:]
    var backends: BackendTable
    private var dependents: Snapshot.Dependents

    init(_ configuration: Configuration, previous: Snapshot) {
        self.configuration = configuration
        self.previous = previous
        edges = previous.edges
        backends = previous.backends
        dependents = previous.dependents
    }

    // MARK: What is to be done

    /// The objects that have to be compiled for a change.
    struct Work {
        var edges: Set<EdgeID> = []
        var backends: Set<BackendID> = []
        var domains: Set<DomainID> = []
        /// Whether the restriction or its rules may differ.
        var entry = false
    }

    /// - Parameter touched: identifiers of the objects that are different, owners of those that have one among them;
    ///   `nil` for everything.
    func work(_ touched: Set<String>?) -> Work {
        var work = Work()
        work.entry = isEntryTouched(touched)
        guard let touched else {
            work.edges = Set(configuration.edges.keys).union(previous.edges.keys)
            work.backends = Set(configuration.backends.keys).union(previous.configuration.backends.keys)
            work.domains = Set(configuration.domains.keys).union(previous.configuration.domains.keys)
            return work
        }
        for id in touched { add(id, to: &work) }
        // What kept an earlier form is tried again at every change, whatever that touched.
        for id in previous.faults.keys { add(id, to: &work) }
        return work
    }

    private func isEntryTouched(_ touched: Set<String>?) -> Bool {
        let before = previous.configuration.entry
        guard configuration.entry == before else { return true }
        guard let touched else { return true }
        return configuration.entry?.policies.contains { touched.contains($0.rawValue) } ?? false
    }

    private func add(_ id: String, to work: inout Work) {
        let old = previous.configuration
        let edge = EdgeID(id)
        if configuration.edges[edge] != nil || previous.edges[edge] != nil { work.edges.insert(edge) }
        let backend = BackendID(id)
        if configuration.backends[backend] != nil || old.backends[backend] != nil { work.backends.insert(backend) }
        let domain = DomainID(id)
        if configuration.domains[domain] != nil || old.domains[domain] != nil { work.domains.insert(domain) }
        if let users = dependents.edges[id] { work.edges.formUnion(users) }
        if let users = dependents.domains[CertificateID(id)] { work.domains.formUnion(users) }
    }

    // MARK: Doing it

    func earlier(_ id: EdgeID) -> CompiledEdge? { previous.edges[id] }

    /// - Parameter edge: `nil` when there is none any more.
    mutating func put(_ edge: CompiledEdge?, _ id: EdgeID) {
        let before = previous.edges[id]
        guard before !== edge else { return }
        edges[id] = edge
        for object in before?.dependencies ?? [] { dependents.edges.remove(id, at: object) }
        for object in edge?.dependencies ?? [] { dependents.edges.insert(id, at: object) }
        changes.append(EdgeChange(before: before, after: edge))
    }

    mutating func fail(_ id: String, _ fault: Fault) { faults[id] = fault }

    /// - Parameter work: what may be another.
    mutating func finish(_ work: Work) -> Snapshot {
        let hasOtherPorts = changes.contains { $0.before?.kind == .tcp || $0.after?.kind == .tcp }
        let (certificates, new) = certificates(work.domains)
        return Snapshot(
            configuration: configuration, edges: edges, hosts: hosts(), ports: hasOtherPorts ? ports() : previous.ports,
            certificates: certificates, backends: backends, entry: work.entry ? entry() : previous.entry,
            faults: faults,
            portsRevision: previous.portsRevision + (hasOtherPorts ? 1 : 0), newCertificates: new,
            dependents: dependents)
    }

    private func entry() -> EntryRules? {
        guard let restriction = configuration.entry else { return nil }
        // References are checked before anything is kept; without a rule nobody gets in.
        let rules = restriction.policies.flatMap { configuration.policies[$0] ?? [] }
        return EntryRules(restriction, rules: rules, previous: previous.entry)
    }

    private func hosts() -> HostTable<CompiledEdge> {
        var gone: [(name: String, value: CompiledEdge)] = []
        var come: [(name: String, value: CompiledEdge)] = []
        for change in changes {
            if let edge = change.before, edge.kind != .tcp { gone += names(of: edge).map { ($0, edge) } }
            if let edge = change.after, edge.kind != .tcp { come += names(of: edge).map { ($0, edge) } }
        }
        var hosts = previous.hosts
        hosts.update(removing: gone, adding: come)
        return hosts
    }

    private func names(of edge: CompiledEdge) -> [String] {
        edge.hostports.compactMap { hostport in hostport.lastIndex(of: ":").map { String(hostport[..<$0]) } }
    }

    private func ports() -> [UInt16: CompiledEdge] {
        var ports = previous.ports
        for change in changes {
            guard let edge = change.before, edge.kind == .tcp else { continue }
            for port in numbers(of: edge) where ports[port] === edge { ports[port] = nil }
        }
        for change in changes {
            guard let edge = change.after, edge.kind == .tcp else { continue }
            for port in numbers(of: edge) where ports[port] == nil { ports[port] = edge }
        }
        return ports
    }

    private func numbers(of edge: CompiledEdge) -> [UInt16] {
        edge.hostports.compactMap { hostport in
            hostport.lastIndex(of: ":").flatMap { UInt16(hostport[hostport.index(after: $0)...]) }
        }
    }

    private mutating func certificates(
        _ domains: Set<DomainID>
    ) -> (table: HostTable<CertificateMaterial>, new: [CertificateMaterial]) {
        var gone: [(name: String, value: CertificateMaterial)] = []
        var come: [(name: String, value: CertificateMaterial)] = []
        for id in domains.sorted() {
            let before = served(id, by: previous.configuration)
            let after = served(id, by: configuration)
            if before?.material === after?.material, before?.name == after?.name { continue }
            if let before { gone.append((before.name, before.material)) }
            if let after { come.append((after.name, after.material)) }
        }
        for id in domains {
            let before = previous.configuration.domains[id]?.certificate
            let after = configuration.domains[id]?.certificate
            guard before != after else { continue }
            if let before { dependents.domains.remove(id, at: before) }
            if let after { dependents.domains.insert(id, at: after) }
        }
        var certificates = previous.certificates
        certificates.update(removing: gone, adding: come)
        return (certificates, come.map(\.value))
    }

    private func served(
        _ id: DomainID, by configuration: Configuration
    ) -> (name: String, material: CertificateMaterial)? {
        guard let domain = configuration.domains[id], let certificate = domain.certificate,
            let material = configuration.certificates[certificate]
        else { return nil }
        return (domain.name, material)
    }
}
