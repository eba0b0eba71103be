public import Shared

/// What an agent asks of the server.
public enum AgentCall: Sendable {
    case authenticate(AuthRequest)
    case bind(BindRequest)
    case unbind(id: String)
    case startLabelled(LabelRequest)
    case patch(PatchRequest)
    case serverInformation
    /// A request that this server does not know.
    case unknown(UInt32)

    init(kind: UInt32, _ document: JSON) {
        switch StreamKind(rawValue: kind) {
        case .authenticate: self = .authenticate(AuthRequest(document))
        case .bind: self = .bind(BindRequest(document))
        case .unbind: self = .unbind(id: Members(document).text("Id"))
        case .startLabelled: self = .startLabelled(LabelRequest(document))
        case .patch: self = .patch(PatchRequest(document))
        case .serverInformation: self = .serverInformation
        default: self = .unknown(kind)
        }
    }
}

/// An error in a reply: a text for people, and a code on a line of its own, as agents look for it
/// (agent-protocol.md 6.3).
public struct Refusal: Error, Hashable, Sendable {
    public let code: String?
    public let text: String

    public init(_ number: Int?, _ text: String) {
        code = number.map { "ERR_NGROK_\($0)" }
        self.text = text
    }

    /// - Parameter message: the `Error` of a reply.
    init(message: String) {
        let lines = message.split(whereSeparator: \.isNewline).map(String.init)
        code = lines.first { $0.hasPrefix("ERR_NGROK_") }
        text = lines.filter { !$0.hasPrefix("ERR_NGROK_") }.joined(separator: " ")
    }

    public var document: JSON { ["Error": .string(code.map { "\(text)\r\n\r\n\($0)\r\n" } ?? text)] }

    /// The refusal that a reply holds; `nil` for a success.
    static func of(_ reply: JSON) -> Refusal? {
        let message = Members(reply).text("Error")
        return message.isEmpty ? nil : Refusal(message: message)
    }
}

/// What a server asks of an agent.
public enum ServerCommand: Hashable, Sendable {
    case restart
    case stop
    case update(version: String)
    case stopTunnel(id: String, message: String, code: String?)

    var kind: StreamKind {
        switch self {
        case .restart: .restart
        case .stop: .stop
        case .update: .update
        case .stopTunnel: .stopTunnel
        }
    }

    var document: JSON {
        switch self {
        case .restart, .stop: [:]
        case .update(let version): ["Version": .string(version), "PermitMajorVersion": true]
        case .stopTunnel(let id, let message, let code):
            ["Id": .string(id), "Message": .string(message), "ErrorCode": code.map { .string($0) } ?? .null]
        }
    }

    init?(kind: UInt32, _ document: JSON) {
        let members = Members(document)
        switch StreamKind(rawValue: kind) {
        case .restart: self = .restart
        case .stop: self = .stop
        case .update: self = .update(version: members.text("Version"))
        case .stopTunnel:
            self = .stopTunnel(
                id: members.text("Id"), message: members.text("Message"), code: members["ErrorCode"]?.stringValue)
        default: return nil
        }
    }
}
