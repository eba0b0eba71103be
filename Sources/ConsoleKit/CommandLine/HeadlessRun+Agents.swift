import Foundation
import Shared

// Agents are not in the configuration, and a tick may leave some out: they are asked for by themselves.
extension HeadlessRun {
    private func agents() throws -> [AgentStatus] {
        struct Listing: Decodable { var agents: [AgentStatus] }
        let answer = try connection.request("GET", AdminPaths.agents)
        guard answer.status == 200 else { throw fault(answer.status, answer.body) }
        guard let listing = try? JSONDecoder().decode(Listing.self, from: Data(answer.body)) else {
            throw AdminFault(.malformed, "the list of agents could not be read")
        }
        return listing.agents
    }

    /// Knows what a command may be about.
    func planner(for command: Command) throws -> Planner {
        VerbTable[command.verb].scope == .tunnels
            ? Planner(inventory: .empty, agents: try agents()) : Planner(inventory: try inventory())
    }

    /// All agents, or those whose identifier begins so or whose name it is.
    func getAgents(_ command: Command) throws -> Int32 {
        var found = try agents()
        if command.names.count > 1 {
            let name = command.names[1]
            found = found.filter { $0.id.hasPrefix(name) || $0.name == name }
            guard !found.isEmpty else { throw CommandFault(.invalid, "no agent is called \(name)") }
        }
        Report(agents: found).lines(options.format).forEach(out)
        return CommandLineTool.Exit.done
    }
}

extension Report {
    init(agents: [AgentStatus]) {
        let (heads, rows) = Self.agents(agents)
        self.init(heads: heads, rows: rows)
    }

    static func agents(_ agents: [AgentStatus]) -> ([String], [Row]) {
        let rows = AgentStatus.sorted(agents).map { agent -> Row in
            var document = JSON(encoding: agent)
            document["name"] = .string(agent.name)
            return Row(
                id: agent.id, name: agent.name,
                cells: [
                    agent.state.rawValue, agent.name, agent.tunnelSummary, agent.load,
                    Figure.bytes(Double(agent.bytesIn)), Figure.bytes(Double(agent.bytesOut)),
                    Figure.milliseconds(agent.rtt), Figure.duration(agent.uptime), agent.region,
                    "\(agent.reconnects)", agent.version, agent.id,
                ], document: document)
        }
        let heads = [
            "STATE", "AGENT", "TUNNELS", "STREAMS", "IN", "OUT", "RTT", "UP", "REGION", "RECONN", "VERSION", "ID",
        ]
        return (heads, rows)
    }
}
