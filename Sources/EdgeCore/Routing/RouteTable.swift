/// The routes of an HTTPS edge by path: the exact path, else the longest prefix.
///
/// Prefixes are plain bytes: `/api` also takes `/apiary`. Immutable. A lookup hashes the path once and notes the hash
/// at every length that a prefix has; then it probes from the longest length down. Its cost grows with the number of
/// *different lengths* (few), not with the number of routes, and it allocates nothing for paths in normal form.
public struct RouteTable: Sendable {
    private let routes: [CompiledRoute]
    private let exact: NameIndex
    private let prefixes: NameIndex
    /// Lengths of prefixes, ascending, each once.
    private let lengths: ContiguousArray<Int32>
    private let longestExact: Int

    public static let empty = RouteTable([])

    /// - Parameter routes: in any order; of equal matches the first counts.
    public init(_ routes: [(matchType: RouteConfiguration.MatchType, match: String, route: CompiledRoute)]) {
        let entries = routes.map { entry in
            let isPrefix = entry.matchType == .pathPrefix
            let bytes = PathNormalization.normalised(entry.match, keepsLast: isPrefix)
            return (isPrefix: isPrefix, bytes: bytes, route: entry.route)
        }
        let sorted = entries.sorted { one, other in
            if one.isPrefix != other.isPrefix { return other.isPrefix }
            if one.bytes.count != other.bytes.count { return one.bytes.count > other.bytes.count }
            return one.bytes.lexicographicallyPrecedes(other.bytes)
        }
        self.routes = sorted.map(\.route)
        let named = sorted.enumerated().map { number, entry in
            (bytes: entry.bytes, hash: ByteHash.forward(entry.bytes), number: Int32(number))
        }
        exact = NameIndex(zip(sorted, named).filter { !$0.0.isPrefix }.map(\.1))
        prefixes = NameIndex(zip(sorted, named).filter { $0.0.isPrefix }.map(\.1))
        lengths = ContiguousArray(Set(sorted.filter(\.isPrefix).map { Int32($0.bytes.count) }).sorted())
        longestExact = sorted.filter { !$0.isPrefix }.map(\.bytes.count).max() ?? -1
    }

    /// Every route in the order in which they are tried: exact paths, then prefixes, the longest first.
    public var all: [CompiledRoute] { routes }

    /// - Parameter path: as sent, percent-encoded, without the query.
    public func lookup(_ path: UnsafeBufferPointer<UInt8>) -> CompiledRoute? {
        guard path.count > 0, path[0] == UInt8(ascii: "/"), !routes.isEmpty else { return nil }
        let number: Int32?
        if RouteTable.isNormal(path) {
            number = find(path)
        } else {
            number = withUnsafeTemporaryAllocation(of: UInt8.self, capacity: path.count) { buffer in
                let count = PathNormalization.write(path, to: buffer)
                return find(UnsafeBufferPointer(rebasing: UnsafeBufferPointer(buffer)[0..<count]))
            }
        }
        return number.map { routes[Int($0)] }
    }

    public func lookup(_ path: String) -> CompiledRoute? {
        var path = path
        return path.withUTF8 { lookup($0) }
    }

    private static func isNormal(_ path: UnsafeBufferPointer<UInt8>) -> Bool {
        var previous: UInt8 = 0
        for byte in path {
            if PathNormalization.isSuspicious(byte, after: previous) { return false }
            previous = byte
        }
        return true
    }

    private func find(_ path: UnsafeBufferPointer<UInt8>) -> Int32? {
        // 128 words lie on the stack; only an edge with more different lengths than that pays for more.
        withUnsafeTemporaryAllocation(of: UInt64.self, capacity: max(lengths.count, 1)) { hashes in
            lengths.withUnsafeBufferPointer { lengths in
                let (noted, whole) = hash(path, lengths, hashes)
                if path.count <= longestExact, let found = exact.find(path, hash: whole) { return found }
                var index = noted
                while index > 0 {
                    index -= 1
                    let prefix = UnsafeBufferPointer(rebasing: path[0..<Int(lengths[index])])
                    if let found = prefixes.find(prefix, hash: hashes[index]) { return found }
                }
                return nil
            }
        }
    }

    /// Hashes the path as far as something may match, and notes the hash at each length in `lengths`.
    /// - Returns: how many were noted, and the hash at the end.
    @inline(__always)
    private func hash(
        _ path: UnsafeBufferPointer<UInt8>, _ lengths: UnsafeBufferPointer<Int32>,
        _ hashes: UnsafeMutableBufferPointer<UInt64>
    ) -> (noted: Int, whole: UInt64) {
        var hash = ByteHash.start
        var noted = 0
        var position = 0
        while noted < lengths.count, Int(lengths[noted]) <= path.count {
            let stop = Int(lengths[noted])
            while position < stop {
                hash = ByteHash.step(hash, path[position])
                position += 1
            }
            hashes[noted] = hash
            noted += 1
        }
        if path.count <= longestExact {
            while position < path.count {
                hash = ByteHash.step(hash, path[position])
                position += 1
            }
        }
        return (noted, hash)
    }

    /// Different prefix lengths, and the longest run of entries that one probe may pass: the cost, for tests.
    var cost: (lengths: Int, longestProbe: Int) {
        (lengths.count, max(exact.longestProbe, prefixes.longestProbe))
    }
}
