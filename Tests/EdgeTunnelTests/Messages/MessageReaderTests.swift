import Shared
import Testing

@testable import EdgeTunnel

@Suite struct MessageReaderTests {
    private enum Outcome: Equatable {
        case more
        case complete(JSON)
        case invalid
    }

    private func read(_ parts: [[UInt8]], limit: Int = 4 << 20) -> Outcome {
        var reader = MessageReader(limit: limit)
        for part in parts {
            switch part.withUnsafeBytes({ reader.receive($0) }) {
            case .needMore: continue
            case .complete(let document): return .complete(document)
            case .invalid: return .invalid
            }
        }
        return .more
    }

    static let text = Array(#" {"a":"}\"{\\","b":[{"c":[]},{}],"é":1.5}"#.utf8)

    @Test func `a message ends where its last brace closes, wherever it is cut`() throws {
        let whole = JSON.object(["a": "}\"{\\", "b": [["c": []], [:]], "é": 1.5])
        for cut in 0...Self.text.count {
            #expect(read([Array(Self.text[..<cut]), Array(Self.text[cut...])]) == .complete(whole))
        }
        #expect(read(Self.text.map { [$0] }) == .complete(whole))
    }

    @Test func `a newline behind a message is none of it`() {
        #expect(read([Array("{}\n".utf8)]) == .complete([:]))
    }

    @Test func `a message is not complete before its last brace`() {
        for cut in 0..<Self.text.count { #expect(read([Array(Self.text[..<cut])]) == .more) }
    }

    @Test(arguments: ["x", "[]", "1", "\"\"", "{]", "{a}", "{\"a\":1,\"a\":2}", "{\"a\":\"\\x\"}", "}", "\u{0}"])
    func `what is no JSON object is refused`(text: String) {
        #expect(read([Array(text.utf8)]) == .invalid)
    }

    @Test func `a message that nests deeper than 32 levels is refused, not followed`() {
        let deep = "{\"a\":" + String(repeating: "[", count: 100_000) + String(repeating: "]", count: 100_000) + "}"
        #expect(read([Array(deep.utf8)]) == .invalid)
    }

    @Test func `a message may be as long as its limit, and not a byte longer`() {
        let text = Array(#"{"a":"bc"}"#.utf8)
        #expect(read([text], limit: text.count) == .complete(["a": "bc"]))
        #expect(read([text], limit: text.count - 1) == .invalid)
        #expect(read(text.map { [$0] }, limit: text.count - 1) == .invalid)
    }

    @Test func `a message too long is refused before it ends, and nothing of it is kept`() {
        var reader = MessageReader(limit: 1_000)
        var outcome = "more"
        for byte in Array("{\"".utf8) + [UInt8](repeating: 97, count: 2_000) {
            if case .invalid = [byte].withUnsafeBytes({ reader.receive($0) }) {
                outcome = "invalid"
                break
            }
            #expect(reader.count <= 1_000)
        }
        #expect(outcome == "invalid" && reader.count == 0)
    }
}

@Suite struct ProxyHeaderTests {
    static let header = ProxyHeader(
        tunnelID: "tn_1", clientAddress: "[2001:db8::1]:99", proto: "https", edgeType: .https, isPassthrough: false)

    /// Behind the type.
    private func read(_ parts: [[UInt8]]) -> (ProxyHeader?, rest: Int)? {
        var reader = ProxyHeaderReader()
        for part in parts {
            switch part.withUnsafeBytes({ reader.receive($0) }) {
            case .needMore: continue
            case .complete(let header, let used): return (header, part.count - used)
            case .invalid: return (nil, 0)
            }
        }
        return nil
    }

    @Test func `the type is big-endian and the length little-endian in eight bytes`() {
        let bytes = Self.header.bytes
        #expect(bytes[..<4] == [0, 0, 0, 3])
        let length = bytes.count - 12
        #expect(Array(bytes[4..<12]) == [UInt8(length), 0, 0, 0, 0, 0, 0, 0])
    }

    @Test func `all five members are there, and the kind of edge is a string`() throws {
        let document = try JSONReader.read(Array(Self.header.bytes[12...]))
        #expect(
            document == [
                "Id": "tn_1", "ClientAddr": "[2001:db8::1]:99", "Proto": "https", "EdgeType": "3",
                "PassthroughTLS": false,
            ])
    }

    @Test func `a header is the same wherever it is cut, and leaves the payload`() {
        let bytes = Array(Self.header.bytes[4...]) + Array("payload".utf8)
        for cut in 0...bytes.count {
            let result = read([Array(bytes[..<cut]), Array(bytes[cut...])])
            #expect(result?.0 == Self.header)
            // In the first part lies what was cut off behind the header, in the second all of it.
            let end = bytes.count - 7
            #expect(result?.rest == (cut < end ? 7 : cut - end))
        }
    }

    @Test func `spaces at its end are part of it`() {
        let text = Array(Self.header.bytes[12...]) + Array("   ".utf8)
        let result = read([[UInt8(text.count), 0, 0, 0, 0, 0, 0, 0] + text + Array("x".utf8)])
        #expect(result?.0 == Self.header && result?.rest == 1)
    }

    @Test(arguments: [
        "ff ff ff ff ff ff ff ff", "00 00 00 00 00 00 00 80", "01 00 01 00 00 00 00 00", "00 00 00 00 00 00 00 00",
    ])
    func `a length that no header has is refused at once`(text: String) {
        #expect(read([hex(text)])! == (nil, 0))
    }
}
