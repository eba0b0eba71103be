/// When to try again to reach the server: at once, then after 0.5 s, doubling to 30 s, for ever.
///
/// Agents that all lost the same server must not all come back in the same instant: each wait is off by up to a fifth,
/// as chance has it.
public struct Backoff: Hashable, Sendable {
    /// Seconds of the second wait; the first is none.
    public static let first = 0.5
    /// Seconds of the longest wait, before chance.
    public static let longest = 30.0
    /// The share by which chance makes a wait shorter or longer.
    public static let jitter = 0.2
    /// A session that stood for so many seconds was a good one: the next wait is none again.
    public static let settled = 30.0

    /// Waits since the last good session.
    public private(set) var tries = 0

    public init() {}

    /// The wait before the next try, in seconds.
    /// - Parameter chance: evenly spread over 0..<1.
    public mutating func next(chance: Double) -> Double {
        defer { tries += 1 }
        guard tries > 0 else { return 0 }
        // Doubling stops by the exponent: at some thousand tries the power itself would be infinite.
        let wait = min(Backoff.first * Double(1 << min(tries - 1, 16)), Backoff.longest)
        return wait * (1 + Backoff.jitter * (2 * chance - 1))
    }

    /// A session has ended that stood for so many seconds. A short one does not count: a server that lets the agent in
    /// and drops it at once would be called without a pause.
    public mutating func sessionEnded(after seconds: Double) {
        if seconds >= Backoff.settled { tries = 0 }
    }
}
