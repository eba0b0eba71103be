public import EdgeCore

/// The traffic modules of this program, in running order.
///
/// Requests meet them from first to last, answers from last to first. So the list reads like the layers of an onion:
/// what stands first sees a request first and its answer last.
///
/// - `mutual_tls` belongs to the whole edge, and is decided in the handshake, before there is a request.
/// - `response_headers` is first of a route, so that it is the last to touch an answer, after compression.
/// - `ip_restriction` turns strangers away before anything counts them, and before anything says what is here.
/// - `basic_auth` refuses before anything else looks at a request.
/// - `user_agent_filter` and `webhook_verification` look at one request alone; the logins after them may call others.
/// - `traffic_policy` may ask who has logged in.
/// - `websocket_tcp_converter` refuses what it cannot convert, which says nothing about the upstream.
/// - `circuit_breaker` counts only what would have gone upstream.
/// - `compression` reads what the client accepts before `request_headers` can change it.
/// - `request_headers` is last, so that it has the last word on what goes upstream.
public enum StandardModules {
    public static let registry = ModuleRegistry([
        MutualTLS.self,
        ResponseHeaders.self,
        IPRestriction.self,
        BasicAuth.self,
        UserAgentFilter.self,
        WebhookVerification.self,
        OAuth.self,
        OpenIDConnect.self,
        SAML.self,
        TrafficPolicy.self,
        WebsocketTCPConverter.self,
        CircuitBreaking.self,
        Compression.self,
        RequestHeaders.self,
    ])
}
