/// The requesting side of heartbeats: one beat outstanding at most, a value that the peer must send back, and a verdict
/// when it does not (agent-protocol.md 5).
struct Heartbeat {
    enum Step: Equatable {
        case wait
        case send([UInt8])
        /// The last beat was not answered in time.
        case dead
    }

    /// Nanoseconds.
    let interval: UInt64
    let tolerance: UInt64
    private var outstanding: (value: UInt32, sent: UInt64)?
    private var next: UInt64
    private var count: UInt32
    private var received: [UInt8] = []

    /// - Parameter seed: where the values begin: nobody may echo what was not sent.
    init(interval: UInt64, tolerance: UInt64, now: UInt64, seed: UInt32) {
        self.interval = interval
        self.tolerance = tolerance
        next = now
        count = seed
    }

    mutating func tick(now: UInt64) -> Step {
        if outstanding != nil { return isLost(now: now) ? .dead : .wait }
        guard now >= next else { return .wait }
        count &+= 1
        outstanding = (count, now)
        next = now &+ interval
        return .send(withUnsafeBytes(of: count.bigEndian) { Array($0) })
    }

    /// Whether the last beat was not answered in time.
    func isLost(now: UInt64) -> Bool {
        guard let outstanding else { return false }
        return now >= outstanding.sent &+ interval &+ tolerance
    }

    /// The beat that `tick` gave could not be sent: the next `tick` gives another.
    mutating func withdraw() {
        if let outstanding { next = outstanding.sent }
        outstanding = nil
    }

    /// Bytes came back.
    /// - Returns: the round trip in nanoseconds when they were the outstanding beat's.
    mutating func receive(_ bytes: UnsafeRawBufferPointer, now: UInt64) -> UInt64? {
        var roundTrip: UInt64?
        for byte in bytes {
            received.append(byte)
            guard received.count == 4 else { continue }
            let value = received.reduce(UInt32(0)) { $0 << 8 | UInt32($1) }
            received.removeAll(keepingCapacity: true)
            guard let sent = outstanding, sent.value == value else { continue }
            outstanding = nil
            roundTrip = now &- sent.sent
        }
        return roundTrip
    }
}

/// Sends back what the peer's heartbeat stream says, four bytes at a time.
struct HeartbeatEcho {
    private var received: [UInt8] = []
    /// When the last whole beat came, in nanoseconds.
    private(set) var last: UInt64

    init(now: UInt64) { last = now }

    /// - Returns: the beats to echo, each for a frame of its own.
    mutating func receive(_ bytes: UnsafeRawBufferPointer, now: UInt64) -> [[UInt8]] {
        var beats: [[UInt8]] = []
        for byte in bytes {
            received.append(byte)
            guard received.count == 4 else { continue }
            beats.append(received)
            received.removeAll(keepingCapacity: true)
            last = now
        }
        return beats
    }
}
