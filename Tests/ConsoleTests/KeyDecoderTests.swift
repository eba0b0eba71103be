import ConsoleKit
import Testing

@testable import Console

@Suite struct `Keys from a terminal's bytes` {
    private func keys(_ text: String, in decoder: inout KeyDecoder, now: Double = 0) -> [KeyDecoder.Input] {
        decoder.feed(Array(text.utf8), now: now)
    }

    @Test(arguments: [
        ("a", Key.character("a")), ("é", .character("é")), ("世", .character("世")), ("\r", .enter), ("\t", .tab),
        ("\u{7F}", .backspace), ("\u{8}", .backspace), ("\u{10}", .ctrl("p")), ("\u{1A}", .ctrl("z")),
        ("\u{1B}[A", .up), ("\u{1B}OA", .up), ("\u{1B}[1;2C", .shiftRight), ("\u{1B}[1;5D", .left),
        ("\u{1B}[a", .shiftUp), ("\u{1B}[Z", .backTab), ("\u{1B}[3~", .delete), ("\u{1B}[5~", .pageUp),
        ("\u{1B}[6~", .pageDown), ("\u{1B}[H", .home), ("\u{1B}[1~", .home), ("\u{1B}[7~", .home),
        ("\u{1B}[F", .end), ("\u{1B}[8~", .end), ("\u{1B}OP", .function(1)), ("\u{1B}[[A", .function(1)),
        ("\u{1B}[15~", .function(5)), ("\u{1B}[24~", .function(12)), ("\u{1B}[1;2R", .function(3)),
    ])
    func `each key that terminals send is known`(bytes: String, key: Key) {
        var whole = KeyDecoder()
        #expect(keys(bytes, in: &whole) == [.key(key)])
        var pieces = KeyDecoder()
        #expect(bytes.utf8.flatMap { pieces.feed([$0], now: 0) } == [.key(key)], "byte by byte")
    }

    @Test func `a lone ESC is the Escape key only after the delay`() {
        var decoder = KeyDecoder(escapeDelay: 0.05)
        #expect(keys("\u{1B}", in: &decoder, now: 1).isEmpty)
        #expect(decoder.deadline == 1.05)
        #expect(decoder.expire(now: 1.04).isEmpty)
        #expect(decoder.expire(now: 1.05) == [.key(.escape)])
        #expect(decoder.deadline == nil)
    }

    @Test func `Escape and a key in one piece are two keys`() {
        var decoder = KeyDecoder()
        #expect(keys("\u{1B}q", in: &decoder) == [.key(.escape), .key(.character("q"))])
    }

    @Test func `half of a terminal's answer never presses a key`() {
        for cut in 2...3 {
            var decoder = KeyDecoder()
            let answer = Array("\u{1B}[0n".utf8)
            #expect(decoder.feed(answer[..<cut], now: 0).isEmpty)
            #expect(decoder.expire(now: 0.5).isEmpty)
            #expect(decoder.feed(answer[cut...], now: 0.6) == [.terminalAnswer])
            #expect(decoder.feed(answer[..<cut], now: 1).isEmpty)
            #expect(decoder.expire(now: 2.1).isEmpty, "given up, and dropped")
            #expect(decoder.deadline == nil)
        }
    }

    @Test func `unknown sequences and strings are swallowed whole`() {
        var decoder = KeyDecoder()
        #expect(keys("\u{1B}[>0;276;0cq", in: &decoder) == [.key(.character("q"))])
        #expect(keys("\u{1B}]11;rgb:00/00/00\u{1B}\\q", in: &decoder) == [.key(.character("q"))])
        #expect(keys("\u{1B}P1$r0m\u{1B}\\q", in: &decoder) == [.key(.character("q"))])
        #expect(keys("\u{1B}[<0;3;4Mq", in: &decoder) == [.key(.character("q"))])
    }

    @Test func `a paste is one key, also in pieces and with escapes inside`() {
        var decoder = KeyDecoder()
        let bytes = Array("\u{1B}[200~q\u{1B}[Aé\r\u{1B}[201~x".utf8)
        let expected: [KeyDecoder.Input] = [.key(.paste("q[Aé\r")), .key(.character("x"))]
        #expect(decoder.feed(bytes, now: 0) == expected)
        var pieces = KeyDecoder()
        #expect(bytes.flatMap { pieces.feed([$0], now: 0) } == expected)
    }

    @Test func `a paste without an end does not swallow keys for ever`() {
        var decoder = KeyDecoder()
        #expect(keys("\u{1B}[200~delete everything", in: &decoder).isEmpty)
        #expect(decoder.expire(now: KeyDecoder.pastePatience).isEmpty)
        #expect(keys("q", in: &decoder, now: 6) == [.key(.character("q"))])
    }

    @Test func `a paste is cut at its bound`() throws {
        var decoder = KeyDecoder()
        _ = keys("\u{1B}[200~", in: &decoder)
        for _ in 0..<20 { #expect(decoder.feed(Array(repeating: 0x61, count: 8192), now: 0).isEmpty) }
        guard case .key(.paste(let text)) = try #require(keys("\u{1B}[201~", in: &decoder).first) else {
            Issue.record("no paste")
            return
        }
        #expect(text.utf8.count == KeyDecoder.longestPaste)
    }

    @Test func `what the terminal's description says of its keys goes first`() {
        var decoder = KeyDecoder(capabilities: [Array("\u{1B}{x".utf8): .home, [0x1B, 0x41]: .up])
        #expect(keys("\u{1B}{x", in: &decoder) == [.key(.home)])
        #expect(keys("\u{1B}A", in: &decoder) == [.key(.up)])
        #expect("\u{1B}{x".utf8.flatMap { decoder.feed([$0], now: 0) } == [.key(.home)])
    }

    @Test func `random bytes never trap and never stay for ever`() {
        var random = SystemRandomNumberGenerator()
        for _ in 0..<2000 {
            var decoder = KeyDecoder()
            let bytes = (0..<Int.random(in: 1...40, using: &random)).map { _ in
                Bool.random(using: &random)
                    ? UInt8.random(in: 0...255, using: &random) : Array("\u{1B}[O0;~2n".utf8).randomElement()!
            }
            for byte in bytes { _ = decoder.feed([byte], now: 0) }
            _ = decoder.expire(now: 100)
            #expect(decoder.deadline == nil, "\(bytes)")
        }
    }
}
