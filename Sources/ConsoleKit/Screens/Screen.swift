import Shared

/// The screens of the tab line.
enum ScreenID: Int, CaseIterable, Sendable {
    case overview = 1
    case edges = 2
    case weights = 3
    case breakers = 4
    case tunnels = 5
    case events = 6

    var title: String {
        switch self {
        case .overview: "Overview"
        case .edges: "Edges"
        case .weights: "Weights"
        case .breakers: "Breakers"
        case .tunnels: "Tunnels"
        case .events: "Events"
        }
    }
}

/// What a screen or a box asks the `App` for.
enum Action: Sendable {
    case go(ScreenID)
    case openEdge(String)
    case leaveDetail
    /// Show the weights of a backend.
    case openWeights(String)
    case show(any Overlay)
    case dismiss
    /// Run it, after the confirmation that its danger asks for.
    case propose(RequestPlan, subject: String, victims: String)
    /// Run it: the operator has confirmed.
    case run(RequestPlan)
    /// Apply the staged weights of a backend under a guard of so many seconds.
    case applyWeights(String, guardSeconds: Double?)
    case command(Command)
    case say(String, ColorRole)
    case effect(Effect)
    case quit
}

/// A full-window view. A value: it keeps where the operator is, and everything shown comes from the model.
protocol Screen: Sendable {
    /// Scopes of the keys that work here, the most particular first.
    func scopes(_ model: ConsoleModel) -> [KeyScope]
    /// The line's right end below the tabs, e.g. a crumb.
    func crumb(_ model: ConsoleModel) -> String
    mutating func perform(_ verb: VerbID, _ model: inout ConsoleModel) -> [Action]
    func draw(_ canvas: inout Canvas, _ rect: Rect, _ model: ConsoleModel)
    /// The selected row as a command, for `y`.
    func command(_ model: ConsoleModel) -> String?
    var filter: String { get set }
}

extension Screen {
    func crumb(_ model: ConsoleModel) -> String { filter.isEmpty ? "" : "filter: \(filter)" }
    func command(_ model: ConsoleModel) -> String? { nil }
}

/// A screen that is mainly one table.
protocol TableScreen: Screen {
    var state: TableState { get set }
    func table(_ model: ConsoleModel) -> Table
    /// Verbs beside those of movement, sorting and so on.
    mutating func act(_ verb: VerbID, on id: String?, _ model: inout ConsoleModel) -> [Action]
}

extension TableScreen {
    var filter: String {
        get { state.filter }
        set { state.filter = newValue }
    }

    func selected(_ model: ConsoleModel) -> String? {
        let rows = table(model).arranged(state)
        guard !rows.isEmpty else { return nil }
        return rows[state.index(in: rows.map(\.id))].id
    }

    mutating func perform(_ verb: VerbID, _ model: inout ConsoleModel) -> [Action] {
        let table = table(model)
        if state.move(verb, in: table.arranged(state).map(\.id)) { return [] }
        if verb == .sort {
            let next = (state.sortColumn ?? -1) + 1
            state.sortColumn = next < table.columns.count ? next : nil
            let name = state.sortColumn.map { table.columns[$0].title.lowercased() } ?? "natural order"
            return [.say("sorted by \(name)", .dim)]
        }
        return act(verb, on: selected(model), &model)
    }
}

/// The one list of screens. A new one is a file and a line here.
enum ScreenList {
    static func make() -> [ScreenID: any Screen] {
        [
            .overview: OverviewScreen(),
            .edges: EdgesScreen(),
            .weights: WeightsScreen(),
            .breakers: BreakersScreen(),
            .tunnels: TunnelsScreen(),
            .events: EventsScreen(),
        ]
    }
}
