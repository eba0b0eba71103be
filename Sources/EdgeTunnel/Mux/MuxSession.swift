/// Which half of the protocol this is: it decides who has which stream identifiers.
public enum MuxRole: Sendable {
    /// Even identifiers from 2.
    case server
    /// Odd identifiers from 3.
    case agent
}

/// One stream of a session, for as long as the session remembers it.
public struct StreamRef: Hashable, Sendable {
    /// Where its record lies: small, and used again by later streams.
    public let slot: Int
    /// The wire's identifier: never used again.
    public let id: UInt32
}

/// What the peer has done.
public enum MuxEvent: Equatable, Sendable {
    case opened(StreamRef)
    /// Payload, as a range of the bytes that were passed in. Never empty.
    case data(StreamRef, Range<Int>)
    /// The peer sends no more on the stream.
    case ended(StreamRef)
    /// The peer has given the stream up: nothing passes in either direction any more.
    case reset(StreamRef, MuxCode)
    /// Credit came for a stream that `send` had refused bytes of.
    case writable(StreamRef)
    /// The peer ends the session. Nothing after this may be parsed (agent-protocol.md 4.7).
    case goAway(MuxCode)
}

/// One multiplexed connection without its socket (agent-protocol.md 3 and 4): bytes in, events and bytes out. Both the
/// server's and the agent's half.
///
///     next(bytes, &offset) ─▶ events         open, send, finish, credit, abandon ─▶ output
///
/// Used by one loop at a time; a caller acts on an event before it asks for the next one.
public struct MuxSession: Sendable {
    public struct Limits: Sendable {
        /// Streams open at the same time, whoever opened them: official agents die of the 513th.
        public var streams = 480
        /// Of these, streams that the peer may open.
        public var inbound = 64
        /// Bytes of output past which `send` takes no more.
        public var output = 128 << 10

        public init(streams: Int = 480, inbound: Int = 64) {
            self.streams = streams
            self.inbound = inbound
        }
    }

    struct Stream {
        let id: UInt32
        let isInbound: Bool
        var window = StreamWindow()
        /// Bytes that may still be sent.
        var sendWindow = StreamWindow.initial
        /// Credit that has come back in all.
        var credited: UInt64 = 0
        var isAnnounced: Bool
        var localEnded = false
        var remoteEnded = false
        /// Nobody here cares for it any more; it keeps its place until the peer has ended it too.
        var isAbandoned = false
        /// It was given up and still sent: it has been told to stop.
        var isCutOff = false
        var waitsForCredit = false

        init(id: UInt32, isInbound: Bool) {
            self.id = id
            self.isInbound = isInbound
            isAnnounced = isInbound
        }
    }

    public let role: MuxRole
    public var limits: Limits
    /// Both ends are ours: windows grow, resets free their stream at once and tell why.
    public private(set) var isExtended = false
    var growth: WindowGrowth?
    var reader = FrameReader()
    var writer = FrameWriter()
    var streams: [Stream?] = []
    private var freeSlots: [Int] = []
    var slots: [UInt32: Int] = [:]
    /// The next identifier of this side, and the highest that the peer has used.
    private var nextID: UInt32
    var highestPeerID: UInt32 = 0
    var inboundCount = 0
    var current = Current.none
    var noise = 0
    var stray = Stray()
    /// Streams that nobody here cares for any more, but whose place is taken until the peer has ended them.
    public internal(set) var abandonedStreams = 0
    public internal(set) var isGoingAway = false

    /// The frame that is being read.
    enum Current {
        case none
        case data(slot: Int, id: UInt32, isFin: Bool)
        /// Payload of a stream that is over: thrown away.
        case ignored
        case number(FrameHeader.Kind, id: UInt32, value: UInt32)
    }

    /// What a peer may still send on streams that we have reset, as it does not know of that yet.
    struct Stray {
        var bytes = 0
        var frames = 0
    }

    public init(_ role: MuxRole, limits: Limits = Limits()) {
        self.role = role
        self.limits = limits
        nextID = Self.firstID(own: true, role)
    }

    private static func firstID(own: Bool, _ role: MuxRole) -> UInt32 { (role == .server) == own ? 2 : 3 }

    /// Both sides have agreed to be more than the official agents are (agent-protocol.md 10.4).
    public mutating func extend(streams: Int, inbound: Int) {
        isExtended = true
        growth = WindowGrowth()
        limits.streams = streams
        limits.inbound = inbound
    }

    /// A heartbeat came back after so many nanoseconds.
    public mutating func measured(roundTrip: UInt64) { growth?.measured(roundTrip) }

    // MARK: Streams

    public var openStreams: Int { slots.count }
    public var canOpen: Bool { slots.count < limits.streams && !isGoingAway && nextID < 0x7FFF_FFF0 }

    /// A new stream, announced by its first bytes.
    /// - Returns: `nil` when no more may be open now.
    public mutating func open() -> StreamRef? {
        guard canOpen else { return nil }
        defer { nextID += 2 }
        return add(nextID, isInbound: false)
    }

    mutating func add(_ id: UInt32, isInbound: Bool) -> StreamRef {
        let slot = freeSlots.popLast() ?? streams.count
        if slot == streams.count { streams.append(nil) }
        streams[slot] = Stream(id: id, isInbound: isInbound)
        slots[id] = slot
        if isInbound { inboundCount += 1 }
        return StreamRef(slot: slot, id: id)
    }

    /// The stream is over for both sides: its place is free.
    mutating func remove(_ slot: Int) {
        guard let stream = streams[slot] else { return }
        growth?.left += stream.window.grown
        if stream.isInbound { inboundCount -= 1 }
        if stream.isAbandoned { abandonedStreams -= 1 }
        slots[stream.id] = nil
        streams[slot] = nil
        freeSlots.append(slot)
    }

    func isOwn(_ id: UInt32) -> Bool { (id & 1 == 0) == (role == .server) }
    /// Whether the identifier was in use once.
    func wasOpen(_ id: UInt32) -> Bool {
        let isOwn = isOwn(id)
        return id >= Self.firstID(own: isOwn, role) && (isOwn ? id < nextID : id <= highestPeerID)
    }

    func isCurrent(_ ref: StreamRef) -> Bool {
        ref.slot < streams.count && streams[ref.slot]?.id == ref.id
    }

    /// Whether somebody here still cares for the stream.
    func isLive(_ ref: StreamRef) -> Bool { isCurrent(ref) && streams[ref.slot]?.isAbandoned == false }

    /// Whether this side has not ended the stream yet.
    func maySend(_ ref: StreamRef) -> Bool { isLive(ref) && streams[ref.slot]?.localEnded == false }

    /// How much credit a stream has had from the peer since it was opened: what of its bytes was read over there, at
    /// least; `nil` for a stream that is over. Official agents tell of every read, our own of pieces of 32 KiB.
    public func credited(_ ref: StreamRef) -> UInt64? { isCurrent(ref) ? streams[ref.slot]?.credited : nil }

    // MARK: Output

    public var outputCount: Int { writer.count }
    public var isOutputFull: Bool { writer.count >= limits.output }
    /// A peer keeps us busy with answers that it does not read. One that means well cannot come near this: what it may
    /// send without reading is bounded by its windows, and so is the credit for it.
    var isUnread: Bool { writer.count > limits.output + (isExtended ? 4 << 20 : 512 << 10) }
    /// The bytes to send next, which are the same again until they are dropped; others may have joined behind them.
    public mutating func withOutput<R>(_ body: (UnsafeRawBufferPointer) -> R) -> R { writer.withBytes(body) }
    public mutating func dropOutput(_ count: Int) { writer.drop(count) }

    /// Tells the peer that no stream after those it knows will be served. Between our own halves this is a drain; an
    /// official agent would drop everything, and is never told.
    public mutating func goAway(_ code: MuxCode = .none) {
        guard isExtended, !isGoingAway else { return }
        isGoingAway = true
        writer.goAway(last: highestPeerID, code)
    }

    /// No stream is opened any more.
    public mutating func stopOpening() { isGoingAway = true }
}
