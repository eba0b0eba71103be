/// A point on the process's monotonic clock, in nanoseconds. Passed in: no pure room reads a clock.
public struct MonotonicTime: Comparable, Hashable, Sendable {
    public var nanoseconds: UInt64

    public init(nanoseconds: UInt64) { self.nanoseconds = nanoseconds }
    public init(seconds: Double) { nanoseconds = UInt64(max(0, seconds) * 1e9) }

    public static func < (one: Self, other: Self) -> Bool { one.nanoseconds < other.nanoseconds }

    public static func + (time: Self, duration: Duration) -> Self {
        Self(nanoseconds: time.nanoseconds &+ UInt64(max(0, duration.nanoseconds)))
    }

    /// Seconds from `earlier` to here, never negative.
    public func seconds(since earlier: Self) -> Double {
        nanoseconds > earlier.nanoseconds ? Double(nanoseconds - earlier.nanoseconds) / 1e9 : 0
    }

    /// Microseconds from `earlier` to here, never negative.
    public func microseconds(since earlier: Self) -> UInt64 {
        nanoseconds > earlier.nanoseconds ? (nanoseconds - earlier.nanoseconds) / 1000 : 0
    }
}

extension Duration {
    /// The whole duration in nanoseconds (292 years at most).
    public var nanoseconds: Int64 {
        let (seconds, attoseconds) = components
        return seconds &* 1_000_000_000 &+ attoseconds / 1_000_000_000
    }
}
