public import EdgeCore
import Glibc

/// An address and port, as the kernel takes them.
public struct SocketAddress: Hashable, Sendable, CustomStringConvertible {
    public let address: IPAddress
    public let port: UInt16

    public init(_ address: IPAddress, port: UInt16) {
        self.address = address
        self.port = port
    }

    public var description: String { address.isV4 ? "\(address):\(port)" : "[\(address)]:\(port)" }

    /// Calls `body` with the address in the kernel's form.
    func withSockaddr<R>(_ body: (UnsafePointer<sockaddr>, socklen_t) -> R) -> R {
        if address.isV4 {
            var v4 = sockaddr_in()
            v4.sin_family = sa_family_t(AF_INET)
            v4.sin_port = port.bigEndian
            v4.sin_addr.s_addr = UInt32(truncatingIfNeeded: address.low).bigEndian
            return withUnsafePointer(to: &v4) {
                $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    body($0, socklen_t(MemoryLayout<sockaddr_in>.size))
                }
            }
        }
        var v6 = sockaddr_in6()
        v6.sin6_family = sa_family_t(AF_INET6)
        v6.sin6_port = port.bigEndian
        withUnsafeMutableBytes(of: &v6.sin6_addr) {
            $0.storeBytes(of: address.high.bigEndian, as: UInt64.self)
            $0.storeBytes(of: address.low.bigEndian, toByteOffset: 8, as: UInt64.self)
        }
        return withUnsafePointer(to: &v6) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                body($0, socklen_t(MemoryLayout<sockaddr_in6>.size))
            }
        }
    }

    /// Reads the kernel's form; `nil` for other families.
    init?(_ storage: inout sockaddr_storage) {
        switch Int32(storage.ss_family) {
        case AF_INET:
            self = withUnsafeBytes(of: &storage) {
                let v4 = $0.load(as: sockaddr_in.self)
                return SocketAddress(
                    IPAddress(v4: UInt32(bigEndian: v4.sin_addr.s_addr)), port: UInt16(bigEndian: v4.sin_port))
            }
        case AF_INET6:
            self = withUnsafeBytes(of: &storage) {
                let v6 = $0.load(as: sockaddr_in6.self)
                let (high, low) = withUnsafeBytes(of: v6.sin6_addr) {
                    (
                        UInt64(bigEndian: $0.load(as: UInt64.self)),
                        UInt64(bigEndian: $0.load(fromByteOffset: 8, as: UInt64.self))
                    )
                }
                return SocketAddress(IPAddress(high: high, low: low), port: UInt16(bigEndian: v6.sin6_port))
            }
        default: return nil
        }
    }
}
