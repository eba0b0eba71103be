import Shared
import Testing

@testable import EdgeTunnel

@Suite struct RequestBoundsTests {
    @Test func `a stranger's requests are small, alone and together`() throws {
        var one = ServerSession(now: 0, seed: 1)
        #expect(throws: ServerSession.End.self) {
            _ = try one.take(
                Frame.data(3, number(0) + Array("{\"".utf8) + [UInt8](repeating: 97, count: 70_000), syn: true))
        }
        var many = ServerSession(now: 0, seed: 1)
        #expect(throws: ServerSession.End.disorder("too many or too large requests at once")) {
            for id in stride(from: UInt32(3), to: 60, by: 2) {
                let text = Array("{\"".utf8) + [UInt8](repeating: 97, count: 60_000)
                _ = try many.take(Frame.data(id, number(0) + text, syn: true))
            }
        }
        #expect(many.held <= 400_000)
    }

    @Test func `an agent's requests are kept up to 8 MiB, incomplete, unanswered or with answers it does not read`()
        throws
    {
        let text = Array(#"{"Id":"\#(String(repeating: "a", count: 200_000))"}"#.utf8)
        for (isComplete, isAnswered) in [(false, false), (true, false), (true, true)] {
            var session = try ServerSession.ready()
            var largest = 0
            #expect(throws: ServerSession.End.disorder("too many or too large requests at once")) {
                for id in stride(from: UInt32(7), to: 133, by: 2) {
                    let body = isComplete ? text : text.dropLast()
                    for call in try session.take(Frame.data(id, number(2) + body, syn: true)) {
                        guard isAnswered, case .call(let ref, _) = call else { continue }
                        session.answer(ref, ["Id": .string(String(repeating: "a", count: 400_000))])
                    }
                    largest = max(largest, session.held)
                }
            }
            #expect(largest <= 9 << 20)
        }
    }

    @Test func `calls that are reset before they are answered do not pile up`() throws {
        var session = try ServerSession.ready()
        #expect(throws: ServerSession.End.disorder("too many or too large requests at once")) {
            for id in stride(from: UInt32(7), to: 20_000, by: 2) {
                _ = try session.take(Frame.data(id, number(2) + Array("{}".utf8), syn: true) + Frame.reset(id, 6))
            }
        }
        #expect(session.calls.count <= 129)
    }

    @Test func `a large request that comes byte by byte is read in place`() throws {
        var session = try ServerSession.ready()
        let text = number(2) + Array(#"{"Id":"\#(String(repeating: "a", count: 300_000))"}"#.utf8)
        var words: [String] = []
        for (index, byte) in text.enumerated() {
            words += try session.take(Frame.data(7, [byte], syn: index == 0)).map(\.word)
        }
        #expect(words == ["unbind 7"] && session.held == text.count - 4)
    }
}
