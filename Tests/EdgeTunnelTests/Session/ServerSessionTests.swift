import Shared
import Testing

@testable import EdgeTunnel

@Suite struct ServerSessionTests {
    /// agent-protocol.md 3.1: an official agent's first frames; 510 bytes of Auth are padded with spaces.
    private static let recorded =
        hex("00 00 04 12 00 00 00 03 | ff ff ff ff  00 00 04 12 00 00 00 05 | 00 00 00 00  00 01 fe 10 00 00 00 05")
        + Array((Auth.text.dropLast() + String(repeating: " ", count: 510 - Auth.text.utf8.count) + "}").utf8)
        + hex("00 00 04 10 00 00 00 03 | d3 b9 ea 5d")

    @Test func `an official agent's beginning is understood, whatever its heartbeats come before`() throws {
        for cut in 0...Self.recorded.count {
            var session = ServerSession(now: 0, seed: 1)
            var words = try session.take(Array(Self.recorded[..<cut])).map(\.word)
            words += try session.take(Array(Self.recorded[cut...])).map(\.word)
            #expect(words == ["auth 5"])
            #expect(session.mux.frames() == [.data(3, hex("d3 b9 ea 5d"))])
        }
    }

    @Test func `Auth's answer ends its direction, and the agent's FIN confirms it`() throws {
        var session = ServerSession(now: 0, seed: 1)
        let ref = StreamRef(slot: 1, id: 5)
        #expect(try session.take(Self.recorded).map(\.word) == ["auth 5"])
        #expect(!session.isReady)
        session.accept(ref, Auth.reply, heartbeat: second, now: 0)
        let frames = session.mux.frames()
        #expect(session.isReady && frames[1] == .data(5, Auth.reply.document.bytes, fin: true))
        #expect(try session.take(Frame.fin(5)).map(\.word) == ["confirmed 5"])
    }

    @Test func `a connection without a good Auth ends after 15 s`() throws {
        var silent = ServerSession(now: 0, seed: 1)
        try silent.tick(now: 15 * second - 1)
        #expect(throws: ServerSession.End.unauthenticated) { try silent.tick(now: 15 * second) }
        var pending = ServerSession(now: 0, seed: 1)
        _ = try pending.take(Self.recorded, now: 10 * second)
        try pending.tick(now: 15 * second - 1)
        #expect(throws: ServerSession.End.unauthenticated) { try pending.tick(now: 15 * second) }
    }

    @Test func `a refused agent is told why, and its connection ends a second later`() throws {
        var session = ServerSession(now: 0, seed: 1)
        _ = try session.take(Self.recorded)
        let refusal = Refusal(107, "no")
        session.refuse(StreamRef(slot: 1, id: 5), refusal, now: 5 * second)
        #expect(session.mux.frames().last == .data(5, refusal.document.bytes, fin: true))
        #expect(try session.take(Frame.data(7, number(1) + Array("{}".utf8), syn: true)).isEmpty)
        try session.tick(now: 6 * second - 1)
        #expect(throws: ServerSession.End.refused) { try session.tick(now: 6 * second) }
    }

    @Test func `SrvInfo is answered before Auth, and nothing else is`() throws {
        var session = ServerSession(now: 0, seed: 1)
        #expect(
            try session.take(Frame.data(3, number(8) + Array("{}\n".utf8), syn: true)).map(\.word) == ["information 3"])
        session.answer(StreamRef(slot: 0, id: 3), ["Region": "eu"])
        #expect(session.mux.frames() == [.data(3, #"{"Region":"eu"}"#, fin: true)])
        #expect(throws: ServerSession.End.disorder("a request before Auth")) {
            _ = try session.take(Frame.data(5, number(1) + Array("{}".utf8), syn: true))
        }
    }

    @Test func `a second Auth ends the session, before and after the first is answered`() throws {
        let second = Frame.data(9, number(0) + Array("{}".utf8), syn: true)
        var ready = try ServerSession.ready()
        #expect(throws: ServerSession.End.disorder("a second Auth")) { _ = try ready.take(second) }
        var pending = ServerSession(now: 0, seed: 1)
        _ = try pending.take(Self.recorded)
        #expect(throws: ServerSession.End.disorder("a second Auth")) { _ = try pending.take(second) }
    }

    static let kinds: [(UInt32, String)] = [
        (1, "bind 7"), (2, "unbind 7"), (7, "labels 7"), (8, "information 7"), (10, "patch 7"), (3, "unknown 7 3"),
        (4, "unknown 7 4"), (11, "unknown 7 11"), (0xFFFF_FFFE, "unknown 7 4294967294"),
    ]

    @Test(arguments: kinds) func `every kind of request is told by its number`(kind: UInt32, as word: String) throws {
        var session = try ServerSession.ready()
        #expect(try session.take(Frame.data(7, number(kind) + Array("{}".utf8), syn: true)).map(\.word) == [word])
    }

    @Test func `a request is the same wherever its bytes are cut, each in its own frame`() throws {
        let text = number(7) + Array(#"{"Labels":{"a":"}"}}"#.utf8)
        for cut in 1..<text.count {
            var session = try ServerSession.ready()
            let first = try session.take(Frame.data(7, Array(text[..<cut]), syn: true)).map(\.word)
            #expect(first == [])
            #expect(try session.take(Frame.data(7, Array(text[cut...]))).map(\.word) == ["labels 7"])
        }
    }

    @Test func `a Bind of 600 kB has its credit back in time`() throws {
        var session = try ServerSession.ready()
        let text = number(1) + Array(#"{"Opts":{"TrafficPolicy":"\#(String(repeating: "x", count: 600_000))"}}"#.utf8)
        var window = 262_144
        var offset = 0
        var words: [String] = []
        while offset < text.count {
            let count = min(8_192, window, text.count - offset)
            try #require(count > 0)
            words += try session.take(Frame.data(7, Array(text[offset..<(offset + count)]), syn: offset == 0)).map(
                \.word)
            offset += count
            window -= count
            for frame in session.mux.frames() where frame.type == 2 {
                window += Int(frame.payload.reduce(UInt32(0)) { $0 << 8 | UInt32($1) })
            }
        }
        #expect(words == ["bind 7"])
    }

    @Test func `an answer larger than the window waits for credit, and ends with FIN`() throws {
        var session = try ServerSession.ready()
        _ = try session.take(Frame.data(7, number(1) + Array("{}".utf8), syn: true))
        let text = String(repeating: "x", count: 700_000)
        session.answer(StreamRef(slot: 1, id: 7), ["Id": .string(text)])
        var got: [UInt8] = []
        var hasEnded = false
        for _ in 0..<100 where !hasEnded {
            let frames = session.mux.frames()
            session.pumpMessages()
            for frame in frames where frame.stream == 7 {
                got += frame.payload
                hasEnded = frame.flags & 1 == 1
            }
            let count = UInt32(frames.reduce(0) { $0 + $1.payload.count })
            if count > 0 { #expect(try session.take(Frame.credit(7, count)).isEmpty) }
        }
        #expect(hasEnded && got == JSON.object(["Id": .string(text)]).bytes)
    }

    @Test func `a call that is ended before its answer is confirmed once, and after it`() throws {
        var session = try ServerSession.ready()
        #expect(
            try session.take(Frame.data(7, number(1) + Array("{}".utf8), syn: true, fin: true)).map(\.word) == [
                "bind 7"
            ])
        session.answer(StreamRef(slot: 1, id: 7), [:])
        #expect(try session.take([]).map(\.word) == ["confirmed 7"])
        #expect(session.mux.frames() == [.data(7, "{}", fin: true)])
    }

    @Test func `an answer to a call that was reset leaves nothing behind`() throws {
        var session = try ServerSession.ready()
        for id in stride(from: UInt32(7), to: 407, by: 2) {
            _ = try session.take(Frame.data(id, number(1) + Array("{}".utf8), syn: true) + Frame.reset(id, 6))
            session.answer(StreamRef(slot: 1, id: id), ["a": "b"])
            #expect(try session.take([]).map(\.word) == ["confirmed \(id)"])
        }
        #expect(session.messages.isEmpty && session.calls.isEmpty && session.held == 0 && session.endedEarly.isEmpty)
    }

    @Test func `a heartbeat stream that its opener ends is ended, and confirms nothing`() throws {
        var session = try ServerSession.ready()
        #expect(try session.take(Frame.fin(3)).isEmpty)
        #expect(session.mux.frames() == [.fin(3)])
    }

    @Test func `a request that never becomes complete ends the session after 15 s`() throws {
        var session = try ServerSession.ready()
        _ = try session.take(Frame.data(7, number(1) + Array("{".utf8), syn: true), now: second)
        try session.tick(now: 16 * second - 1)
        #expect(throws: ServerSession.End.disorder("a request on stream 7 that never became complete")) {
            try session.tick(now: 16 * second)
        }
    }

    @Test func `an agent's GOAWAY is its goodbye`() throws {
        var session = try ServerSession.ready()
        #expect(throws: ServerSession.End.goodbye) {
            _ = try session.take(hex("00 00 0d 30 00 00 00 00 | 00 00 00 00 00 00 00 01"))
        }
    }

    @Test func `visitors' streams are handed on`() throws {
        var session = try ServerSession.ready()
        let ref = session.mux.open()!
        _ = session.mux.send(ref, ProxyHeaderTests.header.bytes)
        #expect(session.visitorStreams == 1)
        let events = try session.take(Frame.data(ref.id, "abc", fin: true) + Frame.reset(ref.id, 4)).map(\.word)
        #expect(events == ["data \(ref.id) 3", "ended \(ref.id)", "reset \(ref.id) 4"])
        #expect(session.visitorStreams == 0)
    }

    @Test func `a drained session ends with its last visitor, and does not wait for streams given up`() throws {
        var session = try ServerSession.ready()
        let visitor = session.mux.opened()
        session.mux.abandon(session.mux.opened())
        session.drain()
        #expect(!session.isReady && session.mux.open() == nil)
        #expect(session.mux.frames().allSatisfy { $0.type != 3 })
        try session.tick(now: second)
        _ = try session.take(Frame.data(7, number(2) + Array("{}".utf8), syn: true))
        session.mux.finish(visitor)
        _ = try session.take(Frame.fin(visitor.id))
        #expect(throws: ServerSession.End.drained) { try session.tick(now: 2 * second) }
    }
}

@Suite struct ServerCommandTests {
    @Test func `a command is one frame, and its answer ends it`() throws {
        var session = try ServerSession.ready()
        let ref = session.send(.update(version: "2"))!
        let frame = session.mux.frames()[0]
        #expect(frame.flags == 2 && Array(frame.payload[..<4]) == number(6))
        #expect(try session.take(Frame.data(ref.id, "{}", fin: true)).map(\.word) == ["answered \(ref.id) -"])
        #expect(session.own[ref.id] == nil && session.visitorStreams == 0)
    }

    @Test func `an agent's refusal of a command is told`() throws {
        var session = try ServerSession.ready()
        let ref = session.send(.stop)!
        #expect(try session.take(Frame.data(ref.id, #"{"Error":"no"}"#)).map(\.word) == ["answered \(ref.id) no"])
    }

    @Test func `a command whose stream ends without an answer has failed`() throws {
        var session = try ServerSession.ready()
        let ref = session.send(.restart)!
        let words = try session.take(Frame.fin(ref.id)).map(\.word)
        #expect(words == ["answered \(ref.id) the agent did not answer"])
    }

    @Test func `a command that is not answered for 15 s has failed, and its stream is given up`() throws {
        var session = try ServerSession.ready()
        let ref = session.send(.stop)!
        _ = session.mux.output()
        var words: [String] = []
        for time in stride(from: second, through: 17 * second, by: Int(second)) {
            words += try session.take(Frame.data(3, "beat"), now: time).map(\.word)
            try session.tick(now: time)
        }
        #expect(words == ["answered \(ref.id) the agent did not answer in time"])
        #expect(session.mux.frames().contains(.reset(ref.id, 6)))
    }

    @Test func `StopTunnel ends its direction and expects no answer`() throws {
        var session = try ServerSession.ready()
        let ref = session.send(.stopTunnel(id: "t", message: "m", code: nil))!
        #expect(session.mux.frames()[0].flags == 3)
        #expect(try session.take(Frame.fin(ref.id)).map(\.word) == ["answered \(ref.id) -"])
        #expect(session.mux.openStreams == 2)
    }
}
