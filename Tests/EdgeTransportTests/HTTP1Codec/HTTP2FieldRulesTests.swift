import EdgeCore
import Testing

@testable import EdgeTransport

/// No HTTP/2 field can split or reframe the HTTP/1 message it becomes.
@Suite struct HTTP2FieldRulesTests {
    private func check(_ text: String, _ rule: (UnsafeBufferPointer<UInt8>) -> Bool) -> Bool {
        Array(text.utf8).withUnsafeBufferPointer(rule)
    }

    @Test func `Names are lower-case tokens`() {
        for name in ["a", "content-type", "x_y", "x!#$%&'*+-.^_`|~9"] {
            #expect(check(name, HTTP2FieldRules.isValidName))
        }
        for name in ["", ":path", "A", "aB", "a b", "a:", "a\r\nb", "a\u{0}", "\u{e9}", "a\n", " a", "a\u{7f}", "a,b"] {
            #expect(!check(name, HTTP2FieldRules.isValidName), "\(name)")
        }
    }

    @Test func `Values hold no control but tab, and no white space around them`() {
        for value in ["", "a", "a b", "a\tb", "\u{e9}", ":", "a long value with\tmany words, and \"quotes\""] {
            #expect(check(value, HTTP2FieldRules.isValidValue), "\(value)")
        }
        let bad = [
            "a\r\nb", "a\rb", "a\nb", "a\u{0}", "\u{1}", " a", "a ", "\ta", "a\t", " ", "a\u{7f}b",
            "long enough for words\r\nx: y", "a\tb\nc",
        ]
        for value in bad { #expect(!check(value, HTTP2FieldRules.isValidValue), "\(value)") }
    }

    @Test func `Paths, authorities and methods cannot hold what ends a request line`() {
        for path in ["/", "/a?b", "*", "/a|b"] { #expect(check(path, HTTP2FieldRules.isValidPath)) }
        for path in [
            "", "a", "/a b", "/a HTTP/1.1\r\nx: y", "/\u{0}", "/\u{e9}", "**", "/a#b", "http://a/", "/\t", "*a",
        ] {
            #expect(!check(path, HTTP2FieldRules.isValidPath), "\(path)")
        }
        for authority in ["a", "a:1", "[::1]:443", "a_b.c."] {
            #expect(check(authority, HTTP2FieldRules.isValidAuthority))
        }
        for authority in ["", "u@a", "a b", "a\r\nx", "a:", "a/", "[::1", "a:x", ":1"] {
            #expect(!check(authority, HTTP2FieldRules.isValidAuthority), "\(authority)")
        }
        for method in ["GET", "M-SEARCH", "get"] { #expect(check(method, HTTP2FieldRules.isValidMethod)) }
        for method in ["", "GET /", "G\r\n", "G:", String(repeating: "A", count: 33)] {
            #expect(!check(method, HTTP2FieldRules.isValidMethod))
        }
    }

    @Test func `Fields about one connection make a message malformed`() {
        func forbids(_ name: String, _ value: String) -> Bool {
            let id = Array(name.utf8).withUnsafeBufferPointer { FieldName($0) }
            return check(value) { HTTP2FieldRules.isForbidden(id, value: $0) }
        }
        for name in ["connection", "transfer-encoding", "keep-alive", "proxy-connection", "upgrade", "http2-settings"] {
            #expect(forbids(name, "x"))
        }
        #expect(forbids("te", "gzip") && forbids("te", "") && forbids("te", "trailers, gzip"))
        #expect(!forbids("te", "trailers") && !forbids("te", "Trailers"))
        #expect(!forbids("content-length", "5") && !forbids("x-any", "x"))
    }

    @Test func `Host and length are read out of valid values only`() {
        func host(_ text: String) -> String {
            Array(text.utf8).withUnsafeBufferPointer {
                String(decoding: HTTP2FieldRules.host(ofAuthority: $0), as: UTF8.self)
            }
        }
        #expect(host("a.example:443") == "a.example" && host("a.") == "a" && host("[::1]:2") == "[::1]")
        #expect(host("u@a") == "" && host("") == "")
        func length(_ text: String) -> UInt64? {
            Array(text.utf8).withUnsafeBufferPointer { HTTP2FieldRules.contentLength($0) }
        }
        #expect(length("0") == 0 && length("42") == 42 && length("9223372036854775807") == UInt64(Int64.max))
        for bad in ["", "+1", "-1", "1,1", "9223372036854775808", "1 ", "0x1", "1e3"] { #expect(length(bad) == nil) }
    }
}
