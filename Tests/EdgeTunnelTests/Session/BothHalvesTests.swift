import Shared
import Testing

@testable import EdgeTunnel

@Suite struct BothHalvesTests {
    @Test(arguments: 0..<20) func `both halves understand each other however their bytes are cut`(seed: UInt64) throws {
        for isOurs in [false, true] {
            var link = Link(seed: seed)
            try link.connect(isOurs: isOurs)
            #expect(link.server.isReady && link.agent.isAccepted)
            #expect(link.server.mux.isExtended == isOurs && link.agent.mux.isExtended == isOurs)
            #expect(link.server.roundTrip != nil && link.agent.roundTrip != nil)
            let call = link.agent.call(.bind, BindRequest().document, now: link.now)!
            try link.settle(rounds: 3)
            #expect(link.agentEvents == ["accepted c", "answered \(call.id)"])
            #expect(link.serverEvents == ["auth 5", "confirmed 5", "bind \(call.id)", "confirmed \(call.id)"])

            let ref = link.visit()
            var chance = Chance(seed)
            let request = (0..<50_000).map { _ in UInt8.random(in: 0...255, using: &chance) }
            #expect(link.server.mux.send(ref, request) == request.count)
            try link.settle(rounds: 3)
            #expect(link.agentData[ref.id] == request)
            let answering = link.refs[ref.id]!
            #expect(link.agent.mux.send(answering, request) == request.count)
            link.agent.mux.finish(answering)
            link.server.mux.finish(ref)
            try link.settle(rounds: 3)
            #expect(link.serverData[ref.id] == request)
            #expect(link.serverEvents.last == "ended \(ref.id)" && link.agentEvents.last == "ended \(ref.id)")
            #expect(link.server.visitorStreams == 0 && link.agent.visitors == 0)
        }
    }

    @Test func `a command finds its way there and back`() throws {
        for isOurs in [false, true] {
            var link = Link()
            try link.connect(isOurs: isOurs)
            let ref = link.server.send(.stop)!
            let notice = link.server.send(.stopTunnel(id: "t", message: "m", code: nil))!
            try link.settle(rounds: 4)
            #expect(link.serverEvents.suffix(2) == ["answered \(notice.id) -", "answered \(ref.id) -"])
            #expect(
                link.server.visitorStreams == 0 && link.agent.mux.openStreams == 2 && link.server.mux.openStreams == 2)
        }
    }

    @Test func `a reset between our own halves frees the stream at once and tells why`() throws {
        var link = Link()
        try link.connect(isOurs: true)
        let ref = link.visit()
        try link.settle(rounds: 2)
        link.agent.mux.abandon(link.refs[ref.id]!, .refused)
        try link.settle(rounds: 2)
        #expect(link.serverEvents.last == "reset \(ref.id) 5")
        #expect(link.server.visitorStreams == 0 && link.agent.visitors == 0)
    }

    @Test func `resets of all visitors at once end no session`() throws {
        var link = Link(cuts: false, delay: millisecond)
        try link.connect(isOurs: true)
        for _ in 0..<30 {
            let refs = (0..<400).map { _ in link.visit() }
            try link.settle(rounds: 2)
            for ref in refs {
                for byte in "abcdef".utf8 {
                    _ = link.agent.mux.send(link.refs[ref.id]!, [byte])
                    _ = link.agent.mux.withOutput { $0.count }
                }
                link.server.mux.abandon(ref)
            }
            try link.settle(rounds: 3)
        }
        #expect(link.server.visitorStreams == 0 && link.agent.visitors == 0)
    }

    @Test func `GOAWAY between our own halves is a drain`() throws {
        var link = Link()
        try link.connect(isOurs: true)
        let ref = link.visit()
        try link.settle(rounds: 2)
        link.server.drain()
        try link.settle(rounds: 2)
        #expect(link.agentEvents.last == "draining" && link.server.mux.open() == nil)
        #expect(link.agent.mux.send(link.refs[ref.id]!, "still served") == 12)
        try link.settle(rounds: 2)
        #expect(link.serverData[ref.id] == Array("still served".utf8))
        try link.server.tick(now: link.now)
        link.server.mux.abandon(ref)
        #expect(throws: ServerSession.End.drained) { try link.server.tick(now: link.now) }
    }

    @Test func `an agent of ours drains as well`() throws {
        var link = Link()
        try link.connect(isOurs: true)
        let ref = link.visit()
        link.agent.mux.goAway()
        try link.settle(rounds: 2)
        #expect(!link.server.isReady && link.server.mux.open() == nil && link.server.visitorStreams == 1)
        link.server.mux.abandon(ref)
        #expect(throws: ServerSession.End.drained) { try link.server.tick(now: link.now) }
    }

    @Test func `sessions live on heartbeats alone`() throws {
        var link = Link(cuts: false, delay: millisecond)
        try link.connect(isOurs: false)
        for _ in 0..<500 {
            link.now += second
            try link.server.tick(now: link.now)
            try link.agent.tick(now: link.now)
            try link.settle(rounds: 4)
        }
        // Both ways, and a round of the loop between them.
        #expect(link.server.roundTrip == 3 * millisecond)
    }
}

/// agent-protocol.md 10.1: a window of 256 KiB is 42 Mbit/s at 50 ms, and between our own halves it does not stay one.
@Suite struct WindowGrowthTests {
    static let roundTrip = 50 * millisecond

    /// Bytes that one stream passes in each round trip.
    private func rates(isOurs: Bool, roundTrips: Int, upwards: Bool, streams: Int = 1) throws -> [Int] {
        var link = Link(cuts: false, delay: Self.roundTrip / 2)
        try link.connect(isOurs: isOurs)
        let refs = (0..<streams).map { _ in link.visit() }
        try link.settle(rounds: 2)
        let piece = [UInt8](repeating: 1, count: 64 << 10)
        var rates: [Int] = []
        for _ in 0..<roundTrips {
            let before = link.arrived
            for _ in 0..<2 {
                link.serverData = [:]
                link.agentData = [:]
                // A loop writes and flushes until windows are used up.
                var hasSent = true
                while hasSent {
                    hasSent = false
                    for ref in refs {
                        let sent =
                            upwards ? link.agent.mux.send(link.refs[ref.id]!, piece) : link.server.mux.send(ref, piece)
                        if sent > 0 { hasSent = true }
                    }
                    try link.step()
                }
                link.now += Self.roundTrip / 2
                try link.step()
            }
            rates.append(link.arrived - before)
        }
        return rates
    }

    @Test(arguments: [true, false]) func `an official peer's stream passes no more than 256 KiB in a round trip`(
        upwards: Bool
    ) throws {
        let rates = try rates(isOurs: false, roundTrips: 20, upwards: upwards)
        #expect(rates.allSatisfy { $0 <= 262_144 })
        #expect(rates.dropFirst(2).allSatisfy { $0 >= 200_000 })
    }

    @Test(arguments: [true, false])
    func `between our own halves one stream comes to 16 MiB in a round trip, and not beyond`(upwards: Bool) throws {
        let rates = try rates(isOurs: true, roundTrips: 30, upwards: upwards)
        #expect(rates[15] > 2 << 20)
        #expect(rates[29] > 15 << 20 && rates[29] <= 16 << 20)
    }

    @Test func `all streams together grow by no more than 64 MiB`() throws {
        let rates = try rates(isOurs: true, roundTrips: 25, upwards: true, streams: 12)
        #expect(rates[24] > 32 << 20 && rates[24] <= (64 << 20) + 12 * 262_144)
    }

    @Test func `a stream that ends gives back what it had grown by`() {
        var mux = MuxSession(.server)
        mux.extend(streams: 10, inbound: 10)
        mux.measured(roundTrip: 50 * millisecond)
        let ref = mux.opened()
        for _ in 0..<1_000 { mux.credit(ref, 32 << 10, now: 1) }
        #expect(mux.growth!.left < WindowGrowth.budget)
        mux.abandon(ref)
        #expect(mux.growth!.left == WindowGrowth.budget)
    }

    @Test func `a window does not grow for a reader that is slow, nor before a round trip was measured`() {
        var growth: WindowGrowth? = WindowGrowth()
        var slow = StreamWindow()
        growth?.measured(50 * millisecond)
        for round in 0..<100 as Range<UInt64> {
            _ = slow.use(32 << 10, now: second + round * 50 * millisecond, &growth)
        }
        #expect(slow.size == StreamWindow.initial)
        var unmeasured: WindowGrowth? = WindowGrowth()
        var early = StreamWindow()
        for _ in 0..<100 { _ = early.use(32 << 10, now: 5, &unmeasured) }
        #expect(early.size == StreamWindow.initial)
    }
}
