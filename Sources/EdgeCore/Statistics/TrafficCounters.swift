import Synchronization

/// Gives every counted thing a small number, for the process's life, so that loops count in plain arrays.
///
/// Keys: `region/us`, `edge/<id>`, `route/<id>`, `backend/<id>`, `share/<weighted id>/<child id>`, `pool/<address>`.
public final class SlotTable: Sendable {
    /// Stands in a key for everything that agents have bound.
    public static let ephemeral = "agents"

    private struct State {
        var slots: [String: Int32] = [:]
        var keys: [String] = []
    }

    private let state = Mutex(State())

    public init() {}

    /// The slot of `key`, new when it was not known.
    public func slot(_ key: String) -> Int32 {
        state.withLock { state in
            if let slot = state.slots[key] { return slot }
            let slot = Int32(state.keys.count)
            state.slots[key] = slot
            state.keys.append(key)
            return slot
        }
    }

    /// Every key; a key's place is its slot.
    public var keys: [String] { state.withLock { $0.keys } }
}

/// What one loop (or, added up, the server) has seen of one counted thing since it started.
public struct TrafficCounters: Sendable, Hashable {
    /// Exchanges or connections begun, and ended.
    public var started: UInt64 = 0
    public var ended: UInt64 = 0
    /// Answers by class, 1xx…5xx.
    public var status1: UInt64 = 0
    public var status2: UInt64 = 0
    public var status3: UInt64 = 0
    public var status4: UInt64 = 0
    public var status5: UInt64 = 0
    /// Ended without a whole answer.
    public var aborted: UInt64 = 0
    public var bytesIn: UInt64 = 0
    public var bytesOut: UInt64 = 0

    public init() {}

    @inline(__always)
    public mutating func count(status: Int) {
        switch status {
        case 200..<300: status2 &+= 1
        case 300..<400: status3 &+= 1
        case 400..<500: status4 &+= 1
        case 500..<600: status5 &+= 1
        default: status1 &+= 1
        }
    }

    public mutating func add(_ other: TrafficCounters) {
        started &+= other.started
        ended &+= other.ended
        status1 &+= other.status1
        status2 &+= other.status2
        status3 &+= other.status3
        status4 &+= other.status4
        status5 &+= other.status5
        aborted &+= other.aborted
        bytesIn &+= other.bytesIn
        bytesOut &+= other.bytesOut
    }
}

/// Counters and latencies of every slot. A slot past the end has seen nothing.
public struct TrafficSample: Sendable {
    public var counters: [TrafficCounters] = []
    public var latencies: [LatencyHistogram] = []

    public init() {}

    /// Makes room for `count` slots.
    public mutating func grow(to count: Int) {
        if counters.count < count {
            counters.append(contentsOf: repeatElement(TrafficCounters(), count: count - counters.count))
        }
        if latencies.count < count {
            latencies.append(contentsOf: repeatElement(LatencyHistogram(), count: count - latencies.count))
        }
    }

    public mutating func add(_ other: TrafficSample) {
        grow(to: max(other.counters.count, other.latencies.count))
        for index in other.counters.indices { counters[index].add(other.counters[index]) }
        for index in other.latencies.indices { latencies[index].add(other.latencies[index]) }
    }
}
