import Shared

/// Compiles the backends that a change reaches, each once and after those that it refers to.
///
/// A fault stays with its backend, which keeps its earlier form.
struct BackendCompiler {
    private let configurations: PersistentTable<BackendID, BackendConfiguration>
    private let slots: SlotTable
    private let tunnels: TunnelGroups
    private(set) var table: BackendTable
    private(set) var faults: [BackendID: Fault] = [:]
    private var waiting: Set<BackendID> = []
    private var visiting: Set<BackendID> = []

    /// - Parameter table: what served before.
    init(
        configurations: PersistentTable<BackendID, BackendConfiguration>, slots: SlotTable,
        tunnels: TunnelGroups = TunnelGroups(), table: BackendTable = BackendTable()
    ) {
        self.configurations = configurations
        self.slots = slots
        self.tunnels = tunnels
        self.table = table
    }

    /// Compiles these backends, and all that refer to them.
    mutating func compile(_ changed: Set<BackendID>) {
        let affected = table.affected(by: changed)
        waiting = affected
        // Ordered, so that numbers are given out in the same order every time.
        for id in affected.sorted() { compile(id) }
    }

    private mutating func compile(_ id: BackendID) {
        guard waiting.remove(id) != nil else { return }
        guard let configuration = configurations[id] else {
            return table.set(nil, id, references: [], height: 1)
        }
        guard let kind = Backends.kind(named: configuration.kind) else {
            faults[id] = Fault(nil, "There is no backend kind \"\(configuration.kind)\".")
            return
        }
        let references = kind.references(configuration.settings)
        let height = height(above: references, of: id)
        do throws(Fault) {
            guard height <= Backends.maximumDepth else {
                throw Fault(6513, "Backends nest deeper than \(Backends.maximumDepth).")
            }
            let backend = try kind.init(
                id: id, settings: configuration.settings,
                environment: BackendEnvironment(
                    slots: slots, tunnels: tunnels, countsAs: configuration.isEphemeral ? SlotTable.ephemeral : nil
                ) { [table] in table[$0] })
            table.set(backend, id, references: references, height: height)
        } catch {
            faults[id] = error
            table.set(table[id], id, references: references, height: height)
        }
    }

    /// Compiles what a backend refers to. A circle, which only a damaged store can hold, counts as endlessly deep.
    private mutating func height(above references: [BackendID], of id: BackendID) -> Int {
        visiting.insert(id)
        defer { visiting.remove(id) }
        var height = 1
        for child in references {
            guard !visiting.contains(child) else { return Backends.maximumDepth + 1 }
            compile(child)
            height = max(height, table.height(of: child) + 1)
        }
        return height
    }
}
