import Testing

@testable import EdgeTransport

@Suite struct TimerWheelTests {
    private func due(_ wheel: inout TimerWheel<Int>, at tick: UInt64) -> [Int] {
        var due: [(element: Int, tick: UInt64)] = []
        wheel.advance(to: tick, into: &due)
        return due.map(\.element).sorted()
    }

    @Test func `an entry comes up at its tick and not before`() {
        var wheel = TimerWheel<Int>(now: 100)
        _ = wheel.insert(1, at: 105)
        #expect(due(&wheel, at: 104) == [])
        #expect(due(&wheel, at: 105) == [1])
        #expect(wheel.count == 0 && wheel.next == nil)
    }

    @Test func `an entry further away than one turn waits for its own turn`() {
        var wheel = TimerWheel<Int>(now: 0)
        _ = wheel.insert(1, at: 512 * 3 + 7)
        _ = wheel.insert(2, at: 7)
        #expect(due(&wheel, at: 7) == [2])
        #expect(due(&wheel, at: 512 * 3 + 6) == [])
        #expect(due(&wheel, at: 512 * 3 + 7) == [1])
    }

    @Test func `an entry put in the past comes up at the next advance, and says when`() {
        var wheel = TimerWheel<Int>(now: 50)
        #expect(wheel.insert(1, at: 3) == 51)
        #expect(due(&wheel, at: 51) == [1])
    }

    @Test func `a long sleep hands over everything that came up meanwhile`() {
        var wheel = TimerWheel<Int>(now: 0)
        for number in 1...2000 { _ = wheel.insert(number, at: UInt64(number)) }
        #expect(due(&wheel, at: 1999) == Array(1...1999))
        #expect(wheel.next == 2000)
    }

    @Test func `the next tick is never later than the first entry`() {
        var wheel = TimerWheel<Int>(now: 0)
        var generator = SystemRandomNumberGenerator()
        var waiting: [UInt64] = []
        var now: UInt64 = 0
        for number in 0..<2000 {
            let tick = now + UInt64.random(in: 1...3000, using: &generator)
            waiting.append(wheel.insert(number, at: tick))
            if number % 3 == 0 {
                now += UInt64.random(in: 1...200, using: &generator)
                _ = due(&wheel, at: now)
                waiting.removeAll { $0 <= now }
            }
            #expect(wheel.count == waiting.count)
            if let first = waiting.min(), let next = wheel.next { #expect(next <= first) }
        }
    }
}
