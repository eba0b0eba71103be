import EdgeCore
import Shared

/// The text of a traffic policy, read and checked: phases, each with rules that run in order; a rule has expressions
/// that all must hold, and actions that run in order.
///
/// What the expressions and the settings of the actions mean is not looked at here.
struct PolicyDocument: Sendable {
    /// Bytes.
    static let maximumLength = 64 << 10
    static let maximumName = 255

    enum Phase: String, CaseIterable, Sendable {
        case tcpConnect = "on_tcp_connect"
        case httpRequest = "on_http_request"
        case httpResponse = "on_http_response"
    }

    struct Rule: Sendable {
        var name = ""
        var expressions: [String] = []
        var actions: [Action] = []
    }

    struct Action: Sendable {
        let type: String
        let settings: JSON
    }

    let rules: [Phase: [Rule]]

    /// - Parameter phases: those that the protocol has.
    init(_ text: String, phases: [Phase], protocolName: String) throws(Fault) {
        var rules: [Phase: [Rule]] = [:]
        for (name, list) in try PolicyDocument.parse(text).sorted(by: { $0.key < $1.key }) {
            guard let phase = Phase(rawValue: name), phases.contains(phase) else {
                throw Fault(
                    2230, "Invalid Traffic Policy phase '\(name.prefix(64))' for protocol '\(protocolName)'.")
            }
            guard !list.isNull else { continue }
            guard let items = list.arrayValue else { throw PolicyDocument.unparsed("\(name) must be a list of rules") }
            var checked: [Rule] = []
            for item in items { checked.append(try PolicyDocument.rule(item, in: phase)) }
            rules[phase] = checked
        }
        self.rules = rules
    }

    private static func unparsed(_ reason: String) -> Fault {
        Fault(2236, "The traffic policy was not able to be parsed: \(reason).")
    }

    private static func parse(_ text: String) throws(Fault) -> [String: JSON] {
        guard text.utf8.count <= maximumLength else {
            throw unparsed("it has \(text.utf8.count) bytes; the limit is \(maximumLength)")
        }
        let bytes = Array(text.utf8)
        // Nearly all JSON is YAML, but not all of it.
        let isJSON = bytes.first { $0 != 0x20 && $0 != 0x0A && $0 != 0x0D && $0 != 0x09 } == UInt8(ascii: "{")
        var document: JSON?
        if isJSON {
            do throws(JSONReader.Mistake) {
                document = try JSONReader.read(bytes)
            } catch {
                if case .repeatedMember(let name) = error {
                    throw unparsed("the key \"\(name.prefix(64))\" is there twice")
                }
            }
        }
        if document == nil {
            do throws(YAMLReader.Mistake) {
                document = try YAMLReader.read(bytes)
            } catch {
                throw unparsed("\(error.reason) on line \(error.line)")
            }
        }
        guard let members = document?.objectValue else { throw unparsed("it must be an object with phases") }
        return members
    }

    // MARK: Rules

    private static func rule(_ item: JSON, in phase: Phase) throws(Fault) -> Rule {
        let members = try members(of: item, ["name", "expressions", "actions"], "a rule of \(phase.rawValue)")
        var rule = Rule()
        if let name = members["name"], !name.isNull {
            guard let text = name.stringValue else { throw unparsed("the name of a rule must be a string") }
            guard text.utf8.count <= maximumName else {
                throw Fault(
                    2208,
                    "Failed to parse configuration for \(phase.rawValue) rule: exceeds maximum allowed name length of "
                        + "\(maximumName), was \(text.utf8.count).")
            }
            rule.name = text
        }
        rule.expressions = try expressions(members["expressions"] ?? .null)
        guard let actions = members["actions"], !actions.isNull else { throw noAction }
        guard let items = actions.arrayValue else { throw unparsed("the actions of a rule must be a list") }
        guard !items.isEmpty else { throw noAction }
        var ending = false
        for item in items {
            let action = try action(item, in: phase)
            guard !ending else {
                throw Fault(
                    2207, "Policy action type '\(action.type)' is unreachable due to a prior terminating action.")
            }
            ending = endings.contains(action.type)
            rule.actions.append(action)
        }
        return rule
    }

    private static let noAction = Fault(2206, "A policy must define at least one action.")

    private static func expressions(_ value: JSON) throws(Fault) -> [String] {
        guard !value.isNull else { return [] }
        guard let items = value.arrayValue else { throw unparsed("the expressions of a rule must be a list") }
        var result: [String] = []
        for item in items {
            guard let text = item.stringValue else {
                throw Fault(2200, "Invalid policy expression: it must be a string.")
            }
            guard text.unicodeScalars.contains(where: { !$0.properties.isWhitespace }) else {
                throw Fault(2200, "Invalid policy expression: it is empty.")
            }
            result.append(text)
        }
        return result
    }

    private static func action(_ item: JSON, in phase: Phase) throws(Fault) -> Action {
        let members = try members(of: item, ["type", "config"], "an action of \(phase.rawValue)")
        let type = members["type"] ?? .null
        guard let name = type.isNull ? "" : type.stringValue else {
            throw unparsed("the type of an action must be a string")
        }
        guard let phases = actions[name] else { throw Fault(2201, "Invalid policy action type '\(name.prefix(64))'.") }
        guard phases.contains(phase) else {
            throw Fault(2202, "Action type '\(name)' is not supported for \(phase.rawValue) traffic policy rule.")
        }
        let config = members["config"] ?? .null
        guard config.isNull || config.objectValue != nil else {
            throw Fault(
                2203, "Failed to parse the configuration for policy action type '\(name)'. It must be an object.")
        }
        return Action(type: name, settings: config.isNull ? [:] : config)
    }

    private static func members(of item: JSON, _ known: Set<String>, _ what: String) throws(Fault) -> [String: JSON] {
        guard let members = item.objectValue else { throw unparsed("\(what) must be an object") }
        if let unknown = members.keys.filter({ !known.contains($0) }).min() {
            throw unparsed("\(what) has no field \"\(unknown.prefix(64))\"")
        }
        return members
    }

    // MARK: Actions

    /// The known actions and the phases in which each may run.
    private static let actions: [String: Set<Phase>] = [
        "add-headers": [.httpRequest, .httpResponse], "ai-gateway": [.httpRequest], "basic-auth": [.httpRequest],
        "circuit-breaker": [.httpRequest], "close-connection": [.tcpConnect, .httpRequest],
        "compress-response": [.httpRequest, .httpResponse], "custom-response": [.httpRequest, .httpResponse],
        "deny": [.tcpConnect, .httpRequest], "forward-internal": [.tcpConnect, .httpRequest],
        "http-request": [.httpRequest, .httpResponse], "jwt-validation": [.httpRequest],
        "log": Set(Phase.allCases), "oauth": [.httpRequest], "openid-connect": [.httpRequest],
        "owasp-crs-request": [.httpRequest], "owasp-crs-response": [.httpResponse], "rate-limit": [.httpRequest],
        "redirect": [.httpRequest], "remove-headers": [.httpRequest, .httpResponse],
        "restrict-ips": [.tcpConnect, .httpRequest], "set-vars": Set(Phase.allCases), "terminate-tls": [.tcpConnect],
        "url-rewrite": [.httpRequest], "verify-webhook": [.httpRequest],
    ]

    /// After one of these no other action of the rule can run.
    private static let endings: Set<String> = ["close-connection", "custom-response", "deny"]
}
