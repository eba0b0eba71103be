/// One tunnel that the agent is asked to hold open.
public struct TunnelSpec: Hashable, Sendable {
    public enum Kind: Hashable, Sendable {
        /// Found by tunnel groups of edges: at least one label.
        case labelled([String: String])
        /// An endpoint of the tunnel's own. Without an address the server chooses one.
        case endpoint(Proto, EndpointAddress?)
    }

    public enum Proto: String, Hashable, Sendable, CaseIterable {
        case https, http, tls, tcp

        public var isHTTP: Bool { self == .https || self == .http }
    }

    /// What the upstream of a tunnel speaks; `nil` in a spec leaves it to the server, which means HTTP/1.1.
    public enum ForwardsProto: String, Hashable, Sendable, CaseIterable {
        case http1, http2
    }

    /// What is written in front of each connection to the upstream (haproxy.org, "The PROXY protocol").
    public enum ProxyProtocol: Int, Hashable, Sendable, CaseIterable {
        case none = 0
        case version1 = 1
        case version2 = 2
    }

    /// Where the visitor's TLS ends, for TLS endpoints and for labelled tunnels of TLS edges.
    public enum Termination: Hashable, Sendable {
        /// At the upstream: the agent passes on what it gets.
        case upstream
        /// Here: neither server nor network sees the plain text.
        case agent(CertificateFiles)
        /// At the server, with the certificate of its domain. TLS endpoints only.
        case edge
    }

    /// How the agent knows the upstream in TLS that it begins itself. Off unless set: upstreams stand in private
    /// networks, mostly with certificates that nobody signed.
    public struct Verification: Hashable, Sendable {
        /// `nil`: any certificate will do.
        public var trust: Trust?
        /// The name to ask for and to check, instead of the upstream's host.
        public var serverName: String?

        public init(trust: Trust? = nil, serverName: String? = nil) {
            self.trust = trust
            self.serverName = serverName
        }
    }

    /// Unique among the agent's tunnels; what screens and logs call it.
    public var name: String
    public var kind: Kind
    public var upstream: UpstreamAddress
    public var verification = Verification()
    public var proxyProtocol = ProxyProtocol.none
    public var termination = Termination.upstream
    /// Free text that operators see; at most `AgentSettings.maximumMetadata` bytes.
    public var metadata = ""
    /// Whether other tunnels may serve the same endpoint beside this one.
    public var pooling = false
    public var forwardsProto: ForwardsProto?
    public var modules = EndpointModules()

    public init(name: String, kind: Kind, upstream: UpstreamAddress) {
        self.name = name
        self.kind = kind
        self.upstream = upstream
    }

    /// As the settings file calls it.
    public var kindName: String {
        switch kind {
        case .labelled: "labelled"
        case .endpoint(let proto, _): proto.rawValue
        }
    }
}

/// The public name of an endpoint: a domain, or for TCP a host with a port.
public struct EndpointAddress: Hashable, Sendable, CustomStringConvertible {
    /// In lower case. A leading `*.` takes every name below.
    public let host: String
    /// For TCP only.
    public let port: UInt16?

    /// Reads `x.example`, `https://x.example`, `1.tcp.example:12345` or `tcp://1.tcp.example:12345`.
    /// - Throws: `AgentFault` when it does not fit the endpoint's kind.
    public init(_ text: String, for proto: TunnelSpec.Proto) throws(AgentFault) {
        var rest = text
        if let mark = text.firstRange(of: "://") {
            let scheme = text[..<mark.lowerBound].lowercased()
            guard scheme == proto.rawValue else {
                throw AgentFault(
                    "\(shown(text)) is no address of an endpoint of the kind \(proto.rawValue)", key: "url")
            }
            rest = String(text[mark.upperBound...])
            if rest.hasSuffix("/") { rest.removeLast() }
        }
        guard !rest.contains(where: { "/?#@".contains($0) }) else {
            throw AgentFault("\(shown(text)): an endpoint has a host, and no path", key: "url")
        }
        let isWildcard = rest.hasPrefix("*.")
        let parts: HostPort
        do throws(AgentFault) {
            parts = try HostPort(isWildcard ? String(rest.dropFirst(2)) : rest)
        } catch {
            throw AgentFault(error.message, key: "url")
        }
        host = (isWildcard ? "*." : "") + parts.host
        port = try EndpointAddress.port(parts.port, proto, text: text)
        guard !isWildcard || proto != .tcp else { throw AgentFault("a TCP address has no wildcard", key: "url") }
    }

    private static func port(
        _ port: UInt16?, _ proto: TunnelSpec.Proto, text: String
    ) throws(AgentFault) -> UInt16? {
        switch proto {
        case .tcp:
            guard let port else { throw AgentFault("\(shown(text)): a TCP address has a port", key: "url") }
            return port
        case .https, .tls, .http:
            let usual: UInt16 = proto == .http ? 80 : 443
            guard port == nil || port == usual else {
                throw AgentFault("\(shown(text)): endpoints of this kind are found by name, not by port", key: "url")
            }
            return nil
        }
    }

    public var description: String { port.map { "\(HostPort.written(host)):\($0)" } ?? host }
}
