/// A range of addresses that share their first bits, as written in CIDR notation (RFC 4632, 3.1; RFC 4291, 2.3).
///
/// The prefix is counted in the 128-bit space of `IPAddress`: `10.0.0.0/8` has the length 104. IPv4 and IPv6 stay
/// apart all the same: `::/0` is every IPv6 address and no IPv4 one, so that a rule for one family never opens or
/// closes the other.
public struct IPNetwork: Hashable, Sendable, CustomStringConvertible {
    public let address: IPAddress
    /// 0…128; 96…128 for IPv4.
    public let prefixLength: Int

    /// Parses `address/length`.
    /// - Throws: 1413 without a mask, 1409 when bits behind the mask are set, 1406 for everything else.
    public init(cidr text: String) throws(Fault) {
        guard text.utf8.count <= 64 else { throw Fault(1406, "A CIDR is at most 64 characters long.") }
        let parts = text.split(separator: "/", omittingEmptySubsequences: false)
        guard parts.count == 2 else {
            if parts.count == 1, IPAddress(text) != nil {
                throw Fault(1413, "\"\(text)\" has no mask; write \(text)/\(text.contains(":") ? 128 : 32).")
            }
            throw Fault(1406, "\"\(text)\" is not a CIDR such as 10.0.0.0/8 or 2001:db8::/32.")
        }
        let isV4 = !parts[0].contains(":")
        guard let address = IPAddress(parts[0]), let length = IPNetwork.length(parts[1], maximum: isV4 ? 32 : 128)
        else { throw Fault(1406, "\"\(text)\" is not a CIDR such as 10.0.0.0/8 or 2001:db8::/32.") }
        let network = IPNetwork(address: address, prefixLength: isV4 ? length + 96 : length)
        guard network.address == address else {
            throw Fault(1409, "\"\(text)\" has bits set behind its mask; write \(network).")
        }
        self = network
    }

    /// The network of that length around an address.
    public init(address: IPAddress, prefixLength: Int) {
        self.prefixLength = min(max(prefixLength, 0), 128)
        self.address = address.masked(to: self.prefixLength)
    }

    private static func length(_ text: Substring, maximum: Int) -> Int? {
        guard (1...3).contains(text.utf8.count), text.utf8.allSatisfy({ (0x30...0x39).contains($0) }),
            text.utf8.count == 1 || text.first != "0", let value = Int(text), value <= maximum
        else { return nil }
        return value
    }

    /// Whether this is a network of IPv4 addresses.
    public var isV4: Bool { prefixLength >= 96 && address.isV4 }

    public func contains(_ other: IPAddress) -> Bool {
        isV4 == other.isV4 && other.masked(to: prefixLength) == address
    }

    /// CIDR notation, e.g. `10.0.0.0/8`.
    public var description: String { "\(address)/\(isV4 ? prefixLength - 96 : prefixLength)" }
}

extension IPAddress {
    /// The address with every bit behind the first `length` cleared.
    func masked(to length: Int) -> IPAddress {
        let highMask: UInt64 = length >= 64 ? .max : ~(UInt64.max >> UInt64(length))
        let lowMask: UInt64 = length >= 128 ? .max : length <= 64 ? 0 : ~(UInt64.max >> UInt64(length - 64))
        return IPAddress(high: high & highMask, low: low & lowMask)
    }

    /// How many leading bits are the same in both, 0…128.
    @inline(__always)
    func commonPrefix(with other: IPAddress) -> Int {
        let difference = high ^ other.high
        return difference != 0 ? difference.leadingZeroBitCount : 64 + (low ^ other.low).leadingZeroBitCount
    }

    /// The bit at `index`, counted from the most significant; 0…127.
    @inline(__always)
    func bit(_ index: Int) -> Bool {
        index < 64 ? high >> UInt64(63 - index) & 1 == 1 : low >> UInt64(127 - index) & 1 == 1
    }
}
