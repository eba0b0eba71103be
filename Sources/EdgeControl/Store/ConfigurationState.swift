import EdgeCore
import Shared

/// The whole configuration as a value, with the indexes that keep checks cheap however large it is.
///
/// Copies share their tables until written to.
public struct ConfigurationState: Sendable {
    public internal(set) var revision: UInt64 = 0
    /// Marks that never go down, e.g. the highest TCP port given out.
    public internal(set) var marks: [String: Int64] = [:]
    private(set) var lastPosition: Int64 = 0
    private var tables: [ObjectKind: Table] = [:]
    private var children: [String: [String]] = [:]
    /// Names that only one object may have, e.g. `domain/www.example.com`, and which one has it.
    private var owners: [String: String] = [:]
    /// What an object refers to, and who refers to an object.
    private var references: [String: [ObjectReference]] = [:]
    private var referrers: [String: Set<String>] = [:]
    /// Where the latest removed objects were in their lists, for clients that delete as they page.
    private var removed: [String: Int64] = [:]
    private var removedOrder: [String] = []
    static let maximumRemoved = 1024
    let catalogue: Catalogue

    private struct Table: Sendable {
        var objects: [String: ConfigurationObject] = [:]
        /// By position, oldest first.
        var order: [String] = []
    }

    public init(catalogue: Catalogue) { self.catalogue = catalogue }

    // MARK: Reading

    public subscript(id: String) -> ConfigurationObject? {
        guard let kind = Resources.kind(of: id) else { return nil }
        return tables[kind]?.objects[id]
    }

    public var count: Int { tables.values.reduce(0) { $0 + $1.objects.count } }

    /// Identifiers of one kind, oldest first.
    public func ids(_ kind: ObjectKind) -> [String] { tables[kind]?.order ?? [] }

    public func objects(_ kind: ObjectKind) -> [ConfigurationObject] {
        ids(kind).compactMap { tables[kind]?.objects[$0] }
    }

    /// Identifiers of the objects that belong to `id`, oldest first.
    public func children(of id: String) -> [String] { children[id] ?? [] }

    func owner(of name: String) -> String? { owners[name] }
    func referrers(of id: String) -> [String] { (referrers[id] ?? []).sorted() }
    func references(of id: String) -> [ObjectReference] { references[id] ?? [] }

    /// The place of an object in its list, also of one that was removed not long ago.
    func position(of id: String) -> Int64? { self[id]?.position ?? removed[id] }

    // MARK: Writing

    /// Fills an empty state with what a store has.
    /// - Throws: when two objects have the same name, or one refers to what is not there.
    mutating func restore(_ stored: StoredConfiguration) throws(Fault) {
        // Edges find their domains and addresses by name, so those come first.
        for object in stored.objects where object.kind.edgeKind == nil { try put(object) }
        for object in stored.objects where object.kind.edgeKind != nil { try put(object) }
        for object in stored.objects {
            for reference in references[object.id] ?? [] where self[reference.id] == nil { throw reference.missing }
            if let parent = object.parent, self[parent] == nil {
                throw Fault(nil, "The owner \(parent) of \(object.id) does not exist.")
            }
        }
        revision = stored.revision
        marks = stored.marks
    }

    /// Puts an object in place of the one with the same identifier, if any.
    /// - Throws: what the object's kind says when one of its names belongs to another object.
    mutating func put(_ object: ConfigurationObject) throws(Fault) {
        let resource = Resources.of(object.kind)
        let names = resource.names(of: object)
        for name in names where (owners[name.text] ?? object.id) != object.id { throw name.taken }
        let old = self[object.id]
        if let old { unlink(old) }
        for name in names { owners[name.text] = object.id }
        let refers = resource.references(of: object, in: self)
        references[object.id] = refers
        for reference in refers { referrers[reference.id, default: []].insert(object.id) }
        tables[object.kind, default: Table()].objects[object.id] = object
        if old == nil { place(object) }
    }

    /// Takes an object away; its children stay.
    mutating func remove(_ id: String) {
        guard let object = self[id] else { return }
        unlink(object)
        references[id] = nil
        tables[object.kind]?.objects[id] = nil
        tables[object.kind]?.order.removeAll { $0 == id }
        remember(object)
        if let parent = object.parent {
            children[parent]?.removeAll { $0 == id }
            if children[parent]?.isEmpty == true { children[parent] = nil }
        }
    }

    private mutating func remember(_ object: ConfigurationObject) {
        if removed.updateValue(object.position, forKey: object.id) == nil { removedOrder.append(object.id) }
        guard removedOrder.count > ConfigurationState.maximumRemoved else { return }
        for id in removedOrder.prefix(ConfigurationState.maximumRemoved / 4) { removed[id] = nil }
        removedOrder.removeFirst(ConfigurationState.maximumRemoved / 4)
    }

    private mutating func place(_ object: ConfigurationObject) {
        lastPosition = max(lastPosition, object.position)
        insert(object.id, position: object.position, into: &tables[object.kind, default: Table()].order)
        if let parent = object.parent {
            var siblings = children[parent] ?? []
            insert(object.id, position: object.position, into: &siblings)
            children[parent] = siblings
        }
    }

    /// Nearly always an append: only what is put back after a removal goes elsewhere.
    private func insert(_ id: String, position: Int64, into order: inout [String]) {
        var index = order.endIndex
        while index > order.startIndex, let other = self[order[index - 1]], other.position > position { index -= 1 }
        order.insert(id, at: index)
    }

    private mutating func unlink(_ object: ConfigurationObject) {
        for name in Resources.of(object.kind).names(of: object) where owners[name.text] == object.id {
            owners[name.text] = nil
        }
        for reference in references[object.id] ?? [] {
            referrers[reference.id]?.remove(object.id)
            if referrers[reference.id]?.isEmpty == true { referrers[reference.id] = nil }
        }
    }
}

/// A name that only one object may have.
struct ObjectName {
    let text: String
    /// What is said to the second one.
    let taken: Fault
}

/// One object's mention of another.
struct ObjectReference: Sendable, Hashable {
    let id: String
    /// What is said when the other does not exist.
    let missing: Fault
}
