/// The frames of the agent protocol (agent-protocol.md 3): an 8-byte header, then `length` bytes.
///
///     byte 0…2   length (24 bits, big-endian)
///     byte 3     type in the high nibble, flags in the low
///     byte 4…7   stream (31 bits, big-endian; the top bit is ignored)
public struct FrameHeader: Hashable, Sendable {
    public enum Kind: UInt8, Sendable {
        case reset = 0
        case data = 1
        case credit = 2
        case goAway = 3
    }

    public struct Flags: OptionSet, Hashable, Sendable {
        public let rawValue: UInt8
        public init(rawValue: UInt8) { self.rawValue = rawValue }

        /// The sender will send no more on the stream.
        public static let fin = Flags(rawValue: 1)
        /// The first frame of a new stream.
        public static let syn = Flags(rawValue: 2)
    }

    /// Bytes of a header.
    public static let size = 8
    public static let maximumLength = 0xFF_FFFF

    /// The type's nibble; `kind` is `nil` for those that the protocol does not know.
    public var type: UInt8
    public var flags: Flags
    /// Bytes of the payload, 0…`maximumLength`.
    public var length: Int
    public var stream: UInt32

    public var kind: Kind? { Kind(rawValue: type) }

    public init(_ kind: Kind, flags: Flags = [], stream: UInt32, length: Int) {
        type = kind.rawValue
        self.flags = flags
        self.stream = stream
        self.length = length
    }

    /// - Parameter word: the header's bytes, the first in the highest place.
    @inline(__always)
    init(word: UInt64) {
        length = Int(word >> 40)
        type = UInt8(truncatingIfNeeded: word >> 36) & 0xF
        flags = Flags(rawValue: UInt8(truncatingIfNeeded: word >> 32) & 0xF)
        stream = UInt32(truncatingIfNeeded: word) & 0x7FFF_FFFF
    }

    @inline(__always)
    var word: UInt64 {
        UInt64(length) << 40 | UInt64(type) << 36 | UInt64(flags.rawValue) << 32 | UInt64(stream)
    }
}

/// Why a stream or a session ends: the wire's numbers. Others mean as much as `internal`.
public struct MuxCode: RawRepresentable, Hashable, Sendable {
    public let rawValue: UInt32
    public init(rawValue: UInt32) { self.rawValue = rawValue }

    public static let none = MuxCode(rawValue: 0)
    public static let protocolError = MuxCode(rawValue: 1)
    public static let flowControl = MuxCode(rawValue: 3)
    public static let streamClosed = MuxCode(rawValue: 4)
    /// Between our own two halves: the upstream could not be dialled.
    public static let refused = MuxCode(rawValue: 5)
    public static let cancelled = MuxCode(rawValue: 6)
    /// Between our own two halves: the upstream broke its connection off.
    public static let reset = MuxCode(rawValue: 7)
    public static let acceptQueueFull = MuxCode(rawValue: 9)
    /// Between our own two halves: dialling the upstream took too long.
    public static let timedOut = MuxCode(rawValue: 13)
}

/// What the peer did that ends the session: it cannot be understood any more, or means harm.
public enum MuxViolation: Error, Hashable, Sendable {
    case unknownFrame
    case malformedFrame
    /// A stream identifier of the wrong parity, or one used before.
    case streamIdentifier
    /// More than the window allows.
    case windowOverrun
    /// More streams than the peer may have open.
    case tooManyStreams
    /// More frames that move nothing than a peer has reason to send, or more that are answered than it reads answers.
    case noise
}
