/// The one table of verbs: keys, footer, help, palette and command line all come from it.
enum VerbTable {
    static let verbs: [Verb] =
        everywhere + moving + overview + edges + edge + weights + guarded + breakers + tunnels
        + events + objects + keys + shell

    static let everywhere: [Verb] = [
        Verb(.goOverview, "go overview", keys: ["1"], surfaces: .palette, "Traffic per region"),
        Verb(.goEdges, "go edges", keys: ["2"], surfaces: .palette, "Edges, their routes and modules"),
        Verb(.goWeights, "go weights", keys: ["3"], surfaces: .palette, "Shift traffic between backends"),
        Verb(.goBreakers, "go breakers", keys: ["4"], surfaces: .palette, "Circuit breakers"),
        Verb(.goTunnels, "go tunnels", keys: ["5"], surfaces: .palette, "Agents and their tunnels"),
        Verb(.goEvents, "go events", keys: ["6"], surfaces: .palette, "Events and the audit trail"),
        Verb(.go, "go", "NAME", surfaces: .palette, "Show an edge, or the weights of a route or backend"),
        Verb(.nextScreen, "screen next", keys: [.tab], "Next screen"),
        Verb(.previousScreen, "screen previous", keys: [.backTab], "Previous screen"),
        Verb(.back, "back", keys: [.escape, .backspace], "Out of this; clears the filter"),
        Verb(.palette, "palette", keys: [":", .ctrl("p")], short: "command", "Type any command"),
        Verb(.help, "help", keys: ["?"], short: "help", surfaces: .palette, "Keys of this screen"),
        Verb(.copy, "copy", keys: ["y"], "Copy the selected row as a command"),
        Verb(.theme, "theme", "NAME", keys: ["T"], surfaces: .palette, "Next theme, or the one named"),
        Verb(.chartStyle, "chart", "braille|block|ascii", keys: ["C"], surfaces: .palette, "How charts are drawn"),
        Verb(.repaint, "repaint", keys: [.ctrl("l")], surfaces: .palette, "Draw everything anew"),
        Verb(.suspend, "suspend", keys: [.ctrl("z")], "Back to the shell; fg returns"),
        Verb(.quit, "quit", keys: ["q", .ctrl("c")], short: "quit", surfaces: .palette, "Leave"),
    ]

    static let moving: [Verb] = [
        Verb(.up, "up", keys: [.up], in: .rows, "Up"),
        Verb(.down, "down", keys: [.down], in: .rows, "Down"),
        Verb(.pageUp, "page up", keys: [.pageUp], in: .rows, "A page up"),
        Verb(.pageDown, "page down", keys: [.pageDown], in: .rows, "A page down"),
        Verb(.first, "first", keys: [.home], in: .rows, "First row"),
        Verb(.last, "last", keys: [.end], in: .rows, "Last row"),
        Verb(.enter, "open", keys: [.enter], in: .rows, "Open the selected row"),
        Verb(.filter, "filter", keys: ["/"], in: .rows, short: "filter", "Filter: !x not, ~x fuzzy, key:value"),
        Verb(.sort, "sort", keys: ["s"], in: .rows, short: "sort", "Sort by the next column"),
        Verb(.letterUp, "up", keys: ["k"], in: .letters, "Up"),
        Verb(.letterDown, "down", keys: ["j"], in: .letters, "Down"),
        Verb(.letterFirst, "first", keys: ["g"], in: .letters, "First row"),
        Verb(.letterLast, "last", keys: ["G"], in: .letters, "Last row"),
    ]

    static let overview: [Verb] = [
        Verb(.chartSeries, "chart series", keys: ["t"], in: .overview, short: "chart", "Requests, p95 or errors")
    ]

    static let edges: [Verb] = [
        Verb(
            .edgeCreate, "edge create", "https|tls|tcp HOST backend=ADDRESS|NAME", keys: ["c"], in: .edges,
            danger: .reversible, short: "create", surfaces: [.palette, .shell],
            "New edge; reserves the domain and makes the backend when missing"),
        Verb(
            .edgeEdit, "edge edit", keys: ["e"], in: .edges, danger: .reversible, short: "edit",
            "Description and hosts"),
        Verb(
            .edgeDelete, "edge delete", "EDGE", keys: ["D"], in: .edges, danger: .destructive, short: "delete",
            surfaces: [.palette, .shell], "Delete an edge with its routes"),
    ]

    static let edge: [Verb] = [
        Verb(
            .routeAdd, "route add", "EDGE PATH backend=ADDRESS|NAME [match=exact_path]", keys: ["a"], in: .edge,
            danger: .reversible, short: "route", surfaces: [.palette, .shell], "New route"),
        Verb(
            .routeEdit, "route edit", keys: ["e"], in: .edge, danger: .reversible, short: "edit",
            "Edit what is selected"),
        Verb(
            .moduleAdd, "module add", keys: ["m"], in: .edge, danger: .reversible, short: "module",
            "New module on the selected route"),
        Verb(
            .moduleEdit, "module edit", in: .edge, danger: .reversible, "Settings of the selected module"),
        Verb(
            .moduleSet, "module set", "ROUTE|EDGE MODULE [key=value…]", in: .edge, danger: .reversible,
            surfaces: [.palette, .shell], "Set a module's settings"),
        Verb(
            .detailRemove, "remove", keys: ["D"], in: .edge, danger: .disruptive, short: "remove",
            "Remove the selected route or module"),
        Verb(
            .routeRemove, "route remove", "ROUTE", in: .edge, danger: .destructive, surfaces: [.palette, .shell],
            "Remove a route"),
        Verb(
            .moduleRemove, "module remove", "ROUTE|EDGE MODULE", in: .edge, danger: .disruptive,
            surfaces: [.palette, .shell], "Remove a module"),
        Verb(
            .backendSet, "backend set", "ROUTE|EDGE BACKEND", keys: ["b"], in: .edge, danger: .reversible,
            short: "backend", surfaces: [.palette, .shell], "Choose where a route's traffic goes"),
        Verb(.routeWeights, "weights", keys: ["W"], in: .edge, short: "weights", "Weights of the selected route"),
    ]

    static let weights: [Verb] = [
        Verb(.weightLess, "weight less", keys: [.left], in: .weights, danger: .reversible, "1 point less"),
        Verb(
            .weightMore, "weight more", keys: [.right], in: .weights, danger: .reversible, short: "adjust",
            "1 point more"),
        Verb(
            .weightLessFive, "weight less five", keys: [.shiftLeft, "-"], in: .weights, danger: .reversible,
            "5 points less"),
        Verb(
            .weightMoreFive, "weight more five", keys: [.shiftRight, "+"], in: .weights, danger: .reversible,
            "5 points more"),
        Verb(
            .weightExact, "weight exact", keys: ["="], in: .weights, danger: .reversible, short: "exact",
            "Type the share"),
        Verb(
            .weightNormalise, "weight normalise", "ROUTE|BACKEND", keys: ["n"], in: .weights, danger: .reversible,
            short: "normalise", "Round to whole percents"),
        Verb(
            .weightLock, "weight lock", keys: ["L"], in: .weights, short: "lock",
            "Keep this share while others move"),
        Verb(.weightPrevious, "weight previous", keys: ["["], in: .weights, "Previous route"),
        Verb(.weightNext, "weight next", keys: ["]"], in: .weights, short: "next route", "Next route"),
        Verb(
            .apply, "apply", keys: ["a"], in: .weights, danger: .reversible, short: "preview",
            surfaces: .palette, "Show what would change, then apply"),
        Verb(.discard, "discard", keys: ["x"], in: .weights, short: "discard", surfaces: .palette, "Forget the edit"),
        Verb(
            .weightUndo, "weight undo", keys: ["u"], in: .weights, danger: .reversible, short: "undo",
            "Stage the weights of before"),
        Verb(
            .weightSet, "weight set", "ROUTE|BACKEND CHILD=PERCENT…", in: .weights, danger: .reversible,
            surfaces: [.palette, .shell], "Stage shares; the children not named give way"),
    ]

    static let guarded: [Verb] = [
        Verb(
            .guardKeep, "guard keep", "ID", keys: ["k"], in: .guarded, danger: .reversible, short: "keep",
            surfaces: [.palette, .shell], "Keep the guarded change"),
        Verb(
            .guardRollback, "guard rollback", "ID", keys: ["u"], in: .guarded, danger: .reversible,
            short: "roll back now", surfaces: [.palette, .shell], "Put back what was before"),
        Verb(
            .guardExtend, "guard extend", "ID [SECONDS]", keys: ["e"], in: .guarded, danger: .reversible,
            short: "extend 60 s", surfaces: [.palette, .shell], "Watch longer"),
    ]

    static let breakers: [Verb] = [
        Verb(
            .breakerOpen, "breaker open", "ROUTE", keys: ["o"], in: .breakers, danger: .disruptive,
            short: "force open", surfaces: [.palette, .shell], "Answer 503 until it is closed or reset"),
        Verb(
            .breakerClose, "breaker close", "ROUTE", keys: ["c"], in: .breakers, danger: .disruptive, short: "close",
            surfaces: [.palette, .shell], "Let all traffic through"),
        Verb(
            .breakerReset, "breaker reset", "ROUTE", keys: ["r"], in: .breakers, danger: .disruptive,
            short: "reset", surfaces: [.palette, .shell], "Forget its counts and go back to normal"),
    ]

    static let tunnels: [Verb] = [
        Verb(
            .agentDisconnect, "agent disconnect", "ID", keys: ["k"], in: .tunnels, danger: .disruptive,
            short: "disconnect", surfaces: [.palette, .shell], "Cut an agent's connection"),
        Verb(
            .agentDrain, "agent drain", "ID", keys: ["d"], in: .tunnels, danger: .disruptive, short: "drain",
            surfaces: [.palette, .shell], "Give an agent nothing new; what is open may finish"),
        Verb(
            .agentStop, "agent stop", "ID", in: .tunnels, danger: .disruptive, surfaces: [.palette, .shell],
            "Ask an agent to end"),
        Verb(
            .agentRestart, "agent restart", "ID", in: .tunnels, danger: .disruptive, surfaces: [.palette, .shell],
            "Ask an agent to start anew"),
        Verb(
            .agentUpdate, "agent update", "ID", in: .tunnels, danger: .disruptive, surfaces: [.palette, .shell],
            "Ask an agent to renew its program"),
    ]

    static let events: [Verb] = [
        Verb(.eventSeverity, "event severity", keys: ["v"], in: .events, short: "severity", "Only this severity"),
        Verb(.eventWho, "event who", keys: ["w"], in: .events, short: "who", "Only what this person did"),
    ]

    static let objects: [Verb] = [
        Verb(
            .backendCreate, "backend create",
            "static|weighted|failover|http_response ADDRESS|STATUS|CHILD[=WEIGHT]… [name=NAME]",
            danger: .reversible, surfaces: [.palette, .shell],
            "New backend: weighted v1=90 v2=10 name=canary; http_response 503"),
        Verb(
            .backendDelete, "backend delete", "BACKEND", danger: .destructive, surfaces: [.palette, .shell],
            "Delete a backend that nothing uses"),
        Verb(
            .policyCreate, "policy create", "NAME [allow=CIDR,CIDR] [deny=CIDR]", danger: .reversible,
            surfaces: [.palette, .shell], "New IP policy for the module ip_restriction"),
        Verb(
            .policyAllow, "policy allow", "POLICY CIDR", danger: .reversible, surfaces: [.palette, .shell],
            "Let a range of addresses in"),
        Verb(
            .policyDeny, "policy deny", "POLICY CIDR", danger: .reversible, surfaces: [.palette, .shell],
            "Keep a range of addresses out"),
        Verb(
            .policyForget, "policy forget", "POLICY CIDR", danger: .disruptive, surfaces: [.palette, .shell],
            "Remove a rule from an IP policy"),
        Verb(
            .policyDelete, "policy delete", "POLICY", danger: .destructive, surfaces: [.palette, .shell],
            "Delete an IP policy that nothing uses"),
    ]

    static let keys: [Verb] = [
        Verb(
            .keyCreate, "api-key create", "[--role viewer|operator|admin] [--description TEXT]", danger: .reversible,
            surfaces: .shell, "New API key for the API over TLS; prints its token, once"),
        Verb(.keyList, "api-key list", surfaces: .shell, "API keys with their roles and owners"),
        Verb(
            .keyDelete, "api-key delete", "ID", danger: .disruptive, surfaces: .shell,
            "Delete an API key: it is refused at once"),
        Verb(
            .credentialCreate, "credential create", "[--description TEXT] [acl=RULE,RULE]", danger: .reversible,
            surfaces: .shell, "New tunnel credential; prints its token, once"),
    ]

    static let shell: [Verb] = [
        Verb(
            .undo, "undo", "NUMBER", danger: .reversible, surfaces: [.palette, .shell],
            "Put back what an audit record changed"),
        Verb(
            .get, "get",
            "edges|routes|backends|regions|breakers|agents|policies|domains|certificates [NAME]", surfaces: .shell,
            "List objects with their figures"),
        Verb(
            .importObjects, "import", "FILE|FOLDER… [--dry-run]", danger: .reversible, surfaces: .shell,
            "Take over what ngrok's API returned, as JSON, in one write"),
        Verb(.describe, "describe", "NAME", surfaces: .shell, "One object in full"),
        Verb(.events, "events", "[--follow]", surfaces: .shell, "What happened"),
        Verb(.audit, "audit", surfaces: .shell, "Who changed what"),
        Verb(.history, "history", "NAME|ID", surfaces: .shell, "What was done to an object, also to one that is gone"),
        Verb(.difference, "diff", "REVISION REVISION", surfaces: .shell, "What is different between two revisions"),
        Verb(
            .revert, "revert", "REVISION [ID] [--dry-run]", danger: .disruptive, surfaces: .shell,
            "Put everything, or one object, back as it was at a revision"),
        Verb(
            .applyFile, "apply", "FILE [--dry-run]", danger: .reversible, surfaces: .shell,
            "Carry out a file of operations, all or none; - is standard input"),
    ]

    /// The verb of a key, looked for in the order of `scopes`.
    static func verb(_ key: Key, in scopes: [KeyScope]) -> Verb? {
        for scope in scopes {
            if let verb = keyed[scope]?[key] { return verb }
        }
        return nil
    }

    /// What the footer offers, the most particular first, without what works everywhere.
    static func footer(_ scopes: [KeyScope]) -> [Verb] {
        // Nothing is filtered while a guard is watched.
        let shown =
            scopes.contains(.guarded) ? [.guarded] : scopes.count > 1 ? scopes.filter { $0 != .everywhere } : scopes
        return shown.flatMap { scope in verbs.filter { $0.scope == scope && !$0.short.isEmpty && !$0.keys.isEmpty } }
    }

    static subscript(id: VerbID) -> Verb {
        // Every case is in the table: a test walks them.
        byID[id] ?? Verb(id, id.rawValue, "", "")
    }

    private static let byID = Dictionary(verbs.map { ($0.id, $0) }, uniquingKeysWith: { first, _ in first })
    private static let keyed = Dictionary(grouping: verbs, by: \.scope).mapValues { verbs in
        Dictionary(verbs.flatMap { verb in verb.keys.map { ($0, verb) } }, uniquingKeysWith: { first, _ in first })
    }
}

extension Key: ExpressibleByExtendedGraphemeClusterLiteral {
    public init(extendedGraphemeClusterLiteral value: Character) { self = .character(value) }
}
