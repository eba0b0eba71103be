/// What one HTTP/2 connection may cost beyond its requests. Pure: time is passed in.
///
/// A peer that opens streams only to reset them, or that sends frames which carry nothing, makes work without bound
/// inside the limits of the protocol (CVE-2023-44487 and its kin). Past the budget it is closed, not only told.
struct HTTP2Budget {
    /// Resets allowed in a window, and the number of empty or control frames.
    static let resetsPerWindow = 100
    static let controlFramesPerWindow = 1000
    static let windowMilliseconds: UInt64 = 10_000

    private var windowStart: UInt64 = 0
    private var resets = 0
    private var controlFrames = 0

    /// - Returns: whether the peer stays within its budget.
    mutating func reset(at milliseconds: UInt64) -> Bool {
        turn(milliseconds)
        resets += 1
        return resets <= Self.resetsPerWindow
    }

    mutating func controlFrame(at milliseconds: UInt64) -> Bool {
        turn(milliseconds)
        controlFrames += 1
        return controlFrames <= Self.controlFramesPerWindow
    }

    private mutating func turn(_ milliseconds: UInt64) {
        guard milliseconds >= windowStart + Self.windowMilliseconds else { return }
        windowStart = milliseconds
        resets = 0
        controlFrames = 0
    }
}
