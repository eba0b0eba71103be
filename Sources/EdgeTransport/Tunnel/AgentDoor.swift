import EdgeCore
import EdgeTunnel
import Shared

/// Where agents come in: the certificate that they are shown, and the names under which they may come by the ports that
/// visitors use as well.
final class AgentDoor: Sendable {
    let hub: AgentHub
    /// Lower case. An agent that dials an address sends no name, and needs a port of its own.
    let names: Set<String>
    private let certificate: HandlerCertificate

    init(hub: AgentHub, names: [String], certificate: HandlerCertificate) {
        self.hub = hub
        self.names = Set(names.map { $0.lowercased() })
        self.certificate = certificate
    }

    /// Agents offer no protocol by ALPN (agent-protocol.md 2.2).
    var decision: HelloDecision {
        .terminate(certificate.context, minimumVersion: HandlerCertificate.minimumVersion, http: false)
    }

    /// - Parameter onSettled: called once, when the agent has shown a good token or is gone.
    func start(_ channel: Channel, _ facts: ConnectionFacts, onSettled: @escaping () -> Void = {}) {
        AgentConnection(
            channel: channel, hub: hub, region: facts.region, address: facts.clientText, onSettled: onSettled
        ).start()
    }
}

/// Agent connections of one loop that have shown no token yet. When there are too many, the oldest of whoever has the
/// most of them has to go: strangers by the thousand do not keep others out, and a burst of agents that come back at
/// once is not turned away.
struct HalfOpenAgents {
    private struct Entry {
        let number: UInt64
        let address: IPAddress
    }

    private var entries: [Entry] = []
    private var counts: [IPAddress: Int] = [:]
    private var next: UInt64 = 0
    private let limit: Int

    init(limit: Int = 2048) { self.limit = limit }

    var count: Int { entries.count }

    /// - Returns: the new connection's number, and that of one to be closed for it.
    mutating func add(_ address: IPAddress) -> (number: UInt64, evicted: UInt64?) {
        var evicted: UInt64?
        if entries.count >= limit, let most = counts.max(by: { $0.value < $1.value })?.key,
            let oldest = entries.first(where: { $0.address == most })
        {
            evicted = oldest.number
            remove(oldest.number)
        }
        next += 1
        entries.append(Entry(number: next, address: address))
        counts[address, default: 0] += 1
        return (next, evicted)
    }

    mutating func remove(_ number: UInt64) {
        guard let index = entries.firstIndex(where: { $0.number == number }) else { return }
        let address = entries.remove(at: index).address
        let count = (counts[address] ?? 1) - 1
        counts[address] = count > 0 ? count : nil
    }
}
