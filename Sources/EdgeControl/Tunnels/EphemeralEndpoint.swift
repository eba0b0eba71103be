import EdgeCore
import EdgeTunnel
import Shared

/// An endpoint that an agent has bound: an edge that is there for as long as its tunnels are, and is stored nowhere.
struct EphemeralEndpoint: Sendable {
    /// A label of its tunnels. Agents cannot give it themselves: their labels hold no `=`.
    static let label = "=endpoint"

    /// `ep_…`: the edge, its route and its backend are found under it.
    let id: String
    let url: EndpointURL
    /// The reserved domain or address that it uses; `nil` for a port that nobody has reserved.
    let reservation: String?
    let edge: EdgeConfiguration
    let backend: BackendConfiguration
    /// The agent's own restriction by address.
    var rules: [IPPolicyRule] = []
    /// The agent's own certificate.
    var certificate: CertificateMaterial?

    /// Where it listens: plain HTTP is served where HTTPS is.
    var hostport: String { edge.hostports[0] }

    /// Puts it into a configuration.
    func apply(to configuration: inout Configuration) {
        configuration.edges[edge.id] = edge
        configuration.backends[backend.id] = backend
        if !rules.isEmpty { configuration.policies[IPPolicyID(id)] = rules }
        if let certificate { configuration.certificates[certificate.id] = certificate }
    }

    func remove(from configuration: inout Configuration) {
        configuration.edges[edge.id] = nil
        configuration.backends[backend.id] = nil
        configuration.policies[IPPolicyID(id)] = nil
        if let certificate { configuration.certificates[certificate.id] = nil }
    }
}

/// Turns what an agent asks for into an endpoint.
struct EndpointRequest: Sendable {
    let request: BindRequest
    let catalogue: Catalogue
    let state: ConfigurationState
    /// The domain below which agents get names; `nil` when they have to name one that is reserved.
    let domain: String?

    /// - Parameters:
    ///   - isTaken: whether a host and port is another agent's.
    ///   - chance: for names and ports that the agent leaves to the server.
    func endpoint(
        id: (String) -> String, isTaken: (String) -> Bool, chance: () -> UInt64
    ) throws(Refusal) -> EphemeralEndpoint {
        guard let scheme = EndpointURL.Scheme(rawValue: request.proto) else {
            throw Refusal(nil, "The protocol '\(request.proto.prefix(32))' is none of http, https, tls and tcp.")
        }
        let url = try scheme == .tcp ? address(isTaken, chance) : name(scheme, chance)
        let reservation = EndpointConflict.reservation(of: url, in: state)
        if reservation == nil, scheme != .tcp {
            throw Refusal(
                319, "The domain \(url.host) must be reserved before an agent can bind it.")
        }
        let identifier = id(url.text)
        let own = EphemeralModules(request, kind: scheme.edgeKind, catalogue)
        let modules = try own.modules(policy: identifier)
        let hostport = scheme.edgeKind == .https ? "\(url.host):443" : url.hostport
        let backend = BackendID(identifier)
        var edge = EdgeConfiguration(
            id: EdgeID(identifier), kind: scheme.edgeKind, hostports: [hostport],
            modules: scheme.edgeKind == .https ? own.edgeModules(modules) : modules,
            backend: BackendReference(id: backend))
        edge.isEphemeral = true
        edge.servesCleartext = scheme == .http
        let certificate = try own.certificate(identifier)
        edge.certificate = certificate?.id
        if scheme.edgeKind == .https {
            edge.routes = [
                RouteConfiguration(
                    id: RouteID(identifier), matchType: .pathPrefix, match: "/", modules: own.routeModules(modules),
                    backend: BackendReference(id: backend))
            ]
        }
        return EphemeralEndpoint(
            id: identifier, url: url, reservation: reservation, edge: edge,
            backend: BackendConfiguration(
                id: backend, kind: TunnelGroupBackend.kind,
                settings: ["labels": [EphemeralEndpoint.label: .string(identifier)]], isEphemeral: true),
            rules: try own.rules(), certificate: certificate)
    }

    // MARK: Where

    private func name(_ scheme: EndpointURL.Scheme, _ chance: () -> UInt64) throws(Refusal) -> EndpointURL {
        switch request.wanted {
        case .url(let text): return try parse(text.contains("://") ? text : "\(scheme.rawValue)://\(text)", scheme)
        case .hostname(let host), .address(let host): return try parse("\(scheme.rawValue)://\(host)", scheme)
        case .subdomain(let label): return try parse("\(scheme.rawValue)://\(label).\(try ownDomain())", scheme)
        case .anywhere:
            let label = String(chance(), radix: 36)
            return try parse("\(scheme.rawValue)://\(label).\(try ownDomain())", scheme)
        }
    }

    private func ownDomain() throws(Refusal) -> String {
        guard let domain else {
            throw Refusal(
                319, "This server gives out no names: ask for a domain that is reserved, or have agents.domain set.")
        }
        return domain
    }

    private func parse(_ text: String, _ scheme: EndpointURL.Scheme) throws(Refusal) -> EndpointURL {
        let url: EndpointURL
        do throws(Fault) { url = try EndpointURL(text) } catch { throw Refusal(error) }
        guard url.scheme == scheme else {
            throw Refusal(nil, "The URL \(url.text) is not of the protocol \(scheme.rawValue).")
        }
        return url
    }

    private func address(_ isTaken: (String) -> Bool, _ chance: () -> UInt64) throws(Refusal) -> EndpointURL {
        switch request.wanted {
        case .url(let text): return try reserved(text.contains("://") ? text : "tcp://\(text)")
        case .address(let text), .hostname(let text): return try reserved("tcp://\(text)")
        case .subdomain, .anywhere: break
        }
        guard let ports = catalogue.tcpPorts else {
            throw Refusal(nil, "This server offers no TCP addresses.")
        }
        let start = Int(chance() % UInt64(ports.count))
        for step in 0..<ports.count {
            let port = ports.lowerBound + UInt16((start + step) % ports.count)
            let hostport = "\(catalogue.publicName):\(port)"
            guard state.owner(of: "addr/\(hostport)") == nil, !isTaken(hostport) else { continue }
            return try parse("tcp://\(hostport)", .tcp)
        }
        throw Refusal(nil, "Every TCP address of this server is in use.")
    }

    private func reserved(_ text: String) throws(Refusal) -> EndpointURL {
        let url = try parse(text, .tcp)
        if state.owner(of: "addr/\(url.hostport)") != nil { return url }
        // An address that was left to the server is asked for by name when the agent comes back.
        guard let ports = catalogue.tcpPorts, ports.contains(url.port), url.host == catalogue.publicName,
            !request.id.isEmpty
        else { throw Refusal(324, "The TCP address \(url.hostport) must be reserved before an agent can bind it.") }
        return url
    }
}

extension Refusal {
    /// A fault of the configuration, as an agent is told it.
    init(_ fault: Fault) {
        self.init(fault.code.flatMap { Int($0.split(separator: "_").last ?? "") }, fault.message)
    }
}
