import EdgeCore
import Shared

/// What serves on one loop. Confined to it.
final class LoopService {
    let loop: EventLoop
    let settings: TransportSettings
    let listenerTLS: TLSContext
    let upstreamTLS: TLSContext
    let ticketKeys: TicketKeys
    let resolver: Resolver

    /// The configuration in force on this loop.
    var snapshot: Snapshot
    var balance = BalanceStates()
    /// Where agents come in by name, if they do.
    var agents: AgentDoor?
    private var halfOpenAgents = HalfOpenAgents()
    private var halfOpenChannels: [UInt64: Channel] = [:]
    var traffic = TrafficSample()
    /// Client connections of all kinds on this loop.
    var connectionCount = 0
    let connectionLimit: Int
    /// Request bodies being received for a program from clients whom nobody vouches for, in bytes.
    var handlerBodyBytes = 0
    var maximumHandlerBodyBytes: Int { 16 * settings.maxHandlerBody }
    private(set) var isDraining = false
    /// Listeners of this loop; those of TCP edges by port.
    var listeners: [Listener] = []
    var portListeners: [UInt16: [Listener]] = [:]
    /// Called once when draining begins; a handler takes its entry out when it closes.
    var drainers: [ObjectIdentifier: () -> Void] = [:]

    private var pools: [UpstreamPool?] = []
    private var spareExchanges: [ProxyExchange] = []

    init(
        loop: EventLoop, settings: TransportSettings, listenerTLS: TLSContext, upstreamTLS: TLSContext,
        ticketKeys: TicketKeys, resolver: Resolver, snapshot: Snapshot
    ) {
        self.loop = loop
        self.settings = settings
        self.listenerTLS = listenerTLS
        self.upstreamTLS = upstreamTLS
        self.ticketKeys = ticketKeys
        self.resolver = resolver
        self.snapshot = snapshot
        connectionLimit = max(1, settings.maxConnections / settings.loops)
    }

    var headLimits: HeadLimits {
        HeadLimits(maxHeadBytes: settings.maxHeadBytes, maxFields: settings.maxFields)
    }

    func pool(_ target: Target) -> UpstreamPool {
        while pools.count <= target.poolSlot { pools.append(nil) }
        if let pool = pools[target.poolSlot] { return pool }
        let pool = UpstreamPool(loop: loop)
        pools[target.poolSlot] = pool
        return pool
    }

    /// An exchange with the memory of an earlier one, or a new one.
    /// - Parameter port: of HTTPS, where requests without TLS are sent to unless their edge wants them so.
    func exchange(redirectingTo port: UInt16? = nil) -> ProxyExchange {
        let exchange = spareExchanges.popLast() ?? ProxyExchange(loop: loop)
        exchange.redirectPort = port
        return exchange
    }

    func recycle(_ exchange: ProxyExchange) {
        if spareExchanges.count < 256 { spareExchanges.append(exchange) }
    }

    /// Takes the tunnel groups of another moment, unless it knows later ones.
    func take(_ table: TunnelTable) {
        if table.version >= balance.tunnels.version { balance.tunnels = table }
    }

    /// What a handshake for `serverName` should do.
    func decide(_ serverName: String) -> HelloDecision {
        guard !serverName.isEmpty else { return .refuse }
        if let agents, agents.names.contains(serverName) { return agents.decision }
        let edge = snapshot.hosts.lookup(serverName)
        if let edge, edge.kind == .tls, edge.termination == .atUpstream { return .passThrough(edge) }
        let certificate = edge?.certificate ?? snapshot.certificates.lookup(serverName)
        guard let context = certificate?.served.context else { return .refuse }
        return .terminate(context, minimumVersion: edge?.minimumTLSVersion ?? 0x0303, http: edge?.kind != .tls)
    }

    // MARK: Agents without a token

    /// - Returns: a number to be given back by `halfOpenSettled`.
    func admitHalfOpen(_ channel: Channel, from address: IPAddress) -> UInt64 {
        let (number, evicted) = halfOpenAgents.add(address)
        halfOpenChannels[number] = channel
        if let evicted, let channel = halfOpenChannels.removeValue(forKey: evicted) {
            channel.handler?.channelFailed(channel)
        }
        return number
    }

    func halfOpenSettled(_ number: UInt64) {
        halfOpenAgents.remove(number)
        halfOpenChannels[number] = nil
    }

    // MARK: Counting

    @inline(__always)
    func count(_ slot: Int32, _ change: (inout TrafficCounters) -> Void) {
        let index = Int(slot)
        if index >= traffic.counters.count { traffic.grow(to: index + 64) }
        change(&traffic.counters[index])
    }

    /// A request that was refused before it became an exchange.
    func countRefused(_ regionSlot: Int32, _ error: EdgeError) {
        count(regionSlot) { counters in
            counters.started &+= 1
            counters.ended &+= 1
            counters.count(status: error.status)
        }
    }

    @inline(__always)
    func record(_ slot: Int32, microseconds: UInt64) {
        traffic.latencies[Int(slot)].record(microseconds: microseconds)
    }

    // MARK: Draining

    func drain() {
        guard !isDraining else { return }
        isDraining = true
        for listener in listeners + portListeners.values.flatMap({ $0 }) { listener.close() }
        listeners = []
        portListeners = [:]
        for drainer in Array(drainers.values) { drainer() }
        for pool in pools { pool?.closeIdle() }
    }
}
