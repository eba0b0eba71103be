import EdgeCore

/// What one object has seen, or what several together have.
struct TrafficReading: Sendable {
    var exchanges: UInt64 = 0
    /// 5xx answers and exchanges that ended without a whole answer.
    var errors: UInt64 = 0
    var latencies = LatencyHistogram()

    init() {}

    init(_ counters: TrafficCounters, _ latencies: LatencyHistogram) {
        exchanges = counters.ended
        errors = counters.status5 &+ counters.aborted
        self.latencies = latencies
    }

    /// 0…1; 0 without exchanges.
    var errorRate: Double { exchanges == 0 ? 0 : min(1, Double(errors) / Double(exchanges)) }

    /// Milliseconds; `nil` when nothing was measured.
    var p95: Double? { latencies.percentile(95) }

    /// What has come since `earlier`, a reading of the same object.
    func since(_ earlier: TrafficReading) -> TrafficReading {
        var difference = TrafficReading()
        difference.exchanges = exchanges > earlier.exchanges ? exchanges - earlier.exchanges : 0
        difference.errors = errors > earlier.errors ? errors - earlier.errors : 0
        difference.latencies = latencies.subtracting(earlier.latencies)
        return difference
    }

    mutating func add(_ other: TrafficReading) {
        exchanges &+= other.exchanges
        errors &+= other.errors
        latencies.add(other.latencies)
    }
}
