import EdgeCore
import Synchronization

/// Lets one writer at a time through, in the order in which they came.
final class WriteLane: Sendable {
    /// More than this do not queue up: they are told to come back.
    static let maximumWaiting = 256

    private struct State {
        var isBusy = false
        var waiting: [CheckedContinuation<Void, Never>] = []
    }

    private let state = Mutex(State())

    /// - Throws: 503 when too many wait already; else what `work` throws.
    func run<Result: Sendable>(_ work: @Sendable () async throws -> Result) async throws -> Result {
        try await enter()
        defer { leave() }
        return try await work()
    }

    private func enter() async throws(Fault) {
        let isFull = state.withLock { $0.waiting.count >= WriteLane.maximumWaiting }
        guard !isFull else { throw Fault(nil, "Too many writes are waiting. Try again.", status: 503) }
        await withCheckedContinuation { continuation in
            let isFree = state.withLock { state in
                guard state.isBusy else {
                    state.isBusy = true
                    return true
                }
                state.waiting.append(continuation)
                return false
            }
            if isFree { continuation.resume() }
        }
    }

    private func leave() {
        let next = state.withLock { state -> CheckedContinuation<Void, Never>? in
            guard !state.waiting.isEmpty else {
                state.isBusy = false
                return nil
            }
            return state.waiting.removeFirst()
        }
        next?.resume()
    }
}
