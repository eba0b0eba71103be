import Shared

/// A bounded run of values, one a second, oldest first.
struct Series: Sendable, Hashable {
    static let capacity = 300
    private(set) var values: [Double] = []

    mutating func append(_ value: Double) {
        values.append(value)
        if values.count > Series.capacity { values.removeFirst(values.count - Series.capacity) }
    }

    init(_ values: [Double] = []) { self.values = Array(values.suffix(Series.capacity)) }
}

/// What charts are drawn from. Bounded by the number of regions, routes
/// and agents that the server tells of.
struct History: Sendable {
    /// Seconds that charts can show.
    static let capacity = Series.capacity

    struct Region: Sendable {
        var requests = Series()
        var p95 = Series()
        var errors = Series()
    }

    private(set) var regions: [String: Region] = [:]
    private(set) var total = Region()
    /// The last 60 states of each breaker, oldest first.
    private(set) var breakers: [String: [BreakerState]] = [:]
    private(set) var agents: [String: AgentTraffic] = [:]
    /// Share of errors and p95 of each route, for the guard's strips.
    private(set) var backends: [String: Region] = [:]
    private(set) var lastSequence: UInt64?

    /// Starts from what the server remembers.
    mutating func begin(_ history: [Hello.History]) {
        self = History()
        var sums: [Double] = []
        for entry in history {
            let values = entry.requestsPerSecond.suffix(Series.capacity)
            regions[entry.region, default: Region()].requests = Series(Array(values))
            if values.count > sums.count {
                sums.insert(contentsOf: repeatElement(0, count: values.count - sums.count), at: 0)
            }
            for (offset, value) in values.reversed().enumerated() { sums[sums.count - 1 - offset] += value }
        }
        total.requests = Series(sums)
    }

    mutating func append(_ tick: StatisticsTick) {
        guard lastSequence != tick.sequence else { return }
        lastSequence = tick.sequence
        for row in tick.regions { regions[row.id, default: Region()].append(row) }
        regions = regions.filter { id, _ in tick.regions.contains { $0.id == id } }
        total.append(TrafficRow.sum(tick.regions))
        for row in tick.backends { backends[row.id, default: Region()].append(row) }
        let known = Set(tick.backends.map(\.id))
        backends = backends.filter { known.contains($0.key) }
        var states: [String: [BreakerState]] = [:]
        for breaker in tick.breakers {
            let id = breaker.routeID.rawValue
            states[id] = Array(((breakers[id] ?? []) + [breaker.state]).suffix(60))
        }
        breakers = states
        var traffic: [String: AgentTraffic] = [:]
        for agent in tick.agents {
            traffic[agent.id] = agents[agent.id] ?? AgentTraffic(agent, at: tick.uptime)
            if agents[agent.id] != nil { traffic[agent.id]?.append(agent, at: tick.uptime) }
        }
        agents = traffic
    }
}

extension History.Region {
    mutating func append(_ row: TrafficRow) {
        requests.append(row.requestsPerSecond)
        p95.append(row.p95 ?? 0)
        errors.append(row.errorRate * 100)
    }
}

extension TrafficRow {
    /// Errors as a share of what ended in the last interval, 0…1.
    var errorRate: Double {
        requestsPerSecond > 0 ? min(1, errorsPerSecond / requestsPerSecond) : (errorsPerSecond > 0 ? 1 : 0)
    }

    /// Bits per second to clients, in millions.
    var megabits: Double { bytesOutPerSecond * 8 / 1_000_000 }

    /// All of them together; percentiles are those of the busiest, weighted by traffic, and so only a guide.
    static func sum(_ rows: [TrafficRow]) -> TrafficRow {
        var total = TrafficRow(id: "all")
        var weighted = 0.0
        for row in rows {
            total.requests &+= row.requests
            total.open += row.open
            total.requestsPerSecond += row.requestsPerSecond
            total.errorsPerSecond += row.errorsPerSecond
            total.bytesInPerSecond += row.bytesInPerSecond
            total.bytesOutPerSecond += row.bytesOutPerSecond
            weighted += (row.p95 ?? 0) * row.requestsPerSecond
        }
        total.p95 = total.requestsPerSecond > 0 ? weighted / total.requestsPerSecond : nil
        return total
    }
}
