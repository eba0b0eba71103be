public import EdgeCore
public import Shared

// Putting back what was: undo, guards and the renewal of certificates.
extension ConfigurationService {
    /// What the server itself writes is under this name in the audit trail.
    static let ownName = "selvage"
    private static let renewalsPerWrite = 50

    /// Puts the objects of an audited write back as they were before it.
    /// - Throws: 404 when the record's documents are not kept, 412 when an object has changed since.
    func undo(_ id: UInt64, principal: Principal, command: String?) async throws -> AuditRecord? {
        guard let changes = try await store.changes(ofAudit: id) else {
            throw Fault(nil, "There is no change \(id) that could be undone.", status: 404)
        }
        let author = Author(
            principal: principal.name, origin: "undo", command: command ?? "undo \(id)", role: principal.role)
        let write = Write(author: author) { draft in
            var differing: [String: String] = [:]
            for change in changes {
                guard let difference = ConfigurationService.difference(change, draft.state) else { continue }
                differing[change.id] = difference
            }
            guard differing.isEmpty else {
                let list = differing.sorted { $0.key < $1.key }.map { "\($0.key) \($0.value)" }.joined(separator: "; ")
                throw APIErrorBody(
                    errorCode: nil, statusCode: 412,
                    message: "The change \(id) cannot be undone: \(list.prefix(1000)).",
                    details: differing)
            }
            try draft.revert(changes)
        }
        return try await perform(write).audit
    }

    /// How an object is different from what a change made of it; `nil` when it is not.
    private static func difference(_ change: ObjectChange, _ state: ConfigurationState) -> String? {
        switch (change.after, state[change.id]) {
        case (nil, nil): nil
        case (nil, let current?): "was made anew by \(current.changedBy) since"
        case (_?, nil): "was deleted since"
        case (let after?, let current?):
            after.hasSameContent(as: current) ? nil : "was changed by \(current.changedBy) since"
        }
    }

    /// Renews the certificates of the internal authority that have a third of their life left.
    /// - Returns: the names of the domains that were given new ones.
    @discardableResult
    public func renewDueCertificates() async throws -> [String] {
        let now = clock().text
        let isDue = { @Sendable (domain: ConfigurationObject, state: ConfigurationState) -> Bool in
            guard domain.document["certificate_management_policy"]?.isNull == false,
                let certificate = domain.document["certificate_id"]?.stringValue.flatMap({ state[$0] }),
                let due = TLSCertificates.renewsAt(certificate)
            else { return false }
            // Both are RFC 3339 in UTC with four-digit years, which sort as they follow each other.
            return due <= now
        }
        let due = state.objects(.reservedDomain).filter { isDue($0, state) }.map(\.id)
        let author = Author(
            principal: ConfigurationService.ownName, origin: "renewal", command: "renew certificates")
        var renewed: [String] = []
        // Piece by piece: other writes need not wait until thousands of keys are made.
        for start in stride(from: 0, to: due.count, by: ConfigurationService.renewalsPerWrite) {
            let part = due[start..<min(start + ConfigurationService.renewalsPerWrite, due.count)]
            renewed += try await perform(renewal(of: Array(part), isDue, author)).result
        }
        return renewed
    }

    private func renewal(
        of domains: [String], _ isDue: @escaping @Sendable (ConfigurationObject, ConfigurationState) -> Bool,
        _ author: Author
    ) -> Write<[String]> {
        Write(author: author) { draft in
            var names: [String] = []
            for domain in domains.compactMap({ draft.state[$0] }) where isDue(domain, draft.state) {
                let policy = domain.document["certificate_management_policy"] ?? .null
                let type = policy["private_key_type"]?.stringValue.flatMap(CertificateKeyType.init(rawValue:)) ?? .ecdsa
                let name = ReservedDomains.name(of: domain)
                let certificate = try ReservedDomains.issue(name, type, &draft)
                try ReservedDomains.attach(certificate, policy: policy, to: domain.id, &draft)
                names.append(name)
            }
            return names
        }
    }
}

extension ConfigurationService: GuardStore {
    public func restoreGuarded(_ id: String, reason: String) async throws {
        let plan = try await store.guards().first { $0.id == id }
        guard let plan, let changes = try await store.changes(ofGuard: id) else { return }
        let command = AdminAPI.sanitise("rollback \(plan.command): \(reason)") ?? "rollback"
        let author = Author(principal: plan.principal, origin: "guard", command: command, role: .admin)
        let write = Write(author: author) { draft in
            for change in changes {
                guard let difference = ConfigurationService.difference(change, draft.state) else { continue }
                throw GuardConflict("\(change.id) \(difference)")
            }
            do {
                try draft.revert(changes)
                try draft.check()
            } catch let fault as Fault {
                throw GuardConflict(fault.message)
            }
        } complete: { transaction, _ in
            transaction.endedGuard = id
        }
        let outcome = try await perform(write)
        // Nothing to put back: the guard still has to go.
        if outcome.audit == nil { try await store.forgetGuard(id) }
    }

    public func forgetGuard(_ id: String) async throws { try await store.forgetGuard(id) }

    public func unfinishedGuards() async throws -> [GuardPlan] { try await store.guards() }
}

// What the live side asks of the configuration.
extension ConfigurationService {
    /// The latest audit records, oldest first; none when they cannot be read.
    public func recentAudit(_ limit: Int) async -> [AuditRecord] {
        Array(((try? await store.audit(limit: max(0, limit), before: nil, refused: nil)) ?? []).reversed())
    }

    /// Takes a request that was answered with an error into the audit trail if it was one to write.
    public func note(refused request: HandlerRequest, _ principal: Principal?, _ error: APIErrorBody) {
        refusals.note(
            request, principal: principal?.name,
            origin: principal?.origin ?? (request.peer == nil ? "api" : "socket"), status: error.statusCode,
            code: error.errorCode,
            revision: revision)
    }

    /// Puts a deed into the audit trail that is no change of the configuration, e.g. forcing a breaker open.
    public func note(_ principal: Principal, command: String, kind: String, id: String) async throws {
        try await alone {
            let revision = self.revision
            var record = AuditRecord(
                id: 0, at: clock().text, principal: principal.name, origin: principal.origin,
                command: AdminAPI.sanitise(command) ?? "", revision: revision,
                changes: [AuditRecord.Change(kind: kind, id: id, before: nil, after: nil)])
            record.id = try await store.commit(
                StoreTransaction(expected: revision, revision: revision, changes: [], marks: [:], audit: record))
            tellOf(record)
        }
    }
}
