/// The service that a tunnel's connections are carried to.
public struct UpstreamAddress: Hashable, Sendable, CustomStringConvertible {
    public enum Scheme: String, Hashable, Sendable, CaseIterable {
        case http, https, tcp, tls

        /// Whether the agent begins TLS with the upstream, unless the visitor's own TLS is passed through.
        public var usesTLS: Bool { self == .https || self == .tls }

        /// `nil` where a port has to be given.
        var defaultPort: UInt16? {
            switch self {
            case .http: 80
            case .https: 443
            case .tcp, .tls: nil
            }
        }
    }

    public enum Place: Hashable, Sendable {
        /// The host without brackets.
        case network(host: String, port: UInt16)
        /// A Unix socket's path.
        case unix(path: String)
    }

    public var scheme: Scheme
    public var place: Place

    /// What `sun_path` holds besides its terminating zero: unix(7).
    static let maximumPath = 107

    /// Reads `80`, `localhost:80`, `[::1]:80`, `http://host:port`, `https://…`, `tcp://…`, `tls://…` or `unix:/path`.
    /// - Parameter scheme: what an address without one means.
    /// - Throws: `AgentFault` that says what is wrong.
    public init(_ text: String, default scheme: Scheme = .http) throws(AgentFault) {
        guard !text.isEmpty else { throw AgentFault("the upstream's address is missing") }
        if text.hasPrefix("unix:") {
            self.scheme = scheme
            place = .unix(path: try UpstreamAddress.path(String(text.dropFirst(5))))
            return
        }
        guard let mark = text.firstRange(of: "://") else {
            self.scheme = scheme
            place = try UpstreamAddress.network(text, scheme)
            return
        }
        let name = text[..<mark.lowerBound].lowercased()
        guard let written = Scheme(rawValue: name) else { throw UpstreamAddress.unknown(name) }
        self.scheme = written
        place = try UpstreamAddress.network(UpstreamAddress.authority(text, after: mark.upperBound), written)
    }

    private static func unknown(_ scheme: String) -> AgentFault {
        guard scheme != "file" else {
            return AgentFault("file:// is not served: run a web server on the folder, and tunnel to that")
        }
        return AgentFault("\(shown(scheme))://: an upstream begins with http://, https://, tcp://, tls:// or unix:")
    }

    private static func authority(_ text: String, after start: String.Index) throws(AgentFault) -> String {
        let rest = text[start...]
        let end = rest.firstIndex { "/?#".contains($0) } ?? rest.endIndex
        guard rest[end...].isEmpty || rest[end...] == "/" else {
            throw AgentFault("\(shown(text)): an upstream has no path: what visitors ask for is passed on as it is")
        }
        guard !rest[..<end].contains("@") else {
            throw AgentFault("an upstream's address has no user name and no password")
        }
        return String(rest[..<end])
    }

    private static func network(_ text: String, _ scheme: Scheme) throws(AgentFault) -> Place {
        guard !text.contains("/") else { throw AgentFault("\(shown(text)): an upstream has no path") }
        if !text.isEmpty, text.utf8.allSatisfy({ (0x30...0x39).contains($0) }) {
            return .network(host: "localhost", port: try HostPort.port(text))
        }
        let parts = try HostPort(text)
        guard let port = parts.port ?? scheme.defaultPort else {
            throw AgentFault("\(shown(text)): \(scheme.rawValue) needs a port, like \(scheme.rawValue)://\(text):5000")
        }
        return .network(host: parts.host, port: port)
    }

    private static func path(_ text: String) throws(AgentFault) -> String {
        let path = text.hasPrefix("///") ? String(text.dropFirst(2)) : text
        guard path.hasPrefix("/"), !path.hasPrefix("//"), path.utf8.count > 1 else {
            throw AgentFault("\(shown("unix:" + text)): a socket is named by its whole path, like unix:/run/app.sock")
        }
        guard path.utf8.count <= maximumPath, !path.utf8.contains(0) else {
            throw AgentFault("the socket's path is longer than \(maximumPath) bytes")
        }
        return path
    }

    /// What the server shows as the tunnel's destination.
    public var description: String {
        switch place {
        case .network(let host, let port): "\(scheme.rawValue)://\(HostPort.written(host)):\(port)"
        case .unix(let path): "unix:\(path)"
        }
    }
}
