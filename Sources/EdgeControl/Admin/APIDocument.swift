import Shared

/// The API's description as OpenAPI 3.0.3, made from the table of operations: what the table has, the document has.
///
/// 3.0 rather than 3.1, because generators of clients read it more completely.
struct APIDocument {
    private var requests = SchemaComponents(.request)
    private var answers = SchemaComponents(.answer)
    private var paths: [String: JSON] = [:]

    /// - Throws: `SchemaComponents.Conflict` when two forms have one name.
    init(_ operations: [Operation]) throws(SchemaComponents.Conflict) {
        for operation in operations {
            if let request = operation.about.request { try requests.add(request) }
            if let answer = operation.about.answer { try answers.add(answer) }
        }
        requests.avoid(answers.names)
        for operation in operations {
            var methods = paths[operation.path] ?? [:]
            methods[operation.method.lowercased()] = describe(operation)
            paths[operation.path] = methods
        }
    }

    /// - Parameter baseURL: how the reader reached the server.
    func document(baseURL: String) -> JSON {
        var schemas = requests.schemas
        schemas.merge(answers.schemas) { _, answer in answer }
        schemas["Error"] = APIDocument.error
        let refusals = Dictionary(
            uniqueKeysWithValues: Refusal.allCases.map { ("Status\($0.rawValue)", $0.response) })
        return [
            "openapi": "3.0.3",
            "info": [
                "title": "Selvage admin API", "version": "2",
                "description": .string(APIDocument.introduction),
            ],
            "servers": [["url": .string(baseURL)]],
            "paths": .object(paths),
            "components": [
                "schemas": .object(schemas), "responses": .object(refusals),
                "securitySchemes": [
                    "key": [
                        "type": "http", "scheme": "bearer",
                        "description": "An API key's token. On the Unix socket none is needed: the peer's user counts.",
                    ]
                ],
            ],
            "security": [["key": []]],
        ]
    }

    private static let introduction =
        "ngrok's API, version 2, with what Selvage adds below /selvage/. An absent body counts as {}; a member that "
        + "is null counts as absent; every answer has every field. x-selvage-role is the lowest role that may call."

    private func describe(_ operation: Operation) -> JSON {
        let about = operation.about
        var responses: [String: JSON] = [String(about.status): success(about)]
        for refusal in Refusal.of(operation) {
            responses[String(refusal.rawValue)] = ["$ref": .string("#/components/responses/Status\(refusal.rawValue)")]
        }
        var description: JSON = [
            "operationId": .string(APIDocument.name(of: operation)), "summary": .string(about.summary),
            "tags": [.string(String(operation.path.split(separator: "/").first ?? "root"))],
            "parameters": .array(parameters(operation)), "responses": .object(responses),
            "x-selvage-role": .string(operation.role.rawValue),
        ]
        if let request = about.request {
            let isNeeded = request.fields.contains(where: \.isRequired)
            // Also the body itself may be null, which counts as absent.
            let schema = requests.schema(isNeeded ? .object(request) : .nullable(.object(request)))
            description["requestBody"] = [
                "required": .bool(isNeeded), "content": ["application/json": ["schema": schema]],
            ]
        }
        // An answer without end: not for programs that wait for one.
        if about.mediaType == .lines { description["x-selvage-stream"] = true }
        return description
    }

    private func success(_ about: OperationDescription) -> JSON {
        guard let answer = about.answer else { return ["description": "Done."] }
        return [
            "description": "Done.",
            "content": .object([about.mediaType.rawValue: ["schema": answers.schema(answer)]]),
        ]
    }

    private func parameters(_ operation: Operation) -> [JSON] {
        var parameters: [JSON] = []
        for name in PathTable<Operation>.names(in: operation.path) {
            parameters.append([
                "name": .string(name), "in": "path", "required": true, "schema": ["type": "string", "minLength": 1],
            ])
        }
        for field in operation.about.query {
            var parameter: JSON = [
                "name": .string(field.name), "in": "query", "required": .bool(field.isRequired),
                "schema": requests.schema(field.schema),
            ]
            if !field.note.isEmpty { parameter["description"] = .string(field.note) }
            parameters.append(parameter)
        }
        if !operation.path.hasPrefix("/selvage/") {
            parameters.append([
                "name": "ngrok-version", "in": "header", "required": true,
                "schema": ["type": "string", "enum": ["2"]],
            ])
        }
        if Refusal.of(operation).contains(.changed) {
            parameters.append([
                "name": "if-match", "in": "header", "required": false, "schema": ["type": "string"],
                "description": "The ETag that the writer saw: another revision is refused with 412.",
            ])
        }
        return parameters
    }

    /// The method and the path's words, e.g. `patchEdgesHttpsByEdgeIdRoutesById`.
    private static func name(of operation: Operation) -> String {
        var result = operation.method.lowercased()
        for segment in operation.path.split(separator: "/") {
            if segment.first == "{" { result += "By" }
            for word in segment.split(whereSeparator: { "_-.{}".contains($0) }) {
                result += word.prefix(1).uppercased() + word.dropFirst()
            }
        }
        return result
    }

    private static let error: JSON = [
        "type": "object", "required": ["status_code", "msg", "details"],
        "properties": [
            "error_code": [
                "type": "string",
                "description": "ERR_NGROK_ and a number; absent where no code is documented, as for a missing object.",
            ],
            "status_code": ["type": "integer", "minimum": 400, "maximum": 599], "msg": ["type": "string"],
            "details": ["type": "object", "additionalProperties": ["type": "string"]],
        ],
    ]
}

/// The ways in which an operation is refused, by status.
private enum Refusal: Int, CaseIterable {
    case wrong = 400
    case forbidden = 403
    case missing = 404
    case conflict = 409
    case changed = 412
    case large = 413
    case long = 414
    case often = 429
    case failed = 500
    case unavailable = 503

    static func of(_ operation: Operation) -> [Refusal] {
        var refusals: [Refusal] = [.wrong, .forbidden, .missing, .long, .often, .failed, .unavailable]
        guard operation.method != "GET" else { return refusals }
        refusals.append(.conflict)
        // What can be made only cannot have been changed meanwhile.
        if operation.method != "POST" || operation.path.hasPrefix("/selvage/") { refusals.append(.changed) }
        if operation.method != "DELETE" { refusals.append(.large) }
        return refusals
    }

    var response: JSON {
        // What cannot be read is answered before there is an API to speak for.
        let content: JSON =
            self == .long
            ? ["text/plain": ["schema": ["type": "string"]]]
            : ["application/json": ["schema": ["$ref": "#/components/schemas/Error"]]]
        return ["description": .string(meaning), "content": content]
    }

    private var meaning: String {
        switch self {
        case .wrong: "The request has a mistake: error_code says which."
        case .forbidden: "The caller is not known, or may not do this."
        case .missing: "The object does not exist, or the path has no such method."
        case .conflict: "The request contradicts what is there, or another request with its idempotency_id."
        case .changed: "The object is at another revision than if-match says."
        case .large: "The body is too large."
        case .long: "The path and query are too long."
        case .often: "Too many requests, ERR_NGROK_226: try again later."
        case .failed: "The server could not carry out the request; details.operation_id is in its journal."
        case .unavailable: "Not now: what the operation needs is taken, or not there."
        }
    }
}

extension AdminAPI {
    /// The table with the operation that answers the table's description.
    static func describing(_ operations: [Operation]) -> [Operation] {
        let path = "/selvage/openapi.json"
        let about = OperationDescription("The API's description (OpenAPI 3.0.3).", gives: .map(.anything))
        let itself = Operation("GET", path, role: .viewer, about) { _ in .noContent }
        let all = operations + [itself]
        return operations + [
            Operation("GET", path, role: .viewer, about) { call in
                .json(try APIDocument(all).document(baseURL: call.baseURL))
            }
        ]
    }
}
