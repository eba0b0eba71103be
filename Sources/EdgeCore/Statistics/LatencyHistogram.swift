/// How long things took, in buckets that grow with the value (as in HdrHistogram), so that percentiles of hours and
/// of microseconds are equally exact.
///
/// Up to 32 µs each microsecond has its own bucket; above, each power of two is cut into 32 buckets, so that a bucket
/// is at most 1/32 of its values wide. A percentile is given as the middle of its bucket: at most 1.6 % off. What
/// takes longer than 71 minutes counts as 71 minutes.
///
/// Storage grows to the highest bucket used, and an empty histogram has none.
public struct LatencyHistogram: Sendable, Hashable {
    private var counts: ContiguousArray<UInt64> = []
    public private(set) var count: UInt64 = 0

    /// 2^32 µs in buckets: 32 for the first 2^5, and 32 for each further power of two.
    static let buckets = 28 * 32

    public init() {}

    @inline(__always)
    static func bucket(_ microseconds: UInt64) -> Int {
        guard microseconds >= 32 else { return Int(truncatingIfNeeded: microseconds) }
        let value = min(microseconds, 0xFFFF_FFFF)
        let exponent = 63 - value.leadingZeroBitCount
        return (exponent - 4) * 32 + Int(truncatingIfNeeded: value >> UInt64(exponent - 5)) & 31
    }

    /// The lowest value of a bucket, and how many values it holds.
    static func range(_ bucket: Int) -> (lowest: UInt64, width: UInt64) {
        guard bucket >= 32 else { return (UInt64(bucket), 1) }
        let shift = UInt64(bucket / 32 - 1)
        return ((32 + UInt64(bucket % 32)) << shift, 1 << shift)
    }

    public mutating func record(microseconds: UInt64) {
        let bucket = LatencyHistogram.bucket(microseconds)
        if bucket >= counts.count { grow(to: bucket) }
        counts[bucket] &+= 1
        count &+= 1
    }

    @inline(never)
    private mutating func grow(to bucket: Int) {
        // In steps, so that the first seconds of a slot do not copy it again and again.
        let size = min((bucket / 64 + 1) * 64, LatencyHistogram.buckets)
        counts.reserveCapacity(size)
        counts.append(contentsOf: repeatElement(0, count: size - counts.count))
    }

    public mutating func add(_ other: LatencyHistogram) {
        guard other.count > 0 else { return }
        if counts.count < other.counts.count { grow(to: other.counts.count - 1) }
        for index in other.counts.indices { counts[index] &+= other.counts[index] }
        count &+= other.count
    }

    /// What has been recorded since `earlier`, which must be an earlier state of this histogram.
    public func subtracting(_ earlier: LatencyHistogram) -> LatencyHistogram {
        var result = LatencyHistogram()
        guard count > earlier.count else { return result }
        result.counts = counts
        for index in 0..<min(counts.count, earlier.counts.count) {
            result.counts[index] -= min(earlier.counts[index], counts[index])
        }
        result.count = result.counts.reduce(0, &+)
        return result
    }

    /// The value in milliseconds that `p` percent of the recorded ones do not exceed; `nil` when there are none.
    /// - Parameter p: 0…100, e.g. 99.9.
    public func percentile(_ p: Double) -> Double? {
        guard count > 0 else { return nil }
        let share = (min(max(p, 0), 100) / 100 * Double(count)).rounded(.up)
        let rank = min(max(UInt64(share), 1), count)
        var seen: UInt64 = 0
        for bucket in counts.indices {
            seen += counts[bucket]
            guard seen >= rank else { continue }
            let (lowest, width) = LatencyHistogram.range(bucket)
            return (Double(lowest) + Double(width - 1) / 2) / 1000
        }
        return nil
    }
}
