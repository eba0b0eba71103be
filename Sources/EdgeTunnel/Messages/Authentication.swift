public import Shared

/// What our own two halves agree on beyond the protocol of official agents (agent-protocol.md 10.4): growing windows,
/// resets that tell why, GOAWAY as a drain, and this many streams.
public struct Extension: Hashable, Sendable {
    /// The member of `Extra` that carries it.
    static let name = "Selvage"
    public static let largestStreams = 65_536

    /// Streams that may be open at the same time, 1…65,536.
    public var streams: Int

    public init(streams: Int = 16_384) { self.streams = streams }

    init?(_ document: JSON?) {
        let members = Members(document)
        guard members.number("Version") == 1, let streams = members.number("Streams") else { return nil }
        self.streams = Int(min(max(1, streams), Int64(Self.largestStreams)))
    }

    var document: JSON { ["Version": 1, "Streams": .int(Int64(streams))] }
}

/// `Auth`: who an agent is, and what it wants of the session (agent-protocol.md 6.4).
public struct AuthRequest: Hashable, Sendable, CustomStringConvertible {
    public var versions: [String] = ["3", "2"]
    /// The session to take up again, with the cookie that proves it; empty on a first connection.
    public var clientID = ""
    public var cookie = ""
    public var authtoken = ""
    public var os = ""
    public var arch = ""
    public var agentVersion = ""
    /// E.g. `ngrok-python`.
    public var clientType = ""
    public var hostname = ""
    public var userAgent = ""
    public var metadata = ""
    /// Nanoseconds.
    public var heartbeatInterval: Int64 = 10_000_000_000
    public var heartbeatTolerance: Int64 = 15_000_000_000
    /// Why a command cannot be asked of the agent: empty when it can, `nil` when the agent is too old to know.
    public var stopUnsupported: String?
    public var restartUnsupported: String?
    public var updateUnsupported: String?
    /// Which of several connections of one session this is (Go agents).
    public var leg: Int64 = 0
    public var `extension`: Extension?

    public init() {}

    public init(_ document: JSON) {
        let top = Members(document)
        let extra = top.members("Extra")
        versions = top.texts("Version")
        clientID = top.text("ClientId")
        cookie = extra.text("Cookie")
        authtoken = extra.text("AuthToken")
        os = extra.text("OS")
        arch = extra.text("Arch")
        agentVersion = extra.text("Version")
        clientType = extra.text("ClientType")
        hostname = extra.text("Hostname")
        userAgent = extra.text("UserAgent")
        metadata = extra.text("Metadata")
        heartbeatInterval = extra.number("HeartbeatInterval") ?? heartbeatInterval
        heartbeatTolerance = extra.number("HeartbeatTolerance") ?? heartbeatTolerance
        stopUnsupported = extra["StopUnsupportedError"]?.stringValue
        restartUnsupported = extra["RestartUnsupportedError"]?.stringValue
        updateUnsupported = extra["UpdateUnsupportedError"]?.stringValue
        leg = extra.number("LegNumber") ?? 0
        `extension` = Extension(extra[Extension.name])
    }

    public var document: JSON {
        let text = { (value: String?) in value.map { JSON.string($0) } ?? .null }
        var extra: [String: JSON] = [
            "OS": .string(os), "Arch": .string(arch), "AuthToken": .string(authtoken), "Version": .string(agentVersion),
            "Hostname": .string(hostname), "UserAgent": .string(userAgent), "Metadata": .string(metadata),
            "Cookie": .string(cookie), "HeartbeatInterval": .int(heartbeatInterval),
            "HeartbeatTolerance": .int(heartbeatTolerance), "UpdateUnsupportedError": text(updateUnsupported),
            "StopUnsupportedError": text(stopUnsupported), "RestartUnsupportedError": text(restartUnsupported),
            "ProxyType": "", "MutualTLS": false, "ServiceRun": false, "ConfigVersion": "", "CustomInterface": false,
            "CustomCAs": false, "ClientType": .string(clientType),
        ]
        if let `extension` { extra[Extension.name] = `extension`.document }
        return [
            "Version": .array(versions.map { .string($0) }), "ClientId": .string(clientID), "Extra": .object(extra),
        ]
    }

    /// Without the authtoken and the cookie.
    public var description: String { "AuthRequest(\(clientType) \(agentVersion), session \(clientID))" }
}

/// `AuthResp`. Official agents refuse it when a member has another type than they expect.
public struct AuthReply: Hashable, Sendable {
    /// The session's identifier.
    public var clientID: String
    public var cookie: String
    public var region: String
    public var accountName: String
    public var `extension`: Extension?

    public init(
        clientID: String, cookie: String, region: String, accountName: String = "", extension: Extension? = nil
    ) {
        self.clientID = clientID
        self.cookie = cookie
        self.region = region
        self.accountName = accountName
        self.extension = `extension`
    }

    public init(_ document: JSON) {
        let top = Members(document)
        let extra = top.members("Extra")
        self.init(
            clientID: top.text("ClientId"), cookie: extra.text("Cookie"), region: extra.text("Region"),
            accountName: extra.text("AccountName"), extension: Extension(extra[Extension.name]))
    }

    public var document: JSON {
        var extra: [String: JSON] = [
            "Version": "selvage", "Region": .string(region), "Cookie": .string(cookie),
            "AccountName": .string(accountName), "SessionDuration": 0, "PlanName": "", "Banner": "",
            "AgentSessionID": .string(clientID), "DeprecationWarning": nil, "ConnectAddresses": [],
        ]
        if let `extension` { extra[Extension.name] = `extension`.document }
        return ["Version": "3", "ClientId": .string(clientID), "Error": "", "Extra": .object(extra)]
    }
}
