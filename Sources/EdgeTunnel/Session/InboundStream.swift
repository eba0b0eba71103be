import Shared

/// A stream that the peer opened: first its kind, then what the kind means.
struct InboundStream {
    enum Stage {
        case kind(have: Int, value: UInt32)
        case heartbeat(HeartbeatEcho)
        case message(UInt32, MessageReader)
        case proxyHeader(ProxyHeaderReader)
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

    var stage = Stage.kind(have: 0, value: 0)
    /// When it was opened, in nanoseconds.
    let opened: UInt64
    private let takesProxy: Bool
    private let messageLimit: Int

    /// - Parameter takesProxy: whether this side serves visitors' streams.
    init(now: UInt64, takesProxy: Bool, messageLimit: Int = 4 << 20) {
        opened = now
        self.takesProxy = takesProxy
        self.messageLimit = messageLimit
    }

    /// Whether its opener still owes something.
    var isIncomplete: Bool {
        switch stage {
        case .kind, .message, .proxyHeader: true
        case .heartbeat, .answered: false
        }
    }

    /// Bytes kept of a message that is not complete.
    var heldBytes: Int { if case .message(_, let reader) = stage { reader.count } else { 0 } }

    var isHeartbeat: Bool { if case .heartbeat = stage { true } else { false } }

    mutating func receive(_ bytes: UnsafeRawBufferPointer, now: UInt64) -> Step {
        var offset = 0
        if case .kind(var have, var value) = stage {
            while have < 4, offset < bytes.count {
                value = value << 8 | UInt32(bytes[offset])
                have += 1
                offset += 1
            }
            stage = .kind(have: have, value: value)
            guard have == 4 else { return .needMore }
            stage = begin(value, now)
        }
        let rest = UnsafeRawBufferPointer(rebasing: bytes[offset...])
        switch stage {
        case .heartbeat(var echo):
            let beats = echo.receive(rest, now: now)
            stage = .heartbeat(echo)
            return beats.isEmpty ? .needMore : .beats(beats)
        case .message(let kind, var reader):
            return read(kind, &reader, rest)
        case .proxyHeader(var reader):
            return readHeader(&reader, rest, offset)
        // What comes behind a message (a newline, say) means nothing.
        case .answered, .kind: return .needMore
        }
    }

    private func begin(_ kind: UInt32, _ now: UInt64) -> Stage {
        switch StreamKind(rawValue: kind) {
        case .heartbeat: .heartbeat(HeartbeatEcho(now: now))
        case .proxy where takesProxy: .proxyHeader(ProxyHeaderReader())
        default: .message(kind, MessageReader(limit: messageLimit))
        }
    }

    private mutating func read(_ kind: UInt32, _ reader: inout MessageReader, _ bytes: UnsafeRawBufferPointer) -> Step {
        switch reader.receive(bytes) {
        case .needMore:
            stage = .message(kind, reader)
            return .needMore
        case .complete(let document):
            stage = .answered
            return .message(kind, document)
        case .invalid: return .invalid
        }
    }

    private mutating func readHeader(
        _ reader: inout ProxyHeaderReader, _ bytes: UnsafeRawBufferPointer, _ offset: Int
    ) -> Step {
        switch reader.receive(bytes) {
        case .needMore:
            stage = .proxyHeader(reader)
            return .needMore
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

    /// - Parameter ends: whether the direction ends with it.
    init(_ bytes: [UInt8], ends: Bool) {
        self.bytes = bytes
        self.ends = ends
    }

    /// - Returns: whether all of it is sent.
    mutating func pump(_ ref: StreamRef, _ mux: inout MuxSession) -> Bool {
        sent += bytes.withUnsafeBytes { mux.send(ref, UnsafeRawBufferPointer(rebasing: $0[sent...])) }
        guard sent == bytes.count else { return false }
        if ends { mux.finish(ref) }
        return true
    }
}
