import EdgeCore
import Synchronization

/// One reader of the stream: the lines that wait for it, and the transport's task that waits for lines.
final class StreamReader: Sendable {
    private struct State {
        var queue: LineQueue
        var waiter: CheckedContinuation<[UInt8]?, Never>?
        var isEnded = false
    }

    let session: String
    let principal: Principal
    private let state: Mutex<State>
    private let now: @Sendable () -> MonotonicTime

    init(session: String, principal: Principal, now: @escaping @Sendable () -> MonotonicTime) {
        self.session = session
        self.principal = principal
        self.now = now
        state = Mutex(State(queue: LineQueue(now: now())))
    }

    /// Gives the reader its first line; those offered before wait behind it.
    func open(hello: [UInt8], lastEvent: UInt64, lastAudit: UInt64) {
        advance { state, now in
            state.queue.open(hello: hello, lastEvent: lastEvent, lastAudit: lastAudit, now: now)
        }
    }

    /// - Returns: `false` when the stream ended, because the reader left or was too slow.
    func offer(_ kind: LineQueue.Kind, _ line: [UInt8]) -> Bool {
        advance { state, now in
            if state.queue.offer(kind, line, now: now) == .overflow { state.isEnded = true }
        }
        return state.withLock { !$0.isEnded }
    }

    func end() { advance { state, _ in state.isEnded = true } }

    /// Waits for the next line; `nil` when the stream has ended. Only one task at a time may wait.
    func next() async -> [UInt8]? {
        await withCheckedContinuation { continuation in
            let resumed: (CheckedContinuation<[UInt8]?, Never>, [UInt8]?)? = state.withLock { state in
                if state.isEnded || state.waiter != nil { return (continuation, nil) }
                if let line = state.queue.take(now: now()) { return (continuation, line) }
                state.waiter = continuation
                return nil
            }
            if let (continuation, line) = resumed { continuation.resume(returning: line) }
        }
    }

    /// Changes the state, and then hands a line to the waiting task if there is one now.
    private func advance(_ change: (inout State, MonotonicTime) -> Void) {
        let now = now()
        let resumed: (CheckedContinuation<[UInt8]?, Never>, [UInt8]?)? = state.withLock { state in
            if !state.isEnded { change(&state, now) }
            if state.isEnded {
                // What waits is worth nothing any more: a reader that comes back gets it with the hello.
                state.queue = LineQueue(now: now)
                return state.waiter.take().map { ($0, nil) }
            }
            guard state.waiter != nil, let line = state.queue.take(now: now) else { return nil }
            return state.waiter.take().map { ($0, line) }
        }
        if let (continuation, line) = resumed { continuation.resume(returning: line) }
    }
}

/// Ends a reader when the last reference to its sequence goes, whoever held it: a transport may drop an answer without
/// ever having begun to read it.
final class StreamLease: Sendable {
    let reader: StreamReader
    private let onEnd: @Sendable (StreamReader) -> Void

    init(_ reader: StreamReader, onEnd: @escaping @Sendable (StreamReader) -> Void) {
        self.reader = reader
        self.onEnd = onEnd
    }

    deinit { onEnd(reader) }
}
