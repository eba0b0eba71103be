import EdgeCore

/// A fact about an exchange that a header value may name.
struct HeaderVariable: Sendable {
    private let read: @Sendable (ExchangeView) -> String

    /// - Parameter name: without the leading dot.
    init(_ name: some StringProtocol) {
        let name = String(name)
        if let read = HeaderVariable.known[name] {
            self.read = read
        } else {
            // What another module publishes, under its own name; empty when none does.
            read = { exchange in
                for variable in exchange.variables
                where variable.name.withUTF8Buffer({ $0.elementsEqual(name.utf8) }) {
                    return variable.value
                }
                return ""
            }
        }
    }

    func value(_ exchange: ExchangeView) -> String { read(exchange) }

    private typealias Reader = @Sendable (ExchangeView) -> String

    private static let known: [String: Reader] = connection.merging(request) { first, _ in first }
        .merging(response) { first, _ in first }

    private static let connection: [String: Reader] = {
        let clientAddress: Reader = { $0.connection?.clientAddress.description ?? "" }
        let serverAddress: Reader = { $0.connection?.serverAddress.description ?? "" }
        let serverPort: Reader = { $0.connection.map { "\($0.serverPort)" } ?? "" }
        let serverName: Reader = { $0.connection?.serverName ?? "" }
        let version: Reader = { $0.connection?.tlsVersion ?? "" }
        let cipher: Reader = { $0.connection?.tlsCipher ?? "" }
        return [
            "conn.client_ip": clientAddress,
            "ngrok.client_ip": clientAddress,
            "conn.client_port": { $0.connection.map { "\($0.clientPort)" } ?? "" },
            "conn.server_ip": serverAddress,
            "conn.server_port": serverPort,
            "conn.server_name": serverName,
            "conn.tls.sni": serverName,
            "tls.version": version,
            "conn.tls.version": version,
            "tls.cipher_suite": cipher,
            "conn.tls.cipher_suite": cipher,
            "endpoint.host": host,
            "endpoint.port": serverPort,
            "endpoint.protocol": scheme,
            "endpoint.url": { scheme($0) + "://" + host($0) },
        ]
    }()

    private static let request: [String: Reader] = {
        let method: Reader = { $0.request.text($0.request.method) }
        let path: Reader = { $0.request.text($0.request.path) }
        let query: Reader = { parts($0).query }
        let whole: Reader = { scheme($0) + "://" + authority($0) + $0.request.text($0.request.target) }
        let agent: Reader = { field(.userAgent, of: $0.request) }
        return [
            "http.request.method": method,
            "req.method": method,
            "http.request.url.host": host,
            "req.host": host,
            "req.url.host": host,
            "req.url.authority": authority,
            "req.url.port": { $0.connection.map { "\($0.serverPort)" } ?? "" },
            "http.request.url.path": path,
            "req.url.path": path,
            "req.url.raw_path": path,
            "http.request.url.query": query,
            "req.url.query": query,
            "http.request.url.raw": whole,
            "req.url": whole,
            "req.url.raw": whole,
            "req.url.uri": { $0.request.text($0.request.target) },
            "http.request.url.scheme": scheme,
            "req.url.scheme": scheme,
            "http.request.user_agent": agent,
            "req.user_agent": agent,
            "http.request.version": { "\($0.version)" },
            "req.version": { "\($0.version)" },
            "req.content_length": { field(.contentLength, of: $0.request) },
            "req.content_type": { field(.contentType, of: $0.request) },
        ]
    }()

    private static let response: [String: Reader] = {
        let status: Reader = { $0.response.status == 0 ? "" : "\($0.response.status)" }
        return [
            "backend.id": { $0.backendID },
            "http.response.status_code": status,
            "res.status_code": status,
            "res.content_length": { field(.contentLength, of: $0.response) },
            "res.content_type": { field(.contentType, of: $0.response) },
            "res.location": { exchange in
                exchange.response.value(named: "location").map { exchange.response.text($0) } ?? ""
            },
        ]
    }()

    @Sendable private static func host(_ exchange: ExchangeView) -> String {
        exchange.request.text(exchange.request.host)
    }

    @Sendable private static func authority(_ exchange: ExchangeView) -> String {
        let sent = field(.host, of: exchange.request)
        return sent.isEmpty ? host(exchange) : sent
    }

    @Sendable private static func scheme(_ exchange: ExchangeView) -> String { exchange.isSecure ? "https" : "http" }

    private static func field(_ id: FieldName, of head: MessageHead) -> String {
        head.value(id).map { head.text($0) } ?? ""
    }

    private static func parts(_ exchange: ExchangeView) -> (path: String, query: String) {
        let target = exchange.request.text(exchange.request.target)
        guard let mark = target.firstIndex(of: "?") else { return (target, "") }
        return (String(target[..<mark]), String(target[target.index(after: mark)...]))
    }
}
