import Dispatch
import EdgeCore
import Foundation

extension LiveService.Clock {
    /// The machine's clocks. `now` is CLOCK_MONOTONIC, the same that event loops go by: breakers are asked with it.
    public static let system = LiveService.Clock(
        now: { MonotonicTime(nanoseconds: DispatchTime.now().uptimeNanoseconds) },
        wall: { Date() },
        makeID: { Identity.make($0, time: .now()) })
}
