import Shared

/// All that the console knows. Time is what it was told last.
struct ConsoleModel: Sendable {
    enum Link: Sendable, Hashable {
        case connecting
        case live
        /// Since when, and why.
        case lost(since: Double, reason: String)
    }

    var now: Double = 0
    var link = Link.connecting
    var hello: Hello?
    var inventory = Inventory.empty
    var hasListing = false
    var tick: StatisticsTick?
    /// When the last tick came.
    var tickAt: Double = 0
    var history = History()
    /// Oldest first.
    var journal = Journal()
    /// Staged weights by backend.
    var edits: [String: WeightEdit] = [:]
    var readOnlyOption = false
    var terminalDelay: Double?
    var address = ""
    var notice: Notice?
    var chart = ChartStyle.braille

    /// A line for the operator, above the footer.
    struct Notice: Sendable, Hashable {
        var text: String
        var role: ColorRole
        /// When it goes away.
        var until: Double
    }

    /// The role that the server gave, narrowed by `--read-only`.
    var role: Role { readOnlyOption ? .viewer : hello?.role ?? .viewer }

    /// Why nothing may be changed, or `nil`.
    func refusal(_ needed: Role = .operator) -> String? {
        if role >= needed { return nil }
        if readOnlyOption { return "read-only: started with --read-only" }
        guard let hello else { return "read-only: no link to the server yet" }
        return "read-only: \(hello.principal) has the \(hello.role.rawValue) role, \(needed.rawValue) is needed"
    }

    /// Seconds since the last tick.
    var age: Double { max(0, now - tickAt) }

    /// Figures are out of date: the link is down, or two ticks are missing.
    var isStale: Bool {
        guard tick != nil else { return true }
        return link != .live || age > 3
    }

    var ageText: String { "\(Int(age)) s old" }

    // MARK: Figures

    func traffic(region id: String) -> TrafficRow? { tick?.regions.first { $0.id == id } }
    func traffic(edge id: String) -> TrafficRow? { tick?.edges.first { $0.id == id } }
    func traffic(route id: String) -> TrafficRow? { tick?.routes.first { $0.id == id } }
    func traffic(backend id: String) -> TrafficRow? { tick?.backends.first { $0.id == id } }
    func breaker(_ route: String) -> BreakerStatus? { tick?.breakers.first { $0.routeID.rawValue == route } }

    var runningGuards: [GuardStatus] { tick?.guards.filter { $0.state == .running } ?? [] }
    func runningGuard(for object: String) -> GuardStatus? { runningGuards.first { $0.objects.contains(object) } }
    /// Guards that fall back when this console's stream ends.
    var myGuards: [GuardStatus] { runningGuards.filter { $0.principal == hello?.principal } }

    /// Seconds that a guard has left now, between two ticks.
    func remaining(_ status: GuardStatus) -> Int { max(0, Int((status.remaining - age).rounded(.up))) }

    /// What an entry says, with the name of what it is about when its text leaves that out.
    func sentence(_ entry: Journal.Entry) -> String {
        if case .audit(let record) = entry.kind {
            // Who wrote past the console left no command, only a method and a path.
            let isRaw = record.command.split(separator: " ").dropFirst().first?.hasPrefix("/") == true
            guard isRaw, let change = record.changes.first else { return entry.text }
            let name = inventory.name(change.id)
            return name == change.id ? entry.text : "\(name): \(entry.text)"
        }
        guard case .event(let record) = entry.kind, !record.object.isEmpty else { return entry.text }
        let name = inventory.name(record.object)
        return record.text.contains(name) || name == record.object ? record.text : "\(name): \(record.text)"
    }

    mutating func say(_ text: String, _ role: ColorRole = .text, for seconds: Double = 8) {
        notice = Notice(text: text, role: role, until: now + seconds)
    }

    var stagedCount: Int { edits.values.filter(\.isChanged).count }
}
