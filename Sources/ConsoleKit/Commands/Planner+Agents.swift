import Shared

/// Connected agents: no objects of the configuration, so nothing of this is a change that could be undone.
extension Planner {
    /// An agent by its identifier or a prefix that only it has.
    ///
    /// A whole identifier passes also when its agent is not known here: a tick tells of the busiest alone.
    /// - Throws: `CommandFault` when no agent or more than one is called so.
    func agentID(_ name: String) throws(CommandFault) -> String {
        let kind = "ts_"
        // What all of them begin with names none, not even the only one.
        let isTelling = name.hasPrefix(kind) && name.count > kind.count
        let found = isTelling ? agents.filter { $0.id.hasPrefix(name) } : []
        if let exact = found.first(where: { $0.id == name }) { return exact.id }
        if let only = found.first, found.count == 1 { return only.id }
        if found.count > 1 {
            let ids = found.prefix(5).map(\.id).sorted().joined(separator: ", ")
            throw CommandFault(.invalid, "\(name) may be any of \(ids): give more of the id")
        }
        guard isTelling, name.utf8.count == kind.count + 27 else {
            throw CommandFault(.invalid, "no agent has the id \(name): selvage get agents lists them")
        }
        return name
    }

    func agent(_ id: String) -> AgentStatus? { agents.first { $0.id == id } }

    func askAgent(_ command: Command) throws(CommandFault) -> RequestPlan {
        guard command.names.count == 1, command.values.isEmpty else { throw usage(command.verb) }
        let id = try agentID(command.names[0])
        let verb = String(VerbTable[command.verb].name.split(separator: " ")[1])
        let isOurs = command.verb == .agentDisconnect || command.verb == .agentDrain
        let path = isOurs ? AdminPaths.agent(id, verb) : AdminPaths.session(id, verb)
        let name = agent(id)?.name ?? id
        let done =
            switch command.verb {
            case .agentDisconnect: "\(name) is disconnected"
            case .agentDrain: "\(name) drains: it gets nothing new"
            default: "\(name) is asked to \(verb)"
            }
        return RequestPlan(
            command: Command(command.verb, [id]).text,
            steps: [step("POST", path, nil, VerbTable[command.verb].name)], success: done, danger: .disruptive)
    }

    /// Who is hit by a command about an agent, and how.
    /// - Parameter age: says how old the figures are, when that matters.
    func victims(_ verb: VerbID, ofAgent id: String, age: String?) -> String {
        guard let agent = agent(id) else { return "What it carries is not known." }
        let consequence =
            switch verb {
            case .agentDisconnect: "cut at once; it may come back"
            case .agentDrain: "may finish, and nothing new begins"
            case .agentStop: "cut when its program ends"
            case .agentRestart: "cut until its program is back"
            default: "cut while its program is replaced"
            }
        return "\(agent.stake)\(age.map { " (\($0))" } ?? ""): \(consequence)."
    }
}

extension ConsoleModel {
    /// Plans with what is known now.
    var planner: Planner { Planner(inventory: inventory, agents: tick?.agents ?? []) }
}
