import EdgeCore
import Testing

@testable import EdgeTransport

@Suite struct BodyDecoderTests {
    @Test func `A body of known length ends there, and the next message is left alone`() {
        let read = decode(.length(5), "helloGET /")
        #expect(read == ReadBody(outcome: "end", body: Array("hello".utf8), used: 5))
        #expect(decode(.length(0), "GET /") == ReadBody(outcome: "end"))
        #expect(decode(.none, "GET /") == ReadBody(outcome: "end"))
        #expect(decode(.length(5), "hell").outcome == "more")
        #expect(decode(.length(5), "hell", closes: true).outcome == "400")
        #expect(decode(.length(5), "hello", closes: true).outcome == "end")
        #expect(decode(.length(UInt64(Int64.max)), "x").outcome == "more")
    }

    @Test func `A body until the end of its connection ends by it alone`() {
        #expect(decode(.untilClose, "hello").outcome == "more")
        #expect(
            decode(.untilClose, "hello", closes: true) == ReadBody(outcome: "end", body: Array("hello".utf8), used: 5))
    }

    @Test func `What remains is known for a length only`() {
        var decoder = BodyDecoder(.length(5))
        var offset = 0
        #expect(decoder.remaining == 5)
        let step = Array("ab".utf8).withUnsafeBufferPointer { decoder.next($0, from: &offset) }
        #expect(step == .data(0..<2))
        #expect(decoder.remaining == 3 && !decoder.isAtEnd)
        #expect(BodyDecoder(.chunked).remaining == nil)
    }

    static let chunked: [(String, String)] = [
        ("0\r\n\r\n", ""),
        ("5\r\nhello\r\n0\r\n\r\n", "hello"),
        ("5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n", "hello world"),
        ("A\r\n0123456789\r\n0\r\n\r\n", "0123456789"),
        ("a\r\n0123456789\r\n00\r\n\r\n", "0123456789"),
        ("000000000000000A\r\n0123456789\r\n0000000000000000\r\n\r\n", "0123456789"),
        ("2\r\n\r\n\r\n0\r\n\r\n", "\r\n"),
        ("1;a\r\nx\r\n0;b=c;d=\"e\\\"f; g\"\r\n\r\n", "x"),
        ("1;\(String(repeating: "a", count: 255))\r\nx\r\n0\r\n\r\n", "x"),
    ]

    @Test(arguments: chunked)
    func `Well-formed chunks give the body and stop before the next message`(text: String, body: String) {
        let read = decode(.chunked, text + "GET /")
        #expect(read.outcome == "end")
        #expect(String(decoding: read.body, as: UTF8.self) == body)
        #expect(read.used == text.utf8.count)
        #expect(read.trailers.isEmpty)
    }

    static let refused: [String] = [
        "\r\n", "+5\r\nhello\r\n", "-5\r\n", "0x5\r\nhello\r\n", "5 \r\nhello\r\n", " 5\r\nhello\r\n", "5\t\r\n",
        "g\r\n",
        "5\nhello\r\n", "5\rhello\r\n", "5\r\r\nhello", "5\r\nhello0\r\n\r\n", "5\r\nhello\n0\r\n\r\n",
        "5\r\nhello\r0\r\n\r\n", "5\r\nhelloX\r\n0\r\n\r\n", "00000000000000005\r\nhello\r\n",
        "FFFFFFFFFFFFFFFFF\r\n", "8000000000000000\r\n", "FFFFFFFFFFFFFFFF\r\n",
        "5;\r\nhello\r\n", "5; a\r\nhello\r\n", "5 ;a\r\nhello\r\n", "5;a=\r\n", "5;a= b\r\n", "5;=b\r\n",
        "5;a=b c\r\n",
        "5;a=\"\r\n", "5;a=\"b\nc\"\r\n", "5;a=\"b\"c\r\n", "5;a\u{0}\r\n", "5;a\nb\r\n", "5;a=\"\u{e9}\"\r\n",
        "5;a=\"\\\u{1}\"\r\n",
        "5;\(String(repeating: "a", count: 256))\r\n", "5;a=\"\(String(repeating: "b", count: 256))\"\r\n",
        "5,5\r\n", "5.0\r\n", "5\u{0}\r\n", "\u{0}5\r\n",
        "0\r\n\n", "0\r\n\rX", "0\n\n", "0\r\n \r\n\r\n", "0\r\nA\r\n\r\n", "0\r\nA : b\r\n\r\n", "0\r\nA: b\n\r\n",
        "0\r\nA: b\r\r\n\r\n", "0\r\nA: b\r\n c\r\n\r\n", "0\r\nA: \u{0}\r\n\r\n", "0\r\n: b\r\n\r\n",
        "0\r\nA: \(String(repeating: "b", count: 9_000))\r\n\r\n",
        "0\r\n" + String(repeating: "a: b\r\n", count: 129) + "\r\n",
    ]

    @Test(arguments: refused)
    func `Malformed chunks are refused`(text: String) {
        #expect(decode(.chunked, text).outcome == "400")
    }

    @Test(arguments: ["", "5", "5\r\nhel", "5\r\nhello", "5\r\nhello\r\n", "0\r\n", "0\r\nA: b\r\n", "0\r\n\r"])
    func `A chunked body that is cut is refused`(text: String) {
        #expect(decode(.chunked, text).outcome == "more")
        #expect(decode(.chunked, text, closes: true).outcome == "400")
    }

    @Test func `A body of chunks with extensions has a bound over all of them`() {
        let chunk = "1;\(String(repeating: "a", count: 200))\r\nx\r\n"
        #expect(decode(.chunked, String(repeating: chunk, count: 80)).outcome == "more")
        #expect(decode(.chunked, String(repeating: chunk, count: 90)).outcome == "400")
    }

    @Test func `Trailers arrive, but none that frames, routes or authorises`() {
        let read = decode(
            .chunked,
            "1\r\nx\r\n0\r\nGrpc-Status: 0\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\nHost: b\r\nTrailer: x\r\n"
                + "ngrok-error-code: 1\r\nAuthorization: s\r\nX-Forwarded-For: 1\r\nSet-Cookie: a\r\nConnection: close\r\n"
                + "If-Match: *\r\nX-Checksum: ab \r\nETag: \"e\"\r\n\r\nGET /")
        #expect(read.outcome == "end")
        #expect(read.trailers == ["Grpc-Status: 0", "X-Checksum: ab", "ETag: \"e\""])
    }

    @Test func `A decoder that failed goes on failing, one that ended goes on being at its end`() {
        var decoder = BodyDecoder(.chunked, failure: .invalidUpstreamAnswer)
        var offset = 0
        let bad = Array("zz".utf8)
        for _ in 0..<2 {
            #expect(bad.withUnsafeBufferPointer { decoder.next($0, from: &offset) } == .invalid(.invalidUpstreamAnswer))
        }
        #expect(decoder.endOfInput() == .invalid(.invalidUpstreamAnswer))
        decoder = BodyDecoder(.chunked)
        let good = Array("0\r\n\r\n0\r\n\r\n".utf8)
        offset = 0
        for _ in 0..<2 { #expect(good.withUnsafeBufferPointer { decoder.next($0, from: &offset) } == .end) }
        #expect(offset == 5 && decoder.isAtEnd)
        #expect(decoder.endOfInput() == .end)
    }
}
