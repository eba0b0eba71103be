/// What has passed through one region, edge, route or backend.
///
/// Totals count since the server started; rates and percentiles are those of the last interval.
public struct TrafficRow: Codable, Sendable, Hashable {
    /// Region code, or the object's identifier.
    public var id: String
    /// Exchanges completed (HTTPS) or connections closed (TLS, TCP).
    public var requests: UInt64
    /// Answers by status class, `[1xx, 2xx, 3xx, 4xx, 5xx]`.
    public var statuses: [UInt64]
    /// Bytes from clients, and to clients.
    public var bytesIn: UInt64
    public var bytesOut: UInt64
    /// Client connections (regions, TLS and TCP edges) or exchanges (routes, backends) open now.
    public var open: Int64
    /// Per second, over the last interval.
    public var requestsPerSecond: Double
    /// 5xx answers and aborted exchanges per second, over the last interval.
    public var errorsPerSecond: Double
    public var bytesInPerSecond: Double
    public var bytesOutPerSecond: Double
    /// Milliseconds from the request's head to the answer's end, over the last interval; `nil` when nothing ended in it.
    public var p50: Double?
    public var p95: Double?
    public var p99: Double?

    public init(
        id: String, requests: UInt64 = 0, statuses: [UInt64] = [0, 0, 0, 0, 0], bytesIn: UInt64 = 0,
        bytesOut: UInt64 = 0, open: Int64 = 0, requestsPerSecond: Double = 0, errorsPerSecond: Double = 0,
        bytesInPerSecond: Double = 0, bytesOutPerSecond: Double = 0,
        p50: Double? = nil, p95: Double? = nil, p99: Double? = nil
    ) {
        self.id = id
        self.requests = requests
        self.statuses = statuses
        self.bytesIn = bytesIn
        self.bytesOut = bytesOut
        self.open = open
        self.requestsPerSecond = requestsPerSecond
        self.errorsPerSecond = errorsPerSecond
        self.bytesInPerSecond = bytesInPerSecond
        self.bytesOutPerSecond = bytesOutPerSecond
        self.p50 = p50
        self.p95 = p95
        self.p99 = p99
    }

    enum CodingKeys: String, CodingKey {
        case id, requests, statuses, open, p50, p95, p99
        case bytesIn = "bytes_in"
        case bytesOut = "bytes_out"
        case requestsPerSecond = "requests_per_second"
        case errorsPerSecond = "errors_per_second"
        case bytesInPerSecond = "bytes_in_per_second"
        case bytesOutPerSecond = "bytes_out_per_second"
    }
}

/// The state of a circuit breaker (behaviour.md 2.1).
public enum BreakerState: String, Codable, Sendable, CaseIterable {
    case closed
    case halfOpen = "half_open"
    case open
}

/// What an operator sees of one route's circuit breaker.
public struct BreakerStatus: Codable, Sendable, Hashable {
    public var routeID: RouteID
    public var state: BreakerState
    /// Exchanges and errors in the rolling window.
    public var total: UInt64
    public var errors: UInt64
    /// The settings in force: seconds, counts, and a ratio 0…1.
    public var rollingWindow: Double
    public var trippedDuration: Double
    public var volumeThreshold: UInt64
    public var errorThreshold: Double
    /// Seconds in the present state.
    public var since: Double
    /// Why it last tripped, e.g. `"12 of 20 failed (60 %), threshold 50 %"`; `nil` before the first time.
    public var reason: String?
    /// Seconds until a probe is let through; `nil` unless open.
    public var nextProbe: Double?
    /// How often it has opened, and how many requests it has answered itself, since the server started.
    public var trips: UInt64
    public var rejected: UInt64

    public init(
        routeID: RouteID, state: BreakerState, total: UInt64, errors: UInt64, rollingWindow: Double,
        trippedDuration: Double, volumeThreshold: UInt64, errorThreshold: Double, since: Double,
        reason: String?, nextProbe: Double?, trips: UInt64, rejected: UInt64
    ) {
        self.routeID = routeID
        self.state = state
        self.total = total
        self.errors = errors
        self.rollingWindow = rollingWindow
        self.trippedDuration = trippedDuration
        self.volumeThreshold = volumeThreshold
        self.errorThreshold = errorThreshold
        self.since = since
        self.reason = reason
        self.nextProbe = nextProbe
        self.trips = trips
        self.rejected = rejected
    }

    enum CodingKeys: String, CodingKey {
        case state, total, errors, since, reason, trips, rejected
        case routeID = "route_id"
        case rollingWindow = "rolling_window"
        case trippedDuration = "tripped_duration"
        case volumeThreshold = "volume_threshold"
        case errorThreshold = "error_threshold"
        case nextProbe = "next_probe"
    }
}

/// Configured and effective weights of one weighted backend.
public struct WeightStatus: Codable, Sendable, Hashable {
    public struct Share: Codable, Sendable, Hashable {
        public var backendID: BackendID
        /// 0…10000, as configured.
        public var weight: Int64
        /// How often this child was chosen since the server started.
        public var chosen: UInt64
        /// The share of the choices in the last interval, 0…1; `nil` when there were none.
        public var effective: Double?

        public init(backendID: BackendID, weight: Int64, chosen: UInt64, effective: Double?) {
            self.backendID = backendID
            self.weight = weight
            self.chosen = chosen
            self.effective = effective
        }

        enum CodingKeys: String, CodingKey {
            case weight, chosen, effective
            case backendID = "backend_id"
        }
    }

    public var id: BackendID
    public var shares: [Share]

    public init(id: BackendID, shares: [Share]) {
        self.id = id
        self.shares = shares
    }
}

/// A change that returns by itself unless somebody keeps it.
///
/// The server holds the objects as they were. It puts them back when the deadline passes, when a limit is passed by
/// the backends that the change touched, or when the operator's stream that owns it ends.
public struct GuardStatus: Codable, Sendable, Hashable {
    public enum State: String, Codable, Sendable {
        case running, kept
        case rolledBack = "rolled_back"
    }

    public var id: String
    public var state: State
    /// The command that made the change, in the console's grammar.
    public var command: String
    public var principal: String
    /// Objects that would be put back.
    public var objects: [String]
    /// Seconds left.
    public var remaining: Double
    /// Limits: share of errors 0…1, milliseconds, and the number of exchanges below which neither is judged.
    public var maxErrorRate: Double?
    public var maxP95: Double?
    public var minSamples: UInt64
    /// What has been seen since the change.
    public var samples: UInt64
    public var errorRate: Double
    public var p95: Double?
    /// What was seen before the change.
    public var baselineErrorRate: Double?
    public var baselineP95: Double?
    /// Why it ended; `nil` while running.
    public var outcome: String?

    public init(
        id: String, state: State, command: String, principal: String, objects: [String], remaining: Double,
        maxErrorRate: Double?, maxP95: Double?, minSamples: UInt64, samples: UInt64, errorRate: Double, p95: Double?,
        baselineErrorRate: Double?, baselineP95: Double?, outcome: String?
    ) {
        self.id = id
        self.state = state
        self.command = command
        self.principal = principal
        self.objects = objects
        self.remaining = remaining
        self.maxErrorRate = maxErrorRate
        self.maxP95 = maxP95
        self.minSamples = minSamples
        self.samples = samples
        self.errorRate = errorRate
        self.p95 = p95
        self.baselineErrorRate = baselineErrorRate
        self.baselineP95 = baselineP95
        self.outcome = outcome
    }

    enum CodingKeys: String, CodingKey {
        case id, state, command, principal, objects, remaining, samples, p95, outcome
        case maxErrorRate = "max_error_rate"
        case maxP95 = "max_p95"
        case minSamples = "min_samples"
        case errorRate = "error_rate"
        case baselineErrorRate = "baseline_error_rate"
        case baselineP95 = "baseline_p95"
    }
}
