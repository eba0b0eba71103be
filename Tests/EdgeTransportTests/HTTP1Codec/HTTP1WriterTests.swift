import EdgeCore
import Testing

@testable import EdgeTransport

@Suite struct HTTP1WriterTests {
    private func head(_ text: String) throws -> MessageHead {
        let head = MessageHead()
        let read = scanRequest(Array(text.utf8), into: head)
        try #require(read.outcome == "complete")
        return head
    }

    private func answerHead(_ text: String) -> MessageHead {
        let head = MessageHead()
        _ = Array(text.utf8).withUnsafeBufferPointer { HTTP1Scanner.response($0, requestWasHead: false, into: head) }
        return head
    }

    private func text(_ body: (inout [UInt8]) -> Void) -> String {
        var output: [UInt8] = []
        body(&output)
        return String(decoding: output, as: UTF8.self)
    }

    @Test func `A request goes on with host first, our framing, and without what concerned one connection`() throws {
        let head = try head(
            "POST http://A/x?y HTTP/1.1\r\nAccept:*/*\r\nConnection: close, x-hop\r\nX-Hop: 1\r\nHost: A\r\n"
                + "TE: trailers\r\nTrailer: t\r\nKeep-Alive: 5\r\nProxy-Connection: a\r\nUpgrade: websocket\r\n"
                + "Transfer-Encoding: chunked\r\nCookie: a=b \t\r\nX-Last: 1\r\nX-Very-Last: 2\r\n\r\n")
        head.append("X-Forwarded-For", "192.0.2.7")
        #expect(
            text { HTTP1Writer.requestHead(head, framing: .chunked, into: &$0) } == """
                POST /x?y HTTP/1.1\r
                host: A\r
                Accept: */*\r
                Cookie: a=b\r
                X-Last: 1\r
                X-Very-Last: 2\r
                X-Forwarded-For: 192.0.2.7\r
                transfer-encoding: chunked\r
                \r

                """)
    }

    @Test func `A field that a module adds is out of reach of the client's Connection list`() throws {
        let head = try head("GET / HTTP/1.1\r\nHost: a\r\nConnection: x-user\r\nX-User: forged\r\n\r\n")
        head.append("X-User", "real")
        let written = text { HTTP1Writer.requestHead(head, framing: .none, into: &$0) }
        #expect(written.contains("X-User: real\r\n"))
        #expect(!written.contains("forged"))
    }

    @Test func `Framing fields are written by the framing chosen and by nothing else`() throws {
        let head = try head("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 7\r\n\r\n")
        func written(_ framing: BodyFraming) -> String {
            text { HTTP1Writer.requestHead(head, framing: framing, into: &$0) }
        }
        #expect(written(.none) == "POST / HTTP/1.1\r\nhost: a\r\n\r\n")
        #expect(written(.length(0)) == "POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 0\r\n\r\n")
        #expect(written(.length(.max)) == "POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 18446744073709551615\r\n\r\n")
        #expect(written(.chunked) == "POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n")
    }

    @Test func `An upgrade is sent on with its protocol, and close when asked for`() throws {
        let head = try head(
            "GET / HTTP/1.1\r\nHost: a\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n\r\n")
        #expect(
            text { HTTP1Writer.requestHead(head, framing: .none, isUpgrade: true, into: &$0) }
                == "GET / HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n")
        #expect(
            text { HTTP1Writer.requestHead(head, framing: .none, keepAlive: false, into: &$0) }
                == "GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n")
    }

    @Test func `A request without Host goes out with what is known of it`() throws {
        let bare = try head("GET / HTTP/1.0\r\n\r\n")
        #expect(text { HTTP1Writer.requestHead(bare, framing: .none, into: &$0) } == "GET / HTTP/1.1\r\nhost: \r\n\r\n")
        let made = MessageHead()
        made.method = made.store("GET")
        made.target = made.store("/x")
        made.host = made.store("b.example")
        made.append("accept", "*/*")
        #expect(
            text { HTTP1Writer.requestHead(made, framing: .none, into: &$0) }
                == "GET /x HTTP/1.1\r\nhost: b.example\r\naccept: */*\r\n\r\n")
    }

    @Test func `An answer says what its client needs to know of length and connection`() {
        let head = answerHead(
            "HTTP/1.1 200 Fine\r\nServer: x\r\nContent-Length: 7\r\nKeep-Alive: 5\r\nDate: d\r\n\r\n")
        func written(
            _ framing: BodyFraming, isHTTP10: Bool = false, keepAlive: Bool = true, requestWasHead: Bool = false
        ) -> String {
            text {
                HTTP1Writer.responseHead(
                    head, framing: framing, isHTTP10: isHTTP10, keepAlive: keepAlive, requestWasHead: requestWasHead,
                    into: &$0)
            }
        }
        let start = "HTTP/1.1 200 OK\r\nServer: x\r\nDate: d\r\n"
        #expect(written(.length(7)) == start + "content-length: 7\r\n\r\n")
        #expect(written(.chunked) == start + "transfer-encoding: chunked\r\n\r\n")
        #expect(written(.chunked, isHTTP10: true) == start + "connection: close\r\n\r\n")
        #expect(written(.untilClose) == start + "connection: close\r\n\r\n")
        #expect(written(.length(7), keepAlive: false) == start + "content-length: 7\r\nconnection: close\r\n\r\n")
        #expect(written(.length(7), isHTTP10: true) == start + "content-length: 7\r\nconnection: keep-alive\r\n\r\n")
        #expect(written(.none, requestWasHead: true) == start + "content-length: 7\r\n\r\n")
        #expect(written(.none) == start + "content-length: 0\r\n\r\n")
    }

    @Test func `Answers without a body carry no length but 304 and HEAD`() {
        func written(_ status: Int, requestWasHead: Bool = false) -> String {
            let head = answerHead("HTTP/1.1 \(status) x\r\nContent-Length: 7\r\n\r\n")
            return text {
                HTTP1Writer.responseHead(head, framing: .none, requestWasHead: requestWasHead, into: &$0)
            }
        }
        #expect(written(204) == "HTTP/1.1 204 No Content\r\n\r\n")
        #expect(written(304) == "HTTP/1.1 304 Not Modified\r\ncontent-length: 7\r\n\r\n")
        #expect(written(103) == "HTTP/1.1 103 Early Hints\r\n\r\n")
        #expect(written(299, requestWasHead: true) == "HTTP/1.1 299 \r\ncontent-length: 7\r\n\r\n")
        let made = MessageHead()
        made.status = 502
        made.append("ngrok-error-code", "ERR_NGROK_3004")
        #expect(
            text { HTTP1Writer.responseHead(made, framing: .length(3), into: &$0) }
                == "HTTP/1.1 502 Bad Gateway\r\nngrok-error-code: ERR_NGROK_3004\r\ncontent-length: 3\r\n\r\n")
        let empty = MessageHead()
        empty.status = 404
        #expect(
            text { HTTP1Writer.responseHead(empty, framing: .none, into: &$0) }
                == "HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n")
    }

    @Test func `A switch of protocol goes on to the client`() {
        let head = answerHead(
            "HTTP/1.1 101 x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: k\r\n\r\n")
        #expect(
            text { HTTP1Writer.responseHead(head, framing: .none, isUpgrade: true, into: &$0) } == """
                HTTP/1.1 101 Switching Protocols\r
                Sec-WebSocket-Accept: k\r
                connection: upgrade\r
                upgrade: websocket\r
                \r

                """)
    }

    @Test func `Chunks are written as they are read, trailers too`() throws {
        var output: [UInt8] = []
        for size in [1, 9, 10, 15, 16, 17, 255, 256, 4_096, 65_537] {
            HTTP1Writer.chunkHeader(size, into: &output)
            output += Array(repeating: UInt8(ascii: "x"), count: size)
            HTTP1Writer.chunkEnd(into: &output)
        }
        let trailers = MessageHead()
        trailers.append("grpc-status", "0")
        HTTP1Writer.lastChunk(trailers: trailers, into: &output)
        let read = decode(.chunked, pieces: [output])
        #expect(read.outcome == "end" && read.used == output.count)
        #expect(read.body.count == 1 + 9 + 10 + 15 + 16 + 17 + 255 + 256 + 4_096 + 65_537)
        #expect(read.trailers == ["grpc-status: 0"])
        #expect(text { HTTP1Writer.lastChunk(into: &$0) } == "0\r\n\r\n")
    }

    @Test(arguments: [0, 1, 9, 10, 15, 16, 99, 100, 255, 4_096, 1 << 32, UInt64(Int64.max), UInt64.max])
    func `Numbers are written without leading zeros`(value: UInt64) {
        #expect(text { HTTP1Writer.appendDecimal(value, into: &$0) } == String(value))
        #expect(text { HTTP1Writer.appendHex(value, into: &$0) } == String(value, radix: 16))
    }

    @Test(arguments: RequestScannerTests.accepted.map(\.0))
    func `What was read and written is read again as the same`(text: String) throws {
        let head = try head(text)
        let first = scanRequest(text)
        var output: [UInt8] = []
        HTTP1Writer.requestHead(head, framing: first.request.framing, into: &output)
        let second = scanRequest(output)
        #expect(second.outcome == "complete" || first.host.isEmpty)
        guard second.outcome == "complete" else { return }
        #expect(second.request.consumed == output.count)
        #expect(second.request.framing == first.request.framing)
        #expect(
            second.method == first.method && second.target == first.target && second.host == first.host)
    }

    @Test func `A body without a known end becomes chunks for clients that know them`() {
        #expect(BodyFraming.untilClose.towardsClient(isHTTP10: false) == .chunked)
        #expect(BodyFraming.untilClose.towardsClient(isHTTP10: true) == .untilClose)
        #expect(BodyFraming.chunked.towardsClient(isHTTP10: true) == .untilClose)
        #expect(BodyFraming.length(3).towardsClient(isHTTP10: true) == .length(3))
    }
}
