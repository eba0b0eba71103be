import EdgeCore
import Testing

@testable import EdgeControl

struct LineQueueTests {
    private let now = MonotonicTime(seconds: 10)

    private func opened() -> LineQueue {
        var queue = LineQueue(now: now)
        queue.open(hello: [0], lastEvent: 0, lastAudit: 0, now: now)
        _ = queue.take(now: now)
        return queue
    }

    @Test func `the hello is the first line, and what it tells is not told again`() {
        var queue = LineQueue(now: now)
        #expect(queue.offer(.event(4), [4], now: now) == .taken)
        #expect(queue.offer(.audit(9), [9], now: now) == .taken)
        #expect(queue.offer(.event(5), [5], now: now) == .taken)
        #expect(queue.take(now: now) == nil)
        queue.open(hello: [0], lastEvent: 4, lastAudit: 9, now: now)
        #expect(queue.take(now: now) == [0])
        #expect(queue.take(now: now) == [5])
        #expect(queue.take(now: now) == nil)
    }

    @Test func `when it is full old ticks are given up before anything else`() {
        var queue = opened()
        #expect(queue.offer(.tick, [1], now: now) == .taken)
        for id in 0..<63 { #expect(queue.offer(.event(UInt64(id)), [2], now: now) == .taken) }
        #expect(queue.count == LineQueue.maximumLines)
        #expect(queue.offer(.event(63), [3], now: now) == .taken)
        #expect(queue.count == LineQueue.maximumLines)
        #expect(queue.take(now: now) == [2])
    }

    @Test func `a tick is dropped, an event ends the stream, when only events wait`() {
        var queue = opened()
        for id in 0..<64 { #expect(queue.offer(.event(UInt64(id)), [2], now: now) == .taken) }
        #expect(queue.offer(.tick, [1], now: now) == .dropped)
        #expect(queue.offer(.audit(1), [1], now: now) == .overflow)
    }

    @Test func `the bound in bytes gives up ticks as well`() {
        var queue = opened()
        let megabyte = [UInt8](repeating: 0, count: 1 << 20)
        for _ in 0..<10 { #expect(queue.offer(.tick, megabyte, now: now) == .taken) }
        #expect(queue.count == 4)
    }

    @Test func `one line always fits, however long`() {
        var queue = opened()
        #expect(queue.offer(.tick, [UInt8](repeating: 0, count: 5 << 20), now: now) == .taken)
        #expect(queue.take(now: now)?.count == 5 << 20)
    }

    @Test func `a reader that takes nothing for 20 seconds is ended, one that had nothing to take is not`() {
        var queue = opened()
        let later = now + .seconds(100)
        #expect(queue.offer(.tick, [1], now: later) == .taken)
        #expect(queue.offer(.tick, [2], now: later + .seconds(20)) == .taken)
        #expect(queue.offer(.tick, [3], now: later + .milliseconds(20_001)) == .overflow)
    }
}
