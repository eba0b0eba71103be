import Shared

/// A kind of object that can be taken over, in the order in which objects refer to each other.
enum ImportKind: String, CaseIterable {
    case authority = "ca"
    case policy = "ipp"
    case rule = "ipr"
    case domain = "rd"
    case address = "ra"
    case staticBackend = "bkdsc"
    case responseBackend = "bkdhr"
    case groupBackend = "bkdtg"
    case weightedBackend = "bkdwd"
    case failoverBackend = "bkdfo"
    case httpsEdge = "edghts"
    case tlsEdge = "edgtls"
    case tcpEdge = "edgtcp"
    case route = "edghtsrt"

    /// By an identifier's prefix.
    init?(id: String) {
        guard let prefix = id.split(separator: "_").first else { return nil }
        self.init(rawValue: String(prefix))
    }

    /// Backends of backends are made when all that they refer to is there.
    var isComposite: Bool { self == .weightedBackend || self == .failoverBackend }

    var collection: String {
        switch self {
        case .authority: "/certificate_authorities"
        case .policy: "/ip_policies"
        case .rule: "/ip_policy_rules"
        case .domain: "/reserved_domains"
        case .address: "/reserved_addrs"
        case .staticBackend: "/backends/static"
        case .responseBackend: "/backends/http_response"
        case .groupBackend: "/backends/tunnel_group"
        case .weightedBackend: "/backends/weighted"
        case .failoverBackend: "/backends/failover"
        case .httpsEdge: "/edges/https"
        case .tlsEdge: "/edges/tls"
        case .tcpEdge: "/edges/tcp"
        case .route: "/edges/https"
        }
    }

    /// Fields that are taken over as they are; the others are read-only here, or are handled one by one.
    var fields: [String] {
        let own: [String] =
            switch self {
            case .authority: ["ca_pem"]
            case .rule: ["cidr", "action"]
            case .domain: ["domain"]
            case .address: ["region"]
            case .staticBackend: ["address", "tls"]
            case .responseBackend: ["body", "headers", "status_code"]
            case .groupBackend: ["labels"]
            case .route: ["match", "match_type"]
            case .policy, .weightedBackend, .failoverBackend, .httpsEdge, .tlsEdge, .tcpEdge: []
            }
        return ["description", "metadata"] + own
    }

    var modules: [String] {
        switch self {
        case .httpsEdge: ["mutual_tls", "tls_termination"]
        case .tlsEdge: ["backend", "ip_restriction", "mutual_tls", "tls_termination", "traffic_policy"]
        case .tcpEdge: ["backend", "ip_restriction", "traffic_policy"]
        case .route:
            [
                "backend", "ip_restriction", "circuit_breaker", "compression", "request_headers", "response_headers",
                "webhook_verification", "oauth", "saml", "oidc", "websocket_tcp_converter", "user_agent_filter",
                "traffic_policy",
            ]
        default: []
        }
    }
}
