public import EdgeCore
public import Shared

/// The traffic part of a tick: everything that is counted, without breakers, guards and operators.
public struct TrafficMeasurement: Sendable {
    public var sequence: UInt64
    /// Seconds that the rates were measured over.
    public var interval: Double
    public var uptime: Double
    public var revision: UInt64
    public var regions: [TrafficRow] = []
    public var edges: [TrafficRow] = []
    public var routes: [TrafficRow] = []
    public var backends: [TrafficRow] = []
    public var weights: [WeightStatus] = []
}

/// Makes rows out of two samples of the counters: rates over the time that really passed between them, percentiles of
/// what ended between them. Rows of objects that no longer exist are left out.
///
/// A struct without a clock: `LiveService` feeds it once a second.
public struct StatisticsMachine: Sendable {
    /// How many seconds of each region's rate are kept for readers that connect.
    public static let historyLength = 300
    /// How many rows of one kind a tick carries. Past that the busiest are kept, so that an edge with very many
    /// routes cannot make ticks too large to send.
    public static let maximumRows = 1_000

    private let start: MonotonicTime
    private var last: MonotonicTime
    private var previous = TrafficSample()
    private var sequence: UInt64 = 0
    private var index = SlotIndex()
    private var rates: [String: RateHistory] = [:]

    /// - Parameter start: when counting began; the first tick's rates are measured from here.
    public init(start: MonotonicTime) {
        self.start = start
        last = start
    }

    /// Requests per second of each region, oldest first.
    public var history: [Hello.History] {
        rates.map { Hello.History(region: $0.key, requestsPerSecond: $0.value.values) }
            .sorted { $0.region < $1.region }
    }

    /// Takes the next sample.
    /// - Parameter keys: the keys of the `SlotTable` that the sample was counted by.
    public mutating func advance(
        sample: TrafficSample, keys: [String], configuration: LiveConfiguration, now: MonotonicTime
    ) -> TrafficMeasurement {
        index.extend(keys)
        // Two samples at one instant give no rates rather than infinite ones.
        let interval = now.seconds(since: last)
        let window = SampleWindow(before: previous, after: sample, seconds: interval)
        sequence += 1
        var measurement = TrafficMeasurement(
            sequence: sequence, interval: interval, uptime: now.seconds(since: start),
            revision: configuration.revision)
        measurement.regions = regions(window)
        measurement.edges = rows(window, index.edges, existing: configuration.edges)
        measurement.routes = rows(window, index.routes, existing: configuration.routes)
        measurement.backends = rows(window, index.backends, existing: configuration.backends)
        measurement.weights = weights(window, configuration.weights)
        for row in measurement.regions {
            rates[row.id, default: RateHistory(capacity: StatisticsMachine.historyLength)]
                .append(row.requestsPerSecond)
        }
        previous = sample
        last = now
        return measurement
    }

    /// A region's requests are exchanges, and what is open in it are client connections: those are counted apart.
    private func regions(_ window: SampleWindow) -> [TrafficRow] {
        index.regions.map { id, slot in
            var row = window.row(id, slot: slot)
            if let connections = index.connections[id] { row.open = window.open(connections) }
            return row
        }.sorted { $0.id < $1.id }
    }

    private func rows<Kind>(
        _ window: SampleWindow, _ slots: [(id: Identifier<Kind>, slot: Int)], existing: Set<Identifier<Kind>>
    ) -> [TrafficRow] {
        let chosen =
            slots.count > StatisticsMachine.maximumRows
            ? busiest(window, slots, existing: existing) : slots.filter { existing.contains($0.id) }
        return chosen.map { window.row($0.id.rawValue, slot: $0.slot) }.sorted { $0.id < $1.id }
    }

    /// As many as a tick carries. Only those that have seen something are put in order: among very many slots those are
    /// few, and the rest are all alike.
    private func busiest<Kind>(
        _ window: SampleWindow, _ slots: [(id: Identifier<Kind>, slot: Int)], existing: Set<Identifier<Kind>>
    ) -> [(id: Identifier<Kind>, slot: Int)] {
        var active: [(busy: (UInt64, UInt64, UInt64), entry: (id: Identifier<Kind>, slot: Int))] = []
        var idle: [(id: Identifier<Kind>, slot: Int)] = []
        for entry in slots {
            let busy = window.activity(entry.slot)
            if busy != (0, 0, 0) {
                if existing.contains(entry.id) { active.append((busy, entry)) }
            } else if idle.count < StatisticsMachine.maximumRows, existing.contains(entry.id) {
                idle.append(entry)
            }
        }
        active.sort { $0.busy > $1.busy }
        return Array((active.map(\.entry) + idle).prefix(StatisticsMachine.maximumRows))
    }

    private func weights(
        _ window: SampleWindow, _ configured: [BackendID: [LiveConfiguration.Share]]
    ) -> [WeightStatus] {
        configured.keys.sorted().map { id in
            WeightStatus(id: id, shares: shares(window, configured[id] ?? [], slots: index.shares[id] ?? [:]))
        }
    }

    private func shares(
        _ window: SampleWindow, _ configured: [LiveConfiguration.Share], slots: [BackendID: Int]
    ) -> [WeightStatus.Share] {
        var shares = configured.map { child in
            let chosen = slots[child.backendID].map { window.counter($0).started }
            return WeightStatus.Share(
                backendID: child.backendID, weight: child.weight, chosen: chosen ?? 0, effective: nil)
        }
        let recent = configured.map { child in slots[child.backendID].map(window.started) ?? 0 }
        let sum = recent.reduce(0, &+)
        guard sum > 0 else { return shares }
        for place in shares.indices { shares[place].effective = Double(recent[place]) / Double(sum) }
        return shares
    }
}

/// The last values of one region's rate, in a ring.
struct RateHistory: Sendable {
    private let capacity: Int
    private var ring: [Double] = []
    private var next = 0

    init(capacity: Int) { self.capacity = capacity }

    mutating func append(_ value: Double) {
        if ring.count < capacity {
            ring.append(value)
        } else {
            ring[next] = value
            next = (next + 1) % capacity
        }
    }

    /// Oldest first.
    var values: [Double] { Array(ring[next...] + ring[..<next]) }
}
