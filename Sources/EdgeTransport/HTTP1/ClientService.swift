import EdgeCore

/// What a listener's HTTP connections are for.
enum ClientService {
    /// HTTPS edges.
    case edges(isSecure: Bool)
    /// What is not to be served without TLS is answered with a redirect to HTTPS at this port.
    case redirect(port: UInt16)
    /// A program answers: the admin API.
    case handler(RequestHandler, peer: PeerIdentity?, isSecure: Bool = false)

    /// Whether requests come over TLS.
    var isSecure: Bool {
        switch self {
        case .edges(let isSecure), .handler(_, _, let isSecure): isSecure
        case .redirect: false
        }
    }
    /// Who is at the other end, where the kernel says so.
    var peer: PeerIdentity? { if case .handler(_, let peer, _) = self { peer } else { nil } }
}

extension LoopService {
    /// The exchange that will answer a request on a connection of this kind.
    func exchange(for kind: ClientService) -> Exchange {
        switch kind {
        case .edges: exchange()
        case .redirect(let port): exchange(redirectingTo: port)
        case .handler(let handler, _, _): HandlerExchange(loop: loop, handler: handler)
        }
    }
}
