public import HashTreeCollections

/// A dictionary whose copies share all that they have in common.
///
/// A change costs the same whether a copy is kept or not, and grows with the logarithm of the count: `Dictionary`
/// would copy every entry. That is what keeps a configuration, its snapshot and the draft of its next form side by
/// side. Enumeration has no order.
public struct PersistentTable<Key: Hashable, Value>: ExpressibleByDictionaryLiteral {
    @usableFromInline var entries: TreeDictionary<Key, Value>

    @inlinable
    public init() { entries = [:] }

    /// - Parameter elements: of equal keys the last counts.
    @inlinable
    public init(dictionaryLiteral elements: (Key, Value)...) {
        entries = TreeDictionary(elements, uniquingKeysWith: { _, last in last })
    }

    @inlinable public var count: Int { entries.count }
    @inlinable public var isEmpty: Bool { entries.isEmpty }

    /// Setting `nil` takes the entry away.
    @inlinable
    public subscript(key: Key) -> Value? {
        get { entries[key] }
        _modify { yield &entries[key] }
    }

    @inlinable
    public subscript(key: Key, default absent: @autoclosure () -> Value) -> Value {
        get { entries[key] ?? absent() }
        _modify { yield &entries[key, default: absent()] }
    }

    @inlinable public var keys: some Collection<Key> { entries.keys }
    @inlinable public var values: some Collection<Value> { entries.values }
}

extension PersistentTable: Sequence {
    @inlinable
    public func makeIterator() -> TreeDictionary<Key, Value>.Iterator { entries.makeIterator() }
}

extension PersistentTable: Sendable where Key: Sendable, Value: Sendable {}

/// A set whose copies share all that they have in common: see `PersistentTable`.
public struct PersistentSet<Element: Hashable>: Sequence {
    @usableFromInline var elements: TreeSet<Element>

    @inlinable
    public init() { elements = [] }

    @inlinable public var count: Int { elements.count }
    @inlinable public var isEmpty: Bool { elements.isEmpty }

    @inlinable
    public func contains(_ element: Element) -> Bool { elements.contains(element) }

    @inlinable
    public mutating func insert(_ element: Element) { elements.insert(element) }

    @inlinable
    public mutating func remove(_ element: Element) { elements.remove(element) }

    @inlinable
    public func makeIterator() -> TreeSet<Element>.Iterator { elements.makeIterator() }
}

extension PersistentSet: Sendable where Element: Sendable {}

extension PersistentTable {
    /// Adds to the set that belongs to `key`.
    @inlinable
    public mutating func insert<Member>(_ member: Member, at key: Key) where Value == PersistentSet<Member> {
        self[key, default: PersistentSet()].insert(member)
    }

    /// Takes out of the set that belongs to `key`; a set that is empty then goes.
    @inlinable
    public mutating func remove<Member>(_ member: Member, at key: Key) where Value == PersistentSet<Member> {
        guard var members = self[key] else { return }
        members.remove(member)
        self[key] = members.isEmpty ? nil : members
    }
}
