public import Shared

/// What the API's description says of an operation beyond its method, path and role.
public struct OperationDescription: Sendable {
    /// One sentence.
    public let summary: String
    /// Query parameters; others are refused.
    public let query: [Shape.Field]
    /// The form of the request's body; `nil` when it has none.
    public let request: Shape?
    /// The status of success.
    public let status: Int
    /// The form of the answer on success; `nil` for an empty body.
    public let answer: Schema?
    /// What an answer's `content-type` says on success.
    public let mediaType: MediaType

    public enum MediaType: String, Sendable {
        case json = "application/json"
        /// One JSON value per line, without end.
        case lines = "application/x-ndjson"
        case pem = "application/x-pem-file"
    }

    public init(
        _ summary: String, query: [Shape.Field] = [], takes request: Shape? = nil, status: Int = 200,
        gives answer: Schema? = nil, as mediaType: MediaType = .json
    ) {
        self.summary = summary
        self.query = query
        self.request = request
        self.status = status
        self.answer = answer
        self.mediaType = mediaType
    }

    public static func create(_ summary: String, takes request: Shape, gives answer: Shape) -> OperationDescription {
        OperationDescription(summary, takes: request, status: 201, gives: .object(answer))
    }

    public static func update(_ summary: String, takes request: Shape, gives answer: Shape) -> OperationDescription {
        OperationDescription(summary, takes: request, gives: .object(answer))
    }

    public static func delete(_ summary: String) -> OperationDescription { OperationDescription(summary, status: 204) }

    public static func read(_ summary: String, gives answer: Shape) -> OperationDescription {
        OperationDescription(summary, gives: .object(answer))
    }
}

extension Shape {
    /// An object as the public API answers it: the fields that every object has, and its own.
    static func answer(_ name: String, _ fields: [Field]) -> Shape {
        Shape(
            name,
            [
                Field("id", .text), Field("uri", .text), Field("created_at", .time), Field("description", .text),
                Field("metadata", .text),
            ] + fields)
    }
}
