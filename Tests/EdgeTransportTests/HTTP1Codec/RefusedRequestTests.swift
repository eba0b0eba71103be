import EdgeCore
import Testing

@testable import EdgeTransport

/// What two parsers could read in two ways, and what is no HTTP at all: refused, never repaired.
@Suite struct RefusedRequestTests {
    private static let start = "POST / HTTP/1.1\r\nHost: a\r\n"

    static let framing: [String] = [
        "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n",
        "Content-Length: 5\r\nContent-Length: 5\r\n",
        "Content-Length: 5\r\nContent-Length: 6\r\n",
        "Content-Length: 5, 5\r\n", "Content-Length: 5,5\r\n", "Content-Length: +5\r\n", "Content-Length: -1\r\n",
        "Content-Length:\r\n", "Content-Length: 0x5\r\n", "Content-Length: 5a\r\n", "Content-Length: 1 2\r\n",
        "Content-Length: 5.0\r\n", "Content-Length: \u{b}5\r\n",
        "Content-Length: 9223372036854775808\r\n", "Content-Length: 18446744073709551617\r\n",
        "Content-Length: 00000000000000000005\r\n",
        "Transfer-Encoding: gzip\r\n", "Transfer-Encoding: gzip, chunked\r\n", "Transfer-Encoding: chunked, gzip\r\n",
        "Transfer-Encoding: identity\r\n", "Transfer-Encoding: chunked, identity\r\n", "Transfer-Encoding:\r\n",
        "Transfer-Encoding: xchunked\r\n", "Transfer-Encoding: chunked;q=1\r\n", "Transfer-Encoding: \"chunked\"\r\n",
        "Transfer-Encoding: chunked,\r\n", "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n",
        "Transfer-Encoding : chunked\r\n", "Transfer-Encoding\t: chunked\r\n", " Transfer-Encoding: chunked\r\n",
        "X: y\r\n Transfer-Encoding: chunked\r\n", "X: y\r\n\tfolded\r\n", "Transfer-Encoding: \u{b}chunked\r\n",
        "Transfer-Encoding\u{0}: chunked\r\n", "Transfer-Encoding: chunked\u{0}\r\n",
        "Transfer_Encoding\u{1}: chunked\r\n",
    ]

    @Test(arguments: framing)
    func `Framing that could be read in two ways is refused with 400`(fields: String) {
        #expect(scanRequest(Self.start + fields + "\r\n").outcome == "400")
    }

    @Test func `HTTP 1.0 with chunks is refused`() {
        #expect(scanRequest("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n").outcome == "400")
    }

    static let lines: [String] = [
        "X: a\rb\r\n", "X: a\nb\r\n", "X: a\n", "X: a\r\r\n", "X: a\u{0}b\r\n", "X: a\u{7f}\r\n", "X: a\u{8}\r\n",
        "X: a\u{1b}[2J\r\n", "X\r\n", "X y: z\r\n", "X\u{e9}: z\r\n", ": z\r\n", "(X): z\r\n", "X:a\r\n\n",
        "\"X\": z\r\n",
        "X@: y\r\n", "X[]: y\r\n", "X/: y\r\n", "\u{0}: y\r\n",
    ]

    @Test(arguments: lines)
    func `Malformed field lines are refused with 400`(line: String) {
        #expect(scanRequest(Self.start + line + "\r\n").outcome == "400")
    }

    static let hosts: [String] = [
        "", "Host:\r\n", "Host: \r\n", "Host: a\r\nHost: a\r\n", "Host: a\r\nhost: b\r\n", "Host: a b\r\n",
        "Host: u@a\r\n", "Host: a:\r\n", "Host: a:x\r\n", "Host: a:65536\r\n", "Host: a:-1\r\n", "Host: a:123456\r\n",
        "Host: :80\r\n", "Host: a/b\r\n", "Host: a?b\r\n", "Host: a#b\r\n", "Host: a,b\r\n", "Host: a\\b\r\n",
        "Host: .\r\n",
        "Host: .a\r\n", "Host: a%2e\r\n", "Host: h\u{f6}st\r\n", "Host: [::1\r\n", "Host: ::1\r\n", "Host: []\r\n",
        "Host: [::1]x\r\n", "Host: [1:2:3:4:5:6:7]\r\n", "Host: [1:2:3:4:5:6:7:8:9]\r\n", "Host: [::1::]\r\n",
        "Host: [12345::]\r\n", "Host: [fe80::1%25eth0]\r\n", "Host: [v1.x]\r\n", "Host: [::256.1.1.1]\r\n",
        "Host: [1.2.3.4]\r\n", "Host: [:::]\r\n", "Host: [1:]\r\n", "Host: http://a\r\n", "Host: a;b\r\n",
        "Host: \(String(repeating: "a", count: 256))\r\n",
    ]

    @Test(arguments: hosts)
    func `Missing, repeated and malformed Host is refused with 400`(fields: String) {
        #expect(scanRequest("GET / HTTP/1.1\r\n" + fields + "\r\n").outcome == "400")
    }

    @Test func `A malformed Host is refused on HTTP 1.0 too`() {
        #expect(scanRequest("GET / HTTP/1.0\r\nHost: a b\r\n\r\n").outcome == "400")
    }

    static let startLines: [(String, String)] = [
        ("GET /\r\n", "400"), ("GET / \r\n", "400"), ("GET  / HTTP/1.1\r\n", "400"), ("GET /  HTTP/1.1\r\n", "400"),
        ("GET\t/ HTTP/1.1\r\n", "400"), (" GET / HTTP/1.1\r\n", "400"), ("GET / HTTP/1.1 \r\n", "400"),
        ("GET / http/1.1\r\n", "400"), ("GET / HTTP/1.1\n", "400"), ("GET / HTTP/1.1\r\r\n", "400"),
        ("GET / HTTP/11\r\n", "400"), ("GET / HTTP/1.x\r\n", "400"), ("GET / HTTP/1.11\r\n", "400"),
        ("GET / HTTP/1.2\r\n", "505"), ("GET / HTTP/0.9\r\n", "505"), ("PRI * HTTP/2.0\r\n", "505"),
        ("GET / HTTP/3.0\r\n", "505"),
        ("\r\n\r\nGET / HTTP/1.1\r\n", "400"), ("\nGET / HTTP/1.1\r\n", "400"), ("\rGET / HTTP/1.1\r\n", "400"),
        ("G(T / HTTP/1.1\r\n", "400"), ("GET/ HTTP/1.1\r\n", "400"), ("/ HTTP/1.1\r\n", "400"),
        (String(repeating: "A", count: 33) + " / HTTP/1.1\r\n", "400"),
        ("GET /a b HTTP/1.1\r\n", "400"), ("GET /a#b HTTP/1.1\r\n", "400"), ("GET /\u{e9} HTTP/1.1\r\n", "400"),
        ("GET /\u{0} HTTP/1.1\r\n", "400"), ("GET /\u{7f} HTTP/1.1\r\n", "400"), ("GET /\t HTTP/1.1\r\n", "400"),
        ("GET * HTTP/1.1\r\n", "400"), ("OPTIONS ** HTTP/1.1\r\n", "400"), ("GET a HTTP/1.1\r\n", "400"),
        ("GET a:80 HTTP/1.1\r\n", "400"), ("GET ?x HTTP/1.1\r\n", "400"), ("GET ftp://a/ HTTP/1.1\r\n", "400"),
        ("GET http:/a HTTP/1.1\r\n", "400"), ("GET http:///x HTTP/1.1\r\n", "400"),
        ("GET http://b/ HTTP/1.1\r\n", "400"), ("GET http://a:81/ HTTP/1.1\r\n", "400"),
        ("GET http://u@a/ HTTP/1.1\r\n", "400"), ("GET http:// HTTP/1.1\r\n", "400"),
        ("CONNECT a:443 HTTP/1.1\r\n", "405"), ("CONNECT / HTTP/1.1\r\n", "405"),
        ("\u{16}\u{3}\u{1}\u{2}\u{0}\u{1}", "400"),
    ]

    @Test(arguments: startLines)
    func `Malformed start lines are refused`(line: String, outcome: String) {
        #expect(scanRequest(line + "Host: a\r\n\r\n").outcome == outcome)
    }

    @Test func `Every byte has its place in names, values and targets, or is refused`() {
        let token = Set("!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ".utf8)
        for byte in UInt8.min...UInt8.max {
            for padding in [0, 3, 9, 17] {
                let fill = Array(repeating: UInt8(ascii: "x"), count: padding)
                let name =
                    Array("GET / HTTP/1.1\r\nHost: a\r\nn".utf8) + fill + [byte] + fill + Array("n: v\r\n\r\n".utf8)
                // A colon ends the name, and the rest is its value.
                let isName = token.contains(byte) || byte == UInt8(ascii: ":")
                #expect((scanRequest(name).outcome == "complete") == isName, "name, byte \(byte)")

                let value =
                    Array("GET / HTTP/1.1\r\nHost: a\r\nn: v".utf8) + fill + [byte] + fill + Array("v\r\n\r\n".utf8)
                let isText = byte == 9 || (byte >= 0x20 && byte != 0x7F)
                #expect((scanRequest(value).outcome == "complete") == isText, "value, byte \(byte)")

                let target = Array("GET /".utf8) + fill + [byte] + fill + Array("a HTTP/1.1\r\nHost: a\r\n\r\n".utf8)
                let isTarget = byte > 0x20 && byte < 0x7F && byte != UInt8(ascii: "#")
                #expect((scanRequest(target).outcome == "complete") == isTarget, "target, byte \(byte)")
            }
        }
    }
}
