import Glibc

/// Looks whether the places where the server wants to listen are free, before it takes any of them.
///
/// Its own listeners share their ports among loops (`SO_REUSEPORT`), so that without a look another process of the same
/// user could listen on the same port, and each would get half of the connections in silence.
enum PlaceCheck {
    struct Failure: Error, CustomStringConvertible {
        let description: String
    }

    /// - Throws: when somebody listens on one of the listeners' ports.
    static func ports(of listeners: [ServerSettings.Listener]) throws(Failure) {
        for listener in listeners {
            guard case .bind(let addresses, let port) = listener.origin else { continue }
            for address in addresses where isTaken("\(address)", port) {
                let place = "\(address)".contains(":") ? "[\(address)]:\(port)" : "\(address):\(port)"
                throw Failure(description: "bind \(place): \(String(cString: strerror(EADDRINUSE)))")
            }
        }
    }

    /// - Throws: when somebody listens on the agents' port.
    static func agents(_ agents: ServerSettings.Agents?) throws(Failure) {
        for case .bind(let addresses, let port) in agents?.origins ?? [] {
            try places(addresses.map { ServerSettings.Place(address: $0, port: port) })
        }
    }

    /// - Throws: when somebody listens where the admin API is to be served over TLS.
    static func places(_ places: [ServerSettings.Place]) throws(Failure) {
        for place in places where isTaken(place.address, place.port) {
            throw Failure(description: "bind \(place): \(String(cString: strerror(EADDRINUSE)))")
        }
    }

    /// Only a socket that an earlier server left behind may be put another in place of.
    /// - Throws: when anything else is there.
    static func unixSocket(_ path: String) throws(Failure) {
        var facts = stat()
        guard lstat(path, &facts) == 0, facts.st_mode & S_IFMT != S_IFSOCK else { return }
        throw Failure(description: "admin.socket: \(path) exists and is no socket; it is left as it is")
    }

    /// Other errors than this one are told by the listener itself.
    private static func isTaken(_ address: String, _ port: UInt16) -> Bool {
        var four = sockaddr_in()
        four.sin_family = sa_family_t(AF_INET)
        four.sin_port = port.bigEndian
        if inet_pton(AF_INET, address, &four.sin_addr) == 1 { return isTaken(AF_INET, &four) }
        var six = sockaddr_in6()
        six.sin6_family = sa_family_t(AF_INET6)
        six.sin6_port = port.bigEndian
        guard inet_pton(AF_INET6, address, &six.sin6_addr) == 1 else { return false }
        return isTaken(AF_INET6, &six)
    }

    private static func isTaken<Address>(_ family: Int32, _ address: inout Address) -> Bool {
        let descriptor = socket(family, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { return false }
        defer { close(descriptor) }
        var yes: Int32 = 1
        // Connections that are only waiting to be forgotten are in nobody's way.
        setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &yes, socklen_t(MemoryLayout<Int32>.size))
        if family == AF_INET6 {
            setsockopt(descriptor, Int32(IPPROTO_IPV6), IPV6_V6ONLY, &yes, socklen_t(MemoryLayout<Int32>.size))
        }
        let result = withUnsafeBytes(of: &address) { bytes in
            bytes.baseAddress.map {
                bind(descriptor, $0.assumingMemoryBound(to: sockaddr.self), socklen_t(bytes.count))
            } ?? 0
        }
        return result != 0 && errno == EADDRINUSE
    }
}
