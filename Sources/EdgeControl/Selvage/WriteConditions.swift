import Crypto
import EdgeCore
import Shared

/// What requests that write many objects at once may have beside the writes themselves.
struct WriteConditions: Sendable {
    static let names = ["command", "guard", "idempotency_id", "dry_run", "expected_revision"]
    /// Seconds for which the same idempotency id answers the same.
    static let memory: Int64 = 600

    let command: String?
    let wantedGuard: ApplyRequest.Guard?
    let idempotencyID: String?
    let isDryRun: Bool
    let expectedRevision: UInt64?

    /// - Throws: 400 for a member of another type, and for a guard with a member that is not known: it may be a
    ///   misspelt condition, and leaving it out would write without it.
    init(_ fields: Fields) throws {
        command = try fields.string("command").flatMap(AdminAPI.sanitise)
        isDryRun = try fields.bool("dry_run") ?? false
        idempotencyID = try fields.string("idempotency_id")
        if let id = idempotencyID, !(1...64).contains(id.unicodeScalars.count) {
            throw Fault(nil, "An idempotency_id has between 1 and 64 characters.")
        }
        expectedRevision = try fields["expected_revision"].map { value throws(Fault) in
            guard let number = value.intValue, number >= 0 else {
                throw Fields.wrongType("expected_revision", "a revision")
            }
            return UInt64(number)
        }
        wantedGuard = try fields["guard"].map { wanted in
            _ = try Fields(wanted, known: ["seconds", "session", "max_error_rate", "max_p95", "min_samples"])
            do {
                return try WireJSON.decode(ApplyRequest.Guard.self, from: wanted)
            } catch {
                throw Fields.wrongType("guard", "a guard with its seconds")
            }
        }
    }

    /// - Throws: 412 when the writer saw another revision.
    func check(_ state: ConfigurationState) throws(APIErrorBody) {
        guard let expectedRevision, expectedRevision != state.revision else { return }
        throw APIErrorBody(
            errorCode: nil, statusCode: 412,
            message: "The configuration is at revision \(state.revision), not \(expectedRevision).",
            details: ["revision": String(state.revision)])
    }

    // MARK: Guards

    /// What the guard of a write would be; `nil` when none is wanted. Nothing runs yet.
    func plan(
        _ draft: ConfigurationDraft, command: String, by principal: Principal, _ service: ConfigurationService
    ) throws(Fault) -> GuardPlan? {
        guard let wantedGuard else { return nil }
        guard let guards = service.guardStarting else {
            throw Fault(nil, "Guards are not available on this server.", status: 503)
        }
        let shown = ShownChanges(draft.changes, from: draft.base, to: draft.state, within: .all)
        return try guards.planGuard(
            wantedGuard, command: command, principal: principal.name, changes: shown.changes)
    }

    // MARK: The same request again

    /// - Returns: what the first request with this id was answered.
    /// - Throws: 409 when that was another request.
    func earlierAnswer(
        _ call: OperationCall, _ service: ConfigurationService, as form: Shape
    ) async throws -> HandlerResponse? {
        guard let key = key(call), let earlier = try await service.store.answer(key, now: service.clock()) else {
            return nil
        }
        guard earlier.request == question(call) else {
            throw Fault(nil, "This idempotency_id belongs to another request of the last ten minutes.", status: 409)
        }
        return .json(Schema.object(form).completing(try JSON(parsing: Array(earlier.body.utf8))))
    }

    /// The answer as it is kept, or `nil` when the request names no id.
    func stored(
        _ answer: some Encodable, _ call: OperationCall, _ service: ConfigurationService
    ) throws -> StoredAnswer? {
        guard let key = key(call) else { return nil }
        let body = String(decoding: try WireJSON.encode(answer), as: UTF8.self)
        return StoredAnswer(
            key: key, request: question(call), body: body,
            expires: service.clock().seconds + WriteConditions.memory)
    }

    private func key(_ call: OperationCall) -> String? { idempotencyID.map { "\(call.principal.identity)/\($0)" } }

    /// A hash, as a request may hold a private key.
    private func question(_ call: OperationCall) -> String {
        SHA256.hash(data: (call.body ?? .null).bytes).map { String($0, radix: 16) }.joined(separator: ".")
    }
}
