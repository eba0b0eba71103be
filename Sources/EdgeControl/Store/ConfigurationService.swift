public import EdgeCore
public import Shared
import Synchronization

/// The one place where the configuration changes: decides on a value, keeps it, puts it in force, and tells of it.
///
///     edits on a draft → checked against the whole → compiled → committed with its audit row → published to every loop
///     → told to whoever listens → acknowledged
///
/// So an acknowledged write is on disk and acts on the next request; a refused one has changed nothing.
public final class ConfigurationService: Sendable {
    /// Where facts go that others show.
    public struct Sinks: Sendable {
        public var audit: @Sendable (AuditRecord) -> Void
        public var event:
            @Sendable (_ severity: EventRecord.Severity, _ kind: String, _ object: String, _ text: String) -> Void

        public init(
            audit: @escaping @Sendable (AuditRecord) -> Void,
            event: @escaping @Sendable (EventRecord.Severity, String, String, String) -> Void
        ) {
            self.audit = audit
            self.event = event
        }
    }

    /// A whole configuration at one revision, in all its forms.
    struct Published: Sendable {
        var state: ConfigurationState
        /// The state's, with what agents have bound.
        var configuration: Configuration
        var snapshot: Snapshot?
        /// What agents have bound, by host and port.
        var bound: [String: EphemeralEndpoint] = [:]
    }

    let store: any ConfigurationStore
    let catalogue: Catalogue
    let authority: InternalAuthority
    let compiler: SnapshotCompiler
    let dataPlane: any DataPlane
    private let sinks: Sinks
    let clock: @Sendable () -> WallTime
    let refusals: RefusalLog
    private let lane = WriteLane()
    let published: Mutex<Published>
    private let guards = Mutex<(any GuardStarting)?>(nil)

    /// - Parameter clock: the time of day, for records and certificates.
    public init(
        store: any ConfigurationStore, catalogue: Catalogue, authority: InternalAuthority, compiler: SnapshotCompiler,
        dataPlane: any DataPlane, sinks: Sinks, clock: @escaping @Sendable () -> WallTime = { .now() }
    ) {
        self.store = store
        self.catalogue = catalogue
        self.authority = authority
        self.compiler = compiler
        self.dataPlane = dataPlane
        self.sinks = sinks
        self.clock = clock
        refusals = RefusalLog(store: store, clock: clock, tell: sinks.audit)
        published = Mutex(Published(state: ConfigurationState(catalogue: catalogue), configuration: Configuration()))
    }

    /// Reads the store and puts the configuration in force. Called once, before the first request.
    /// - Throws: `StoreFailure` when the store cannot be read or contradicts itself.
    public func start() async throws {
        try await lane.run { try await reload() }
    }

    /// Guards are made after the configuration, which they watch; writes with a guard are refused until then.
    public func use(_ guards: any GuardStarting) { self.guards.withLock { $0 = guards } }

    var guardStarting: (any GuardStarting)? { guards.withLock { $0 } }

    // MARK: Reading

    public var state: ConfigurationState { published.withLock { $0.state } }
    public var configuration: Configuration { published.withLock { $0.configuration } }
    public var revision: UInt64 { published.withLock { $0.state.revision } }
    /// The configuration in force, compiled; empty before `start`.
    public var snapshot: Snapshot { published.withLock { $0.snapshot } ?? .empty }
    /// What could not be compiled, by object identifier.
    public var faults: [String: Fault] { published.withLock { $0.snapshot?.faults ?? [:] } }

    // MARK: Writing

    /// Who writes, and how the audit trail calls it.
    struct Author: Sendable {
        var principal: String
        var origin: String
        var command: String
        /// What the writer may do. The server's own writes are about traffic.
        var role = Role.operator

        /// However a write came about (alone, in an apply, as an undo), it changes nothing that its author may not.
        func checkRole(_ changes: [ObjectChange]) throws(Fault) {
            for change in changes where change.isSubstantial {
                guard let needed = change.kind.map({ Resources.of($0).access.write }), role < needed else { continue }
                let message = "\(principal) is \(role.rawValue); changing \(change.id) needs \(needed.rawValue)."
                throw Fault(nil, message, status: 403)
            }
        }
    }

    /// One write: what it does to a draft, and what goes into its transaction.
    struct Write<Result: Sendable>: Sendable {
        var author: Author
        /// Runs on a draft; may run again on a later one when another program wrote to the store meanwhile.
        var body: @Sendable (inout ConfigurationDraft) throws -> Result
        /// Adds to the transaction, e.g. a guard, once it is known what the write does.
        var complete: @Sendable (inout StoreTransaction, Result) throws -> Void = { _, _ in }
    }

    struct Outcome<Result: Sendable>: Sendable {
        var result: Result
        var state: ConfigurationState
        /// `nil` when nothing was different.
        var audit: AuditRecord?
    }

    /// Runs one write while no other runs.
    /// - Throws: what the write throws; then nothing has changed.
    func perform<Result>(_ write: Write<Result>) async throws -> Outcome<Result> {
        try await lane.run { try await performAlone(write) }
    }

    /// Runs `work` while no write of others runs; `work` may call `performAlone`.
    func alone<Result: Sendable>(_ work: @Sendable () async throws -> Result) async throws -> Result {
        try await lane.run(work)
    }

    func performAlone<Result>(_ write: Write<Result>) async throws -> Outcome<Result> {
        for _ in 0..<3 {
            do {
                return try await attempt(write)
            } catch is StoreConflict {
                // Another program writes to the same store: decide anew on what it left.
                try await reload()
            }
        }
        throw Fault(nil, "The configuration is being changed by another server. Try again.", status: 503)
    }

    private func attempt<Result>(_ write: Write<Result>) async throws -> Outcome<Result> {
        let before = published.withLock { $0 }
        var draft = ConfigurationDraft(
            base: before.state, effects: effects, principal: write.author.principal)
        let result = try write.body(&draft)
        try draft.check()
        try write.author.checkRole(draft.changes)
        guard !draft.isEmpty else { return Outcome(result: result, state: before.state, audit: nil) }

        let (after, compilation) = try compile(draft, before)
        var transaction = self.transaction(draft, after.state, write.author)
        try write.complete(&transaction, result)
        let id = try await store.commit(transaction)
        // Not before it is kept: a write that fails must leave the breakers of what serves alone.
        compiler.putInForce(compilation)
        published.withLock { $0 = after }
        await dataPlane.publish(compilation.snapshot)

        var audit = transaction.audit
        audit.id = id
        tellOf(audit)
        tell(audit)
        return Outcome(result: result, state: after.state, audit: audit)
    }

    /// The forms that the configuration would take. Compiled before it is kept, so that what cannot serve is refused.
    private func compile(
        _ draft: ConfigurationDraft, _ before: Published
    ) throws(Fault) -> (after: Published, compilation: Compilation) {
        var after = before
        after.state = draft.committed()
        try ConfigurationService.checkBound(draft.changes, before.bound)
        let touched = ConfigurationService.touched(draft.changes, in: after.state)
        after.configuration.update(touched, from: after.state)
        let compilation = compiler.prepare(after.configuration, touched: touched, previous: before.snapshot)
        let faults = ConfigurationService.faults(of: compilation, touched: touched, before: before)
        if let first = faults.first { throw first.fault }
        after.snapshot = compilation.snapshot
        return (after, compilation)
    }

    /// What could be served before, or is not old, and cannot be served any more.
    private static func faults(
        of compilation: Compilation, touched: Set<String>, before: Published
    ) -> [(id: String, fault: Fault)] {
        compilation.snapshot.faults.sorted { $0.key < $1.key }
            .filter { touched.contains($0.key) && before.snapshot?.faults[$0.key] == nil }
            .map { ($0.key, $0.value) }
    }

    /// A write that is only asked about: runs on a draft that nobody commits, and compiles what would be served.
    /// - Returns: the draft with all that succeeded, and what could not be served, by object.
    func rehearse<Result>(
        _ principal: String, _ body: (inout ConfigurationDraft) throws -> Result
    ) throws -> (result: Result, draft: ConfigurationDraft, faults: [(id: String, fault: Fault)]) {
        let before = published.withLock { $0 }
        var draft = ConfigurationDraft(base: before.state, effects: effects, principal: principal)
        let result = try body(&draft)
        let state = draft.committed()
        let touched = ConfigurationService.touched(draft.changes, in: state)
        var configuration = before.configuration
        configuration.update(touched, from: state)
        let compilation = compiler.forRehearsal.prepare(
            configuration, touched: touched, previous: before.snapshot)
        return (result, draft, ConfigurationService.faults(of: compilation, touched: touched, before: before))
    }

    private static func touched(_ changes: [ObjectChange], in state: ConfigurationState) -> Set<String> {
        Set(
            changes.flatMap { change in
                [change.id, change.before?.parent, change.after?.parent].compactMap(\.self)
                    + Endpoints.neighbours(of: change, in: state)
            })
    }

    private func transaction(
        _ draft: ConfigurationDraft, _ state: ConfigurationState, _ author: Author
    ) -> StoreTransaction {
        let changes = draft.changes
        let shown = ShownChanges(changes, from: draft.base, to: state, within: .record)
        let audit = AuditRecord(
            id: 0, at: draft.effects.now.text, principal: author.principal, origin: author.origin,
            command: author.command, revision: state.revision, changes: shown.changes,
            omitted: shown.omitted > 0 ? shown.omitted : nil)
        return StoreTransaction(
            expected: draft.base.revision, revision: state.revision, changes: changes, marks: state.marks, audit: audit)
    }

    /// Hands a record to whoever shows it.
    func tellOf(_ record: AuditRecord) { sinks.audit(record) }

    private func tell(_ audit: AuditRecord) {
        let count = audit.changes.count + (audit.omitted ?? 0)
        let objects = audit.changes.count == 1 && count == 1 ? audit.changes[0].id : "\(count) objects"
        sinks.event(
            .info, "configuration.changed", audit.changes.first?.id ?? "",
            "\(audit.principal): \(audit.command) (\(objects), revision \(audit.revision))")
    }

    private var effects: Effects {
        Effects(
            now: clock(), makeID: { Identity.make($0, time: $1) }, makeSecret: { AccessToken.makeSecret() },
            issue: { [authority] in try authority.issue($0, $1, $2) })
    }

    private func reload() async throws {
        let stored = try await store.load()
        let after = try rebuilt(stored, published.withLock { $0.bound })
        published.withLock { $0 = after }
        if let snapshot = after.snapshot { await dataPlane.publish(snapshot) }
    }

    private func rebuilt(
        _ stored: StoredConfiguration, _ bound: [String: EphemeralEndpoint]
    ) throws(StoreFailure) -> Published {
        var state = ConfigurationState(catalogue: catalogue)
        do throws(Fault) {
            try state.restore(stored)
        } catch {
            throw StoreFailure(path: store.location, reason: "it contradicts itself: \(error.message)")
        }
        var configuration = Configuration()
        configuration.update(stored.objects.map(\.id), from: state)
        for endpoint in bound.values { endpoint.apply(to: &configuration) }
        let snapshot = compiler.compile(configuration, touched: nil, previous: nil)
        return Published(state: state, configuration: configuration, snapshot: snapshot, bound: bound)
    }
}
