import Shared

/// A stream that the peer opened: first its kind, then what the kind means.
///
/// The readers lie beside the stage: taken out of it, what they keep would be copied for every frame.
struct InboundStream {
    enum Stage: Equatable {
        case kind(have: Int, value: UInt32)
        case heartbeat
        case message(UInt32)
        case proxyHeader
        /// The message was taken; its answer is awaited or sent.
        case answered
    }

    enum Step {
        case needMore
        case beats([[UInt8]])
        case message(UInt32, JSON)
        /// A visitor's stream: its payload begins after so many of the bytes.
        case proxy(ProxyHeader, used: Int)
        case invalid
    }

    private(set) var stage = Stage.kind(have: 0, value: 0)
    /// When it was opened, in nanoseconds.
    let opened: UInt64
    /// Bytes that came before the message was complete.
    private(set) var received = 0
    private let takesProxy: Bool
    private var echo: HeartbeatEcho
    private var message: MessageReader
    private var header = ProxyHeaderReader()

    /// - Parameter takesProxy: whether this side serves visitors' streams.
    init(now: UInt64, takesProxy: Bool, messageLimit: Int = 4 << 20) {
        opened = now
        self.takesProxy = takesProxy
        echo = HeartbeatEcho(now: now)
        message = MessageReader(limit: messageLimit)
    }

    /// Whether its opener still owes something.
    var isIncomplete: Bool {
        switch stage {
        case .kind, .message, .proxyHeader: true
        case .heartbeat, .answered: false
        }
    }

    /// Bytes kept of what is not complete.
    var heldBytes: Int { message.count + header.count }

    var isHeartbeat: Bool { stage == .heartbeat }

    mutating func receive(_ bytes: UnsafeRawBufferPointer, now: UInt64) -> Step {
        var offset = 0
        if case .kind(var have, var value) = stage {
            while have < 4, offset < bytes.count {
                value = value << 8 | UInt32(bytes[offset])
                have += 1
                offset += 1
            }
            stage = have < 4 ? .kind(have: have, value: value) : begin(value)
        }
        let rest = UnsafeRawBufferPointer(rebasing: bytes[offset...])
        switch stage {
        case .heartbeat:
            let beats = echo.receive(rest, now: now)
            return beats.isEmpty ? .needMore : .beats(beats)
        case .message(let kind): return read(kind, rest)
        case .proxyHeader: return readHeader(rest, offset)
        // What comes behind a message (a newline, say) means nothing.
        case .answered, .kind: return .needMore
        }
    }

    private func begin(_ kind: UInt32) -> Stage {
        switch StreamKind(rawValue: kind) {
        case .heartbeat: .heartbeat
        case .proxy where takesProxy: .proxyHeader
        default: .message(kind)
        }
    }

    private mutating func read(_ kind: UInt32, _ bytes: UnsafeRawBufferPointer) -> Step {
        received += bytes.count
        switch message.receive(bytes) {
        case .needMore: return .needMore
        case .complete(let document):
            stage = .answered
            return .message(kind, document)
        case .invalid: return .invalid
        }
    }

    private mutating func readHeader(_ bytes: UnsafeRawBufferPointer, _ offset: Int) -> Step {
        switch header.receive(bytes) {
        case .needMore: return .needMore
        case .complete(let header, let used):
            stage = .answered
            return .proxy(header, used: offset + used)
        case .invalid: return .invalid
        }
    }
}

/// A message on its way out, as far as windows and output let it.
struct OutgoingMessage {
    private let bytes: [UInt8]
    private var sent = 0
    private let ends: Bool
    /// Bytes that are kept for it.
    var count: Int { bytes.count }

    /// - Parameter ends: whether the direction ends with it.
    init(_ bytes: [UInt8], ends: Bool) {
        self.bytes = bytes
        self.ends = ends
    }

    /// - Returns: whether nothing is left to do: all of it is sent, or its stream is over.
    mutating func pump(_ ref: StreamRef, _ mux: inout MuxSession) -> Bool {
        guard mux.maySend(ref) else { return true }
        sent += bytes.withUnsafeBytes { mux.send(ref, UnsafeRawBufferPointer(rebasing: $0[sent...])) }
        guard sent == bytes.count else { return false }
        if ends { mux.finish(ref) }
        return true
    }
}
