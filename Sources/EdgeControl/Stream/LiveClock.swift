import EdgeCore
import Foundation
import Glibc

extension LiveService.Clock {
    /// The machine's clocks. `now` is CLOCK_MONOTONIC, the same that event loops go by: breakers are asked with it.
    public static let system = LiveService.Clock(
        now: {
            var time = timespec()
            clock_gettime(CLOCK_MONOTONIC, &time)
            return MonotonicTime(nanoseconds: UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec))
        },
        wall: { Date() },
        makeID: { Identity.make($0, time: .now()) })
}
