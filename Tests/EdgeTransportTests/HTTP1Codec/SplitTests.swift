import EdgeCore
import Testing

@testable import EdgeTransport

/// A message means the same wherever the network cuts it.
@Suite struct SplitTests {
    static let requests: [String] =
        RequestScannerTests.accepted.map(\.0) + RefusedRequestTests.startLines.map { $0.0 + "Host: a\r\n\r\n" }
        + RefusedRequestTests.framing.map { "POST / HTTP/1.1\r\nHost: a\r\n" + $0 + "\r\n" }
        + RefusedRequestTests.lines.map { "POST / HTTP/1.1\r\nHost: a\r\n" + $0 + "\r\n" }
        + RefusedRequestTests.hosts.map { "GET / HTTP/1.1\r\n" + $0 + "\r\n" }

    @Test(arguments: requests)
    func `A request cut anywhere is read as the whole is`(text: String) {
        let bytes = Array(text.utf8)
        let whole = scanRequest(bytes)
        for cut in 0...bytes.count {
            let part = scanRequest(Array(bytes[..<cut]))
            // What is refused early is refused for the same reason; what is complete early is complete at that place.
            #expect(part == whole || part.outcome == "incomplete", "cut at \(cut)")
            guard part.outcome == "incomplete" else { continue }
            let due = expected(whole, of: bytes, cut: cut, incomplete: ReadRequest(outcome: "incomplete"))
            #expect(scanRequest(bytes, scanned: cut) == due, "cut at \(cut)")
        }
    }

    @Test(arguments: requests)
    func `A request that drips in is read as the whole is`(text: String) {
        let bytes = Array(text.utf8)
        var scanned = 0
        var last = ReadRequest(outcome: "incomplete")
        for count in 1...bytes.count where last.outcome == "incomplete" {
            last = scanRequest(Array(bytes[..<count]), scanned: scanned)
            scanned = count
        }
        // Bytes after the last line end are not judged until their own line ends.
        let whole = scanRequest(bytes)
        #expect(last == whole || (last.outcome == "incomplete" && bytes.last != UInt8(ascii: "\n")))
    }

    @Test(
        arguments: ResponseScannerTests.framings.map(\.0)
            + ResponseScannerTests.refused.filter { $0.utf8.count < 2_000 })
    func `An answer cut anywhere is read as the whole is`(text: String) {
        let bytes = Array(text.utf8)
        let whole = scanResponse(bytes)
        for cut in 0...bytes.count {
            let part = scanResponse(Array(bytes[..<cut]))
            #expect(part == whole || part.outcome == "incomplete", "cut at \(cut)")
            guard part.outcome == "incomplete" else { continue }
            let due = expected(whole, of: bytes, cut: cut, incomplete: ReadResponse(outcome: "incomplete"))
            #expect(scanResponse(bytes, scanned: cut) == due, "cut at \(cut)")
        }
    }

    static let bodies: [String] =
        BodyDecoderTests.chunked.map(\.0) + BodyDecoderTests.refused.filter { $0.utf8.count < 2_000 }
        + ["0\r\nA: b\r\nC: d\r\n\r\nrest", "3;x=\"y\"\r\nabc\r\n0;z\r\nETag: e\r\n\r\n"]

    @Test(arguments: bodies)
    func `A chunked body cut anywhere, or dripping in, is read as the whole is`(text: String) {
        let bytes = Array(text.utf8)
        let whole = decode(.chunked, pieces: [bytes])
        for cut in 0...bytes.count {
            #expect(decode(.chunked, pieces: [Array(bytes[..<cut]), Array(bytes[cut...])]) == whole, "cut at \(cut)")
        }
        #expect(decode(.chunked, pieces: bytes.map { [$0] }) == whole)
    }
}
