import Testing

@testable import EdgeTunnel

@Suite struct HostilePeerTests {
    private func violation(_ frames: [Frame], _ role: MuxRole = .server) -> MuxViolation? {
        var mux = MuxSession(role)
        _ = mux.opened()
        do throws(MuxViolation) {
            _ = try mux.take(frames.flatMap(\.bytes))
            return nil
        } catch {
            return error
        }
    }

    static let broken: [([Frame], MuxViolation)] = [
        ([Frame(type: 4, stream: 3)], .unknownFrame),
        ([Frame(type: 15, flags: 15, stream: 0)], .unknownFrame),
        ([Frame(type: 0, stream: 2, payload: [0, 0, 0, 0, 6])], .malformedFrame),
        ([Frame(type: 0, stream: 2, payload: [])], .malformedFrame),
        ([Frame(type: 2, stream: 2, payload: [1])], .malformedFrame),
        ([.reset(0, 6)], .malformedFrame),
        ([.credit(0, 6)], .malformedFrame),
        ([.data(0, "x")], .streamIdentifier),
        ([.data(0, "x", syn: true)], .streamIdentifier),
        ([.data(1, "x")], .streamIdentifier),
        ([.data(4, "x", syn: true)], .streamIdentifier),
        ([.data(3, "x")], .streamIdentifier),
        ([.data(4, "x")], .streamIdentifier),
        ([.reset(5, 6)], .streamIdentifier),
        ([.credit(5, 6)], .streamIdentifier),
        ([.data(3, "x", syn: true), .data(3, "x", syn: true)], .streamIdentifier),
        ([.data(5, "x", syn: true), .data(3, "x", syn: true)], .streamIdentifier),
        ([.data(3, "x", syn: true), .reset(3, 6), .data(3, "x", syn: true)], .streamIdentifier),
        ([.data(3, "x", syn: true, fin: true), .data(3, "x")], .malformedFrame),
    ]

    @Test(arguments: broken) func `a server ends the session of who breaks the protocol`(
        frames: [Frame], by: MuxViolation
    ) {
        #expect(violation(frames) == by)
    }

    @Test func `an agent ends the session of who breaks the protocol`() {
        #expect(violation([.data(5, "x", syn: true)], .agent) == .streamIdentifier)
        #expect(violation([.data(0, "x")], .agent) == .streamIdentifier)
        #expect(violation([.reset(1, 0)], .agent) == .streamIdentifier)
    }

    @Test func `what crosses with an end in all innocence does no harm`() {
        let over: [Frame] = [.data(3, "x", syn: true), .reset(3, 6)]
        #expect(violation(over + [.fin(3), .credit(3, 9), .reset(3, 4)]) == nil)
        #expect(violation([.data(3, "x", syn: true, fin: true), .fin(3)]) == nil)
        #expect(violation([.credit(2, 0)]) == nil)
    }

    @Test func `bytes for a stream that is over are answered by RST(4)`() throws {
        var mux = MuxSession(.server)
        _ = try mux.take(Frame.data(3, "", syn: true) + Frame.reset(3, 6) + Frame.data(3, "x"))
        #expect(mux.frames() == [.reset(3, 4)])
    }

    @Test func `the window may be used up, and not overrun by a byte`() throws {
        var mux = MuxSession(.server)
        _ = try mux.take(Frame.data(3, [UInt8](repeating: 0, count: 262_144), syn: true))
        #expect(throws: MuxViolation.windowOverrun) { _ = try mux.take(Frame.data(3, "x")) }
    }

    @Test func `a frame of 16 MiB is an overrun as soon as its window is used up`() {
        var mux = MuxSession(.server)
        let header = FrameHeader(.data, flags: .syn, stream: 3, length: FrameHeader.maximumLength)
        let bytes = withUnsafeBytes(of: header.word.bigEndian) { Array($0) } + [UInt8](repeating: 0, count: 262_145)
        #expect(throws: MuxViolation.windowOverrun) { _ = try mux.take(bytes) }
    }

    @Test func `a peer may have 64 streams open, and 10,000 one after the other`() throws {
        var mux = MuxSession(.server)
        for id in 0..<10_000 as Range<UInt32> {
            _ = try mux.take(Frame.data(id * 2 + 3, "x", syn: true) + Frame.reset(id * 2 + 3, 6))
        }
        #expect(mux.openStreams == 0 && mux.streams.count == 1 && mux.outputCount == 0)
        for id in 10_000..<10_064 as Range<UInt32> { _ = try mux.take(Frame.data(id * 2 + 3, "x", syn: true)) }
        #expect(throws: MuxViolation.tooManyStreams) { _ = try mux.take(Frame.data(30_001, "x", syn: true)) }
    }

    @Test func `a flood of credit costs nothing and is worth a GiB at most`() throws {
        var mux = MuxSession(.server)
        let ref = mux.opened()
        for _ in 0..<100_000 { _ = try mux.take(Frame.credit(2, 0xFFFF_FFFF)) }
        #expect(mux.streams[ref.slot]?.sendWindow == 1 << 30 && mux.outputCount == 0)
    }

    @Test func `frames that move nothing end the session after 10,000 of them`() throws {
        var mux = MuxSession(.server)
        _ = try mux.take(Frame.data(3, "x", syn: true))
        for _ in 0..<10_000 { _ = try mux.take(Frame.data(3, "")) }
        #expect(throws: MuxViolation.noise) { _ = try mux.take(Frame.data(3, "")) }
    }

    @Test func `resets that our own late bytes provoke are no noise`() throws {
        var mux = MuxSession(.server)
        for _ in 0..<3_000 {
            let ref = mux.open()!
            for _ in 0..<10 {
                _ = mux.send(ref, "body")
                _ = mux.output()
            }
            let refused = Frame.fin(ref.id) + Frame.reset(ref.id, 4) + Frame.reset(ref.id, 4) + Frame.reset(ref.id, 4)
            _ = try mux.take(refused + Frame.reset(ref.id, 4) + Frame.reset(ref.id, 4) + Frame.reset(ref.id, 4))
        }
    }

    @Test func `a peer that is answered and never reads ends its session within 700 kB`() throws {
        var mux = MuxSession(.server)
        _ = try mux.take(Frame.data(3, "x", syn: true) + Frame.data(5, "x", syn: true) + Frame.reset(3, 6))
        var largest = 0
        #expect(throws: MuxViolation.noise) {
            for _ in 0..<1_000_000 {
                _ = try mux.take(Frame.data(3, "x") + Frame.data(5, "") + Frame.data(5, "xy"))
                mux.credit(StreamRef(slot: 1, id: 5), 2, now: 0)
                largest = max(largest, mux.outputCount)
            }
        }
        #expect(largest < 700_000)
    }

    @Test func `between our own halves, what was under way on streams we reset is no noise`() throws {
        var mux = MuxSession(.server)
        mux.extend(streams: 16_384, inbound: 256)
        var ids: [UInt32] = []
        while let ref = mux.open() {
            _ = mux.send(ref, "x")
            ids.append(ref.id)
            mux.abandon(ref)
            _ = mux.output()
            if ids.count == 20_000 { break }
        }
        for id in ids { _ = try mux.take(Frame.data(id, "a") + Frame.data(id, "b") + Frame.fin(id)) }
        #expect(ids.count == 20_000 && mux.openStreams == 0 && mux.outputCount == 0)
    }
}
