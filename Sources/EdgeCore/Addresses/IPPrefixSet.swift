/// A set of networks that is asked whether an address lies in one of them.
///
/// A path-compressed binary trie (as in PATRICIA): a node stands for the bits that all networks below it share, so a
/// lookup visits at most one node per *differing* bit, never one per network. Nodes lie in one array and refer to
/// each other by place.
///
///     10.0.0.0/8 ──0── 10.1.0.0/16
///         └────────1── (10.128.0.0/9, a fork) ──0── 10.160.0.0/16
///                                              └─1── 10.200.0.0/16
public struct IPPrefixSet: Sendable {
    private struct Node: Sendable {
        var bits: IPAddress
        var length: Int
        /// Whether this is a network of the set, and not only a fork.
        var isMember: Bool
        var zero: Int32 = -1
        var one: Int32 = -1
    }

    private var nodes: ContiguousArray<Node> = []
    private var root: Int32 = -1

    public init() {}

    public init(_ networks: some Sequence<IPNetwork>) {
        for network in networks { insert(network) }
    }

    public var isEmpty: Bool { nodes.isEmpty }

    /// Whether a network of the set contains the address. IPv4 addresses lie in IPv4 networks only.
    public func contains(_ address: IPAddress) -> Bool { longestMatch(address) != nil }

    /// The length of the longest network that contains the address, in the 128-bit space; `nil` if none does.
    public func longestMatch(_ address: IPAddress) -> Int? { walk(address).length }

    /// How many nodes a lookup visits: the cost, for tests.
    func visits(_ address: IPAddress) -> Int { walk(address).visits }

    private func walk(_ address: IPAddress) -> (length: Int?, visits: Int) {
        // `::/0` and its like contain the mapped IPv4 range in bits, but not in meaning.
        let shortest = address.isV4 ? 96 : 0
        return nodes.withUnsafeBufferPointer { nodes in
            var best: Int?
            var visits = 0
            var index = root
            while index >= 0 {
                let node = nodes[Int(index)]
                visits += 1
                guard node.bits.commonPrefix(with: address) >= node.length else { break }
                if node.isMember, node.length >= shortest { best = node.length }
                guard node.length < 128 else { break }
                index = address.bit(node.length) ? node.one : node.zero
            }
            return (best, visits)
        }
    }

    public mutating func insert(_ network: IPNetwork) {
        let leaf = Node(bits: network.address, length: network.prefixLength, isMember: true)
        var parent: (index: Int32, one: Bool)?
        var index = root
        while index >= 0 {
            let node = nodes[Int(index)]
            let common = min(node.bits.commonPrefix(with: leaf.bits), node.length, leaf.length)
            if common < node.length {
                link(fork(above: index, at: common, with: leaf), below: parent)
                return
            }
            if leaf.length == node.length {
                nodes[Int(index)].isMember = true
                return
            }
            let one = leaf.bits.bit(node.length)
            parent = (index, one)
            index = one ? node.one : node.zero
        }
        link(append(leaf), below: parent)
    }

    /// Makes the node where `leaf` and the node at `index` part; that node may be `leaf` itself.
    private mutating func fork(above index: Int32, at length: Int, with leaf: Node) -> Int32 {
        var fork = leaf
        if leaf.length > length {
            fork = Node(bits: leaf.bits.masked(to: length), length: length, isMember: false)
            let place = append(leaf)
            if leaf.bits.bit(length) { fork.one = place } else { fork.zero = place }
        }
        if nodes[Int(index)].bits.bit(length) { fork.one = index } else { fork.zero = index }
        return append(fork)
    }

    private mutating func append(_ node: Node) -> Int32 {
        nodes.append(node)
        return Int32(nodes.count - 1)
    }

    private mutating func link(_ index: Int32, below parent: (index: Int32, one: Bool)?) {
        guard let parent else {
            root = index
            return
        }
        if parent.one {
            nodes[Int(parent.index)].one = index
        } else {
            nodes[Int(parent.index)].zero = index
        }
    }
}
