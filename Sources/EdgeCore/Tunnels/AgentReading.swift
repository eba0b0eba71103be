/// What the data plane knows of one agent connection at a moment.
public struct AgentReading: Sendable, Hashable {
    public var connection: UInt64
    public var isDraining: Bool
    /// Seconds since it was accepted.
    public var uptime: Double
    /// Milliseconds of the latest heartbeat; `nil` before the first came back.
    public var roundTrip: Double?
    public var streams: Int
    public var streamLimit: Int
    public var opened: UInt64
    /// To the agent, and from it.
    public var bytesIn: UInt64
    public var bytesOut: UInt64

    public init(
        connection: UInt64, isDraining: Bool, uptime: Double, roundTrip: Double?, streams: Int, streamLimit: Int,
        opened: UInt64, bytesIn: UInt64, bytesOut: UInt64
    ) {
        self.connection = connection
        self.isDraining = isDraining
        self.uptime = uptime
        self.roundTrip = roundTrip
        self.streams = streams
        self.streamLimit = streamLimit
        self.opened = opened
        self.bytesIn = bytesIn
        self.bytesOut = bytesOut
    }
}

/// What the data plane can be told about one agent connection.
public enum AgentOrder: Sendable, Hashable {
    /// Closes it at once.
    case disconnect
    /// Sends it nothing new, and closes it when what is open has finished.
    case drain
    /// Asks its program to do something; whether it does is its own business.
    case stop, restart, update
    /// Takes one tunnel out of service, and tells the agent.
    case stopTunnel(id: String)
}
