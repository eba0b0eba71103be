public import Shared

/// `Bind`: an endpoint of the agent's own (agent-protocol.md 6.4).
public struct BindRequest: Hashable, Sendable {
    /// The tunnel that is taken up again, with the token that proves it; empty on a first time.
    public var id = ""
    public var token = ""
    /// `https`, `http`, `tcp` or `tls`.
    public var proto = ""
    public var forwardsTo = ""
    /// What the upstream speaks: empty, `http1` or `http2`.
    public var forwardsProto = ""
    /// As the agent sent them: they are answered in full, because agents ask for the answer's when they come back.
    public var options: JSON = [:]
    public var metadata = ""
    public var name = ""
    public var poolingEnabled = false
    public var bindings: [String] = []

    public init() {}

    public init(_ document: JSON) {
        let top = Members(document)
        let extra = top.members("Extra")
        id = top.text("Id")
        token = extra.text("Token")
        proto = top.text("Proto")
        forwardsTo = top.text("ForwardsTo")
        forwardsProto = top.text("ForwardsProto")
        options = top["Opts"] ?? [:]
        metadata = extra.text("Metadata")
        name = extra.text("Name")
        poolingEnabled = extra.flag("PoolingEnabled")
        bindings = extra.texts("Bindings")
    }

    /// Where the agent wants its endpoint: `URL` before `Domain`, `Hostname`, `Subdomain` and `Addr`.
    public var wanted: Wanted {
        let members = Members(options)
        for (name, make) in Wanted.members {
            let text = members.text(name)
            if !text.isEmpty { return make(text) }
        }
        return .anywhere
    }

    public enum Wanted: Hashable, Sendable {
        case url(String)
        case hostname(String)
        case subdomain(String)
        case address(String)
        case anywhere

        fileprivate static let members: [(String, @Sendable (String) -> Wanted)] = [
            ("URL", { .url($0) }), ("Domain", { .hostname($0) }), ("Hostname", { .hostname($0) }),
            ("Subdomain", { .subdomain($0) }), ("Addr", { .address($0) }),
        ]
    }

    public var document: JSON {
        [
            "Id": .string(id), "Proto": .string(proto), "ForwardsTo": .string(forwardsTo),
            "ForwardsProto": .string(forwardsProto), "Opts": options,
            "Extra": [
                "Token": .string(token), "IPPolicyRef": "", "Metadata": .string(metadata),
                "Bindings": .array(bindings.map { .string($0) }), "PoolingEnabled": .bool(poolingEnabled),
                "Name": .string(name), "Description": "",
            ],
        ]
    }
}

/// `BindResp`.
public struct BindReply: Hashable, Sendable {
    public var id: String
    public var url: String
    public var proto: String
    public var options: JSON
    public var token: String

    public init(id: String, url: String, proto: String, options: JSON, token: String) {
        self.id = id
        self.url = url
        self.proto = proto
        self.options = options
        self.token = token
    }

    public init(_ document: JSON) {
        let top = Members(document)
        self.init(
            id: top.text("Id"), url: top.text("URL"), proto: top.text("Proto"), options: top["Opts"] ?? [:],
            token: top.members("Extra").text("Token"))
    }

    public var document: JSON {
        [
            "Id": .string(id), "URL": .string(url), "Proto": .string(proto), "Opts": options, "Error": "",
            "Extra": ["Token": .string(token), "TunnelID": .string(id)],
        ]
    }
}

/// `StartTunnelWithLabel`.
public struct LabelRequest: Hashable, Sendable {
    public var labels: [String: String]
    public var forwardsTo = ""
    public var forwardsProto = ""
    public var metadata = ""
    /// Which version of the PROXY protocol the upstream wants first, 0 for none. Our own agents only: to others it is a
    /// matter between the edge's endpoints and them.
    public var proxyProtocol = 0

    public init(labels: [String: String]) { self.labels = labels }

    public init(_ document: JSON) {
        let top = Members(document)
        labels = (top["Labels"]?.objectValue ?? [:]).compactMapValues(\.stringValue)
        forwardsTo = top.text("ForwardsTo")
        forwardsProto = top.text("ForwardsProto")
        metadata = top.text("Metadata")
        proxyProtocol = Int(clamping: top.number("ProxyProto") ?? 0)
    }

    public var document: JSON {
        [
            "Labels": .object(labels.mapValues { .string($0) }), "ForwardsTo": .string(forwardsTo),
            "ForwardsProto": .string(forwardsProto), "Metadata": .string(metadata),
            "ProxyProto": .int(Int64(proxyProtocol)),
        ]
    }
}

/// `PatchTunnelState`: `nil` for what stays as it is.
public struct PatchRequest: Hashable, Sendable {
    public var id: String
    public var name: String?
    public var description: String?
    public var metadata: String?
    public var poolingEnabled: Bool?
    public var trafficPolicy: String?

    public init(_ document: JSON) {
        let top = Members(document)
        id = top.text("TunnelId")
        name = top["Name"]?.stringValue
        description = top["Description"]?.stringValue
        metadata = top["Metadata"]?.stringValue
        poolingEnabled = top["PoolingEnabled"]?.boolValue
        trafficPolicy = top["TrafficPolicy"]?.stringValue
    }
}
