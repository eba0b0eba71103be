import Shared
import Testing

@testable import EdgeTunnel

@Suite struct AgentSessionTests {
    /// A session that was accepted by a server that is not ours.
    private func accepted() throws -> AgentSession {
        var session = AgentSession(heartbeat: 10 * second, tolerance: 15 * second, now: 0, seed: 1)
        session.start(AuthRequest(), now: 0)
        _ = session.mux.output()
        #expect(try session.take(Frame.data(5, Auth.reply.document.bytes, fin: true)).map(\.word) == ["accepted c"])
        #expect(session.mux.frames() == [.fin(5)])
        return session
    }

    @Test func `an agent begins with a heartbeat, then Auth`() throws {
        var session = AgentSession(heartbeat: 10 * second, tolerance: 15 * second, now: 0, seed: 1)
        session.start(AuthRequest(), now: 0)
        let frames = session.mux.frames()
        #expect(frames.map(\.stream) == [3, 5] && frames.map(\.flags) == [2, 2])
        #expect(Array(frames[0].payload[..<4]) == [255, 255, 255, 255] && frames[0].payload.count == 8)
        #expect(Array(frames[1].payload[..<4]) == [0, 0, 0, 0])
        #expect(AuthRequest(try JSONReader.read(Array(frames[1].payload[4...]))) == AuthRequest())
    }

    @Test func `a refusal of Auth is told with its code`() throws {
        var session = AgentSession(heartbeat: second, tolerance: second, now: 0, seed: 1)
        session.start(AuthRequest(), now: 0)
        let words = try session.take(Frame.data(5, Refusal(107, "no").document.bytes, fin: true)).map(\.word)
        #expect(words == ["refused ERR_NGROK_107 no"] && !session.isAccepted)
    }

    @Test func `an answer is told once it is complete, and trailing bytes are nobody's`() throws {
        var session = try accepted()
        let ref = session.call(.bind, ["Id": ""], now: 0)!
        #expect(session.mux.frames() == [.data(7, number(1) + Array(#"{"Id":""}"#.utf8), syn: true)])
        #expect(try session.take(Frame.data(7, #"{"Id":"#)).isEmpty)
        #expect(try session.take(Frame.data(7, "\"a\"}")).map(\.word) == ["answered \(ref.id)"])
        #expect(try session.take(Frame.data(7, "\n") + Frame.fin(7)).isEmpty)
        #expect(session.mux.frames() == [.fin(7)])
    }

    @Test func `a call whose stream ends without an answer has failed`() throws {
        var session = try accepted()
        _ = session.call(.bind, [:], now: 0)
        #expect(try session.take(Frame.fin(7)).map(\.word) == ["failed 7 The server did not answer."])
    }

    @Test func `a server that does not answer for a minute is given up`() throws {
        var session = try accepted()
        _ = session.call(.bind, [:], now: second)
        for time in stride(from: second, to: 61 * second, by: Int(second)) {
            for frame in session.mux.frames() where frame.stream == 3 {
                _ = try session.take(Frame.data(3, Array(frame.payload.suffix(4))), now: time)
            }
            if session.roundTrip == nil { _ = try session.take(Frame.data(3, number(2)), now: time) }
            try session.tick(now: time)
        }
        #expect(throws: AgentSession.End.silent) { try session.tick(now: 61 * second) }
    }

    @Test func `a server that does not echo a beat is dead`() throws {
        var session = try accepted()
        try session.tick(now: 25 * second - 1)
        #expect(throws: AgentSession.End.heartbeatsLost) { try session.tick(now: 25 * second) }
    }

    @Test func `the server's heartbeats are echoed one by one`() throws {
        var session = try accepted()
        _ = try session.take(Frame.data(2, StreamKind.heartbeat.bytes + Array("beatBEAT".utf8), syn: true))
        #expect(session.mux.frames() == [.data(2, "beat"), .data(2, "BEAT")])
    }

    @Test func `a visitor is told with its header, and its payload follows, wherever the bytes are cut`() throws {
        let bytes = ProxyHeaderTests.header.bytes + Array("payload".utf8)
        for cut in 1..<bytes.count {
            var session = try accepted()
            let all = Frame.data(2, Array(bytes[..<cut]), syn: true) + Frame.data(2, Array(bytes[cut...]), fin: true)
            let words = try session.take(all).map(\.word)
            #expect(words.first == "visitor 2 tn_1" && words.last == "ended 2")
            let counts = words.dropFirst().dropLast().compactMap { Int($0.split(separator: " ")[2]) }
            #expect(counts.reduce(0, +) == 7)
            #expect(session.visitors == 1)
        }
    }

    @Test func `a stream whose header cannot be read ends, and the session lives`() throws {
        var session = try accepted()
        let broken = StreamKind.proxy.bytes + hex("02 00 00 00 00 00 00 00") + Array("[]".utf8)
        #expect(try session.take(Frame.data(2, broken, syn: true)).isEmpty)
        #expect(session.mux.frames() == [.fin(2)])
        #expect(try session.take(Frame.fin(2)).isEmpty && session.visitors == 0)
        #expect(
            try session.take(Frame.data(4, ProxyHeaderTests.header.bytes, syn: true)).map(\.word) == ["visitor 4 tn_1"])
    }

    @Test func `a request of an unknown type ends with zero bytes`() throws {
        var session = try accepted()
        #expect(try session.take(Frame.data(2, number(77) + Array("{}".utf8), syn: true)).isEmpty)
        #expect(session.mux.frames() == [.fin(2)])
    }

    @Test func `a command is answered, and StopTunnel is not`() throws {
        var session = try accepted()
        #expect(try session.take(Frame.data(2, number(5) + Array("{}".utf8), syn: true)).map(\.word) == ["command 2"])
        session.answer(StreamRef(slot: 1, id: 2), nil)
        let stop = Frame.data(4, number(9) + Array(#"{"Id":"t"}"#.utf8), syn: true, fin: true)
        #expect(try session.take(stop).map(\.word) == ["command 4"])
        session.answer(StreamRef(slot: 2, id: 4), nil)
        #expect(session.mux.frames() == [.data(2, "{}", fin: true), .fin(4)])
    }

    @Test func `an official server's GOAWAY is the end`() throws {
        var session = try accepted()
        #expect(throws: AgentSession.End.goodbye) {
            _ = try session.take(Frame(type: 3, stream: 0, payload: number(0) + number(0)))
        }
    }

    @Test func `an extension that was not proposed is not agreed on`() throws {
        var session = AgentSession(heartbeat: second, tolerance: second, now: 0, seed: 1)
        session.start(AuthRequest(), now: 0)
        var reply = Auth.reply
        reply.extension = Extension()
        _ = try session.take(Frame.data(5, reply.document.bytes, fin: true))
        #expect(!session.mux.isExtended)
    }
}
