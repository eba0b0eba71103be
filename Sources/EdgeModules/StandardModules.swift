public import EdgeCore

/// The traffic modules of this program, in running order.
///
/// Requests meet them from first to last, answers from last to first. So the list reads like the layers of an onion:
/// what stands first sees a request first and its answer last.
///
/// - `response_headers` is first, so that it is the last to touch an answer, after compression.
/// - `ip_restriction` turns strangers away before anything counts them.
/// - `circuit_breaker` counts only what would have gone upstream.
/// - `compression` reads what the client accepts before `request_headers` can change it.
/// - `request_headers` is last, so that it has the last word on what goes upstream.
public enum StandardModules {
    public static let registry = ModuleRegistry([
        ResponseHeaders.self,
        IPRestriction.self,
        CircuitBreaking.self,
        Compression.self,
        RequestHeaders.self,
    ])
}
