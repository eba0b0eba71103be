import EdgeCore
import Shared

/// The address of an endpoint: a scheme, a host and a port, and nothing behind them.
struct EndpointURL: Hashable, Sendable {
    enum Scheme: String, Sendable, CaseIterable {
        case https, http, tls, tcp

        /// The port that is left out; TCP has none.
        var port: UInt16? {
            switch self {
            case .https, .tls: 443
            case .http: 80
            case .tcp: nil
            }
        }

        /// The kind of edge that would serve it.
        var edgeKind: EdgeKind {
            switch self {
            case .https, .http: .https
            case .tls: .tls
            case .tcp: .tcp
            }
        }

        init(_ kind: EdgeKind) {
            self =
                switch kind {
                case .https: .https
                case .tls: .tls
                case .tcp: .tcp
                }
        }
    }

    let scheme: Scheme
    /// Lower case; may begin with `*.`.
    let host: String
    let port: UInt16

    var hostport: String { "\(host):\(port)" }
    /// The default port is left out.
    var text: String { "\(scheme.rawValue)://\(port == scheme.port ? host : hostport)" }

    /// - Throws: the public API's code for the first mistake.
    init(_ written: String, isPublic: Bool = true) throws(Fault) {
        let shown = written.prefix(300)
        guard !written.isEmpty, written.utf8.count <= 1024 else { throw EndpointURL.notAURL(shown) }
        guard let colon = written.firstRange(of: "://"),
            let scheme = Scheme(rawValue: written[..<colon.lowerBound].lowercased())
        else {
            throw EndpointURL.invalid(
                18022, "scheme is invalid or not present. Schemes are https, http, tls and tcp.")
        }
        var rest = written[colon.upperBound...]
        if rest.last == "/" { rest.removeLast() }
        let parts = rest.split(separator: ":", omittingEmptySubsequences: false)
        guard (1...2).contains(parts.count), !parts[0].isEmpty,
            !rest.utf8.contains(where: { $0 <= 0x20 || "/?#@[]\\".utf8.contains($0) })
        else { throw EndpointURL.notAURL(shown) }
        if parts.count == 2 {
            guard parts[1].utf8.allSatisfy({ (0x30...0x39).contains($0) }), let port = UInt16(parts[1]), port > 0 else {
                throw EndpointURL.invalid(18003, "port is invalid or missing and cannot be inferred from scheme")
            }
            self.port = port
        } else {
            guard let port = scheme.port else {
                throw EndpointURL.invalid(18003, "port is invalid or missing and cannot be inferred from scheme")
            }
            self.port = port
        }
        self.scheme = scheme
        host = String(parts[0]).lowercased()
        // The names of TCP addresses are given out by the server and may be anything.
        if scheme != .tcp {
            do throws(Fault) { _ = try DomainName.check(host) } catch {
                throw EndpointURL.invalid(18001, "url is invalid. \(error.message)")
            }
        }
        if isPublic, let only = scheme.port, port != only {
            throw Fault(
                18023, "Invalid port for URL with scheme '\(scheme.rawValue)', allowed ports are \(only).")
        }
    }

    /// The address of one hostport of an edge.
    init?(_ kind: EdgeKind, hostport: String) {
        guard let colon = hostport.lastIndex(of: ":"), let port = UInt16(hostport[hostport.index(after: colon)...])
        else { return nil }
        scheme = Scheme(kind)
        host = String(hostport[..<colon])
        self.port = port
    }

    private static func notAURL(_ shown: Substring) -> Fault {
        Fault(
            249,
            "The endpoint URL provided is not a valid URL: '\(shown)'. Ensure the URL has a proper scheme, domain, "
                + "and if a TCP url, port.")
    }

    private static func invalid(_ code: Int, _ reason: String) -> Fault {
        Fault(code, "The provided cloud endpoint configuration is invalid: \(reason)")
    }
}
