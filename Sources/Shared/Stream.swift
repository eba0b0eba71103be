/// One line of `GET /selvage/stream`: newline-delimited JSON over one long response.
///
/// The first line is a hello, then one tick a second, and events and audit records as they happen. The member
/// `type` tells which one a line is; a reader skips types that it does not know.
public enum StreamLine: Sendable {
    case hello(Hello)
    case tick(StatisticsTick)
    case event(EventRecord)
    case audit(AuditRecord)
}

extension StreamLine: Codable {
    private enum Key: String, CodingKey { case type }
    private enum Kind: String, Codable { case hello, tick, event, audit }

    public init(from decoder: any Decoder) throws {
        switch try decoder.container(keyedBy: Key.self).decode(Kind.self, forKey: .type) {
        case .hello: self = .hello(try Hello(from: decoder))
        case .tick: self = .tick(try StatisticsTick(from: decoder))
        case .event: self = .event(try EventRecord(from: decoder))
        case .audit: self = .audit(try AuditRecord(from: decoder))
        }
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: Key.self)
        switch self {
        case .hello(let value):
            try container.encode(Kind.hello, forKey: .type)
            try value.encode(to: encoder)
        case .tick(let value):
            try container.encode(Kind.tick, forKey: .type)
            try value.encode(to: encoder)
        case .event(let value):
            try container.encode(Kind.event, forKey: .type)
            try value.encode(to: encoder)
        case .audit(let value):
            try container.encode(Kind.audit, forKey: .type)
            try value.encode(to: encoder)
        }
    }
}

/// Who may do what over the admin API. Each role includes those before it.
public enum Role: String, Codable, Sendable, Comparable, CaseIterable {
    case viewer, `operator`, admin

    public static func < (one: Role, other: Role) -> Bool {
        allCases.firstIndex(of: one) ?? 0 < allCases.firstIndex(of: other) ?? 0
    }
}

/// The first line of a stream: who is speaking, who is listening, and the recent past, so that no chart begins empty.
public struct Hello: Codable, Sendable {
    /// Requests per second of one region, one value a second, oldest first, at most 300.
    public struct History: Codable, Sendable {
        public var region: String
        public var requestsPerSecond: [Double]

        public init(region: String, requestsPerSecond: [Double]) {
            self.region = region
            self.requestsPerSecond = requestsPerSecond
        }

        enum CodingKeys: String, CodingKey {
            case region
            case requestsPerSecond = "requests_per_second"
        }
    }

    /// This stream's name: a guard started with it rolls back when the stream ends.
    public var session: String
    public var node: String
    public var region: String
    public var version: String
    /// Who the server takes the reader to be, e.g. `uid:0 (root)`, and what they may do.
    public var principal: String
    public var role: Role
    /// The configuration's revision.
    public var revision: UInt64
    public var history: [History]
    /// The latest events and audit records, oldest first, at most 200 each.
    public var events: [EventRecord]
    public var audit: [AuditRecord]

    public init(
        session: String, node: String, region: String, version: String, principal: String, role: Role,
        revision: UInt64, history: [History], events: [EventRecord], audit: [AuditRecord]
    ) {
        self.session = session
        self.node = node
        self.region = region
        self.version = version
        self.principal = principal
        self.role = role
        self.revision = revision
        self.history = history
        self.events = events
        self.audit = audit
    }
}

/// Statistics of everything, once a second.
public struct StatisticsTick: Codable, Sendable {
    /// Counts measurements since the server started. A tick with the number of the one before repeats its traffic
    /// rows and weights: it was sent at once because a breaker or a guard changed.
    public var sequence: UInt64
    /// RFC 3339 with milliseconds, UTC: for display only.
    public var at: String
    /// Seconds that the rates were measured over.
    public var interval: Double
    /// Seconds since the server started.
    public var uptime: Double
    /// The configuration's revision in force.
    public var revision: UInt64
    public var regions: [TrafficRow]
    public var edges: [TrafficRow]
    public var routes: [TrafficRow]
    public var backends: [TrafficRow]
    public var breakers: [BreakerStatus]
    public var weights: [WeightStatus]
    public var guards: [GuardStatus]
    /// Connected agents: those with the most streams where there are very many.
    public var agents: [AgentStatus]
    /// Principals with a stream open, for presence.
    public var operators: [String]

    public init(
        sequence: UInt64, at: String, interval: Double, uptime: Double, revision: UInt64, regions: [TrafficRow],
        edges: [TrafficRow], routes: [TrafficRow], backends: [TrafficRow], breakers: [BreakerStatus],
        weights: [WeightStatus], guards: [GuardStatus], agents: [AgentStatus] = [], operators: [String]
    ) {
        self.sequence = sequence
        self.at = at
        self.interval = interval
        self.uptime = uptime
        self.revision = revision
        self.regions = regions
        self.edges = edges
        self.routes = routes
        self.backends = backends
        self.breakers = breakers
        self.weights = weights
        self.guards = guards
        self.agents = agents
        self.operators = operators
    }
}

/// A fact for operators.
public struct EventRecord: Codable, Sendable, Hashable {
    public enum Severity: String, Codable, Sendable, CaseIterable { case info, warn, crit }

    public var id: UInt64
    /// RFC 3339 with milliseconds, UTC.
    public var at: String
    public var severity: Severity
    /// What kind of fact, e.g. `breaker.opened`, `configuration.changed`, `guard.rolled_back`, `listener.failed`.
    public var kind: String
    /// The object it is about, or empty.
    public var object: String
    public var text: String

    public init(id: UInt64, at: String, severity: Severity, kind: String, object: String, text: String) {
        self.id = id
        self.at = at
        self.severity = severity
        self.kind = kind
        self.object = object
        self.text = text
    }
}
