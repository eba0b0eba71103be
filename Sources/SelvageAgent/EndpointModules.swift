/// The modules that a tunnel may bring along for its endpoint. Those of labelled tunnels stand on the edge.
public struct EndpointModules: Hashable, Sendable {
    public struct Credential: Hashable, Sendable {
        public var user: String
        public var password: Secret

        /// Reads `user:password`.
        /// - Throws: `AgentFault`, without the password, unless it has 8 to 128 bytes.
        public init(_ text: String) throws(AgentFault) {
            guard let mark = text.firstIndex(of: ":"), mark > text.startIndex else {
                throw AgentFault("basic authentication is written user:password", key: "basic_auth")
            }
            user = String(text[..<mark])
            let password = text[text.index(after: mark)...]
            guard (8...128).contains(password.utf8.count) else {
                throw AgentFault("the password of \(shown(user)) must have 8 to 128 characters", key: "basic_auth")
            }
            self.password = Secret(String(password))
        }
    }

    public struct Headers: Hashable, Sendable {
        /// One value to a name; names in lower case.
        public var add: [Field] = []
        public var remove: [String] = []

        public init() {}
        public var isEmpty: Bool { add.isEmpty && remove.isEmpty }
    }

    public struct Field: Hashable, Sendable {
        public var name: String
        public var value: String

        /// Reads `name:value`; a blank after the colon does not count.
        /// - Throws: `AgentFault` for what no HTTP message may hold (RFC 9110, 5.1 and 5.5).
        public init(_ text: String) throws(AgentFault) {
            guard let mark = text.firstIndex(of: ":") else {
                throw AgentFault("\(shown(text)): a header is written name:value")
            }
            name = try Field.name(String(text[..<mark]))
            let value = text[text.index(after: mark)...].drop { $0 == " " }
            guard value.utf8.allSatisfy({ $0 >= 0x20 && $0 != 0x7F }) else {
                throw AgentFault("the value of header \(shown(name)) holds a control character")
            }
            self.value = String(value)
        }

        /// In lower case.
        public static func name(_ text: String) throws(AgentFault) -> String {
            let marks = Set("!#$%&'*+-.^_`|~".utf8)
            let isToken = text.utf8.allSatisfy {
                (0x30...0x39).contains($0) || (0x41...0x5A).contains($0) || (0x61...0x7A).contains($0)
                    || marks.contains($0)
            }
            guard isToken, !text.isEmpty else { throw AgentFault("\(shown(text)) is no name of a header") }
            return text.lowercased()
        }
    }

    /// What is let in and what is not; an empty list of what is allowed lets everything in.
    public struct Choice: Hashable, Sendable {
        public var allow: [String] = []
        public var deny: [String] = []

        public init(allow: [String] = [], deny: [String] = []) {
            self.allow = allow
            self.deny = deny
        }
        public var isEmpty: Bool { allow.isEmpty && deny.isEmpty }
    }

    public struct Webhook: Hashable, Sendable {
        /// A service's name, e.g. `github`.
        public var provider: String
        /// Empty for `sns` only.
        public var secret: Secret

        public init(provider: String, secret: Secret) {
            self.provider = provider
            self.secret = secret
        }
    }

    /// A login at a provider of OAuth, or at any provider of OpenID Connect.
    public struct Login: Hashable, Sendable {
        /// OAuth: the provider's name. OpenID Connect: the issuer's URL.
        public var provider: String
        public var clientID: String
        public var clientSecret: Secret
        public var emails: [String] = []
        public var domains: [String] = []
        public var scopes: [String] = []

        public init(provider: String, clientID: String = "", clientSecret: Secret = Secret("")) {
            self.provider = provider
            self.clientID = clientID
            self.clientSecret = clientSecret
        }
    }

    /// At most `maximumCredentials`.
    public var basicAuth: [Credential] = []
    public var compression = false
    /// Share of failed requests, above 0 and at most 1, that opens the breaker.
    public var circuitBreaker: Double?
    public var requestHeaders = Headers()
    public var responseHeaders = Headers()
    /// Networks in CIDR form. Every kind of endpoint has this one.
    public var addresses = Choice()
    /// Regular expressions (RE2) on the `User-Agent` header.
    public var userAgents = Choice()
    public var webhook: Webhook?
    public var websocketTCPConverter = false
    /// A PEM file of the authorities that sign visitors' certificates.
    public var mutualTLSFile: String?
    public var oauth: Login?
    public var oidc: Login?
    /// A YAML or JSON file. Every kind of endpoint has this one.
    public var trafficPolicyFile: String?

    public static let maximumCredentials = 10

    public init() {}
}

/// A text that no description, mirror or dump shows.
public struct Secret: Hashable, Sendable, CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    public let text: String

    public init(_ text: String) { self.text = text }

    public var description: String { "(secret)" }
    public var debugDescription: String { description }
    public var customMirror: Mirror { Mirror(self, children: EmptyCollection<Mirror.Child>()) }
}
