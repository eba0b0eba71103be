import Foundation
import Shared

/// What a command sends: one request, or several of which the later ones name what the earlier ones made.
struct RequestPlan: Sendable, Hashable {
    struct Step: Sendable, Hashable {
        var request: APIRequest
        /// For the operator: `reserve shop.example`.
        var label: String
        /// Deleted again when a later step is refused.
        var creates = false
    }

    /// In the grammar of the console, for the audit trail.
    var command: String
    var steps: [Step]
    var success: String
    var danger: Danger

    init(command: String, steps: [Step], success: String, danger: Danger = .reversible) {
        self.command = command
        self.steps = steps.map { step in
            var step = step
            step.request.command = command
            return step
        }
        self.success = success
        self.danger = danger
    }

    /// One write through `POST /selvage/apply`, with the command in the audit trail and a revision to insist on.
    init(
        applying operation: ApplyRequest.Operation, command: String, success: String, danger: Danger = .reversible
    ) {
        self.init(
            command: command,
            steps: [
                Step(
                    request: RequestPlan.apply(ApplyRequest(command: command, operations: [operation])),
                    label: command)
            ], success: success, danger: danger)
    }

    static func apply(_ request: ApplyRequest) -> APIRequest {
        APIRequest("POST", AdminPaths.apply, body: JSON(encoding: request))
    }

    /// Stands for a member of an earlier step's answer. It holds a control character, which no typed text has.
    static func reference(_ step: Int, _ member: String = "id") -> String { "\u{1}\(step).\(member)\u{1}" }
}

/// Runs a plan: tells the next request, takes its answer.
struct PlanRun: Sendable {
    enum Turn: Sendable {
        case send(APIRequest)
        case done
        case refused(APIErrorBody)
    }

    let plan: RequestPlan
    private var next = 0
    private(set) var answers: [JSON] = []
    private var created: [String] = []
    private var fault: APIErrorBody?

    init(_ plan: RequestPlan) { self.plan = plan }

    /// The step that waits for its answer.
    var label: String { next > 0 && next <= plan.steps.count ? plan.steps[next - 1].label : plan.command }

    /// What is said at the end, with what the answers told.
    var success: String { resolved(plan.success) }

    mutating func begin() -> Turn { advance() }

    mutating func receive(status: Int, body: [UInt8]) -> Turn {
        let answer = (try? JSON(parsing: body)) ?? .null
        if fault != nil { return compensate() }
        guard (200..<300).contains(status) else {
            fault = APIErrorBody(status: status, answer: answer)
            return compensate()
        }
        answers.append(answer)
        let step = plan.steps[next - 1]
        if step.creates, let id = answer["id"]?.stringValue {
            created.append(step.request.path + "/" + AdminPaths.escaped(id))
        }
        return advance()
    }

    private mutating func advance() -> Turn {
        guard next < plan.steps.count else { return .done }
        var request = plan.steps[next].request
        next += 1
        request.path = resolved(request.path)
        request.body = request.body.map(resolved)
        return .send(request)
    }

    /// Takes back, last first, what the plan has made before it was refused.
    private mutating func compensate() -> Turn {
        if let path = created.popLast() {
            var request = APIRequest("DELETE", path)
            request.command = "\(plan.command) (taken back)"
            return .send(request)
        }
        return .refused(fault ?? APIErrorBody(errorCode: nil, statusCode: 500, message: "refused"))
    }

    private func resolved(_ text: String) -> String {
        let parts = text.split(separator: "\u{1}", omittingEmptySubsequences: false)
        guard parts.count > 1 else { return text }
        return parts.enumerated().map { index, part in
            guard index % 2 == 1, let dot = part.firstIndex(of: "."), let step = Int(part[..<dot]),
                answers.indices.contains(step)
            else { return String(part) }
            return answers[step][String(part[part.index(after: dot)...])]?.stringValue ?? ""
        }
        .joined()
    }

    private func resolved(_ document: JSON) -> JSON {
        switch document {
        case .string(let text): .string(resolved(text))
        case .array(let items): .array(items.map(resolved))
        case .object(let members):
            // A weighted backend names its children in the keys.
            .object(
                Dictionary(members.map { (resolved($0), resolved($1)) }, uniquingKeysWith: { first, _ in first }))
        default: document
        }
    }
}

extension APIErrorBody {
    /// Reads the API's error document, or says what there is instead.
    init(status: Int, answer: JSON) {
        self.init(
            errorCode: answer["error_code"]?.stringValue, statusCode: status,
            message: answer["msg"]?.stringValue ?? "the server answered \(status)",
            details: (answer["details"]?.objectValue ?? [:]).compactMapValues(\.stringValue))
    }

    /// `no such domain (ERR_NGROK_7117)`.
    var sentence: String { errorCode.map { "\(message) (\($0))" } ?? message }
}

extension JSON {
    /// A value of the wire contract as a document.
    init(encoding value: some Encodable) {
        self = (try? JSON(parsing: JSONEncoder().encode(value))) ?? .null
    }

    /// The document as a value of the wire contract; `nil` when it has another shape.
    func decoded<Value: Decodable>(_ type: Value.Type) -> Value? {
        try? JSONDecoder().decode(type, from: Data(bytes))
    }
}
