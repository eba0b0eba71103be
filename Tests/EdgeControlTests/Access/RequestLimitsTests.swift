import EdgeCore
import Testing

@testable import EdgeControl

@Suite struct RequestLimitsTests {
    private func at(_ seconds: Double) -> MonotonicTime { MonotonicTime(seconds: 1000 + seconds) }

    private func limits(perMinute: Int = 0, atOnce: Int = 0) -> RequestLimits {
        RequestLimits(.init(perMinute: perMinute, atOnce: atOnce))
    }

    @Test func `a key gets its number in any sixty seconds, and is told when the next one counts`() {
        var limits = limits(perMinute: 3)
        for second in [0.0, 10, 20] { #expect(limits.begin("ak", now: at(second)) == .admitted) }
        #expect(limits.begin("ak", now: at(20)) == .tooMany(retryAfter: 40))
        #expect(limits.begin("ak", now: at(59)) == .tooMany(retryAfter: 1))
        #expect(limits.begin("other", now: at(59)) == .admitted)
        #expect(limits.begin("ak", now: at(60)) == .admitted)
        #expect(limits.begin("ak", now: at(60)) == .tooMany(retryAfter: 10))
        // Long after, everything is free again.
        for _ in 0..<3 { #expect(limits.begin("ak", now: at(10_000)) == .admitted) }
        #expect(limits.begin("ak", now: at(10_000)) == .tooMany(retryAfter: 60))
    }

    @Test func `in no sixty seconds does more pass than allowed`() {
        var limits = limits(perMinute: 120)
        var passed: [Double] = []
        for step in 0..<3000 {
            let second = Double(step) * 0.1
            if limits.begin("ak", now: at(second)) == .admitted { passed.append(second) }
        }
        for start in passed { #expect(passed.count { $0 >= start && $0 < start + 59 } <= 120) }
        #expect(passed.count > 500)
    }

    @Test func `without a number, any number passes`() {
        var limits = limits()
        for _ in 0..<10_000 { #expect(limits.begin("ak", now: at(0)) == .admitted) }
    }

    @Test func `requests at the same time are counted until they end`() {
        var limits = limits(atOnce: 2)
        #expect(limits.begin("ak", now: at(0)) == .admitted)
        #expect(limits.begin("ak", now: at(0)) == .admitted)
        #expect(limits.begin("ak", now: at(0)) == .tooManyAtOnce)
        limits.end("ak")
        #expect(limits.begin("ak", now: at(0)) == .admitted)
    }

    @Test func `a refused request takes no place and does not count`() {
        var limits = limits(perMinute: 1, atOnce: 1)
        #expect(limits.begin("ak", now: at(0)) == .admitted)
        #expect(limits.begin("ak", now: at(0)) == .tooManyAtOnce)
        limits.end("ak")
        #expect(limits.begin("ak", now: at(1)) == .tooMany(retryAfter: 59))
        #expect(limits.begin("ak", now: at(61)) == .admitted)
    }

    @Test func `streams of a key are bounded`() {
        var limits = limits()
        #expect(limits.begin("ak", now: at(0)) == .admitted)
        for _ in 0..<8 { #expect(limits.beginStream("ak") == true) }
        #expect(limits.beginStream("ak") == false)
        limits.endStream("ak")
        #expect(limits.beginStream("ak") == true)
    }

    @Test func `failures are counted by address, by network for IPv6`() throws {
        var limits = limits()
        let one = try #require(IPAddress("192.0.2.1"))
        for _ in 0..<60 { #expect(limits.fail(one, now: at(0)) == .admitted) }
        #expect(limits.fail(one, now: at(15)) == .tooMany(retryAfter: 45))
        #expect(limits.fail(try #require(IPAddress("192.0.2.2")), now: at(15)) == .admitted)
        #expect(limits.fail(one, now: at(60)) == .admitted)
        for host in 1...60 {
            #expect(limits.fail(try #require(IPAddress("2001:db8::\(host)")), now: at(0)) == .admitted)
        }
        #expect(limits.fail(try #require(IPAddress("2001:db8::ffff")), now: at(1)) == .tooMany(retryAfter: 59))
    }

    @Test func `ten thousand addresses are remembered in bounded memory, and forgotten`() {
        var limits = limits()
        for number in 0..<10_000 { _ = limits.fail(IPAddress(v4: UInt32(number)), now: at(0)) }
        #expect(limits.remembered.addresses == RequestLimits.maximumAddresses)
        // Those that found no room share one count.
        #expect(limits.fail(IPAddress(v4: 20_000), now: at(0)) != .admitted)
        // One that is remembered is still counted by itself.
        #expect(limits.fail(IPAddress(v4: 1), now: at(0)) == .admitted)
        #expect(limits.fail(IPAddress(v4: 20_000), now: at(61)) == .admitted)
        #expect(limits.remembered.addresses == 1)
    }

    @Test func `keys that are idle are forgotten when there are many`() {
        var limits = limits(perMinute: 5)
        for number in 0..<1024 {
            _ = limits.begin("ak\(number)", now: at(0))
            if number > 0 { limits.end("ak\(number)") }
        }
        _ = limits.begin("new", now: at(100))
        // The one that still runs, and the new one.
        #expect(limits.remembered.keys == 2)
    }
}
