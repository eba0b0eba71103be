import Shared

extension App {
    mutating func perform(_ actions: [Action], from overlay: (any Overlay)?) -> [Effect] {
        var effects: [Effect] = []
        for action in actions { effects += perform(action, from: overlay) }
        return effects
    }

    private mutating func perform(_ action: Action, from overlay: (any Overlay)?) -> [Effect] {
        switch action {
        case .go(let screen): current = screen
        case .openEdge(let id):
            current = .edges
            detail = EdgeScreen(edgeID: id)
        case .leaveDetail: detail = nil
        case .openWeights(let backend): openWeights(backend)
        case .show(let box): overlays.append(box)
        case .dismiss: break
        case .propose(let plan, let subject, let victims): return propose(plan, subject: subject, victims: victims)
        case .run(let plan): return run(plan, returning: overlay)
        case .applyWeights(let backend, let seconds): return applyWeights(backend, guardSeconds: seconds)
        case .command(let command): return execute(command)
        case .say(let text, let role): model.say(text, role)
        case .effect(let effect): return [effect]
        case .quit: return [.quit]
        }
        return []
    }

    private mutating func openWeights(_ backend: String) {
        var screen = screens[.weights] as? WeightsScreen ?? WeightsScreen()
        screen.show(backend)
        screens[.weights] = screen
        current = .weights
    }

    /// Runs a command as if it had been typed: keys, palette and boxes all come here.
    mutating func execute(_ command: Command) -> [Effect] {
        let verb = VerbTable[command.verb]
        if verb.role > model.role, let refusal = model.refusal(verb.role) {
            model.say("\(verb.name): \(refusal)", .warn)
            return [.bell]
        }
        recent = [verb.name] + recent.filter { $0 != verb.name }.prefix(9)
        do throws(CommandFault) {
            let isBare = command.names.isEmpty && command.values.isEmpty
            switch command.verb {
            case .guardKeep, .guardRollback, .guardExtend: return try propose(command)
            case _ where isBare && !verb.keys.isEmpty && command.verb != .discard: return performHere(verb)
            case .go: return try go(command)
            case .theme where !command.names.isEmpty: return try theme(command)
            case .chartStyle where !command.names.isEmpty: return try chart(command)
            case .weightSet: return try stageWeights(command)
            case .weightNormalise where !command.names.isEmpty:
                let target = try WeightPlanner(inventory: model.inventory).target(command.names[0])
                openWeights(target.backendID)
                return perform(verb)
            case .apply where command["resolve"] != nil: return resolveConflict(command)
            case .discard where current != .weights:
                model.edits.removeAll()
                model.say("all edits are forgotten", .dim)
                return []
            case .edgeDelete, .routeAdd, .routeRemove, .moduleSet, .moduleRemove, .backendSet, .breakerOpen,
                .breakerClose, .breakerReset, .undo, .edgeCreate, .backendCreate, .backendDelete, .policyCreate,
                .policyAllow, .policyDeny, .policyForget, .policyDelete, .agentDisconnect, .agentDrain, .agentStop,
                .agentRestart, .agentUpdate:
                return try propose(command)
            default: return performHere(verb)
            }
        } catch {
            model.say(error.message, .crit)
            return [.bell]
        }
    }

    /// A verb that belongs to another screen goes there first.
    private mutating func performHere(_ verb: Verb) -> [Effect] {
        let homes: [KeyScope: ScreenID] = [
            .overview: .overview, .edges: .edges, .weights: .weights, .breakers: .breakers, .tunnels: .tunnels,
            .events: .events,
        ]
        if let home = homes[verb.scope] { current = home }
        return perform(verb)
    }

    private mutating func propose(_ command: Command) throws(CommandFault) -> [Effect] {
        var command = command
        // A guard is seldom typed by its id: with one running, that one is meant.
        if [.guardKeep, .guardRollback, .guardExtend].contains(command.verb), command.names.isEmpty,
            model.runningGuards.count == 1
        {
            command.names = [model.runningGuards[0].id]
        }
        let planner = model.planner
        let plan = try planner.plan(command)
        if VerbTable[command.verb].scope == .tunnels, let name = command.names.first {
            let id = try planner.agentID(name)
            let victims = planner.victims(command.verb, ofAgent: id, age: model.isStale ? model.ageText : nil)
            return propose(plan, subject: planner.agent(id)?.name ?? id, victims: victims)
        }
        let subject = command.names.first ?? command.text
        return propose(plan, subject: subject, victims: victims(command))
    }

    private mutating func propose(_ plan: RequestPlan, subject: String, victims: String) -> [Effect] {
        if let refusal = model.refusal() {
            model.say(refusal, .warn)
            return [.bell]
        }
        switch plan.danger {
        case .view, .reversible: return run(plan, returning: nil)
        case .disruptive: overlays.append(ConfirmBox(plan: plan, subject: subject, victims: victims))
        case .destructive: overlays.append(TypeNameBox(plan: plan, subject: subject, victims: victims))
        }
        return []
    }

    /// Who would notice: the traffic of what a command is about.
    private func victims(_ command: Command) -> String {
        guard let name = command.names.first,
            let match = try? Resolver(inventory: model.inventory).find(name, [.route, .edge]),
            let row = model.traffic(route: match.id) ?? model.traffic(edge: match.id)
        else { return "It carries no traffic that is known." }
        let age = model.isStale ? " (\(model.ageText))" : ""
        return "It carries \(Figure.rate(row.requestsPerSecond)) req/s and \(row.open) open\(age)."
    }

    mutating func run(_ plan: RequestPlan, returning overlay: (any Overlay)?) -> [Effect] {
        var run = PlanRun(plan)
        guard case .send(let request) = run.begin() else { return [] }
        model.say("sending: \(plan.command)", .dim, for: 15)
        return send(request, .plan(run, returning: overlay))
    }

    // MARK: Commands of the console itself

    private mutating func go(_ command: Command) throws(CommandFault) -> [Effect] {
        guard let name = command.names.first else { throw Planner(inventory: model.inventory).usage(.go) }
        let match = try Resolver(inventory: model.inventory).find(name)
        switch match.kind {
        case .edge: return perform([.openEdge(match.id)], from: nil)
        case .route:
            var edge = EdgeScreen(edgeID: model.inventory.route(match.id)?.edgeID ?? "")
            edge.state.selected = match.id
            current = .edges
            detail = edge
        case .backend: openWeights(match.id)
        case .policy, .domain, .certificate: break
        }
        return []
    }

    private mutating func theme(_ command: Command) throws(CommandFault) -> [Effect] {
        guard themes.contains(command.names[0]) else {
            throw CommandFault(.invalid, "no theme \(command.names[0]); there are \(themes.joined(separator: ", "))")
        }
        return setTheme(command.names[0])
    }

    private mutating func chart(_ command: Command) throws(CommandFault) -> [Effect] {
        guard let style = ChartStyle(rawValue: command.names[0]) else {
            throw Planner(inventory: model.inventory).usage(.chartStyle)
        }
        model.chart = style
        return []
    }

    // MARK: Weights

    private mutating func stageWeights(_ command: Command) throws(CommandFault) -> [Effect] {
        let planner = WeightPlanner(inventory: model.inventory)
        guard let name = command.names.first, !command.values.isEmpty else {
            throw Planner(inventory: model.inventory).usage(.weightSet)
        }
        let target = try planner.target(name)
        guard model.runningGuard(for: target.backendID) == nil else {
            throw CommandFault(.invalid, "a guard runs on \(target.name): keep it or roll it back first")
        }
        guard var edit = model.edits[target.backendID] ?? planner.edit(target.backendID) else {
            throw CommandFault(.invalid, "\(target.name) has no backends")
        }
        try planner.stage(command.values, in: &edit)
        model.edits[target.backendID] = edit.isChanged || !edit.locked.isEmpty ? edit : nil
        let shows = (screens[.weights] as? WeightsScreen)?.target(model)?.backendID
        if shows != target.backendID { openWeights(target.backendID) }
        current = .weights
        model.say(edit.isChanged ? "staged: a previews and applies" : "these weights are in force already", .staged)
        return []
    }

    private mutating func applyWeights(_ backend: String, guardSeconds: Double?) -> [Effect] {
        let planner = WeightPlanner(inventory: model.inventory)
        guard var edit = model.edits[backend], let target = planner.targets.first(where: { $0.backendID == backend })
        else { return [] }
        let limits = GuardLimits(target: target, edit: edit, model: model)
        let hold = guardSeconds.map {
            ApplyRequest.Guard(
                seconds: $0, maxErrorRate: limits.errorRate, maxP95: limits.p95, session: model.hello?.session)
        }
        edit.attempt += 1
        model.edits[backend] = edit
        let session = model.hello?.session ?? "none"
        let id = String("\(session)-\(backend)-\(edit.revision)-\(edit.attempt)".suffix(64))
        let request = planner.request(edit, target: target, guard: hold, idempotencyID: id)
        model.say("applying to \(target.name)", .staged, for: 15)
        return send(request, .weights(target, edit))
    }

    private mutating func resolveConflict(_ command: Command) -> [Effect] {
        guard let backend = command.names.first, var edit = model.edits[backend],
            let object = model.inventory[backend]
        else { return [] }
        guard command["resolve"] == "rebase", edit.rebase(on: model.inventory.shares(object), revision: object.revision)
        else {
            model.edits[backend] = nil
            let wanted = command["resolve"] == "rebase"
            model.say(
                wanted ? "its backends are not the same any more: your edit is dropped" : "your edit is dropped", .warn)
            return []
        }
        model.edits[backend] = edit
        openWeights(backend)
        guard let target = WeightPlanner(inventory: model.inventory).targets.first(where: { $0.backendID == backend }),
            edit.isChanged
        else { return [] }
        overlays.append(PreviewBox(target: target))
        return []
    }
}
