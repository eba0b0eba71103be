import EdgeCore
import EdgeTunnel

/// What carries a channel's bytes where it is no socket: a tunnel's stream, on its own loop or on another.
///
/// Confined to the channel's loop. It tells its channel what has become possible by `Channel.ready`, as a poller does for
/// a socket.
class StreamCarrier {
    /// Set by the channel, and taken away when that closes.
    unowned(unsafe) var channel: Channel?

    /// Bytes that have arrived, where they lie: valid until the next read of this carrier.
    func read() -> Channel.ReadResult { .failed }
    /// The same for a reader that needs them in a place of its own (TLS).
    func read(into buffer: UnsafeMutableRawBufferPointer) -> CarrierResult { .failed }
    /// - Returns: how much was taken; `.blocked` when nothing can be now, and `.writable` will follow.
    func write(_ bytes: UnsafeRawBufferPointer) -> CarrierResult { .failed }
    /// Ends this side's direction, after what was written.
    func finish() {}
    /// The channel is closed: whatever is under way is given up.
    func close() { channel = nil }
    /// Gives the stream up at once, and tells why where the other end can hear it.
    func breakOff(_ code: MuxCode) { close() }
    /// Nothing passes in either direction any more.
    var isBroken: Bool { false }
    /// The peer has ended its direction, and all of it was read.
    var hasEnded: Bool { false }
    /// Set when the agent could not reach its upstream.
    var dialFailure: EdgeError? { nil }
}
