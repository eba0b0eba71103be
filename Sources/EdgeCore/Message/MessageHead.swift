/// One request's or answer's head: all its bytes in one place, and where each part lies.
///
///     bytes   G E T / a ? b h o s t x . e x a m p l e A c c e p t * / * …
///             └method└target  └field name └field value
///
/// Reused from message to message, so that a head costs no allocation once its arrays have grown. Field values hold
/// no CR, LF or NUL: who fills a head refuses them (RFC 9112, 2.2; RFC 9113, 8.2.1).
///
/// Confined to one loop; not `Sendable`.
public final class MessageHead {
    public struct Slice: Sendable, Hashable {
        public var start: Int32
        public var count: Int32

        public init(start: Int, count: Int) {
            self.start = Int32(truncatingIfNeeded: start)
            self.count = Int32(truncatingIfNeeded: count)
        }

        public static let empty = Slice(start: 0, count: 0)
        public var range: Range<Int> { Int(start)..<Int(start) + Int(count) }
        public var isEmpty: Bool { count == 0 }
    }

    public struct Field: Sendable {
        public var name: Slice
        public var value: Slice
        public var id: FieldName

        public init(name: Slice, value: Slice, id: FieldName) {
            self.name = name
            self.value = value
            self.id = id
        }
    }

    public private(set) var bytes: [UInt8] = []
    public private(set) var fields: [Field] = []

    // Plain numbers that one loop reads and writes: the run-time check of overlapping accesses could find nothing, and
    // costs a tenth of reading a head.

    /// Requests: the method, and the target in origin form (`/path?query`), or `*`.
    @exclusivity(unchecked) public var method = Slice.empty
    @exclusivity(unchecked) public var target = Slice.empty
    /// Requests: the name asked for, lower case, without port; IPv6 literals keep their brackets.
    @exclusivity(unchecked) public var host = Slice.empty
    /// Answers: 100…599.
    @exclusivity(unchecked) public var status = 0

    public init() {
        bytes.reserveCapacity(1024)
        fields.reserveCapacity(32)
    }

    /// Makes the head empty and keeps its memory.
    public func reset() {
        bytes.removeAll(keepingCapacity: true)
        fields.removeAll(keepingCapacity: true)
        method = .empty
        target = .empty
        host = .empty
        status = 0
    }

    /// Puts bytes at the end of the store.
    @discardableResult
    public func store(_ source: UnsafeBufferPointer<UInt8>) -> Slice {
        let start = bytes.count
        bytes.append(contentsOf: source)
        return Slice(start: start, count: source.count)
    }

    @discardableResult
    public func store(lowercased source: UnsafeBufferPointer<UInt8>) -> Slice {
        let start = bytes.count
        for byte in source { bytes.append(FieldName.lowered(byte)) }
        return Slice(start: start, count: source.count)
    }

    @discardableResult
    public func store(_ text: StaticString) -> Slice { text.withUTF8Buffer { store($0) } }

    @discardableResult
    public func store(_ text: String) -> Slice {
        var text = text
        return text.withUTF8 { store($0) }
    }

    /// Swaps the field list with the caller's. A scanner borrows the list, with the memory it has grown, for the time
    /// it reads a head, and gives it back by the same call or by `fill`.
    public func exchangeFields(_ other: inout [Field]) { swap(&fields, &other) }

    /// Takes a scanned head: copies its bytes at once, and swaps in the fields, whose slices count from the start of
    /// `block`. The head must have been reset.
    public func fill(block: UnsafeBufferPointer<UInt8>, fields scanned: inout [Field]) {
        bytes.append(addingCapacity: block.count) { span in
            span.withUnsafeMutableBufferPointer { free, count in
                if let target = free.baseAddress, let source = block.baseAddress {
                    target.update(from: source, count: block.count)
                    count = block.count
                }
            }
        }
        swap(&fields, &scanned)
    }

    /// Removes every field for which `isUnwanted` says so; that must not read `fields`.
    public func removeFields(where isUnwanted: (Field) -> Bool) { fields.removeAll(where: isUnwanted) }

    /// Appends a field that was checked already.
    public func append(name: UnsafeBufferPointer<UInt8>, value: UnsafeBufferPointer<UInt8>, id: FieldName) {
        let name = store(name)
        fields.append(Field(name: name, value: store(value), id: id))
    }

    /// Appends a field. `name` must be a token and `value` free of CR, LF and NUL: configuration is checked before.
    public func append(_ name: String, _ value: String) {
        var name = name
        let id = name.withUTF8 { FieldName($0) }
        let stored = store(name)
        fields.append(Field(name: stored, value: store(value), id: id))
    }

    public func append(_ id: FieldName, _ value: String) {
        let name = store(id.text)
        fields.append(Field(name: name, value: store(value), id: id))
    }

    /// Appends a known field whose value is a part of this head already.
    public func append(_ id: FieldName, copyOf value: Slice) {
        let name = store(id.text)
        fields.append(Field(name: name, value: value, id: id))
    }

    /// Whether repeating the request does no harm (RFC 9110, 9.2.2).
    public var isIdempotent: Bool {
        isSafe || withBytes(method) { $0.isExactly("PUT") || $0.isExactly("DELETE") || $0.isExactly("TRACE") }
    }

    /// Whether the method only reads (RFC 9110, 9.2.1). Methods are told apart by letter case.
    public var isSafe: Bool {
        withBytes(method) { $0.isExactly("GET") || $0.isExactly("HEAD") || $0.isExactly("OPTIONS") }
    }

    /// Removes every field of that name; any letter case.
    public func remove(_ name: String) {
        fields.removeAll { equals($0.name, name) }
    }

    public func remove(_ id: FieldName) {
        fields.removeAll { $0.id == id }
    }

    public func contains(_ id: FieldName) -> Bool { fields.contains { $0.id == id } }

    /// The first value of a known field.
    public func value(_ id: FieldName) -> Slice? { fields.first { $0.id == id }?.value }

    /// The first value of the field `name`, any letter case.
    public func value(named name: String) -> Slice? { fields.first { equals($0.name, name) }?.value }

    /// Copies a part out as text; bytes that are not UTF-8 become U+FFFD.
    public func text(_ slice: Slice) -> String { String(decoding: bytes[slice.range], as: UTF8.self) }

    /// The path of the target, without the query.
    public var path: Slice {
        let range = target.range
        guard let mark = bytes[range].firstIndex(of: UInt8(ascii: "?")) else { return target }
        return Slice(start: range.lowerBound, count: mark - range.lowerBound)
    }

    /// Whether a part has exactly the bytes of `text`.
    public func isExactly(_ slice: Slice, _ text: String) -> Bool {
        var text = text
        return text.withUTF8 { text in
            withBytes(slice) { $0.count == text.count && $0.elementsEqual(text) }
        }
    }

    /// Whether a part equals `text`, letter case of ASCII aside.
    public func equals(_ slice: Slice, _ text: some StringProtocol) -> Bool {
        let other = text.utf8
        guard Int(slice.count) == other.count else { return false }
        var index = Int(slice.start)
        for byte in other {
            if FieldName.lowered(bytes[index]) != FieldName.lowered(byte) { return false }
            index += 1
        }
        return true
    }

    /// Whether a comma-separated value holds `token` (RFC 9110, 5.6.1), letter case aside.
    public func hasToken(_ slice: Slice, _ token: StaticString) -> Bool {
        withBytes(slice) { value in
            token.withUTF8Buffer { token in
                var index = 0
                while index < value.count {
                    while index < value.count, value[index] == 0x20 || value[index] == 0x09 || value[index] == 0x2C {
                        index += 1
                    }
                    let start = index
                    while index < value.count, value[index] != 0x2C { index += 1 }
                    var end = index
                    while end > start, value[end - 1] == 0x20 || value[end - 1] == 0x09 { end -= 1 }
                    if end - start == token.count,
                        (0..<token.count).allSatisfy({ FieldName.lowered(value[start + $0]) == token[$0] })
                    {
                        return true
                    }
                }
                return false
            }
        }
    }

    @inline(__always)
    public func withBytes<R>(_ slice: Slice, _ body: (UnsafeBufferPointer<UInt8>) throws -> R) rethrows -> R {
        try bytes.withUnsafeBufferPointer { try body(UnsafeBufferPointer(rebasing: $0[slice.range])) }
    }
}

extension UnsafeBufferPointer<UInt8> {
    /// Whether these are exactly the bytes of `text`.
    @inlinable
    public func isExactly(_ text: StaticString) -> Bool {
        guard count == text.utf8CodeUnitCount else { return false }
        return text.withUTF8Buffer { text in
            for index in 0..<count where self[index] != text[index] { return false }
            return true
        }
    }
}
