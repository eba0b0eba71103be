import Shared

/// What an agent carries a second: two ticks compared, by the server's own time, so that a late tick makes no peak.
struct AgentTraffic: Sendable, Hashable {
    /// Values that `lastMinute` keeps.
    static let capacity = 60

    /// Bytes a second to the agent and from it, over the last interval; `nil` where no two ticks can be compared.
    private(set) var inPerSecond: Double?
    private(set) var outPerSecond: Double?
    /// Both ways together, one value a tick, oldest first.
    private(set) var lastMinute: [Double] = []
    private var last: AgentStatus
    /// The server's uptime when it told `last`.
    private var at: Double

    init(_ agent: AgentStatus, at uptime: Double) {
        last = agent
        at = uptime
    }

    mutating func append(_ agent: AgentStatus, at uptime: Double) {
        defer {
            last = agent
            at = uptime
        }
        let seconds = uptime - at
        // An agent that has come back counts from nothing again: the difference would mean nothing.
        guard seconds > 0, agent.uptime >= last.uptime, agent.bytesIn >= last.bytesIn, agent.bytesOut >= last.bytesOut
        else {
            inPerSecond = nil
            outPerSecond = nil
            return
        }
        let toAgent = Double(agent.bytesIn - last.bytesIn) / seconds
        let fromAgent = Double(agent.bytesOut - last.bytesOut) / seconds
        inPerSecond = toAgent
        outPerSecond = fromAgent
        lastMinute = (lastMinute + [toAgent + fromAgent]).suffix(Self.capacity)
    }
}
