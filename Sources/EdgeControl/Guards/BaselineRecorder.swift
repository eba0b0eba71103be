import EdgeCore

/// The counters as they were at some moments of the last minute, so that a guard can say how its objects did before the
/// change.
///
/// A moment every ten seconds, seven of them: a baseline covers between 50 and 60 seconds once the server has run that
/// long. Histograms of objects that were idle in between are kept once.
struct BaselineRecorder: Sendable {
    /// Seconds.
    static let spacing = 10.0
    static let length = 60.0

    private var moments: [(at: MonotonicTime, sample: TrafficSample)] = []

    mutating func record(_ sample: TrafficSample, now: MonotonicTime) {
        if let last = moments.last {
            guard now.seconds(since: last.at) >= BaselineRecorder.spacing else { return }
            moments.append((now, BaselineRecorder.sharing(sample, with: last.sample)))
        } else {
            moments.append((now, sample))
        }
        moments.removeAll { now.seconds(since: $0.at) > BaselineRecorder.length }
    }

    /// The counters at the oldest kept moment of the last minute; `nil` before the first.
    func oldest(now: MonotonicTime) -> TrafficSample? {
        moments.first { now.seconds(since: $0.at) <= BaselineRecorder.length }?.sample
    }

    private static func sharing(_ sample: TrafficSample, with earlier: TrafficSample) -> TrafficSample {
        var sample = sample
        let known = min(
            min(sample.counters.count, earlier.counters.count),
            min(sample.latencies.count, earlier.latencies.count))
        for slot in 0..<known where sample.counters[slot].ended == earlier.counters[slot].ended {
            sample.latencies[slot] = earlier.latencies[slot]
        }
        return sample
    }
}
