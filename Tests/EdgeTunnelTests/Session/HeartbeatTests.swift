import Shared
import Testing

@testable import EdgeTunnel

@Suite struct HeartbeatTests {
    @Test func `every beat is echoed in a frame of its own, wherever it was cut`() throws {
        for cut in 0...8 {
            var session = ServerSession(now: 0, seed: 1)
            let beats: [UInt8] = [1, 2, 3, 4, 5, 6, 7, 8]
            _ = try session.take(Frame.data(3, StreamKind.heartbeat.bytes + beats[..<cut], syn: true))
            _ = try session.take(Frame.data(3, Array(beats[cut...])))
            #expect(session.mux.frames() == [.data(3, [1, 2, 3, 4]), .data(3, [5, 6, 7, 8])])
        }
    }

    @Test func `a beat is echoed however full the output is`() throws {
        var session = try ServerSession.ready()
        let ref = session.mux.open()!
        while session.mux.send(ref, [UInt8](repeating: 0, count: 100_000)) > 0 {}
        #expect(session.mux.isOutputFull)
        _ = try session.take(Frame.data(3, "beat"))
        #expect(session.mux.frames().last == .data(3, "beat"))
    }

    @Test func `an agent that beats and reads nothing ends its session within bounds`() throws {
        var session = ServerSession(now: 0, seed: 1)
        _ = try session.take(Frame.data(3, StreamKind.heartbeat.bytes, syn: true))
        var largest = 0
        #expect(throws: ServerSession.End.violation(.noise)) {
            for _ in 0..<1_000_000 {
                _ = try session.take(Frame.data(3, "beatbeat") + Frame.credit(3, 8))
                largest = max(largest, session.mux.outputCount)
            }
        }
        #expect(largest < 700_000)
    }

    @Test func `the server's own beats are frames of four bytes, at their interval, and never end`() throws {
        var session = ServerSession(now: 0, seed: 1)
        let seldom = #"{"Extra":{"HeartbeatInterval":600000000000}}"#
        _ = try session.take(Frame.data(5, number(0) + Array(seldom.utf8), syn: true))
        session.accept(StreamRef(slot: 0, id: 5), Auth.reply, heartbeat: 10 * second, now: 0)
        var beats = session.mux.frames().filter { $0.stream == 2 }
        #expect(beats.count == 1 && beats[0].payload.count == 8 && beats[0].payload[..<4] == [255, 255, 255, 255])
        for round in 1...3 as ClosedRange<UInt64> {
            let value = Array(beats[0].payload.suffix(4))
            let time = (round - 1) * 10 * second + 20 * millisecond
            _ = try session.take(Frame.data(2, value), now: time)
            #expect(session.roundTrip == 20 * millisecond)
            try session.tick(now: round * 10 * second - 1)
            #expect(session.mux.frames().allSatisfy { $0.stream != 2 })
            try session.tick(now: round * 10 * second)
            beats = session.mux.frames().filter { $0.stream == 2 }
            #expect(beats.count == 1 && beats[0].payload.count == 4 && beats[0].flags == 0)
            #expect(Array(beats[0].payload) != value)
        }
    }

    @Test func `an agent that does not answer a beat for two and a half intervals is dead`() throws {
        var session = try ServerSession.ready()
        _ = try session.take(Frame.data(3, "beat"), now: 24 * second)
        try session.tick(now: 25 * second - 1)
        #expect(throws: ServerSession.End.heartbeatsLost) { try session.tick(now: 25 * second) }
    }

    @Test func `an echo of what was not sent proves nothing`() throws {
        var session = try ServerSession.ready()
        _ = try session.take(Frame.data(2, [9, 9, 9, 9]) + Frame.data(3, "beat"), now: 24 * second)
        #expect(session.roundTrip == nil)
        #expect(throws: ServerSession.End.heartbeatsLost) { try session.tick(now: 25 * second) }
    }

    /// The beats that the agent announced, for which the server's own are answered all the time.
    private func lifetime(_ interval: UInt64, _ tolerance: UInt64, answers: Bool = true) throws -> UInt64 {
        let text = #"{"Extra":{"HeartbeatInterval":\#(interval),"HeartbeatTolerance":\#(tolerance)}}"#
        var session = ServerSession(now: 0, seed: 1)
        _ = try session.take(Frame.data(5, number(0) + Array(text.utf8), syn: true))
        session.accept(StreamRef(slot: 0, id: 5), Auth.reply, heartbeat: second, now: 0)
        if !answers { _ = try session.take(Frame.fin(2)) }
        for time in stride(from: UInt64(0), to: 200_000 * second, by: Int(second) / 2) {
            do throws(ServerSession.End) { try session.tick(now: time) } catch { return time }
            for frame in session.mux.frames() where frame.stream == 2 && !frame.payload.isEmpty {
                _ = try session.take(Frame.data(2, Array(frame.payload.suffix(4))) + Frame.credit(2, 8), now: time)
            }
        }
        return .max
    }

    @Test func `an agent without beats is dead after the interval and tolerance it announced`() throws {
        #expect(try lifetime(10 * second, 15 * second) == 25 * second)
        #expect(try lifetime(second, 2 * second) == 3 * second)
        #expect(try lifetime(120 * second, 15 * second) == 135 * second)
    }

    @Test func `an agent that announces nonsense is dead after the usual time`() throws {
        #expect(try lifetime(0, 0) == 25 * second)
        #expect(try lifetime(1, 1) == second)
    }

    @Test func `an agent that is not asked may be silent for a minute at most`() throws {
        #expect(try lifetime(3_000 * second, 15 * second, answers: false) == 60 * second)
    }

    @Test func `heartbeats have their place before visitors take the last one`() throws {
        var session = ServerSession(now: 0, seed: 1)
        _ = try session.take(Frame.data(5, number(0) + Array(Auth.text.utf8), syn: true))
        session.accept(StreamRef(slot: 0, id: 5), Auth.reply, heartbeat: second, now: 0)
        while session.mux.open() != nil {}
        #expect(session.mux.frames().contains { $0.stream == 2 && $0.flags == 2 })
    }
}
