import Testing

@testable import EdgeTunnel

@Suite struct MuxSessionTests {
    @Test func `a server's streams are even from 2, an agent's odd from 3`() {
        var server = MuxSession(.server)
        var agent = MuxSession(.agent)
        #expect((0..<3).compactMap { _ in server.open()?.id } == [2, 4, 6])
        #expect((0..<3).compactMap { _ in agent.open()?.id } == [3, 5, 7])
    }

    @Test func `a stream begins with its first bytes, in one frame with all that follow`() {
        var mux = MuxSession(.server)
        let ref = mux.open()!
        #expect(mux.outputCount == 0)
        _ = mux.send(ref, "type")
        _ = mux.send(ref, "head")
        #expect(mux.frames() == [.data(2, "typehead", syn: true)])
    }

    @Test func `a stream is over when both directions are`() throws {
        var mux = MuxSession(.server)
        let ref = mux.opened()
        mux.finish(ref)
        #expect(mux.frames() == [.fin(2)] && mux.openStreams == 1)
        #expect(try mux.take(Frame.data(2, "late")).count == 1)
        #expect(try mux.take(Frame.fin(2)) == [.ended(ref)])
        #expect(mux.openStreams == 0)
    }

    @Test func `payload and end in one frame are two events`() throws {
        var mux = MuxSession(.server)
        let ref = StreamRef(slot: 0, id: 3)
        let events = try mux.take(Frame.data(3, "ab", syn: true, fin: true))
        #expect(events == [.opened(ref), .data(ref, 8..<10), .ended(ref)])
    }

    @Test func `an empty frame may open a stream, and every byte may have its own`() throws {
        var mux = MuxSession(.agent)
        var bytes = Frame.data(2, "", syn: true).bytes
        for byte in "abcd".utf8 { bytes += Frame.data(2, [byte]).bytes }
        #expect(try mux.take(bytes).count == 5)
    }

    @Test func `no more is sent than 262,144 bytes without credit, and as much as comes after it`() throws {
        var mux = MuxSession(.server)
        let ref = mux.open()!
        var sent = 0
        let piece = [UInt8](repeating: 1, count: 100_000)
        while case let count = mux.send(ref, piece), count > 0 {
            sent += count
            _ = mux.output()
        }
        #expect(sent == 262_144)
        #expect(try mux.take(Frame.credit(2, 1_000)) == [.writable(ref)])
        #expect(mux.send(ref, piece) == 1_000)
        #expect(mux.credited(ref) == 1_000)
    }

    @Test func `a full output takes no more, but for heartbeats`() {
        var mux = MuxSession(.server)
        let piece = [UInt8](repeating: 1, count: 200_000)
        let ref = mux.open()!
        let beats = mux.open()!
        let sent = mux.send(ref, piece)
        #expect(mux.isOutputFull && sent < 200_000)
        #expect(mux.send(ref, piece) == 0)
        #expect([1, 2, 3, 4].withUnsafeBytes { mux.send(beats, $0, isWhole: true) } == 32)
    }

    @Test func `a heartbeat without room in the window is not sent in part`() throws {
        var mux = MuxSession(.server)
        let ref = mux.open()!
        var left = 262_142
        while left > 0 {
            left -= mux.send(ref, [UInt8](repeating: 0, count: min(left, 60_000)))
            _ = mux.output()
        }
        let beat: [UInt8] = [1, 2, 3, 4]
        #expect(beat.withUnsafeBytes { mux.send(ref, $0, isWhole: true) } == 0)
        #expect(mux.outputCount == 0)
        _ = try mux.take(Frame.credit(2, 2))
        #expect(beat.withUnsafeBytes { mux.send(ref, $0, isWhole: true) } == 4)
        #expect(mux.frames() == [.data(2, beat)])
    }

    @Test func `credit goes back in pieces, and never stalls the sender`() throws {
        var mux = MuxSession(.server)
        _ = try mux.take(Frame.data(3, "", syn: true))
        let ref = StreamRef(slot: 0, id: 3)
        var back = 0
        for _ in 0..<1_000 {
            _ = try mux.take(Frame.data(3, [UInt8](repeating: 0, count: 8_192)))
            mux.credit(ref, 8_192, now: 0)
            back += mux.frames().reduce(0) { $0 + Int($1.payload.reduce(0) { $0 << 8 | UInt32($1) }) }
        }
        #expect(8_192_000 - back < 32 << 10)
    }

    @Test func `no credit is given for a stream that its sender has ended`() throws {
        var mux = MuxSession(.server)
        _ = try mux.take(Frame.data(3, [UInt8](repeating: 0, count: 100_000), syn: true, fin: true))
        mux.credit(StreamRef(slot: 0, id: 3), 100_000, now: 0)
        #expect(mux.outputCount == 0)
    }

    @Test func `a record's place is used again, but not for those who still hold its old name`() throws {
        var mux = MuxSession(.server)
        let old = mux.opened()
        _ = try mux.take(Frame.reset(2, 4))
        let new = mux.opened()
        #expect(old.slot == new.slot && old.id != new.id)
        mux.finish(old)
        mux.abandon(old)
        mux.credit(old, 100_000, now: 0)
        #expect(mux.send(old, "x") == 0 && mux.outputCount == 0)
    }

    @Test func `anything after an official agent's GOAWAY may be wrong, so that it is the end`() throws {
        var mux = MuxSession(.server)
        let bytes = hex("00 00 0d 30 00 00 00 00 | 00 00 00 00 00 00 00 01") + Array("invalid frame".utf8)
        var offset = 0
        let event = try bytes.withUnsafeBytes { try mux.next($0, &offset) }
        #expect(event == .goAway(.none) && !mux.canOpen)
    }

    @Test func `an official agent is never told GOAWAY`() {
        var mux = MuxSession(.server)
        mux.goAway()
        #expect(mux.outputCount == 0)
    }
}

/// agent-protocol.md 4.9 and 7.6: an official agent dies of its 513th stream, and a reset alone frees none.
@Suite struct SlotTests {
    @Test func `no more than 480 streams are open at the same time, whoever opened them`() throws {
        var mux = MuxSession(.server)
        for id in 0..<10 { _ = try mux.take(Frame.data(UInt32(id * 2 + 3), "", syn: true)) }
        var opened = 0
        while mux.open() != nil { opened += 1 }
        #expect(opened == 470 && !mux.canOpen)
    }

    @Test func `giving up a stream sends FIN, and keeps its place`() {
        var mux = MuxSession(.server)
        let ref = mux.opened()
        mux.abandon(ref)
        #expect(mux.frames() == [.fin(2)])
        #expect(mux.openStreams == 1 && mux.abandonedStreams == 1)
        mux.abandon(ref)
        #expect(mux.outputCount == 0)
    }

    @Test func `giving up a stream after its own end sends no second one`() {
        var mux = MuxSession(.server)
        let ref = mux.opened()
        mux.finish(ref)
        _ = mux.output()
        mux.abandon(ref)
        #expect(mux.frames() == [])
    }

    @Test func `a stream that was given up and still sends is cut off once, and asked to say so`() throws {
        var mux = MuxSession(.server)
        mux.abandon(mux.opened())
        _ = mux.output()
        #expect(try mux.take(Frame.data(2, "more")) == [])
        #expect(mux.frames() == [.reset(2, 6), .credit(2, 1), .data(2, [0])])
        #expect(try mux.take(Frame.data(2, "still under way")) == [])
        #expect(mux.frames() == [] && mux.abandonedStreams == 1)
        _ = try mux.take(Frame.reset(2, 4))
        #expect(mux.openStreams == 0)
    }

    @Test func `a stream that is given up without credit gets a byte's, which shows whether it still sends`() throws {
        var mux = MuxSession(.server)
        let ref = mux.opened()
        _ = try mux.take(Frame.data(2, [UInt8](repeating: 0, count: 262_144)))
        mux.abandon(ref)
        #expect(mux.frames() == [.fin(2), .credit(2, 1)])
        _ = try mux.take(Frame.data(2, "x"))
        #expect(mux.frames() == [.reset(2, 6), .credit(2, 1), .data(2, [0])])
    }

    @Test func `the answer to being cut off is no noise when the stream's end has crossed it`() throws {
        var mux = MuxSession(.server)
        for _ in 0..<20_000 {
            let ref = mux.opened()
            mux.abandon(ref)
            _ = try mux.take(Frame.data(ref.id, "x") + Frame.fin(ref.id) + Frame.reset(ref.id, 4))
            _ = mux.output()
        }
        #expect(mux.openStreams == 0)
    }

    @Test func `giving up a stream that the agent has ended is an ordinary end`() throws {
        var mux = MuxSession(.server)
        let ref = mux.opened()
        _ = try mux.take(Frame.fin(2))
        mux.abandon(ref)
        #expect(mux.frames() == [.fin(2)] && mux.openStreams == 0)
    }

    @Test(arguments: [Frame.fin(2), Frame.reset(2, 4)])
    func `the place is free with the agent's FIN or RST(4), and nobody hears of either`(end: Frame) throws {
        var mux = MuxSession(.server)
        mux.abandon(mux.opened())
        #expect(try mux.take(Frame.data(2, "still under way") + end) == [])
        #expect(mux.openStreams == 0 && mux.abandonedStreams == 0)
    }

    @Test func `places that were given up and never ended are never used again`() {
        var mux = MuxSession(.server)
        while let ref = mux.open() {
            _ = mux.send(ref, "x")
            mux.abandon(ref)
            _ = mux.output()
        }
        #expect(mux.openStreams == 480 && mux.abandonedStreams == 480)
    }

    @Test func `a stream that was given up is held to its window and one byte more, and gets no credit`() throws {
        var mux = MuxSession(.server)
        let ref = mux.opened()
        mux.abandon(ref)
        _ = mux.output()
        _ = try mux.take(Frame.data(2, [UInt8](repeating: 0, count: 262_144)))
        _ = mux.output()
        _ = try mux.take(Frame.data(2, "x"))
        mux.credit(ref, 262_145, now: 0)
        #expect(mux.outputCount == 0)
        #expect(throws: MuxViolation.windowOverrun) { _ = try mux.take(Frame.data(2, "x")) }
    }

    @Test func `a stream that was given up wakes nobody`() throws {
        var mux = MuxSession(.server)
        let ref = mux.open()!
        while mux.send(ref, [UInt8](repeating: 0, count: 60_000)) > 0 { _ = mux.output() }
        mux.abandon(ref)
        #expect(try mux.take(Frame.credit(2, 8_192)) == [])
    }

    @Test func `a stream that nobody was told of leaves nothing behind`() {
        var mux = MuxSession(.server)
        mux.abandon(mux.open()!)
        #expect(mux.openStreams == 0 && mux.outputCount == 0)
    }
}
