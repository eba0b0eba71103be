import EdgeCore
import EdgeTunnel
import Synchronization

/// What all agent connections of one data plane share: who decides about them, and where their tunnels serve.
final class AgentHub: Sendable {
    let gate: any TunnelGate
    let groups: TunnelGroups
    let loops: [EventLoop]
    private let connections = Mutex<[UInt64: AgentConnection]>([:])
    private let numbers = Atomic<UInt64>(0)

    init(gate: any TunnelGate, groups: TunnelGroups, loops: [EventLoop]) {
        self.gate = gate
        self.groups = groups
        self.loops = loops
    }

    func nextNumber() -> UInt64 { numbers.add(1, ordering: .relaxed).newValue }
    func add(_ connection: AgentConnection) { connections.withLock { $0[connection.number] = connection } }
    func remove(_ connection: AgentConnection) { connections.withLock { $0[connection.number] = nil } }
    subscript(number: UInt64) -> AgentConnection? { connections.withLock { $0[number] } }
    var all: [AgentConnection] { connections.withLock { Array($0.values) } }

    /// Tunnels begin to serve.
    func add(_ tunnel: CarriedTunnel) {
        groups.add(tunnel)
        publish()
    }

    /// Tunnels serve no more. Who asks one of them before every loop knows is turned away there, and tries the next.
    func remove(_ tunnels: [CarriedTunnel]) {
        for tunnel in tunnels { tunnel.condition.isLive = false }
        groups.remove(tunnels)
        publish()
        for tunnel in tunnels { tunnel.closeIdle() }
    }

    /// Hands the groups as they are now to every loop.
    func publish() { AgentHub.publish(groups, to: loops) }

    static func publish(_ groups: TunnelGroups, to loops: [EventLoop]) {
        let table = groups.table
        for loop in loops { loop.post { $0.service.take(table) } }
    }

    // MARK: Orders

    /// - Returns: whether there is such a connection.
    func order(_ order: AgentOrder, _ number: UInt64) -> Bool {
        guard let connection = self[number] else { return false }
        connection.loop.post { _ in connection.obey(order) }
        return true
    }

    func readings() async -> [AgentReading] {
        await withTaskGroup(of: AgentReading.self) { group in
            for connection in all {
                group.addTask {
                    await withCheckedContinuation { done in
                        connection.loop.post { _ in done.resume(returning: connection.reading) }
                    }
                }
            }
            return await group.reduce(into: []) { $0.append($1) }
        }
    }
}
