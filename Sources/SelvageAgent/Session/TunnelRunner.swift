import EdgeTransport
import EdgeTunnel
import Foundation
import Shared
import Synchronization

/// The transport of an agent: its sessions on one event loop, each held open for ever.
public final class TunnelRunner: AgentRunner {
    /// What becomes of visitors: forwarded to each spec's upstream unless a program serves them itself.
    typealias Serve = @Sendable (TunnelConnection) -> Void

    struct State {
        var isStopping = false
        var handles: [AgentLinkHandle] = []
        var sleepers: [UInt64: Task<Void, Never>] = [:]
        var nextSleeper: UInt64 = 0
        var deadline: Task<Void, Never>?
    }

    let state = Mutex(State())
    private let serve: Serve?

    /// One that forwards to upstreams.
    public init() { serve = nil }

    init(serve: @escaping Serve) { self.serve = serve }

    public func run(
        _ settings: AgentSettings, _ tunnels: [TunnelSpec], events: @escaping @Sendable (AgentEvent) -> Void
    ) async throws(AgentFailure) {
        let plan = try SessionPlan(settings, tunnels, serve: serve)
        let loop: AgentLoop
        do { loop = try AgentLoop() } catch { throw .cannotRun("the event loop cannot start: \(error)") }
        let outcome = await hold(plan, loop, events)
        for handle in state.withLock({ $0.handles }) { handle.close() }
        state.withLock { $0.deadline }?.cancel()
        events(.stopped)
        if let outcome { throw outcome }
    }

    /// - Returns: why it cannot go on; `nil` when it was stopped.
    private func hold(
        _ plan: SessionPlan, _ loop: AgentLoop, _ events: @escaping @Sendable (AgentEvent) -> Void
    ) async -> AgentFailure? {
        await withTaskGroup(of: AgentFailure?.self) { group in
            for number in 0..<plan.settings.connections {
                group.addTask { [self] in
                    var session = SessionKeeper(number, plan, loop, runner: self, events)
                    return await session.hold()
                }
            }
            var failure: AgentFailure?
            for await outcome in group {
                // One token for all of them: what one is refused, all are.
                guard let outcome, failure == nil else { continue }
                failure = outcome
                stop(drain: .zero)
            }
            return failure
        }
    }

    public func stop(drain: Duration) {
        let (handles, sleepers) = state.withLock { state in
            state.isStopping = true
            return (state.handles, Array(state.sleepers.values))
        }
        for sleeper in sleepers { sleeper.cancel() }
        guard drain > .zero else {
            for handle in handles { handle.close() }
            return
        }
        for handle in handles { handle.drain() }
        let deadline = Task { [self] in
            guard (try? await Task.sleep(for: drain)) != nil else { return }
            for handle in state.withLock({ $0.handles }) { handle.close() }
        }
        state.withLock { state in
            state.deadline?.cancel()
            state.deadline = deadline
        }
    }

    // MARK: For sessions

    var isStopping: Bool { state.withLock { $0.isStopping } }

    func add(_ handle: AgentLinkHandle) -> Bool {
        state.withLock { state in
            state.handles.append(handle)
            return !state.isStopping
        }
    }

    func remove(_ handle: AgentLinkHandle) { state.withLock { $0.handles.removeAll { $0 === handle } } }

    /// Waits, unless it is stopped meanwhile.
    func pause(seconds: Double) async {
        let sleeper = Task { _ = try? await Task.sleep(for: .seconds(seconds)) }
        let number = state.withLock { state -> UInt64 in
            if state.isStopping { sleeper.cancel() }
            state.nextSleeper += 1
            state.sleepers[state.nextSleeper] = sleeper
            return state.nextSleeper
        }
        await sleeper.value
        state.withLock { $0.sleepers[number] = nil }
    }
}
