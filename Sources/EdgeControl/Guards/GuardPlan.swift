public import EdgeCore
public import Shared

/// A guarded change as the guard machine sees it: who made it, what it watches and how long it may stand.
public struct GuardPlan: Codable, Sendable, Hashable {
    /// Limits of a guard; those that are `nil` are not judged.
    public struct Limits: Codable, Sendable, Hashable {
        /// How many exchanges are needed before a limit is judged, unless the operator says otherwise.
        public static let standardSamples: UInt64 = 200

        /// 1…3600.
        public var seconds: Double
        /// Share of errors, 0…1.
        public var maxErrorRate: Double?
        /// Milliseconds.
        public var maxP95: Double?
        public var minSamples: UInt64

        public init(
            seconds: Double, maxErrorRate: Double? = nil, maxP95: Double? = nil,
            minSamples: UInt64 = standardSamples
        ) {
            self.seconds = seconds
            self.maxErrorRate = maxErrorRate
            self.maxP95 = maxP95
            self.minSamples = minSamples
        }

        /// - Throws: 400 when a number is out of range.
        public init(_ wanted: ApplyRequest.Guard) throws(Fault) {
            guard (1...3600).contains(wanted.seconds) else {
                throw Fault(nil, "A guard lasts between 1 and 3600 seconds.")
            }
            if let rate = wanted.maxErrorRate, !(0...1).contains(rate) {
                throw Fault(nil, "max_error_rate is a ratio between 0 and 1.")
            }
            if let p95 = wanted.maxP95, !(p95.isFinite && p95 > 0) {
                throw Fault(nil, "max_p95 is a positive number of milliseconds.")
            }
            self.init(
                seconds: wanted.seconds, maxErrorRate: wanted.maxErrorRate, maxP95: wanted.maxP95,
                minSamples: wanted.minSamples ?? Limits.standardSamples)
        }
    }

    public var id: String
    /// The command that made the change, in the console's grammar.
    public var command: String
    public var principal: String
    /// Identifiers of the objects that would be put back.
    public var objects: [String]
    /// Identifiers of the edges, routes and backends whose traffic is judged: `GuardedChange.watched`.
    public var watched: [String]
    public var limits: Limits
    /// The stream whose end rolls the change back.
    public var session: String?

    public init(
        id: String, command: String, principal: String, objects: [String], watched: [String], limits: Limits,
        session: String?
    ) {
        self.id = id
        self.command = command
        self.principal = principal
        self.objects = objects
        self.watched = watched
        self.limits = limits
        self.session = session
    }
}
