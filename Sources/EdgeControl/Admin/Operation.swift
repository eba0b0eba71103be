public import EdgeCore
public import Shared

/// Who calls an operation: the peer of the Unix socket as the kernel tells it, or the API key of a request over TLS.
public struct Principal: Sendable, Hashable {
    /// As the audit trail shows it, e.g. `uid:0 (root)` or `key:ak_… (deploy)`.
    public let name: String
    public let role: Role
    /// What tells callers apart, whatever they are called: `uid:0`, or the API key's identifier.
    public let identity: String
    /// The `usr_` identifier of who answers for what it does; empty where the server knows none.
    public let ownerID: String
    /// The API key's identifier.
    public let key: String?

    public init(name: String, role: Role, uid: UInt32, ownerID: String = "") {
        self.name = name
        self.role = role
        self.ownerID = ownerID
        identity = "uid:\(uid)"
        key = nil
    }

    init(name: String, role: Role, key: String, ownerID: String) {
        self.name = name
        self.role = role
        self.ownerID = ownerID
        self.key = key
        identity = key
    }

    /// How it came: `AuditRecord.origin`.
    var origin: String { key == nil ? "socket" : "api" }
}

/// One request to one operation, after everything that all operations have in common was checked.
public struct OperationCall: Sendable {
    public let request: HandlerRequest
    /// The values of the pattern's `{names}`, percent-decoded.
    public let parameters: [String: String]
    /// Every query parameter with its values in order, percent-decoded.
    public let query: [String: [String]]
    /// The parsed body of a `POST`, `PATCH` or `PUT`; `nil` when the request had none.
    public let body: JSON?
    public let principal: Principal
    /// `http://` or `https://` and the request's authority: absolute addresses in answers begin with it.
    public let baseURL: String
    /// The `selvage-command` field, free of control characters and at most 1,000 characters long.
    public let command: String?
    /// The `If-Match` field.
    public let ifMatch: String?

    public init(
        request: HandlerRequest, parameters: [String: String] = [:], query: [String: [String]] = [:],
        body: JSON? = nil, principal: Principal, baseURL: String = "http://selvage", command: String? = nil,
        ifMatch: String? = nil
    ) {
        self.request = request
        self.parameters = parameters
        self.query = query
        self.body = body
        self.principal = principal
        self.baseURL = baseURL
        self.command = command
        self.ifMatch = ifMatch
    }

    /// The value of a `{name}` of the pattern; empty when the pattern has none of that name.
    public func parameter(_ name: String) -> String { parameters[name] ?? "" }

    /// A query parameter that may be given once.
    /// - Throws: 400 ERR_NGROK_232 when it was repeated.
    public func single(_ name: String) throws(Fault) -> String? {
        guard let values = query[name] else { return nil }
        guard values.count == 1 else { throw Fault(232, "The query parameter \(name) was given more than once.") }
        return values[0]
    }
}

/// One operation of the admin API: a method on a pattern of paths, who may call it, and what it does.
///
/// Each resource has one list of these in one file; `AdminAPI` is made of the lists.
public struct Operation: Sendable {
    public typealias Handler = @Sendable (OperationCall) async throws -> HandlerResponse

    public let method: String
    /// For instance `/edges/https/{edge_id}/routes/{id}`.
    public let path: String
    /// The lowest role that may call it.
    public let role: Role
    public let about: OperationDescription
    /// May throw `APIErrorBody` or `Fault`, which are answered as they are; anything else is answered as a bare 500.
    public let handler: Handler

    public init(
        _ method: String, _ path: String, role: Role, _ about: OperationDescription,
        handler: @escaping Handler
    ) {
        self.method = method
        self.path = path
        self.role = role
        self.about = about
        self.handler = handler
    }
}

extension HandlerResponse {
    /// An answer with a JSON body.
    public static func json(
        _ document: JSON, status: Int = 200, fields: [(name: String, value: String)] = []
    ) -> HandlerResponse {
        HandlerResponse(
            status: status, fields: [("content-type", "application/json")] + fields, body: .bytes(document.bytes))
    }

    /// An answer whose body is a value of the wire contract.
    public static func json(encoding value: some Encodable, status: Int = 200) throws -> HandlerResponse {
        HandlerResponse(
            status: status, fields: [("content-type", "application/json")], body: .bytes(try WireJSON.encode(value)))
    }

    /// An answer whose body is a value of the wire contract, with every field that its description names.
    public static func json(encoding value: some Encodable, as answer: Shape) throws -> HandlerResponse {
        .json(Schema.object(answer).completing(try WireJSON.document(of: value)))
    }

    /// 204 with an empty body.
    public static let noContent = HandlerResponse(status: 204)
}

extension APIErrorBody {
    /// A fault as the API answers it.
    public init(_ fault: Fault, details: [String: String] = [:]) {
        self.init(errorCode: fault.code, statusCode: fault.status, message: fault.message, details: details)
    }

    /// 404 for an object that does not exist: the public API gives it no code.
    public static let notFound = APIErrorBody(errorCode: nil, statusCode: 404, message: "Resource not found")
}
