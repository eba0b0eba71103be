/// How to reach the server, and as whom. Read once, at start.
public struct AgentSettings: Hashable, Sendable {
    public var server: ServerAddress
    public var authtoken: Authtoken
    public var trust = Trust.system
    /// Free text that operators see beside the session; at most `maximumMetadata` bytes.
    public var metadata = ""
    /// Time between two heartbeats.
    public var heartbeatInterval = Duration.seconds(10)
    /// How late an answer to a heartbeat may be: past interval and tolerance the session is given up.
    public var heartbeatTolerance = Duration.seconds(15)
    /// Sessions side by side with the same tunnels, in `connectionRange`: against head-of-line blocking, and past the
    /// number of streams of one session.
    public var connections = 1

    /// Bytes of UTF-8, as ngrok's API allows.
    public static let maximumMetadata = 4096
    public static let connectionRange = 1...16
    public static let heartbeatRange = Duration.seconds(1)...Duration.seconds(600)

    public init(server: ServerAddress, authtoken: Authtoken) {
        self.server = server
        self.authtoken = authtoken
    }
}

/// Where a Selvage server takes agents.
public struct ServerAddress: Hashable, Sendable, CustomStringConvertible {
    /// Of the server's agent listener unless set.
    public static let defaultPort: UInt16 = 4443

    /// A name in lower case, an IPv4 address, or an IPv6 address without brackets.
    public let host: String
    public let port: UInt16

    /// Reads `edge.example`, `edge.example:4443`, `192.0.2.1:4443` or `[2001:db8::1]:4443`.
    /// - Throws: `AgentFault` for anything else, a URL among it.
    public init(_ text: String) throws(AgentFault) {
        guard !text.contains("/") else {
            throw AgentFault("\(shown(text)): a server is a host and a port, like edge.example:4443, and no URL")
        }
        let parts = try HostPort(text)
        host = parts.host
        port = parts.port ?? ServerAddress.defaultPort
    }

    public var description: String { "\(HostPort.written(host)):\(port)" }
}

/// What the agent shows the server to be let in. Kept out of every description, mirror and dump.
public struct Authtoken: Hashable, Sendable, CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    /// The secret itself: for the protocol's `Auth` request only.
    public let secret: String

    /// - Throws: `AgentFault`, without the text, unless it is 1…1024 visible characters of ASCII.
    public init(_ text: String) throws(AgentFault) {
        let isGood = (1...1024).contains(text.utf8.count) && text.utf8.allSatisfy { (0x21...0x7E).contains($0) }
        guard isGood else {
            throw AgentFault("the authtoken must be 1 to 1024 letters, digits and signs, without blanks")
        }
        secret = text
    }

    /// Reads a file that holds nothing else; blanks and line ends around it do not count.
    public init(fileContents bytes: [UInt8]) throws(AgentFault) {
        let kept = bytes.drop { $0 <= 0x20 }.reversed().drop { $0 <= 0x20 }.reversed()
        try self.init(String(decoding: kept, as: UTF8.self))
    }

    public var description: String { "(authtoken)" }
    public var debugDescription: String { description }
    public var customMirror: Mirror { Mirror(self, children: EmptyCollection<Mirror.Child>()) }
}

/// Whose signature makes the server's certificate good.
public enum Trust: Hashable, Sendable {
    /// What the operating system trusts.
    case system
    /// The authorities of a PEM file, and no other.
    case file(String)
    /// Anybody's: whoever sits in between can read everything. For tests, and only when asked for by this word.
    case insecure
}
