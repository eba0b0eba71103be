/// Host names and what answers for them: the exact name, else the longest wildcard.
///
/// `*.example.com` stands for names at any depth below `example.com`, not for `example.com` itself. Immutable. A
/// lookup costs one pass over the name, and one probe per label when wildcards exist; it does not depend on how many
/// names there are, and allocates nothing.
public struct HostTable<Value: AnyObject & Sendable>: Sendable {
    @usableFromInline let names: HostNames
    @usableFromInline let values: [Value]

    /// - Parameter entries: names as configured, in lower case; of equal names the first counts.
    public init(_ entries: [(name: String, value: Value)]) {
        names = HostNames(entries.map(\.name))
        values = entries.map(\.value)
    }

    init(names: HostNames, values: [Value]) {
        self.names = names
        self.values = values
    }

    /// The same names with other values.
    public func map<Other: AnyObject & Sendable>(_ transform: (Value) -> Other) -> HostTable<Other> {
        HostTable<Other>(names: names, values: values.map(transform))
    }

    /// - Parameter name: lower-case bytes, without port; one trailing dot is ignored.
    @inlinable
    public func lookup(_ name: UnsafeBufferPointer<UInt8>) -> Value? {
        let number = names.find(name)
        return number >= 0 ? values[number] : nil
    }

    public func lookup(_ name: String) -> Value? {
        var name = name.lowercased()
        return name.withUTF8 { lookup($0) }
    }
}

/// The names of a `HostTable` as numbers. Apart from it so that the search is compiled once, and not per value type.
@usableFromInline
struct HostNames: Sendable {
    private let exact: NameIndex
    /// Keyed by what follows the `*.`.
    private let wildcards: NameIndex

    init(_ names: [String]) {
        var exact: [(bytes: [UInt8], hash: UInt64, number: Int32)] = []
        var wildcards = exact
        for (number, name) in names.enumerated() {
            var bytes = Array(name.lowercased().utf8)
            if bytes.last == UInt8(ascii: ".") { bytes.removeLast() }
            if bytes.starts(with: [UInt8(ascii: "*"), UInt8(ascii: ".")]) {
                bytes.removeFirst(2)
                wildcards.append((bytes, ByteHash.forward(bytes.reversed()), Int32(number)))
            } else {
                exact.append((bytes, ByteHash.forward(bytes.reversed()), Int32(number)))
            }
        }
        self.exact = NameIndex(exact)
        self.wildcards = NameIndex(wildcards)
    }

    /// The number of the name, or -1.
    @usableFromInline
    func find(_ name: UnsafeBufferPointer<UInt8>) -> Int {
        var count = name.count
        if count > 0, name[count - 1] == UInt8(ascii: ".") { count -= 1 }
        // A name has at most 253 bytes (RFC 1035, 2.3.4); this also bounds the number of labels.
        guard count > 0, count <= 255 else { return -1 }
        // From the end, so that the hash of each suffix is met on the way.
        var hash = ByteHash.start
        var best: Int32 = -1
        var index = count
        while index > 0 {
            index -= 1
            let byte = name[index]
            if byte == UInt8(ascii: "."), !wildcards.isEmpty, index > 0,
                let found = wildcards.find(UnsafeBufferPointer(rebasing: name[index + 1..<count]), hash: hash)
            {
                best = found
            }
            hash = ByteHash.step(hash, byte)
        }
        return Int(exact.find(UnsafeBufferPointer(rebasing: name[0..<count]), hash: hash) ?? best)
    }

    /// The longest run of entries that a probe may pass, for tests.
    var longestProbe: Int { max(exact.longestProbe, wildcards.longestProbe) }
}
