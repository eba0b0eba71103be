import EdgeCore
import Shared

/// `/selvage/agents`: what operators see of agents, and do to them.
public struct AgentOperations: Sendable {
    private let service: TunnelService

    public init(_ service: TunnelService) { self.service = service }

    public var operations: [Operation] {
        [
            Operation(
                "GET", "/selvage/agents", role: .viewer, .read("Lists connected agents.", gives: LiveShapes.agents)
            ) { [service] _ in
                try HandlerResponse.json(encoding: ["agents": await service.statuses()], as: LiveShapes.agents)
            },
            order(.disconnect, "disconnect", "Closes an agent's connection at once; it may come back."),
            order(.drain, "drain", "Sends an agent nothing new, and closes its connection when it has finished."),
        ]
    }

    private func order(_ order: AgentOrder, _ verb: String, _ summary: String) -> Operation {
        Operation(
            "POST", "/selvage/agents/{id}/\(verb)", role: .operator, OperationDescription(summary, status: 204)
        ) { [service] call in
            _ = try Fields(call.body, known: [])
            let id = call.parameter("id")
            guard service.give(order, id) else { throw APIErrorBody.notFound }
            service.surroundings.events.record(
                .warn, kind: "agent.\(verb)", object: id,
                text: "\(call.principal.name): \(call.command ?? "agent \(verb) \(id)")")
            return .noContent
        }
    }
}
