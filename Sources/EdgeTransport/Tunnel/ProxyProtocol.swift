import EdgeCore

/// The header that tells an upstream who the visitor is (PROXY protocol 1 and 2, as HAProxy's proxy-protocol.txt has
/// them).
enum ProxyProtocol {
    /// - Returns: nothing for a version that does not exist.
    static func header(version: Int, _ visitor: Visitor) -> [UInt8] {
        switch version {
        case 1: text(visitor.facts)
        case 2: binary(visitor.facts)
        default: []
        }
    }

    private static func text(_ facts: ConnectionFacts) -> [UInt8] {
        let isV4 = facts.clientAddress.isV4 && facts.serverAddress.isV4
        return Array(
            ("PROXY \(isV4 ? "TCP4" : "TCP6") \(facts.clientAddress) \(facts.serverAddress) "
                + "\(facts.clientPort) \(facts.serverPort)\r\n").utf8)
    }

    private static let signature: [UInt8] = [0x0D, 0x0A, 0x0D, 0x0A, 0x00, 0x0D, 0x0A, 0x51, 0x55, 0x49, 0x54, 0x0A]

    private static func binary(_ facts: ConnectionFacts) -> [UInt8] {
        let isV4 = facts.clientAddress.isV4 && facts.serverAddress.isV4
        var addresses: [UInt8] = []
        for address in [facts.clientAddress, facts.serverAddress] {
            if isV4 {
                withUnsafeBytes(of: UInt32(truncatingIfNeeded: address.low).bigEndian) { addresses += $0 }
            } else {
                withUnsafeBytes(of: address.high.bigEndian) { addresses += $0 }
                withUnsafeBytes(of: address.low.bigEndian) { addresses += $0 }
            }
        }
        for port in [facts.clientPort, facts.serverPort] { withUnsafeBytes(of: port.bigEndian) { addresses += $0 } }
        // Version 2 and PROXY, then the family (IPv4 or IPv6) and TCP.
        return signature + [0x21, isV4 ? 0x11 : 0x21, 0, UInt8(addresses.count)] + addresses
    }
}
