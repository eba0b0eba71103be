import Crypto
import EdgeCore
import EdgeTunnel
import Foundation
import Shared

/// The options of a `Bind` as module documents (agent-protocol.md 6.4). They pass the same checks as an edge's.
struct EphemeralModules {
    private let options: [String: JSON]
    private let kind: EdgeKind
    private let forwardsTo: String
    private let catalogue: Catalogue

    init(_ request: BindRequest, kind: EdgeKind, _ catalogue: Catalogue) {
        forwardsTo = request.forwardsTo
        self.options = (request.options.objectValue ?? [:]).reduce(into: [:]) { result, member in
            if !member.value.isNull { result[member.key.lowercased()] = member.value }
        }
        self.kind = kind
        self.catalogue = catalogue
    }

    /// What sits on an HTTPS edge rather than on its route.
    private static let onEdge: Set<String> = ["mutual_tls"]
    func edgeModules(_ all: [String: JSON]) -> [String: JSON] { all.filter { Self.onEdge.contains($0.key) } }
    func routeModules(_ all: [String: JSON]) -> [String: JSON] { all.filter { !Self.onEdge.contains($0.key) } }

    /// - Parameter policy: the identifier under which the endpoint's own rules by address are found.
    func modules(policy: String) throws(Refusal) -> [String: JSON] {
        var documents: [String: JSON] = [:]
        for (name, settings) in try settings(policy) {
            guard let module = catalogue.modules[name], module.edgeKinds.contains(kind) else {
                throw Refusal(7021, "\(name) does not work on \(kind.rawValue) endpoints of this server.")
            }
            do throws(Fault) {
                documents[name] = try module.normalise(settings, on: kind)
            } catch {
                throw Refusal(error)
            }
        }
        // What only the agent's own authorities could decide: until there is a module for it, nobody is let in.
        if options["mutualtlsca"] != nil || options["mutualtlsatedge"] != nil { documents["mutual_tls"] = [:] }
        if kind == .tls, options["tlstermination"] == nil {
            documents["tls_termination"] = ["terminate_at": "upstream"]
        }
        return documents
    }

    private func settings(_ policy: String) throws(Refusal) -> [String: JSON] {
        var settings: [String: JSON] = [:]
        if options["compression"] != nil { settings["compression"] = [:] }
        if let share = options["circuitbreaker"]?["error_threshold"] {
            settings["circuit_breaker"] = ["error_threshold_percentage": share]
        }
        if options["iprestriction"] != nil { settings["ip_restriction"] = ["ip_policy_ids": [.string(policy)]] }
        if let headers = options["requestheaders"] { settings["request_headers"] = try Self.headers(headers) }
        if let headers = options["responseheaders"] { settings["response_headers"] = try Self.headers(headers) }
        if let filter = options["useragentfilter"] {
            settings["user_agent_filter"] = ["allow": filter["allow"] ?? [], "deny": filter["deny"] ?? []]
        }
        if let webhook = options["webhookverification"] {
            settings["webhook_verification"] = [
                "provider": webhook["provider"] ?? "", "secret": webhook["secret"] ?? "",
            ]
        }
        if options["websockettcpconverter"] != nil { settings["websocket_tcp_converter"] = [:] }
        if let text = options["trafficpolicy"]?.stringValue, !text.isEmpty {
            settings["traffic_policy"] = ["value": .string(text)]
        }
        settings["basic_auth"] = basicAuth
        settings["request_headers"] = rewritingHost(settings["request_headers"])
        if let login = options["oauth"] { settings["oauth"] = Self.oauth(login) }
        if let login = options["oidc"] {
            settings["oidc"] = .object((login.objectValue ?? [:]).filter { Self.oidcFields.contains($0.key) })
        }
        return settings
    }

    /// Also the one `user:password` that older agents send.
    private var basicAuth: JSON? {
        if let credentials = options["basicauth"] { return credentials }
        guard let text = options["auth"]?.stringValue, let colon = text.firstIndex(of: ":") else { return nil }
        let password = String(text[text.index(after: colon)...])
        return [
            "credentials": [["username": .string(String(text[..<colon])), "cleartext_password": .string(password)]]
        ]
    }

    /// Puts the upstream's own name in place of the visitor's, if the agent wants it so and says where it forwards to.
    private func rewritingHost(_ headers: JSON?) -> JSON? {
        guard options["hostheaderrewrite"]?.boolValue == true, let mark = forwardsTo.firstRange(of: "://"),
            ["http", "https"].contains(forwardsTo[..<mark.lowerBound].lowercased())
        else { return headers }
        let host = forwardsTo[mark.upperBound...].prefix { $0 != "/" }
        var add = headers?["add"]?.objectValue ?? [:]
        add["host"] = .string(String(host))
        return ["add": .object(add), "remove": headers?["remove"] ?? []]
    }

    private static let oidcFields: Set<String> = ["issuer_url", "client_id", "client_secret", "scopes"]

    private static func oauth(_ login: JSON) -> JSON {
        let provider = login["provider"]?.stringValue ?? ""
        var settings = login.objectValue ?? [:]
        settings["provider"] = nil
        settings["email_addresses"] = settings.removeValue(forKey: "allow_emails")
        settings["email_domains"] = settings.removeValue(forKey: "allow_domains")
        return ["provider": .object([provider: .object(settings)])]
    }

    /// `["x-a:2"]` and names, as the module has them.
    private static func headers(_ headers: JSON) throws(Refusal) -> JSON {
        var add: [String: JSON] = [:]
        for field in (headers["add"]?.arrayValue ?? []).compactMap(\.stringValue) {
            guard let colon = field.firstIndex(of: ":") else {
                throw Refusal(7023, "A header to add is a name, a colon and a value.")
            }
            let value = field[field.index(after: colon)...].drop { $0 == " " }
            add[String(field[..<colon])] = .string(String(value))
        }
        return ["add": .object(add), "remove": headers["remove"] ?? []]
    }

    // MARK: What is no module document

    /// The agent's rules by address: those that allow, and those that deny.
    func rules() throws(Refusal) -> [IPPolicyRule] {
        guard let restriction = options["iprestriction"] else { return [] }
        var rules: [IPPolicyRule] = []
        for (member, allows) in [("allow_cidrs", true), ("deny_cidrs", false)] {
            for text in (restriction[member]?.arrayValue ?? []).compactMap(\.stringValue) {
                guard let network = try? IPNetwork(cidr: text) else {
                    throw Refusal(1406, "'\(text.prefix(64))' is no network in CIDR form.")
                }
                rules.append(IPPolicyRule(network: network, allows: allows))
            }
        }
        return rules
    }

    /// The certificate that an agent brings for its TLS endpoint.
    func certificate(_ id: String) throws(Refusal) -> CertificateMaterial? {
        guard kind == .tls, let termination = options["tlstermination"],
            let chain = termination["cert"]?.stringValue, let key = termination["key"]?.stringValue, !chain.isEmpty
        else { return nil }
        guard let chain = Data(base64Encoded: chain), let key = Data(base64Encoded: key) else {
            throw Refusal(nil, "The certificate and its key must be PEM in base64.")
        }
        return CertificateMaterial(
            id: CertificateID(id), chainPEM: String(decoding: chain, as: UTF8.self),
            keyPEM: String(decoding: key, as: UTF8.self))
    }
}
