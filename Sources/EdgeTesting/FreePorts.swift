import CLinux
import Foundation
import Glibc
import Synchronization

/// Ports for programs that must be told theirs.
///
/// They are free on 127.0.0.1 and ::1 and stay so until they are used: none is given out twice, and the system, which
/// gives a port to every outgoing connection, has none of these to give.
public enum FreePorts {
    private static let given = Mutex<Set<UInt16>>([])

    public static func one() throws -> UInt16 { try range(1).lowerBound }

    /// - Parameter count: how many, one beside the other.
    public static func range(_ count: UInt16) throws -> ClosedRange<UInt16> {
        let candidates = candidates()
        for _ in 0..<1000 {
            let first = UInt16.random(in: candidates.lowerBound...candidates.upperBound - count)
            let range = first...first + count - 1
            let isNew = given.withLock { given in
                guard given.isDisjoint(with: range) else { return false }
                given.formUnion(range)
                return true
            }
            if isNew, range.allSatisfy(isFree) { return range }
        }
        throw RawSocket.Failure(description: "no port is free")
    }

    /// Below those that the system chooses from: ip(7), `ip_local_port_range`.
    private static func candidates() -> ClosedRange<UInt16> {
        let text = try? String(contentsOfFile: "/proc/sys/net/ipv4/ip_local_port_range", encoding: .utf8)
        let lowest = text?.split(whereSeparator: \.isWhitespace).first.flatMap { UInt16($0) } ?? 32_768
        // Where the system chooses from nearly all of them, there is none that it would not give to another.
        return lowest < 4000 ? 20_000...31_999 : max(2000, lowest - min(lowest, 13_000))...(lowest - 1)
    }

    private static func isFree(_ port: UInt16) -> Bool {
        var four = sockaddr_in()
        four.sin_family = sa_family_t(AF_INET)
        four.sin_port = port.bigEndian
        four.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        var six = sockaddr_in6()
        six.sin6_family = sa_family_t(AF_INET6)
        six.sin6_port = port.bigEndian
        six.sin6_addr = in6addr_loopback
        return canBind(AF_INET, &four) && canBind(AF_INET6, &six)
    }

    private static func canBind<Address>(_ family: Int32, _ address: inout Address) -> Bool {
        // Closed on exec: a program that another test starts now would keep the port.
        let descriptor = socket(family, Int32(SOCK_STREAM.rawValue) | O_CLOEXEC, 0)
        // A machine without IPv6 has nobody on its ports.
        guard descriptor >= 0 else { return errno == EAFNOSUPPORT }
        defer { close(descriptor) }
        let result = withUnsafeBytes(of: &address) { bytes in
            bind(descriptor, bytes.baseAddress!.assumingMemoryBound(to: sockaddr.self), socklen_t(bytes.count))
        }
        return result == 0 || errno == EADDRNOTAVAIL
    }
}
