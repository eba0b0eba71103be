import Shared

/// Events and audit records in one list, oldest first, bounded.
struct Journal: Sendable {
    static let capacity = 1_000

    struct Entry: Sendable, Hashable {
        enum Kind: Sendable, Hashable {
            case event(EventRecord)
            case audit(AuditRecord)
        }

        /// `e12` or `a7`.
        var id: String
        var at: String
        var kind: Kind

        /// `info`, `warn`, `crit` or `audit`.
        var severity: String {
            switch kind {
            case .event(let record): record.severity.rawValue
            case .audit: "audit"
            }
        }

        var who: String {
            switch kind {
            case .event: ""
            case .audit(let record): record.principal
            }
        }

        var text: String {
            switch kind {
            case .event(let record): record.text
            case .audit(let record): record.refusal.map { "\(record.command): \($0)" } ?? record.command
            }
        }

        var label: String {
            switch kind {
            case .event(let record): record.kind
            case .audit(let record): record.isRefused ? "refused" : record.origin
            }
        }

        var role: ColorRole {
            if case .audit(let record) = kind, record.isRefused { return .warn }
            return switch severity {
            case "crit": .crit
            case "warn": .warn
            case "audit": .accent
            default: .dim
            }
        }

        /// `22:33:03`, out of an RFC 3339 time.
        var clock: String { Journal.clock(at) }
    }

    private(set) var entries: [Entry] = []
    /// Grows with every entry ever taken in, so that a paused view can say how many are new.
    private(set) var taken = 0
    private var known: Set<String> = []

    mutating func begin(_ hello: Hello) {
        let audit = hello.audit.map(Journal.entry)
        for entry in (hello.events.map(Journal.entry) + audit).sorted(by: { $0.at < $1.at }) { add(entry) }
    }

    mutating func add(_ record: EventRecord) { add(Journal.entry(record)) }
    mutating func add(_ record: AuditRecord) { add(Journal.entry(record)) }

    /// The latest audit record that changed an object, with what it was before.
    func lastChange(of object: String) -> (record: AuditRecord, change: AuditRecord.Change)? {
        for entry in entries.reversed() {
            guard case .audit(let record) = entry.kind,
                let change = record.changes.first(where: { $0.id == object })
            else { continue }
            return (record, change)
        }
        return nil
    }

    private mutating func add(_ entry: Entry) {
        // Every write has its audit record, which says more.
        if case .event(let record) = entry.kind, record.kind == "configuration.changed" { return }
        guard known.insert(entry.id).inserted else { return }
        // Times may arrive slightly out of order when two sources write; most belong at the end.
        var place = entries.count
        while place > 0 && entries[place - 1].at > entry.at { place -= 1 }
        entries.insert(entry, at: place)
        taken += 1
        if entries.count > Journal.capacity { known.remove(entries.removeFirst().id) }
    }

    private static func entry(_ record: EventRecord) -> Entry {
        Entry(id: "e\(record.id)", at: record.at, kind: .event(record))
    }

    private static func entry(_ record: AuditRecord) -> Entry {
        Entry(id: "a\(record.id)", at: record.at, kind: .audit(record))
    }

    static func clock(_ at: String) -> String {
        guard let mark = at.firstIndex(of: "T") else { return "" }
        return String(at[at.index(after: mark)...].prefix(8))
    }
}

extension AuditRecord {
    /// Why a refused write was refused, e.g. `refused 412` or `refused 400 ERR_NGROK_214, 12 times`.
    var refusal: String? {
        guard let status else { return nil }
        let code = errorCode.map { " " + $0 } ?? ""
        let times = count.flatMap { $0 > 1 ? ", \($0) times" : nil } ?? ""
        return "refused \(status)\(code)\(times)"
    }
}
