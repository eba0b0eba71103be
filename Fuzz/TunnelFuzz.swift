import Shared

/// The harness of the agent protocol for `scripts/fuzz`: compiled into one module with `EdgeTunnel`, outside the
/// package.
///
/// An input's first byte says what is fed, the second how it is cut:
///
///     s, a   bytes to the server's, the agent's half
///     S, A   steps: frames of a peer that knows the protocol, and what callers do meanwhile
///     m, h   bytes to the readers of messages and of proxy headers
///
/// Whatever comes: nothing may trap, what is kept stays within bounds, and what is sent is what an official peer
/// accepts. A broken promise is a crash, which libFuzzer keeps as a file.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzOneInput(_ start: UnsafePointer<UInt8>, _ count: Int) -> CInt {
    guard count > 2 else { return 0 }
    let input = UnsafeRawBufferPointer(start: start, count: count)
    let bytes = UnsafeRawBufferPointer(rebasing: input[2...])
    let cut = Int(input[1])
    switch input[0] {
    case UInt8(ascii: "s"): ServerDrill().feed(bytes, cut)
    case UInt8(ascii: "a"): AgentDrill().feed(bytes, cut)
    case UInt8(ascii: "S"): steps(bytes, ServerDrill())
    case UInt8(ascii: "A"): steps(bytes, AgentDrill())
    case UInt8(ascii: "m"): ReaderFuzz.message(bytes, cut)
    case UInt8(ascii: "h"): ReaderFuzz.header(bytes, cut)
    default: break
    }
    return 0
}

private func steps(_ bytes: UnsafeRawBufferPointer, _ drill: any Drill) {
    var steps = Steps(bytes)
    steps.run(drill)
}

func promise(_ holds: Bool, _ text: StaticString) {
    if !holds { fatalError("\(text)") }
}

func pieces(_ bytes: UnsafeRawBufferPointer, _ cut: Int, _ body: (UnsafeRawBufferPointer) -> Bool) {
    var offset = 0
    var size = cut
    while offset < bytes.count {
        size = size &* 37 &+ 11
        let end = cut == 255 ? bytes.count : min(bytes.count, offset + 1 + abs(size) % (cut + 1))
        guard body(UnsafeRawBufferPointer(rebasing: bytes[offset..<end])) else { return }
        offset = end
    }
}

enum ReaderFuzz {
    /// A message is the same however it is cut, and one that is complete is a JSON object.
    static func message(_ bytes: UnsafeRawBufferPointer, _ cut: Int) {
        let limit = 512
        func read(_ cut: Int) -> String {
            var reader = MessageReader(limit: limit)
            var result = "more"
            pieces(bytes, cut) { piece in
                switch reader.receive(piece) {
                case .needMore: break
                case .complete(let document):
                    promise(document.objectValue != nil, "a message is an object")
                    result = "\(document.bytes.count)"
                case .invalid: result = "invalid"
                }
                promise(reader.count <= limit, "no more is kept than the limit")
                return result == "more"
            }
            return result
        }
        let whole = read(255)
        let parts = read(cut)
        // Cut finely, a message too long is known to be so before its end is.
        promise(whole == parts, "cuts change nothing")
    }

    static func header(_ bytes: UnsafeRawBufferPointer, _ cut: Int) {
        func read(_ cut: Int) -> String {
            var reader = ProxyHeaderReader()
            var result = "more"
            var before = 0
            pieces(bytes, cut) { piece in
                switch reader.receive(piece) {
                case .needMore: before += piece.count
                case .complete(let header, let used):
                    promise(used <= piece.count, "no more is used than there is")
                    result = "\(header.tunnelID) \(header.clientAddress) \(before + used)"
                case .invalid: result = "invalid"
                }
                promise(reader.count <= 64 << 10, "no more is kept than a header")
                return result == "more"
            }
            return result
        }
        promise(read(255) == read(cut), "cuts change nothing")
    }
}

/// Reads what a half sends as an official peer would.
struct OutputCheck {
    private var reader = FrameReader()
    private var header = FrameHeader(.data, stream: 0, length: 0)
    private var number: UInt32 = 0
    private var opened: [UInt32: Bool] = [:]
    private var highest: UInt32 = 0
    let own: UInt32

    init(own: UInt32) { self.own = own }

    mutating func read(_ bytes: UnsafeRawBufferPointer) {
        var offset = 0
        while true {
            switch reader.next(bytes, &offset) {
            case .blocked: return
            case .header(let header): begin(header)
            case .payload(let range):
                guard header.kind == .credit else { continue }
                for byte in bytes[range] { number = number << 8 | UInt32(byte) }
            case .end:
                if header.kind == .credit { promise(number & 0x7FFF_FFFF > 0, "credit is never 0") }
            }
        }
    }

    private mutating func begin(_ header: FrameHeader) {
        self.header = header
        number = 0
        switch header.kind {
        case .reset?, .credit?: promise(header.length == 4 && header.stream != 0, "a number has four bytes")
        case .goAway?: promise(header.length >= 8 && header.stream == 0, "GOAWAY is for the session")
        case .data?: data(header)
        case nil: promise(false, "frames have known types")
        }
    }

    private mutating func data(_ header: FrameHeader) {
        let id = header.stream
        promise(id != 0, "DATA has a stream")
        if header.flags.contains(.syn) {
            promise(id & 1 == own & 1 && id > highest && id >= own, "identifiers of the right parity rise")
            highest = id
            opened[id] = true
        }
        if id & 1 == own & 1 {
            promise(opened[id] == true, "a stream of ours is opened once, and has no DATA after its end")
        } else {
            promise(opened[id] != false, "a stream of the peer's has no DATA after our end")
        }
        if header.flags.contains(.fin) { opened[id] = false }
    }
}
