import EdgeCore
import Shared

/// The whole configuration as a value, with the indexes that keep checks cheap however large it is.
///
/// Copies share their tables, also after one of them was written to: a write costs the same among ten objects and among
/// a hundred thousand.
public struct ConfigurationState: Sendable {
    public internal(set) var revision: UInt64 = 0
    /// Marks that never go down, e.g. the highest TCP port given out.
    public internal(set) var marks: [String: Int64] = [:]
    private(set) var lastPosition: Int64 = 0
    private var tables: [ObjectKind: Table] = [:]
    private var children: PersistentTable<String, [String]> = [:]
    /// Names that only one object may have, e.g. `domain/www.example.com`, and which one has it.
    private var owners: PersistentTable<String, String> = [:]
    /// Names that several objects may have, as long as none has them for itself.
    private var sharers: PersistentTable<String, PersistentSet<String>> = [:]
    /// What an object refers to, as when it was put, and who refers to an object.
    private var mentions: PersistentTable<String, [String]> = [:]
    private var referrers: PersistentTable<Mention, PersistentSet<String>> = [:]
    /// Where the latest removed objects were in their lists, for clients that delete as they page.
    private var removed: [String: Int64] = [:]
    private var removedOrder: [String] = []
    static let maximumRemoved = 1024
    let catalogue: Catalogue

    private struct Table: Sendable {
        var objects: PersistentTable<String, ConfigurationObject> = [:]
        var order = OrderedIndex()
    }

    /// An object that others refer to. By their kind, because a hundred thousand routes may share one backend, and
    /// what is asked for nearly always are the few others.
    private struct Mention: Hashable, Sendable {
        let id: String
        let kind: ObjectKind
    }

    public init(catalogue: Catalogue) { self.catalogue = catalogue }

    // MARK: Reading

    public subscript(id: String) -> ConfigurationObject? {
        guard let kind = Resources.kind(of: id) else { return nil }
        return tables[kind]?.objects[id]
    }

    public var count: Int { tables.values.reduce(0) { $0 + $1.objects.count } }

    /// Identifiers of one kind, oldest first.
    public func ids(_ kind: ObjectKind) -> [String] { tables[kind]?.order.ids ?? [] }

    /// Objects of one kind, newest first, beginning below a position; found as they are asked for.
    public func newest(_ kind: ObjectKind, below position: Int64? = nil) -> some Sequence<ConfigurationObject> {
        let table = tables[kind] ?? Table()
        return table.order.descending(below: position).lazy.compactMap { table.objects[$0] }
    }

    public func objects(_ kind: ObjectKind) -> [ConfigurationObject] {
        ids(kind).compactMap { tables[kind]?.objects[$0] }
    }

    /// Identifiers of the objects that belong to `id`, oldest first.
    public func children(of id: String) -> [String] { children[id] ?? [] }

    func owner(of name: String) -> String? { owners[name] }

    /// Everything that has a name, ordered by identifier: its owner, or all who share it.
    func holders(of name: String) -> [String] {
        if let owner = owners[name] { return [owner] }
        return sharers[name]?.sorted() ?? []
    }

    /// Objects of one kind that refer to `id`, ordered by identifier.
    func referrers(of id: String, kind: ObjectKind) -> [String] {
        (referrers[Mention(id: id, kind: kind)] ?? PersistentSet()).sorted()
    }

    /// The first object by kind and identifier that refers to `id`.
    func firstReferrer(of id: String) -> ConfigurationObject? {
        for resource in Resources.all {
            guard let first = referrers[Mention(id: id, kind: resource.kind)]?.min() else { continue }
            return self[first]
        }
        return nil
    }

    func references(of id: String) -> [ObjectReference] {
        self[id].map { Resources.of($0.kind).references(of: $0, in: self) } ?? []
    }

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
            for id in mentions[object.id] ?? [] where self[id] == nil {
                throw references(of: object.id).first { $0.id == id }?.missing
                    ?? Fault(nil, "\(object.id) refers to \(id), which does not exist.")
            }
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
        for name in names where !name.isShared {
            if sharers[name.text]?.contains(where: { $0 != object.id }) == true { throw name.taken }
        }
        let old = self[object.id]
        if let old { unlink(old) }
        for name in names {
            if name.isShared { sharers.insert(object.id, at: name.text) } else { owners[name.text] = object.id }
        }
        let mentioned = resource.references(of: object, in: self).map(\.id)
        mentions[object.id] = mentioned.isEmpty ? nil : mentioned
        for id in mentioned { referrers.insert(object.id, at: Mention(id: id, kind: object.kind)) }
        tables[object.kind, default: Table()].objects[object.id] = object
        if old == nil { place(object) }
    }

    /// Takes an object away; its children stay.
    mutating func remove(_ id: String) {
        guard let object = self[id] else { return }
        unlink(object)
        mentions[id] = nil
        tables[object.kind]?.objects[id] = nil
        tables[object.kind]?.order.remove(id, at: object.position)
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
        tables[object.kind, default: Table()].order.insert(object.id, at: object.position)
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
        for name in Resources.of(object.kind).names(of: object) {
            if owners[name.text] == object.id { owners[name.text] = nil }
            if name.isShared { sharers.remove(object.id, at: name.text) }
        }
        for id in mentions[object.id] ?? [] { referrers.remove(object.id, at: Mention(id: id, kind: object.kind)) }
    }
}

/// A name that only one object may have, or only objects that share it.
struct ObjectName: Sendable {
    let text: String
    let isShared: Bool
    private let complaint: @Sendable () -> Fault

    /// - Parameter taken: what is said to the second one; made only then.
    init(text: String, isShared: Bool = false, taken: @escaping @autoclosure @Sendable () -> Fault) {
        self.text = text
        self.isShared = isShared
        complaint = taken
    }

    var taken: Fault { complaint() }
}

/// One object's mention of another.
struct ObjectReference: Sendable {
    let id: String
    private let complaint: @Sendable () -> Fault

    /// - Parameter missing: what is said when the other does not exist; made only then.
    init(id: String, missing: @escaping @autoclosure @Sendable () -> Fault) {
        self.id = id
        complaint = missing
    }

    var missing: Fault { complaint() }
}
