import EdgeCore
import Shared

/// What was counted between two samples.
struct SampleWindow {
    let before: TrafficSample
    let after: TrafficSample
    /// How long it lasted.
    let seconds: Double

    func counter(_ slot: Int) -> TrafficCounters { SampleWindow.counter(after, slot) }

    /// How often the slot's thing was begun.
    func started(_ slot: Int) -> UInt64 {
        SampleWindow.difference(counter(slot).started, SampleWindow.counter(before, slot).started)
    }

    /// Begun and not ended.
    func open(_ slot: Int) -> Int64 {
        Int64(clamping: SampleWindow.difference(counter(slot).started, counter(slot).ended))
    }

    /// Orders rows by what is worth seeing: those that end exchanges first, then those that have some open.
    func activity(_ slot: Int) -> (UInt64, UInt64, UInt64) {
        let now = counter(slot)
        return (
            SampleWindow.difference(now.ended, SampleWindow.counter(before, slot).ended),
            SampleWindow.difference(now.started, now.ended), now.ended
        )
    }

    func row(_ id: String, slot: Int) -> TrafficRow {
        let now = counter(slot)
        let then = SampleWindow.counter(before, slot)
        let latencies = SampleWindow.latencies(after, slot).subtracting(SampleWindow.latencies(before, slot))
        return TrafficRow(
            id: id, requests: now.ended,
            statuses: [now.status1, now.status2, now.status3, now.status4, now.status5],
            bytesIn: now.bytesIn, bytesOut: now.bytesOut,
            open: open(slot),
            requestsPerSecond: rate(now.ended, then.ended),
            errorsPerSecond: rate(now.status5 &+ now.aborted, then.status5 &+ then.aborted),
            bytesInPerSecond: rate(now.bytesIn, then.bytesIn),
            bytesOutPerSecond: rate(now.bytesOut, then.bytesOut),
            p50: latencies.percentile(50), p95: latencies.percentile(95),
            p99: latencies.percentile(99))
    }

    /// Per second, to a thousandth: more digits would only make ticks longer.
    private func rate(_ now: UInt64, _ then: UInt64) -> Double {
        guard seconds > 0 else { return 0 }
        return (Double(SampleWindow.difference(now, then)) / seconds * 1_000).rounded() / 1_000
    }

    /// Loops are not asked at one instant: a difference that would be negative is none.
    private static func difference(_ now: UInt64, _ then: UInt64) -> UInt64 { now > then ? now - then : 0 }

    private static func counter(_ sample: TrafficSample, _ slot: Int) -> TrafficCounters {
        slot < sample.counters.count ? sample.counters[slot] : TrafficCounters()
    }

    private static func latencies(_ sample: TrafficSample, _ slot: Int) -> LatencyHistogram {
        slot < sample.latencies.count ? sample.latencies[slot] : LatencyHistogram()
    }
}
