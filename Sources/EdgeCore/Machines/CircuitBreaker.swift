public import Shared

/// When a circuit breaker opens, and for how long.
public struct CircuitBreakerSettings: Sendable, Hashable {
    /// How long it stays open before a probe is let through.
    public var trippedDuration: Duration
    /// The time over which exchanges are counted, cut into so many buckets.
    public var rollingWindow: Duration
    public var buckets: Int
    /// Fewer exchanges in the window never open it.
    public var volumeThreshold: UInt64
    /// The share of errors, 0…1, from which on it opens.
    public var errorThreshold: Double

    public init(
        trippedDuration: Duration = .seconds(10), rollingWindow: Duration = .seconds(10), buckets: Int = 10,
        volumeThreshold: UInt64 = 20, errorThreshold: Double = 0.5
    ) {
        self.trippedDuration = max(trippedDuration, .milliseconds(1))
        self.rollingWindow = max(rollingWindow, .milliseconds(1))
        self.buckets = min(max(buckets, 1), 128)
        self.volumeThreshold = max(volumeThreshold, 1)
        self.errorThreshold = min(max(errorThreshold, 0), 1)
    }
}

/// Keeps traffic from an upstream that fails, and lets it back when a probe succeeds (as Hystrix does).
///
///     closed ──total ≥ volume and errors/total ≥ threshold──▶ open ──tripped duration──▶ half-open
///       ▲                                                      ▲                            │
///       │                                                      └──── the probe fails ───────┤
///       └────────── the probe succeeds; the window is emptied ──────────────────────────────┘
///
/// Half-open, exactly one request is let through, and what became of it decides. Time is passed in.
public struct CircuitBreaker: Sendable {
    /// What is done with a request. The names are those that events carry.
    public enum Decision: String, Sendable {
        case allow, block
        /// The probe.
        case allowWhileOpen = "allow_while_open"
    }

    /// A decision, and which probe it is: an outcome that comes late must not be taken for that of a newer probe.
    public struct Admission: Sendable, Hashable {
        public let decision: Decision
        /// 0 unless the request is a probe.
        public let probe: UInt32
    }

    /// How a request that was let through turned out.
    public enum Result: Sendable {
        case success, failure
        /// The client went away before an answer: says nothing about the upstream, but a probe has failed.
        case cancelled
    }

    /// What an operator may do by hand.
    public enum Action: String, Sendable, CaseIterable {
        /// Opens it until it is closed or reset by hand.
        case open
        case close
        /// Closes it and forgets what was counted: window, trips and rejected requests.
        case reset
        /// Lets the next request through as a probe without waiting.
        case probe
    }

    private struct Bucket: Sendable {
        var total: UInt64 = 0
        var errors: UInt64 = 0
    }

    /// A probe that nobody reports on counts as failed after this.
    static let probeDeadline = Duration.seconds(300)

    public private(set) var settings: CircuitBreakerSettings
    public private(set) var state = BreakerState.closed
    /// Exchanges and errors in the window, as of the latest call.
    public private(set) var total: UInt64 = 0
    public private(set) var errors: UInt64 = 0
    public private(set) var trips: UInt64 = 0
    public private(set) var rejected: UInt64 = 0
    public private(set) var reason: String?
    /// Since when it has been in its state.
    public private(set) var since: MonotonicTime
    private var isForced = false
    private var probe: UInt32 = 0
    private var probeNow = false

    private var ring: [Bucket]
    /// The number of the newest bucket, counted in bucket widths since the clock's zero.
    private var newest: UInt64
    var newestBucket: UInt64 { newest }

    public init(settings: CircuitBreakerSettings, at now: MonotonicTime) {
        self.settings = settings
        since = now
        ring = Array(repeating: Bucket(), count: settings.buckets)
        newest = 0
        newest = bucket(at: now)
    }

    // MARK: Traffic

    public mutating func admit(at now: MonotonicTime) -> Admission {
        switch state {
        case .closed:
            return Admission(decision: .allow, probe: 0)
        case .open:
            if (!isForced && now >= since + settings.trippedDuration) || probeNow {
                return admitProbe(at: now)
            }
        case .halfOpen:
            if now >= since + CircuitBreaker.probeDeadline { open("the probe gave no answer", at: now) }
        }
        rejected += 1
        return Admission(decision: .block, probe: 0)
    }

    private mutating func admitProbe(at now: MonotonicTime) -> Admission {
        enter(.halfOpen, at: now)
        probe &+= 1
        if probe == 0 { probe = 1 }
        return Admission(decision: .allowWhileOpen, probe: probe)
    }

    /// Counts an exchange that was let through.
    /// - Parameter probe: that of its admission.
    public mutating func record(_ result: Result, probe number: UInt32 = 0, at now: MonotonicTime) {
        if number != 0 {
            guard state == .halfOpen, number == probe else { return }
            switch result {
            case .success: close(at: now)
            case .failure: open("the probe failed", at: now)
            case .cancelled: open("the probe was cancelled", at: now)
            }
        } else if state == .closed, result != .cancelled {
            count(total: 1, errors: result == .failure ? 1 : 0, at: now)
            judge(at: now)
        }
    }

    /// Counts successes that were tallied while the newest bucket was in use and no error was in the window: they
    /// cannot open it.
    mutating func record(tallied successes: UInt64) {
        guard successes > 0, state == .closed else { return }
        ring[Int(newest % UInt64(ring.count))].total += successes
        total += successes
    }

    private mutating func judge(at now: MonotonicTime) {
        guard total >= settings.volumeThreshold,
            Double(errors) >= settings.errorThreshold * Double(total)
        else { return }
        let share = CircuitBreaker.percent(Double(errors) / Double(total))
        let threshold = CircuitBreaker.percent(settings.errorThreshold)
        open("\(errors) of \(total) failed (\(share)), threshold \(threshold)", at: now)
        trips += 1
    }

    private static func percent(_ share: Double) -> String {
        let tenths = Int((share * 1000).rounded())
        return tenths % 10 == 0 ? "\(tenths / 10) %" : "\(tenths / 10).\(tenths % 10) %"
    }

    // MARK: States

    private mutating func enter(_ next: BreakerState, at now: MonotonicTime) {
        state = next
        since = now
        probeNow = false
        isForced = false
    }

    private mutating func open(_ reason: String, at now: MonotonicTime) {
        self.reason = reason
        enter(.open, at: now)
    }

    private mutating func close(at now: MonotonicTime) {
        empty(at: now)
        enter(.closed, at: now)
    }

    public mutating func perform(_ action: Action, at now: MonotonicTime) {
        switch action {
        case .open:
            if state != .open { trips += 1 }
            open("opened by hand", at: now)
            isForced = true
        case .close:
            close(at: now)
        case .reset:
            close(at: now)
            trips = 0
            rejected = 0
            reason = nil
        case .probe:
            if state == .open { probeNow = true }
        }
    }

    /// Puts other settings in force. State and counts stay; counts move to one bucket when the buckets change.
    ///
    /// Needs no time: settings come from a compiler, which reads no clock, and the latest call's time serves.
    public mutating func adopt(_ next: CircuitBreakerSettings) {
        guard next != settings else { return }
        let now = MonotonicTime(nanoseconds: newest &* CircuitBreaker.width(settings))
        let moves = next.buckets != settings.buckets || next.rollingWindow != settings.rollingWindow
        let sums = Bucket(total: total, errors: errors)
        settings = next
        guard moves else { return }
        empty(at: now)
        count(total: sums.total, errors: sums.errors, at: now)
    }

    /// Seconds until a probe may pass; `nil` unless it is open and will let one pass by itself.
    public func nextProbe(at now: MonotonicTime) -> Double? {
        guard state == .open else { return nil }
        if probeNow { return 0 }
        return isForced ? nil : (since + settings.trippedDuration).seconds(since: now)
    }

    // MARK: The window

    /// The number of the bucket that `now` lies in.
    func bucket(at now: MonotonicTime) -> UInt64 { now.nanoseconds / CircuitBreaker.width(settings) }

    /// The width of a bucket in nanoseconds.
    static func width(_ settings: CircuitBreakerSettings) -> UInt64 {
        UInt64(max(settings.rollingWindow.nanoseconds / Int64(settings.buckets), 1))
    }

    private mutating func count(total more: UInt64, errors moreErrors: UInt64, at now: MonotonicTime) {
        advance(to: now)
        let place = Int(newest % UInt64(ring.count))
        ring[place].total += more
        ring[place].errors += moreErrors
        total += more
        errors += moreErrors
    }

    /// Lets buckets that have left the window go. Loops read the clock at slightly different times, so `now` may lie
    /// a little back: that counts into the newest bucket.
    public mutating func advance(to now: MonotonicTime) {
        // Made without a clock: it has been in its first state since it was first used.
        if since.nanoseconds == 0 { since = now }
        let target = bucket(at: now)
        guard target > newest else { return }
        if target - newest >= UInt64(ring.count) {
            empty(at: now)
            return
        }
        while newest < target {
            newest += 1
            let place = Int(newest % UInt64(ring.count))
            total -= ring[place].total
            errors -= ring[place].errors
            ring[place] = Bucket()
        }
    }

    private mutating func empty(at now: MonotonicTime) {
        ring = Array(repeating: Bucket(), count: settings.buckets)
        newest = bucket(at: now)
        total = 0
        errors = 0
    }
}
