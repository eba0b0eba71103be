import Shared

/// Every verb of the console. What each one means is in `VerbTable`.
enum VerbID: String, CaseIterable, Sendable {
    case goOverview, goEdges, goWeights, goBreakers, goTunnels, goEvents, go, nextScreen, previousScreen
    case up, down, pageUp, pageDown, first, last, enter, back, letterUp, letterDown, letterFirst, letterLast
    case filter, sort, palette, help, copy, theme, repaint, suspend, quit, chartStyle, chartSeries
    case edgeCreate, edgeEdit, edgeDelete
    case routeAdd, routeEdit, routeRemove, moduleAdd, moduleEdit, moduleSet, moduleRemove, backendSet, routeWeights
    case backendCreate, backendDelete, policyCreate, policyAllow, policyDeny, policyForget, policyDelete
    case detailRemove
    case weightLess, weightMore, weightLessFive, weightMoreFive, weightExact, weightNormalise, weightLock
    case weightSet, weightPrevious, weightNext, apply, discard, weightUndo
    case guardKeep, guardRollback, guardExtend
    case breakerOpen, breakerClose, breakerReset
    case agentDisconnect, agentDrain, agentStop, agentRestart, agentUpdate
    case eventSeverity, eventWho, undo
    case get, describe, events, audit, once
    case importObjects
    case keyCreate, keyList, keyDelete, credentialCreate
    case history, difference, revert, applyFile
}

/// What can go wrong by it.
enum Danger: Int, Comparable, Sendable {
    case view, reversible, disruptive, destructive
    static func < (one: Danger, other: Danger) -> Bool { one.rawValue < other.rawValue }
}

/// Where a verb's keys work.
enum KeyScope: String, CaseIterable, Sendable {
    case everywhere
    /// Screens with rows: arrows and pages.
    case rows
    /// `j`, `k`, `g`, `G`: wherever `rows` works, except where a guard or an agent needs `k`.
    case letters
    case overview, edges, edge, weights, guarded, breakers, tunnels, events

    var title: String {
        switch self {
        case .everywhere: "Everywhere"
        case .rows, .letters: "Moving"
        case .overview: "Overview"
        case .edges: "Edges"
        case .edge: "Edge"
        case .weights: "Weights"
        case .guarded: "While a guard runs"
        case .breakers: "Breakers"
        case .tunnels: "Tunnels"
        case .events: "Events"
        }
    }
}

/// One row of the table of verbs.
struct Verb: Sendable {
    /// Where it can be given as a command.
    struct Surfaces: OptionSet, Sendable {
        let rawValue: UInt8
        static let palette = Surfaces(rawValue: 1)
        static let shell = Surfaces(rawValue: 2)
    }

    var id: VerbID
    /// `verb noun` of the grammar; also the command's words.
    var name: String
    var arguments: String
    var keys: [Key]
    var scope: KeyScope
    var danger: Danger
    var role: Role
    /// Shown in the footer, a word or two; empty keeps it out of the footer.
    var short: String
    var help: String
    var surfaces: Surfaces

    init(
        _ id: VerbID, _ name: String, _ arguments: String = "", keys: [Key] = [], in scope: KeyScope = .everywhere,
        danger: Danger = .view, short: String = "", surfaces: Surfaces = [], _ help: String
    ) {
        self.id = id
        self.name = name
        self.arguments = arguments
        self.keys = keys
        self.scope = scope
        self.danger = danger
        self.role = danger == .view ? .viewer : .operator
        self.short = short
        self.help = help
        self.surfaces = surfaces
    }
}
