import Testing

@testable import ConsoleKit

struct HTTPClientMachineTests {
    private let answers = """
        HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 11\r\n\r\n\
        {"a":"b\\n"}HTTP/1.1 204 No Content\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n\
        5;x=y\r\nhello\r\n6\r\n world\r\n0\r\nX-Trailer: 1\r\n\r\nHTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n
        """

    private func run(_ pieces: [ArraySlice<UInt8>]) throws -> [String] {
        var machine = HTTPClientMachine()
        var result: [String] = []
        var body: [UInt8] = []
        for piece in pieces {
            for event in try machine.receive(piece) {
                switch event {
                case .head(let status, _): result.append("\(status)")
                case .body(let part): body += part
                case .end:
                    result.append(String(decoding: body, as: UTF8.self))
                    body = []
                }
            }
        }
        return result
    }

    @Test func `answers read the same wherever the bytes are cut`() throws {
        let bytes = Array(answers.utf8)
        let whole = try run([bytes[...]])
        #expect(whole == ["200", "{\"a\":\"b\\n\"}", "204", "", "200", "hello world", "404", ""])
        for cut in 1..<bytes.count { #expect(try run([bytes[..<cut], bytes[cut...]]) == whole) }
        #expect(try run(bytes.indices.map { bytes[$0...$0] }) == whole)
    }

    @Test(arguments: [
        "SSH-2.0-OpenSSH\r\n\r\n", "HTTP/1.1 2xx OK\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 1x\r\n\r\n", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nabc\r\n",
    ])
    func `what is no HTTP is refused`(text: String) {
        var machine = HTTPClientMachine()
        #expect(throws: AdminFault.self) { try machine.receive(Array(text.utf8)) }
        #expect(throws: AdminFault.self) { try machine.receive(Array("x".utf8)) }
    }

    @Test func `a head without end is refused before it fills the memory`() {
        var machine = HTTPClientMachine()
        #expect(throws: AdminFault.self) {
            for _ in 0..<200 { _ = try machine.receive(Array(repeating: UInt8(ascii: "a"), count: 1_024)) }
        }
    }

    @Test func `an answer that is cut off is an error, and one without a length ends with the connection`() throws {
        var cut = HTTPClientMachine()
        _ = try cut.receive(Array("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc".utf8))
        #expect(throws: AdminFault.self) { try cut.finish() }
        var open = HTTPClientMachine()
        _ = try open.receive(Array("HTTP/1.1 200 OK\r\n\r\nabc".utf8))
        let result1 = try open.finish()
        #expect(result1 == [.end])
    }

    @Test func `a request carries what the admin API asks for, and no field can split it`() {
        let bytes = HTTPClientMachine.request(
            "POST", "/x", body: Array("{}".utf8), headers: [("If-Match", "\"7\""), ("evil", "a\r\nb: c")])
        let text = String(decoding: bytes, as: UTF8.self)
        #expect(text.contains("ngrok-version: 2\r\n") && text.contains("Host: selvage\r\n"))
        #expect(text.contains("If-Match: \"7\"\r\n") && text.contains("Content-Length: 2\r\n"))
        #expect(!text.contains("evil"))
    }

    @Test func `lines come out whole`() {
        var splitter = LineSplitter()
        let result2 = splitter.receive(Array("ab".utf8))
        #expect(result2.isEmpty)
        let result3 = splitter.receive(Array("c\n\nd\ne".utf8))
        #expect(result3.map { String(decoding: $0, as: UTF8.self) } == ["abc", "d"])
    }

    @Test func `a line longer than the bound is dropped whole, and the next one is read`() {
        var splitter = LineSplitter()
        let long = [UInt8](repeating: 0x61, count: LineSplitter.maximumLine + 1)
        #expect(splitter.receive(long + Array("\nshort\n".utf8)) == [Array("short".utf8)])
    }
}
