/// A hashed timer wheel: 512 places of 64 ms. Pure: time is passed in as ticks.
///
/// An entry further away than one turn stays in its place and is looked at once a turn (32.8 s). Entries are never
/// taken out: who sets a deadline only writes it down, and the entry, when it comes up, is compared with what is
/// written (see `EventLoop.schedule`). So moving a deadline, which happens several times per request, costs a store.
struct TimerWheel<Element> {
    static var millisecondsPerTick: UInt64 { 64 }
    private static var places: Int { 512 }

    private struct Entry {
        let tick: UInt64
        let element: Element
    }

    private var slots: [[Entry]]
    private var current: UInt64
    private(set) var count = 0
    /// No entry is due before this tick.
    private var earliest = UInt64.max

    init(now tick: UInt64) {
        slots = Array(repeating: [], count: Self.places)
        current = tick
    }

    /// Puts an element where it comes up at `tick`, at the next advance if that has passed, and tells which it is.
    mutating func insert(_ element: Element, at tick: UInt64) -> UInt64 {
        let tick = max(tick, current + 1)
        slots[Int(tick % UInt64(Self.places))].append(Entry(tick: tick, element: element))
        count += 1
        earliest = min(earliest, tick)
        return tick
    }

    /// The last tick whose place comes up within this turn.
    var lastOfTurn: UInt64 { current + UInt64(Self.places) }

    /// The first tick at which something may be due; `nil` when nothing waits.
    var next: UInt64? { count == 0 ? nil : earliest }

    /// Moves time on and appends what has come up to `due`, with the tick that it was put at.
    mutating func advance(to tick: UInt64, into due: inout [(element: Element, tick: UInt64)]) {
        guard tick > current else { return }
        guard tick >= earliest else {
            current = tick
            return
        }
        let before = due.count
        let steps = min(tick - current, UInt64(Self.places))
        for step in 1...steps {
            let place = Int((current + step) % UInt64(Self.places))
            guard !slots[place].isEmpty else { continue }
            var kept: [Entry] = []
            for entry in slots[place] {
                if entry.tick <= tick { due.append((entry.element, entry.tick)) } else { kept.append(entry) }
            }
            slots[place] = kept
        }
        current = tick
        count -= due.count - before
        earliest = firstTick()
    }

    private func firstTick() -> UInt64 {
        guard count > 0 else { return .max }
        var first = UInt64.max
        for step in 1...UInt64(Self.places) {
            for entry in slots[Int((current + step) % UInt64(Self.places))] { first = min(first, entry.tick) }
            if first <= current + step { break }
        }
        return first
    }
}
