public import Shared

/// A fixed answer: an error page as the last leg of a failover, or a redirect.
public final class HTTPResponseBackend: Backend {
    public static let kind = "http_response"
    public static let idPrefix = "bkdhr"
    public static let settings = Shape(
        "HTTPResponseBackend",
        [
            Shape.Field("body", .text(maximum: maximumBody)),
            Shape.Field("headers", .map(.text), "at most \(maximumHeaders); names are kept in lower case"),
            Shape.Field("status_code", .integer(0...599), "200…599; 200 when it is 0"),
        ])
    public static let defaults: [String: JSON] = ["status_code": 200, "headers": [:], "body": ""]

    /// Bytes of a body, and of a header's name and value.
    static let maximumBody = 64 * 1024
    static let maximumName = 256
    static let maximumValue = 8 * 1024
    static let maximumHeaders = 64

    public let id: BackendID
    private let slot: Int32
    private let response: FixedResponse

    public init(id: BackendID, settings: JSON, environment: BackendEnvironment) throws(Fault) {
        self.id = id
        slot = environment.slots.slot("backend/\(id)")
        let fields = (settings["headers"]?.objectValue ?? [:]).sorted { $0.key < $1.key }
        response = FixedResponse(
            status: Int(settings["status_code"]?.intValue ?? 200),
            fields: fields.map { (name: $0.key, value: $0.value.stringValue ?? "") },
            body: Array((settings["body"]?.stringValue ?? "").utf8))
    }

    public func choose(_ balance: inout BalanceStates, _ path: inout SelectionPath) -> Choice {
        path.append(slot)
        return .respond(response)
    }

    public static func normalise(_ settings: JSON) throws(Fault) -> JSON {
        let reader = try SettingsReader(settings, Self.settings, subject: "http_response backend")
        let body = try reader.string("body")
        guard body.utf8.count <= maximumBody else {
            throw Fault(6516, "The body has \(body.utf8.count) bytes; the limit is \(maximumBody).")
        }
        // Clients leave zero out or send it for "not set", so it must mean the default.
        let given = try reader.integer("status_code")
        let status = given == 0 ? 200 : given
        guard (200...599).contains(status) else {
            throw Fault(6517, "The status code must be from 200 to 599, not \(status).")
        }
        let headers = try headers(reader)
        return ["status_code": .int(status), "headers": .object(headers), "body": .string(body)]
    }

    private static func headers(_ reader: SettingsReader) throws(Fault) -> [String: JSON] {
        let fields = try reader.fields("headers")
        guard fields.count <= maximumHeaders else {
            throw Fault(6522, "There are \(fields.count) headers; the limit is \(maximumHeaders).")
        }
        var result: [String: JSON] = [:]
        for (name, value) in fields {
            let lowered = name.lowercased()
            guard FieldSyntax.isName(name), name.utf8.count <= maximumName else {
                throw Fault(6522, "\"\(name.prefix(64))\" is not a header name.")
            }
            guard !FieldSyntax.reserved.contains(lowered) else {
                throw Fault(6522, "The edge itself sets the header \"\(lowered)\".")
            }
            guard result[lowered] == nil else {
                throw Fault(6522, "The header \"\(lowered)\" is given more than once.")
            }
            guard FieldSyntax.isValue(value), value.utf8.count <= maximumValue else {
                throw Fault(6523, "The value of \"\(lowered)\" is too long or holds characters that a header may not.")
            }
            result[lowered] = .string(value)
        }
        return result
    }
}
