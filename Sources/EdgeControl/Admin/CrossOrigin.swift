import EdgeCore

/// What a browser asks before a page of another site may use the API (the Fetch standard, CORS).
///
/// Every site may: what lets a request in is an API key, which no browser sends by itself. On the Unix socket, where the
/// kernel vouches for whoever asks, none may.
struct CrossOrigin {
    private let origin: String
    /// What a preflight asks for.
    private let method: String?
    private let fields: String?

    /// `nil` for a request that does not come from a page of another site.
    init?(_ request: HandlerRequest) {
        guard request.isSecure, request.peer == nil, let origin = request.field("origin"),
            CrossOrigin.isHarmless(origin)
        else { return nil }
        self.origin = origin
        method = request.method == "OPTIONS" ? request.field("access-control-request-method") : nil
        fields = request.field("access-control-request-headers").flatMap { CrossOrigin.isHarmless($0) ? $0 : nil }
    }

    /// The answer to a preflight; `nil` for any other request, and for paths that nothing serves.
    func preflight(methods: @autoclosure () -> [String]) -> HandlerResponse? {
        guard method != nil else { return nil }
        let methods = methods()
        guard !methods.isEmpty else { return nil }
        var answer = HandlerResponse(status: 204)
        answer.fields = [
            ("access-control-allow-methods", methods.joined(separator: ", ")), ("access-control-max-age", "600"),
        ]
        if let fields { answer.fields.append(("access-control-allow-headers", fields)) }
        return allow(answer)
    }

    func allow(_ response: HandlerResponse) -> HandlerResponse {
        var response = response
        response.fields += [
            ("access-control-allow-origin", origin), ("access-control-allow-credentials", "true"), ("vary", "origin"),
        ]
        return response
    }

    private static func isHarmless(_ text: String) -> Bool {
        (1...1024).contains(text.utf8.count) && text.utf8.allSatisfy { (0x20...0x7E).contains($0) }
    }
}
