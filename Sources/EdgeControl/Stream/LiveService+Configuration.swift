public import EdgeCore
public import Shared

extension LiveService.Sources {
    /// Everything that the configuration service can tell is asked of it.
    public init(
        dataPlane: any DataPlane, slots: SlotTable, breakers: CircuitBreakers, events: EventLog,
        configuration service: ConfigurationService, agents: @escaping @Sendable () async -> [AgentStatus] = { [] }
    ) {
        self.init(
            dataPlane: dataPlane, slots: slots, breakers: breakers, events: events, guards: service,
            configuration: { service.configuration }, snapshot: { service.snapshot },
            recentAudit: { await service.recentAudit($0) },
            audit: { try await service.note($0, command: $1, kind: $2, id: $3) }, agents: agents)
    }
}
