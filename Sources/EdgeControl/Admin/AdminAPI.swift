public import EdgeCore
public import Shared

/// The admin API: finds the operation of a request, checks what all operations have in common, and runs it.
///
/// No request gets past `handle` without a principal: the peer of the Unix socket, for whom the kernel vouches, or the
/// owner of an API key that came over TLS.
public final class AdminAPI: Sendable {
    /// Who a peer is, or `nil` for a stranger.
    public typealias Authorize = @Sendable (PeerIdentity) -> Principal?
    /// Told of errors that the client only sees as a bare 500: the operation's id, and the cause.
    public typealias Report = @Sendable (String, any Error) -> Void
    /// Told of every request that was answered with an error, and by whom it was as far as that is known.
    public typealias Refused = @Sendable (HandlerRequest, Principal?, APIErrorBody) -> Void

    public let operations: [Operation]
    private let table: PathTable<Operation>
    private let authorize: Authorize
    private let keys: KeyAccess?
    private let report: Report
    private let refused: Refused

    /// - Parameter keys: who is let in over TLS; nobody without it.
    public init(
        operations: [Operation], keys: KeyAccess? = nil, report: @escaping Report = { _, _ in },
        refused: @escaping Refused = { _, _, _ in }, authorize: @escaping Authorize
    ) {
        let operations = AdminAPI.describing(operations + [RootOperation.make(of: operations)])
        self.operations = operations
        self.keys = keys
        self.report = report
        self.refused = refused
        self.authorize = authorize
        table = PathTable(operations.map { ($0.method, $0.path, $0) })
    }

    /// Answers one request. Never fails: every error becomes an answer.
    public func handle(_ request: HandlerRequest) async -> HandlerResponse {
        let origin = CrossOrigin(request)
        if let preflight = origin?.preflight(methods: table.methods(path: request.path)) { return preflight }
        let response = await respond(to: request)
        return origin?.allow(response) ?? response
    }

    private func respond(to request: HandlerRequest) async -> HandlerResponse {
        var principal: Principal?
        do {
            let admission = try admit(request)
            defer { withExtendedLifetime(admission) {} }
            principal = admission.principal
            let (operation, call) = try prepare(request, admission.principal)
            return try admission.watch(try await operation.handler(call))
        } catch {
            let body = self.body(of: error)
            refused(request, principal, body)
            return answer(body)
        }
    }

    private func body(of error: any Error) -> APIErrorBody {
        switch error {
        case let error as APIErrorBody: return error
        case let fault as Fault: return APIErrorBody(fault)
        default:
            let id = Identity.make("op", time: .now())
            report(id, error)
            return APIErrorBody(
                errorCode: nil, statusCode: 500, message: "The server could not carry out the request.",
                details: ["operation_id": id])
        }
    }

    private func answer(_ error: APIErrorBody) -> HandlerResponse {
        var error = error
        if error.details["path"] == nil, error.details["operation_id"] == nil {
            error.details["operation_id"] = Identity.make("op", time: .now())
        }
        let operation = error.details["operation_id"] ?? Identity.make("op", time: .now())
        var fields = [("content-type", "application/json"), ("ngrok-operation-id", operation)]
        if let seconds = error.details.removeValue(forKey: AdminAPI.retryAfter) {
            fields.append(("retry-after", seconds))
        }
        let bytes = (try? WireJSON.encode(error)) ?? Array("{}".utf8)
        return HandlerResponse(status: error.statusCode, fields: fields, body: .bytes(bytes))
    }

    /// A detail of an error that becomes the answer's field of the same name, in seconds.
    static let retryAfter = "retry-after"

    private func admit(_ request: HandlerRequest) throws -> Admission {
        guard let peer = request.peer else {
            guard let keys, request.isSecure else {
                throw Fault(200, "The admin API answers on its Unix socket, or over TLS.", status: 403)
            }
            return try keys.admit(request)
        }
        guard let principal = authorize(peer) else {
            throw Fault(200, "The user with uid \(peer.uid) may not use the admin API.", status: 403)
        }
        return Admission(principal)
    }

    private func prepare(
        _ request: HandlerRequest, _ principal: Principal
    ) throws -> (Operation, OperationCall) {
        guard let (operation, parameters) = table.find(method: request.method, path: request.path) else {
            throw APIErrorBody(
                errorCode: nil, statusCode: 404, message: "Not Found",
                details: ["path": String(request.path.prefix(1024))])
        }
        guard principal.role >= operation.role else {
            let message = "\(principal.name) is \(principal.role.rawValue); this needs \(operation.role.rawValue)."
            throw Fault(nil, message, status: 403)
        }
        if !operation.path.hasPrefix("/selvage/") { try checkVersion(request) }
        guard let query = PercentEncoding.parameters(of: request.query) else {
            throw Fault(215, "The query is not valid percent-encoded UTF-8.")
        }
        try check(query, operation)
        let call = OperationCall(
            request: request, parameters: parameters, query: query, body: try body(of: request),
            principal: principal, baseURL: AdminAPI.baseURL(request), command: AdminAPI.command(request),
            ifMatch: request.field("if-match"))
        return (operation, call)
    }

    private func checkVersion(_ request: HandlerRequest) throws(Fault) {
        guard let version = request.field("ngrok-version") else {
            throw Fault(218, "You must specify a version with an API request. Add the header 'ngrok-version: 2'.")
        }
        guard version == "2" else {
            throw Fault(217, "The API version '\(version.prefix(32))' is not supported. Supported versions: 2.")
        }
    }

    private func check(_ query: [String: [String]], _ operation: Operation) throws(Fault) {
        for (name, values) in query.sorted(by: { $0.key < $1.key }) {
            guard let field = operation.about.query.first(where: { $0.name == name }) else {
                throw Fault(231, "The query parameter '\(name.prefix(64))' is not known.")
            }
            if case .list = field.schema { continue }
            guard values.count == 1 else { throw Fault(232, "The query parameter \(name) was given more than once.") }
        }
    }

    private func body(of request: HandlerRequest) throws(Fault) -> JSON? {
        guard ["POST", "PATCH", "PUT"].contains(request.method), !request.body.isEmpty else { return nil }
        guard let type = request.field("content-type"), !type.isEmpty else {
            throw Fault(216, "The request has a body but no content-type. Use 'content-type: application/json'.")
        }
        let essence = type.split(separator: ";", maxSplits: 1)[0].lowercased()
        guard essence.trimmingSpaces == "application/json" else {
            throw Fault(210, "The content-type '\(type.prefix(64))' is not supported. Use 'application/json'.")
        }
        do throws(JSONReader.Mistake) {
            return try JSONReader.read(request.body)
        } catch {
            let reason =
                switch error {
                case .malformed(let offset): "it is not JSON at byte \(offset)"
                case .tooDeep: "it nests more than \(JSONReader.maximumDepth) levels"
                case .repeatedMember(let name): "the member '\(name.prefix(64))' is there twice"
                }
            throw Fault(213, "The application/json request body could not be parsed: \(reason).")
        }
    }

    /// Absolute addresses begin with this. The authority is the client's own word, so only well-formed ones are echoed.
    static func baseURL(_ request: HandlerRequest) -> String {
        let scheme = request.isSecure ? "https://" : "http://"
        guard let host = request.field("host"), isAuthority(host) else { return scheme + "selvage" }
        return scheme + host
    }

    /// Whether it is a host name, an IPv4 address or a bracketed IPv6 address, with a port or without.
    private static func isAuthority(_ text: String) -> Bool {
        guard (1...261).contains(text.utf8.count) else { return false }
        var host = text[...]
        if let colon = text.lastIndex(of: ":"), !text.hasSuffix("]") {
            let port = text[text.index(after: colon)...]
            guard let number = UInt16(port), number > 0, port.utf8.allSatisfy({ (0x30...0x39).contains($0) }) else {
                return false
            }
            host = text[..<colon]
        }
        if host.hasPrefix("["), host.hasSuffix("]") {
            return IPAddress(host.dropFirst().dropLast()).map { !$0.isV4 || host.contains(":") } ?? false
        }
        return !host.isEmpty && host.utf8.count <= 255
            && host.utf8.allSatisfy { byte in
                (0x61...0x7A).contains(byte | 0x20) || (0x30...0x39).contains(byte) || byte == 0x2D || byte == 0x2E
            }
    }

    /// The audit trail's command, without what could drive a terminal, at most 1,000 characters.
    static func command(_ request: HandlerRequest) -> String? {
        request.field("selvage-command").flatMap(sanitise)
    }

    static func sanitise(_ text: String) -> String? {
        let kept = text.prefix(4000).unicodeScalars.filter { scalar in
            switch scalar.properties.generalCategory {
            case .control, .format, .lineSeparator, .paragraphSeparator, .privateUse, .surrogate, .unassigned: false
            default: true
            }
        }
        let result = String(String(String.UnicodeScalarView(kept)).prefix(1000))
        return result.isEmpty ? nil : result
    }
}

extension StringProtocol {
    /// Without spaces and tabs at both ends.
    var trimmingSpaces: String {
        let isSpace = { (character: Character) in character == " " || character == "\t" }
        guard let first = firstIndex(where: { !isSpace($0) }), let last = lastIndex(where: { !isSpace($0) }) else {
            return ""
        }
        return String(self[first...last])
    }
}
