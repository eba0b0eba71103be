/// Host names and what answers for them: the exact name, else the longest wildcard.
///
/// `*.example.com` stands for names at any depth below `example.com`, not for `example.com` itself. A lookup costs one
/// pass over the name, and one probe per label when wildcards exist; it does not depend on how many names there are,
/// and allocates nothing. A change makes one small part anew and shares the others.
public struct HostTable<Value: AnyObject & Sendable>: Sendable {
    @usableFromInline private(set) var names = HostNames()

    /// - Parameter entries: names as configured, in lower case; of equal names the first counts.
    public init(_ entries: [(name: String, value: Value)]) { update(removing: [], adding: entries) }

    /// Takes names away, each only from the value that it is given with, and then adds others. A name that still is
    /// there stays with the value that it has.
    public mutating func update(
        removing gone: [(name: String, value: Value)], adding come: [(name: String, value: Value)]
    ) {
        names.update(removing: gone.map { ($0.name, $0.value) }, adding: come.map { ($0.name, $0.value) })
    }

    /// - Parameter name: lower-case bytes, without port; one trailing dot is ignored.
    @inlinable
    public func lookup(_ name: UnsafeBufferPointer<UInt8>) -> Value? {
        guard let found = names.find(name) else { return nil }
        return unsafeDowncast(found, to: Value.self)
    }

    public func lookup(_ name: String) -> Value? {
        var name = name.lowercased()
        return name.withUTF8 { lookup($0) }
    }
}

/// The names of a `HostTable`. Apart from it so that the search is compiled once, and not per value type.
@usableFromInline
struct HostNames: Sendable {
    typealias Value = AnyObject & Sendable

    private var exact = NameShards()
    /// Keyed by what follows the `*.`.
    private var wildcards = NameShards()

    init() {}

    mutating func update(
        removing gone: [(name: String, value: any Value)], adding come: [(name: String, value: any Value)]
    ) {
        var exact = NameShards.Update()
        var wildcards = NameShards.Update()
        let sort = { (entry: (name: String, value: any Value), isGone: Bool) in
            var bytes = Array(entry.name.lowercased().utf8)
            if bytes.last == UInt8(ascii: ".") { bytes.removeLast() }
            let isWildcard = bytes.starts(with: [UInt8(ascii: "*"), UInt8(ascii: ".")])
            if isWildcard { bytes.removeFirst(2) }
            let named = NameShards.Entry(
                bytes: bytes, hash: ByteHash.forward(bytes.reversed()), value: entry.value)
            if isWildcard { wildcards.add(named, isGone) } else { exact.add(named, isGone) }
        }
        for entry in gone { sort(entry, true) }
        for entry in come { sort(entry, false) }
        self.exact.apply(exact)
        self.wildcards.apply(wildcards)
    }

    @usableFromInline
    func find(_ name: UnsafeBufferPointer<UInt8>) -> AnyObject? {
        var count = name.count
        if count > 0, name[count - 1] == UInt8(ascii: ".") { count -= 1 }
        // A name has at most 253 bytes (RFC 1035, 2.3.4); this also bounds the number of labels.
        guard count > 0, count <= 255 else { return nil }
        // From the end, so that the hash of each suffix is met on the way.
        var hash = ByteHash.start
        // Where in `name` the longest wildcard begins, and its hash: the value is fetched once.
        var best = 0
        var bestHash: UInt64 = 0
        var index = count
        while index > 0 {
            index -= 1
            let byte = name[index]
            if byte == UInt8(ascii: "."), !wildcards.isEmpty, index > 0,
                wildcards.contains(UnsafeBufferPointer(rebasing: name[index + 1..<count]), hash: hash)
            {
                best = index + 1
                bestHash = hash
            }
            hash = ByteHash.step(hash, byte)
        }
        if let found = exact.find(UnsafeBufferPointer(rebasing: name[0..<count]), hash: hash) { return found }
        guard best > 0 else { return nil }
        return wildcards.find(UnsafeBufferPointer(rebasing: name[best..<count]), hash: bestHash)
    }

    /// The longest run of entries that a probe may pass, for tests.
    var longestProbe: Int { max(exact.longestProbe, wildcards.longestProbe) }
    /// Which parts are the same ones in another table, for tests.
    func sharedShards(with other: HostNames) -> Int {
        exact.sharedShards(with: other.exact) + wildcards.sharedShards(with: other.wildcards)
    }
}
