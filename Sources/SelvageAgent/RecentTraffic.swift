/// Bytes of the last seconds, in buckets of one second each.
struct RecentTraffic: Hashable, Sendable {
    /// How many seconds a rate looks back.
    static let span = 10

    private struct Bucket: Hashable {
        var second = -1
        var bytesIn: UInt64 = 0
        var bytesOut: UInt64 = 0
        var opened: UInt64 = 0
    }

    private var buckets = [Bucket](repeating: Bucket(), count: RecentTraffic.span + 1)
    private let start: Double

    init(start: Double) { self.start = start }

    mutating func add(bytesIn: UInt64 = 0, bytesOut: UInt64 = 0, opened: UInt64 = 0, now: Double) {
        let second = RecentTraffic.second(now)
        let index = second % buckets.count
        if buckets[index].second != second { buckets[index] = Bucket(second: second) }
        buckets[index].bytesIn &+= bytesIn
        buckets[index].bytesOut &+= bytesOut
        buckets[index].opened &+= opened
    }

    /// Per second, over whole seconds that have passed: the running one would drag the rate down.
    func rates(now: Double) -> AgentModel.Rates {
        let second = RecentTraffic.second(now)
        let span = min(RecentTraffic.span, max(1, second - RecentTraffic.second(start)))
        var rates = AgentModel.Rates()
        for bucket in buckets where bucket.second >= second - span && bucket.second < second {
            rates.bytesIn += Double(bucket.bytesIn)
            rates.bytesOut += Double(bucket.bytesOut)
            rates.connections += Double(bucket.opened)
        }
        rates.bytesIn /= Double(span)
        rates.bytesOut /= Double(span)
        rates.connections /= Double(span)
        return rates
    }

    private static func second(_ time: Double) -> Int { Int(max(0, min(time, 1e12))) }
}

/// The last so many values, for percentiles of what is happening and not of what was last week.
struct RecentValues: Hashable, Sendable {
    static let capacity = 512

    private var values: [Double] = []
    private var place = 0

    mutating func add(_ value: Double) {
        if values.count < RecentValues.capacity {
            values.append(value)
        } else {
            values[place] = value
            place = (place + 1) % RecentValues.capacity
        }
    }

    /// The smallest value that at least `share` of all do not exceed; `nil` without values.
    func percentile(_ share: Double) -> Double? {
        guard !values.isEmpty else { return nil }
        let rank = Int((share * Double(values.count)).rounded(.up))
        return values.sorted()[min(max(rank, 1), values.count) - 1]
    }
}
