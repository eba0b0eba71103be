import EdgeControl
import Synchronization

/// The live side, known only after the configuration that reports to it.
final class Later: Sendable {
    private let held = Mutex<LiveService?>(nil)

    var live: LiveService? {
        get { held.withLock { $0 } }
        set { held.withLock { $0 = newValue } }
    }
}
