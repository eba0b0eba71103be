/// The receiving window of one stream: how much the peer may still send, and when to let it send more.
///
/// Credit goes back in pieces: a frame for every read would cost more than it moves, and holding back more than half
/// of the window would stall the sender. Between our own two halves the window also grows: when all of it was used
/// within two round trips, the sender waited for credit and for nothing else, so the window doubles. A stream at 50 ms
/// that began with 256 KiB may have 16 MiB in flight after six of these.
struct StreamWindow {
    /// What both sides assume at first, never negotiated (agent-protocol.md 4.4).
    static let initial = 262_144
    private static let piece = 32 << 10

    /// Bytes that the peer may still send.
    private(set) var remaining = Self.initial
    /// The size that is aimed at.
    private(set) var size = Self.initial
    /// Used up here and not given back yet.
    private var used = 0
    /// When the present measurement began, in nanoseconds, and the bytes since.
    private var began: UInt64 = 0
    private var since = 0

    /// The peer has sent so much.
    /// - Returns: whether it was allowed to.
    mutating func receive(_ count: Int) -> Bool {
        remaining -= count
        return remaining >= 0
    }

    /// The peer was given credit beside the sums: it may use it.
    mutating func grant(_ count: Int) { remaining += count }

    /// So much has been used up here.
    /// - Parameters:
    ///   - now: nanoseconds on a monotonic clock.
    ///   - growth: what windows of this session may still grow by; `nil` when they must not.
    /// - Returns: the credit to give now; 0 for none yet.
    mutating func use(_ count: Int, now: UInt64, _ growth: inout WindowGrowth?) -> Int {
        used += count
        since += count
        guard used >= min(Self.piece, size / 2) else { return 0 }
        var credit = used
        if since >= size, growth != nil {
            if now &- began < 2 &* (growth?.roundTrip ?? 0) { credit += grow(&growth) }
            began = now
            since = 0
        }
        used = 0
        remaining += credit
        return credit
    }

    private mutating func grow(_ growth: inout WindowGrowth?) -> Int {
        guard let budget = growth, size < WindowGrowth.largest, budget.left >= size else { return 0 }
        growth?.left -= size
        defer { size *= 2 }
        return size
    }

    /// Bytes beyond the first window: the session's again when the stream ends.
    var grown: Int { size - Self.initial }
}

/// What the windows of one session may grow by, all together.
public struct WindowGrowth: Hashable, Sendable {
    /// The largest window of one stream.
    static let largest = 16 << 20
    /// Bytes that all windows together may have beyond their first size.
    public static let budget = 64 << 20

    var left = Self.budget
    /// The shortest round trip that was measured, in nanoseconds. Never below 100 µs: on one machine it is not the
    /// distance that makes a sender wait.
    public private(set) var roundTrip: UInt64 = 0

    public init() {}

    public mutating func measured(_ nanoseconds: UInt64) {
        let measured = max(nanoseconds, 100_000)
        roundTrip = roundTrip == 0 ? measured : min(roundTrip, measured)
    }
}
