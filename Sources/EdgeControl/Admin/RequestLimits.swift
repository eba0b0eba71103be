import EdgeCore

/// How much each API key may ask for, and how often an address may fail. Time is passed in; memory is bounded.
struct RequestLimits: Sendable {
    struct Settings: Sendable, Hashable {
        /// Requests of one key in any 60 seconds; 0 for any number.
        var perMinute = 0
        /// Requests of one key at the same time; 0 for any number.
        var atOnce = 64
        /// Streams of one key that are open at the same time.
        var streams = 8
        /// Wrong credentials from one address that are answered with what is wrong with them, in a minute.
        var failuresPerMinute = 60
    }

    enum Verdict: Equatable {
        case admitted
        /// Come again after so many seconds.
        case tooMany(retryAfter: Int)
        case tooManyAtOnce
    }

    /// Addresses that are counted one by one; all others share one count.
    static let maximumAddresses = 4096
    /// Keys after which those that are idle are forgotten.
    static let maximumIdleKeys = 1024

    private struct Use {
        var recent = RollingCount()
        var running = 0
        var streams = 0
    }

    private struct Failures {
        var since: UInt64
        var count = 0
    }

    private let settings: Settings
    private var uses: [String: Use] = [:]
    private var failures: [IPAddress: Failures] = [:]
    private var otherFailures = Failures(since: 0)
    private var cleanedAt: UInt64 = 0

    init(_ settings: Settings) { self.settings = settings }

    // MARK: Keys

    /// A request begins. Unless it is refused, `end` must follow.
    mutating func begin(_ key: String, now: MonotonicTime) -> Verdict {
        let second = now.nanoseconds / 1_000_000_000
        if uses.count >= RequestLimits.maximumIdleKeys, uses[key] == nil { forgetIdle(second) }
        var use = uses[key] ?? Use()
        defer { uses[key] = use }
        if settings.atOnce > 0, use.running >= settings.atOnce { return .tooManyAtOnce }
        if settings.perMinute > 0 {
            guard use.recent.add(second, limit: settings.perMinute) else {
                return .tooMany(retryAfter: use.recent.wait(second, limit: settings.perMinute))
            }
        }
        use.running += 1
        return .admitted
    }

    mutating func end(_ key: String) { uses[key]?.running -= 1 }

    /// A request became a stream, which no longer counts as a request but may be open for days.
    /// - Returns: `false` when the key has too many open; otherwise `endStream` must follow.
    mutating func beginStream(_ key: String) -> Bool {
        guard var use = uses[key], use.streams < settings.streams else { return false }
        use.streams += 1
        uses[key] = use
        return true
    }

    mutating func endStream(_ key: String) { uses[key]?.streams -= 1 }

    private mutating func forgetIdle(_ second: UInt64) {
        uses = uses.filter { $0.value.running > 0 || $0.value.streams > 0 || !$0.value.recent.isOver(second) }
    }

    // MARK: Addresses

    /// Somebody came with a wrong credential, or none.
    mutating func fail(_ address: IPAddress, now: MonotonicTime) -> Verdict {
        let second = now.nanoseconds / 1_000_000_000
        // Who has one IPv6 address commonly has its whole network.
        let address = address.isV4 ? address : IPAddress(high: address.high, low: 0)
        let isKnown = failures[address] != nil
        if !isKnown, failures.count >= RequestLimits.maximumAddresses, cleanedAt != second {
            cleanedAt = second
            failures = failures.filter { second < $0.value.since + 60 }
        }
        guard isKnown || failures.count < RequestLimits.maximumAddresses else {
            return count(&otherFailures, second)
        }
        return count(&failures[address, default: Failures(since: second)], second)
    }

    private func count(_ failures: inout Failures, _ second: UInt64) -> Verdict {
        if second >= failures.since + 60 { failures = Failures(since: second) }
        failures.count += 1
        guard failures.count > settings.failuresPerMinute else { return .admitted }
        return .tooMany(retryAfter: Int(failures.since + 60 - second))
    }

    /// How many addresses and keys are remembered: the memory it takes, for tests.
    var remembered: (addresses: Int, keys: Int) { (failures.count, uses.count) }
}

/// Counts what happened in the last 60 seconds, to the second.
struct RollingCount: Sendable {
    /// How often in each second, by its number modulo 60.
    private var seconds = [UInt32](repeating: 0, count: 60)
    private var latest: UInt64 = 0
    private(set) var total = 0

    /// Counts one more, unless there were `limit` already.
    mutating func add(_ second: UInt64, limit: Int) -> Bool {
        advance(to: second)
        guard total < limit else { return false }
        seconds[Int(latest % 60)] += 1
        total += 1
        return true
    }

    /// Seconds until `add` will count again: 1…60.
    func wait(_ second: UInt64, limit: Int) -> Int {
        var left = total
        for age in (0..<60).reversed() where UInt64(age) <= latest {
            left -= Int(seconds[Int((latest - UInt64(age)) % 60)])
            if left < limit { return max(1, 60 - age) }
        }
        return 60
    }

    func isOver(_ second: UInt64) -> Bool { total == 0 || second >= latest + 60 }

    private mutating func advance(to second: UInt64) {
        guard second > latest else { return }
        for gone in 1...min(60, second - latest) {
            let place = Int((latest + gone) % 60)
            total -= Int(seconds[place])
            seconds[place] = 0
        }
        latest = second
    }
}
