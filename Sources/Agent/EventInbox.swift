import CLinux
import Glibc
import SelvageAgent
import Synchronization

/// Between the transport's threads, which must not wait, and the program's one, which may: a terminal or a pipe can
/// stall. The model takes every event at once; lines wait in a queue that is bounded.
final class EventInbox: Sendable {
    struct Entry: Sendable {
        var event: AgentEvent
        /// RFC 3339.
        var time: String
    }

    private struct State {
        var model: AgentModel
        var entries: [Entry] = []
        var dropped = 0
        var outcome: Result<Void, AgentFailure>?
    }

    /// Lines that nobody has taken past this many are dropped, and counted.
    static let capacity = 10_000

    /// Readable when there is something to take.
    let descriptor: Int32
    private let state: Mutex<State>
    private let keeps: @Sendable (AgentEvent) -> Bool

    /// - Parameter keeps: whether an event becomes a line.
    init(_ model: AgentModel, keeps: @escaping @Sendable (AgentEvent) -> Bool) {
        state = Mutex(State(model: model))
        self.keeps = keeps
        descriptor = eventfd(0, O_NONBLOCK | O_CLOEXEC)
    }

    deinit { close(descriptor) }

    func put(_ event: AgentEvent) {
        let time = keeps(event) ? Clock.text : nil
        let now = Clock.now
        let isFirst = state.withLock { state in
            state.model.take(event, now: now)
            guard let time else { return false }
            guard state.entries.count < EventInbox.capacity else {
                state.dropped += 1
                return false
            }
            state.entries.append(Entry(event: event, time: time))
            return state.entries.count == 1
        }
        if isFirst { wake() }
    }

    func finish(_ outcome: Result<Void, AgentFailure>) {
        state.withLock { $0.outcome = outcome }
        wake()
    }

    var model: AgentModel { state.withLock { $0.model } }

    /// The waiting entries and how many were dropped before them; with the end, if the transport has ended.
    func take() -> (entries: [Entry], dropped: Int, outcome: Result<Void, AgentFailure>?) {
        var count: UInt64 = 0
        _ = read(descriptor, &count, 8)
        return state.withLock { state in
            defer {
                state.entries = []
                state.dropped = 0
            }
            return (state.entries, state.dropped, state.outcome)
        }
    }

    private func wake() {
        var one: UInt64 = 1
        _ = write(descriptor, &one, 8)
    }
}
