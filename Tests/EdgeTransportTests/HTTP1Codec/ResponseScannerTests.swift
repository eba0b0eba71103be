import EdgeCore
import Testing

@testable import EdgeTransport

@Suite struct ResponseScannerTests {
    static let framings: [(String, Bool, BodyFraming, Bool)] = [
        ("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n", false, .length(3), true),
        ("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n", true, .none, true),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", false, .chunked, true),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", true, .none, true),
        ("HTTP/1.1 200 OK\r\n\r\n", false, .untilClose, false),
        ("HTTP/1.1 200 OK\r\n\r\n", true, .none, true),
        ("HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n", false, .length(0), true),
        ("HTTP/1.1 200 \r\nContent-Length: 0\r\n\r\n", false, .length(0), true),
        ("HTTP/1.1 200 \u{e9}\tvery fine\r\nContent-Length: 0\r\n\r\n", false, .length(0), true),
        ("HTTP/1.1 204 No Content\r\n\r\n", false, .none, true),
        ("HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n", false, .none, true),
        ("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n", false, .length(0), false),
        ("HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n", false, .length(0), false),
        ("HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 0\r\n\r\n", false, .length(0), true),
        ("HTTP/1.1 599 x\r\nContent-Length: 1\r\n\r\n", false, .length(1), true),
    ]

    @Test(arguments: framings)
    func `The end of an answer's body follows from status, fields and request`(
        text: String, requestWasHead: Bool, framing: BodyFraming, keepAlive: Bool
    ) {
        let read = scanResponse(text, requestWasHead: requestWasHead)
        #expect(read.outcome == "complete")
        #expect(read.response.framing == framing)
        #expect(read.response.keepAlive == keepAlive)
        #expect(read.response.consumed == text.utf8.count)
        #expect(!read.response.isInterim && !read.response.isUpgrade)
    }

    @Test func `Interim answers have no body and are followed by another`() {
        for status in [100, 102, 103, 199] {
            let read = scanResponse("HTTP/1.1 \(status) x\r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK\r\n\r\n")
            #expect(read.outcome == "complete" && read.status == status)
            #expect(read.response.isInterim && read.response.framing == .none)
            #expect(read.response.consumed < 40)
        }
    }

    @Test func `A switch of protocol needs to say to which`() {
        let read = scanResponse("HTTP/1.1 101 x\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n")
        #expect(read.response.isUpgrade && !read.response.isInterim && read.response.framing == .none)
        #expect(scanResponse("HTTP/1.1 101 x\r\nUpgrade: websocket\r\n\r\n").outcome == "502")
        #expect(scanResponse("HTTP/1.1 101 x\r\nConnection: upgrade\r\nUpgrade: h2c\r\n\r\n").outcome == "502")
    }

    @Test func `An upstream cannot forge the edge's error code`() {
        let read = scanResponse(
            "HTTP/1.1 503 x\r\nNgrok-Error-Code: ERR_NGROK_3202\r\nX: y\r\nNGROK-ERROR-CODE: 1\r\n"
                + "Connection: x-hop\r\nX-Hop: 1\r\nSet-Cookie: a=b\r\nContent-Length: 0\r\n\r\n")
        #expect(read.fields == ["X: y", "Connection: x-hop", "Set-Cookie: a=b", "Content-Length: 0"])
    }

    static let refused: [String] = [
        "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 3\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 3, 3\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
        "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
        "HTTP/1.1 200 OK\r\nX: a\r\n b\r\n\r\n", "HTTP/1.1 200 OK\r\nX : a\r\n\r\n", "HTTP/1.1 200 OK\nX: a\n\n",
        "HTTP/1.1 200 O\u{0}K\r\n\r\n", "HTTP/1.1 200 O\u{7f}K\r\n\r\n", "HTTP/1.1 20 OK\r\n\r\n",
        "HTTP/1.1 2000 OK\r\n\r\n", "HTTP/1.1 099 x\r\n\r\n", "HTTP/1.1 600 x\r\n\r\n", "HTTP/1.1 2x0 x\r\n\r\n",
        "HTTP/1.1  200 OK\r\n\r\n", "HTTP/1.1 +20 OK\r\n\r\n", "HTTP/2.0 200 OK\r\n\r\n", "HTTP/1.1\r\n\r\n",
        "\r\nHTTP/1.1 200 OK\r\n\r\n", "ICY 200 OK\r\n\r\n", "<html>", "http/1.1 200 OK\r\n\r\n",
        "HTTP/1.1 200 OK\r\n" + String(repeating: "a: b\r\n", count: 129) + "\r\n",
        "HTTP/1.1 200 OK\r\na: " + String(repeating: "b", count: 40_000),
    ]

    @Test(arguments: refused)
    func `A malformed answer is 502`(text: String) {
        #expect(scanResponse(text).outcome == "502")
    }
}
