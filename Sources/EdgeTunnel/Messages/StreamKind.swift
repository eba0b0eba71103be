/// What a stream is for: its opener's first four bytes, big-endian (agent-protocol.md 1).
public enum StreamKind: UInt32, Sendable {
    case authenticate = 0
    case bind = 1
    case unbind = 2
    case proxy = 3
    case restart = 4
    case stop = 5
    case update = 6
    case startLabelled = 7
    case serverInformation = 8
    case stopTunnel = 9
    case patch = 10
    case heartbeat = 0xFFFF_FFFF

    /// The four bytes.
    public var bytes: [UInt8] { withUnsafeBytes(of: rawValue.bigEndian) { Array($0) } }
}
