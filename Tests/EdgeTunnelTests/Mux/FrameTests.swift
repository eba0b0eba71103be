import Testing

@testable import EdgeTunnel

@Suite struct FrameTests {
    /// agent-protocol.md 3.1: what an official agent and a server wrote.
    static let recorded: [(String, FrameHeader)] = [
        ("00 00 04 12 00 00 00 03", FrameHeader(.data, flags: .syn, stream: 3, length: 4)),
        ("00 01 fe 10 00 00 00 05", FrameHeader(.data, stream: 5, length: 510)),
        ("00 00 04 20 00 00 00 03", FrameHeader(.credit, stream: 3, length: 4)),
        ("00 00 00 11 00 00 00 05", FrameHeader(.data, flags: .fin, stream: 5, length: 0)),
        ("00 00 91 10 00 00 00 02", FrameHeader(.data, stream: 2, length: 0x91)),
        ("00 00 04 00 00 00 00 02", FrameHeader(.reset, stream: 2, length: 4)),
        ("00 00 0d 30 00 00 00 00", FrameHeader(.goAway, stream: 0, length: 13)),
    ]

    @Test(arguments: recorded) func `headers are read and written as they were recorded`(
        text: String, is header: FrameHeader
    ) {
        let word = hex(text).reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
        #expect(FrameHeader(word: word) == header)
        #expect(header.word == word)
    }

    @Test func `the reserved bit of the stream identifier is ignored`() {
        #expect(FrameHeader(word: 0x0000_0410_8000_0005).stream == 5)
    }

    @Test func `types and flags nobody knows are read, but are no kind`() {
        let header = FrameHeader(word: 0x0000_00FC_0000_0001)
        #expect(header.type == 15 && header.kind == nil && header.flags.rawValue == 12)
    }

    @Test func `frames are the same wherever the bytes are cut`() {
        let bytes = Frame.data(2, "hello", syn: true) + Frame.credit(2, 9) + Frame.fin(2) + Frame.reset(4, 6)
        let whole = Frame.all(bytes)
        for cut in 0...bytes.count {
            var reader = FrameReader()
            var words: [String] = []
            for part in [Array(bytes[..<cut]), Array(bytes[cut...])] {
                part.withUnsafeBytes { buffer in
                    var offset = 0
                    while true {
                        switch reader.next(buffer, &offset) {
                        case .blocked: return
                        case .header(let header): words.append("\(header.type) \(header.stream) ")
                        case .payload(let range):
                            words[words.count - 1] += String(decoding: buffer[range], as: UTF8.self)
                        case .end: words[words.count - 1] += "."
                        }
                    }
                }
            }
            #expect(
                words == whole.map { "\($0.type) \($0.stream) " + String(decoding: $0.payload, as: UTF8.self) + "." })
        }
    }

    @Test func `a frame of 16 MiB is handed on in the pieces in which it came`() {
        var mux = MuxSession(.server)
        var reader = FrameReader()
        var passed = 0
        let header = FrameHeader(.data, flags: .syn, stream: 3, length: FrameHeader.maximumLength)
        var piece = withUnsafeBytes(of: header.word.bigEndian) { Array($0) }
        for _ in 0..<1_025 {
            piece.withUnsafeBytes { buffer in
                var offset = 0
                while case let step = reader.next(buffer, &offset), step != .blocked {
                    if case .payload(let range) = step { passed += range.count }
                }
            }
            piece = [UInt8](repeating: 1, count: min(16 << 10, FrameHeader.maximumLength - passed))
        }
        #expect(passed == FrameHeader.maximumLength)
        #expect(mux.outputCount == 0 && mux.output() == [])
    }
}

@Suite struct FrameWriterTests {
    private func write(_ body: (inout FrameWriter) -> Void) -> [Frame] {
        var writer = FrameWriter()
        body(&writer)
        return Frame.all(writer.withBytes { Array($0) })
    }

    private func data(_ writer: inout FrameWriter, _ text: String, _ stream: UInt32, isWhole: Bool = false) {
        Array(text.utf8).withUnsafeBytes { writer.data($0, stream: stream, flags: [], isWhole: isWhole) }
    }

    @Test func `a head and its small body leave in one frame, and the end with them`() {
        let frames = write {
            data(&$0, "head", 2)
            data(&$0, "body", 2)
            $0.fin(stream: 2, flags: [])
        }
        #expect(frames == [.data(2, "headbody", fin: true)])
    }

    @Test func `bytes of other streams and messages of their own share no frame`() {
        let frames = write {
            data(&$0, "a", 2)
            data(&$0, "b", 4)
            data(&$0, "beat", 4, isWhole: true)
            data(&$0, "beat", 4, isWhole: true)
            data(&$0, "c", 4)
        }
        #expect(frames == [.data(2, "a"), .data(4, "b"), .data(4, "beat"), .data(4, "beat"), .data(4, "c")])
    }

    @Test func `what was looked at is not changed any more`() {
        var writer = FrameWriter()
        data(&writer, "head", 2)
        let seen = writer.withBytes { Array($0) }
        data(&writer, "body", 2)
        writer.fin(stream: 2, flags: [])
        let later = writer.withBytes { Array($0) }
        #expect(Array(later.prefix(seen.count)) == seen)
        #expect(Frame.all(later) == [.data(2, "head"), .data(2, "body", fin: true)])
    }

    @Test func `an output that never becomes empty keeps no more than it must`() {
        var writer = FrameWriter()
        let piece = [UInt8](repeating: 1, count: 16 << 10)
        piece.withUnsafeBytes { writer.data($0, stream: 2, flags: []) }
        for _ in 0..<2_000 {
            piece.withUnsafeBytes { writer.data($0, stream: 2, flags: []) }
            writer.drop(16 << 10)
        }
        #expect(writer.count > 0 && writer.count < 64 << 10)
        #expect(writer.bytes.count < 1 << 20)
    }
}
