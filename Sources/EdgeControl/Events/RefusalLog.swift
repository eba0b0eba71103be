public import EdgeCore
import Shared
import Synchronization

/// Takes refused writes into the audit trail: `RefusalMachine` decides, this writes, a second later at most and never
/// on the way of the answer. A crash in that second loses them; what was carried out is in its own transaction.
public final class RefusalLog: Sendable {
    private struct State {
        var machine = RefusalMachine()
        var isScheduled = false
    }

    private let state = Mutex(State())
    private let store: any ConfigurationStore
    private let clock: @Sendable () -> WallTime
    private let tell: @Sendable (AuditRecord) -> Void
    private let lane = WriteLane()

    /// - Parameter tell: called with each new record; not again when its count goes up.
    init(
        store: any ConfigurationStore, clock: @escaping @Sendable () -> WallTime,
        tell: @escaping @Sendable (AuditRecord) -> Void
    ) {
        self.store = store
        self.clock = clock
        self.tell = tell
    }

    /// Notes a refused request if it was one to write.
    /// - Parameter principal: `nil` when nobody knows who it was; then the address stands for them, and nothing that
    ///   the client claims about its command is believed.
    public func note(
        _ request: HandlerRequest, principal: String?, origin: String, status: Int, code: String?, revision: UInt64
    ) {
        guard !["GET", "HEAD", "OPTIONS"].contains(request.method) else { return }
        let line = AdminAPI.sanitise("\(request.method) \(request.path)") ?? "?"
        let command = principal == nil ? line : AdminAPI.command(request) ?? line
        let key = RefusalMachine.Key(
            principal: principal ?? RefusalLog.stranger(request), command: String(command.prefix(200)),
            status: status, code: code)
        let now = clock()
        let isFirst = state.withLock { state in
            state.machine.take(key, origin: origin, revision: revision, now: now)
            defer { state.isScheduled = true }
            return !state.isScheduled
        }
        guard isFirst else { return }
        Task {
            try? await Task.sleep(for: .seconds(1))
            state.withLock { $0.isScheduled = false }
            await flush()
        }
    }

    private static func stranger(_ request: HandlerRequest) -> String {
        if let peer = request.peer { return "uid:\(peer.uid)" }
        return request.client.map { "address:\($0)" } ?? "unknown"
    }

    /// Writes what is due. When it returns, the trail has every refusal noted before.
    func flush() async {
        try? await lane.run {
            let due = state.withLock { $0.machine.due() }
            guard !due.isEmpty else { return }
            do {
                let ids = try await store.keep(due.map { StoredRefusal(record: $0.record) })
                state.withLock { state in
                    for (entry, id) in zip(due, ids) { state.machine.stored(entry.key, id: id) }
                }
                for (entry, id) in zip(due, ids) where entry.record.id == 0 {
                    var record = entry.record
                    record.id = id
                    tell(record)
                }
            } catch {
                state.withLock { state in due.forEach { state.machine.failed($0.key) } }
            }
        }
    }
}
