import Shared

/// Which refused writes become records of the audit trail.
///
/// The same refusal of the same principal again raises a count for ten minutes, rather than make a record. So does all
/// that one principal, or all together, have refused past a bound: a flood of refused writes costs a few records, and
/// pushes out nobody else's.
struct RefusalMachine: Sendable {
    /// Seconds for which the same refusal is one record.
    static let window: Int64 = 600
    /// Different refusals of one principal in a window.
    static let perPrincipal = 32
    /// Different refusals of all together in a window.
    static let total = 512
    static let others = "(other writes)"

    struct Key: Hashable, Sendable {
        var principal: String
        var command: String
        var status: Int
        var code: String?
    }

    private struct Entry {
        var record: AuditRecord
        var since: WallTime
        /// Counts up with each new entry.
        var number: UInt64
        /// Whether the store does not have it as it is.
        var isDue = true
        var isBeingStored = false
    }

    private var entries: [Key: Entry] = [:]
    private var counts: [String: Int] = [:]
    private var lastNumber: UInt64 = 0
    private var swept = WallTime(seconds: 0)

    /// How many are open now.
    var count: Int { entries.count }

    /// Whether anything waits for the store.
    var isDue: Bool { entries.values.contains { $0.isDue && !$0.isBeingStored } }

    /// A write was refused.
    mutating func take(_ refused: Key, origin: String, revision: UInt64, now: WallTime) {
        sweep(now)
        let key = place(refused)
        if var entry = entries[key] {
            entry.record.count = (entry.record.count ?? 1) + 1
            entry.record.lastAt = now.text
            entry.isDue = true
            entries[key] = entry
            return
        }
        counts[key.principal, default: 0] += 1
        lastNumber += 1
        entries[key] = Entry(
            record: AuditRecord(
                id: 0, at: now.text, principal: key.principal, origin: origin, command: key.command,
                revision: revision, changes: [], status: key.status, errorCode: key.code, count: 1,
                lastAt: now.text), since: now, number: lastNumber)
    }

    /// Under which key it is counted.
    private func place(_ key: Key) -> Key {
        if entries[key] != nil { return key }
        if counts[key.principal, default: 0] < RefusalMachine.perPrincipal, entries.count < RefusalMachine.total {
            return key
        }
        let mine = Key(principal: key.principal, command: RefusalMachine.others, status: key.status, code: nil)
        if entries[mine] != nil || entries.count < RefusalMachine.total { return mine }
        return Key(
            principal: "(others)", command: RefusalMachine.others, status: key.status, code: nil)
    }

    /// Forgets what is older than the window and stored. Once a minute: a flood pays for it, not each refusal.
    private mutating func sweep(_ now: WallTime) {
        guard now.seconds - swept.seconds >= 60 || now < swept else { return }
        swept = now
        for (key, entry) in entries where !entry.isDue && !entry.isBeingStored {
            guard now.seconds - entry.since.seconds >= RefusalMachine.window || now < entry.since else { continue }
            entries[key] = nil
            counts[key.principal, default: 1] -= 1
            if counts[key.principal] == 0 { counts[key.principal] = nil }
        }
    }

    // MARK: Storing

    /// What the store has to be told, oldest first. Nothing of it is told again before `stored` or `failed`.
    mutating func due() -> [(key: Key, record: AuditRecord)] {
        let waiting = entries.filter { $0.value.isDue && !$0.value.isBeingStored }
        for key in waiting.keys {
            entries[key]?.isDue = false
            entries[key]?.isBeingStored = true
        }
        return waiting.sorted { $0.value.number < $1.value.number }.map { ($0.key, $0.value.record) }
    }

    mutating func stored(_ key: Key, id: UInt64) {
        entries[key]?.record.id = id
        entries[key]?.isBeingStored = false
    }

    mutating func failed(_ key: Key) {
        entries[key]?.isBeingStored = false
        entries[key]?.isDue = true
    }
}
