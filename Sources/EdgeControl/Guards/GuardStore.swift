public import EdgeCore
public import Shared

/// What guards need of the configuration: the objects as they were, kept so that no crash can lose them.
///
/// The configuration service implements it. It writes a `GuardPlan` and the before-images *in the same transaction* as
/// the guarded change itself, so that there is no moment at which the change stands and its guard is not on disk.
public protocol GuardStore: Sendable {
    /// Puts the guard's objects back and forgets the guard, in one transaction, audited with the origin `guard`, and
    /// publishes the result. A guard that is not kept any more has been put back already: nothing happens.
    /// - Throws: `GuardConflict` when somebody else has changed one of the objects since, or needs one; any other error
    ///   means that it may be tried again.
    func restoreGuarded(_ id: String, reason: String) async throws
    /// Forgets a guard whose change stays.
    func forgetGuard(_ id: String) async throws
    /// Guards that an earlier process left running, oldest first.
    func unfinishedGuards() async throws -> [GuardPlan]
}

/// Why a guarded change can never be put back as a whole, e.g. `bkdwd_… was changed by uid:1001 (bob) since`.
public struct GuardConflict: Error, Hashable, Sendable {
    public let cause: String

    public init(_ cause: String) { self.cause = cause }
}

/// What the operation that writes a guarded change needs of the guards. Implemented by `LiveService`.
///
/// The order is: `planGuard`, then one transaction with the change and the plan, then publishing, then `startGuard`.
public protocol GuardStarting: Sendable {
    /// Checks what the operator wants and names the guard. Nothing runs yet.
    /// - Parameter changes: what the write will do, before and after as the API shows them.
    /// - Throws: 400 for limits out of range and for a session that is not open; 409 when another guard holds one of
    ///   the objects, or too many guards run.
    func planGuard(
        _ wanted: ApplyRequest.Guard, command: String, principal: String, changes: [AuditRecord.Change]
    ) throws(Fault) -> GuardPlan
    /// The change is in force: watches it from here.
    func startGuard(_ plan: GuardPlan) async -> GuardStatus
}
