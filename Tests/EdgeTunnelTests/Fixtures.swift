import Shared

@testable import EdgeTunnel

/// SplitMix64: the same numbers in every run, so that a failure can be looked at again.
struct Chance: RandomNumberGenerator {
    private var state: UInt64

    init(_ seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var value = state
        value = (value ^ value >> 30) &* 0xBF58_476D_1CE4_E5B9
        value = (value ^ value >> 27) &* 0x94D0_49BB_1331_11EB
        return value ^ value >> 31
    }
}

let second: UInt64 = 1_000_000_000
let millisecond: UInt64 = 1_000_000

/// Bytes as documents write them; spaces and bars are for the eye.
func hex(_ text: String) -> [UInt8] {
    var bytes: [UInt8] = []
    var high: UInt8?
    for character in text {
        guard let digit = character.hexDigitValue.map(UInt8.init) else { continue }
        if let first = high { bytes.append(first << 4 | digit) }
        high = high == nil ? digit : nil
    }
    return bytes
}

func number(_ value: UInt32) -> [UInt8] { withUnsafeBytes(of: value.bigEndian) { Array($0) } }

/// A frame as a peer writes it, or as it was read from what a half sent.
struct Frame: Equatable {
    var type: UInt8
    var flags: UInt8 = 0
    var stream: UInt32
    var payload: [UInt8] = []

    static func data(_ stream: UInt32, _ payload: [UInt8] = [], syn: Bool = false, fin: Bool = false) -> Frame {
        Frame(type: 1, flags: (syn ? 2 : 0) | (fin ? 1 : 0), stream: stream, payload: payload)
    }

    static func data(_ stream: UInt32, _ text: String, syn: Bool = false, fin: Bool = false) -> Frame {
        data(stream, Array(text.utf8), syn: syn, fin: fin)
    }

    static func fin(_ stream: UInt32) -> Frame { data(stream, [UInt8](), fin: true) }
    static func reset(_ stream: UInt32, _ code: UInt32) -> Frame {
        Frame(type: 0, stream: stream, payload: number(code))
    }
    static func credit(_ stream: UInt32, _ count: UInt32) -> Frame {
        Frame(type: 2, stream: stream, payload: number(count))
    }

    var bytes: [UInt8] {
        let length = payload.count
        let head = [UInt8(length >> 16), UInt8(length >> 8 & 0xFF), UInt8(length & 0xFF), type << 4 | flags]
        return head + number(stream) + payload
    }

    static func all(_ bytes: [UInt8]) -> [Frame] {
        var reader = FrameReader()
        var frames: [Frame] = []
        bytes.withUnsafeBytes { buffer in
            var offset = 0
            while true {
                switch reader.next(buffer, &offset) {
                case .blocked: return
                case .header(let header):
                    frames.append(Frame(type: header.type, flags: header.flags.rawValue, stream: header.stream))
                case .payload(let range): frames[frames.count - 1].payload += buffer[range]
                case .end: break
                }
            }
        }
        return frames
    }
}

func + (one: Frame, other: Frame) -> [UInt8] { one.bytes + other.bytes }
func + (bytes: [UInt8], other: Frame) -> [UInt8] { bytes + other.bytes }

extension MuxSession {
    /// All events that the bytes bring, with the payloads.
    mutating func take(_ bytes: [UInt8]) throws(MuxViolation) -> [MuxEvent] {
        var events: [MuxEvent] = []
        let copy = UnsafeMutableRawBufferPointer.allocate(byteCount: bytes.count, alignment: 1)
        defer { copy.deallocate() }
        copy.copyBytes(from: bytes)
        var offset = 0
        while let event = try next(UnsafeRawBufferPointer(copy), &offset) { events.append(event) }
        return events
    }

    mutating func take(_ frame: Frame) throws(MuxViolation) -> [MuxEvent] { try take(frame.bytes) }

    mutating func output() -> [UInt8] {
        let bytes = withOutput { Array($0) }
        dropOutput(bytes.count)
        return bytes
    }

    mutating func frames() -> [Frame] { Frame.all(output()) }

    mutating func send(_ ref: StreamRef, _ bytes: [UInt8]) -> Int { bytes.withUnsafeBytes { send(ref, $0) } }
    mutating func send(_ ref: StreamRef, _ text: String) -> Int { send(ref, Array(text.utf8)) }

    /// A stream of this side whose first byte has left.
    mutating func opened() -> StreamRef {
        let ref = open()!
        _ = send(ref, "x")
        _ = output()
        return ref
    }
}

extension ServerSession {
    mutating func take(_ bytes: [UInt8], now: UInt64 = 0) throws(End) -> [Event] {
        var events: [Event] = []
        let copy = UnsafeMutableRawBufferPointer.allocate(byteCount: bytes.count, alignment: 1)
        defer { copy.deallocate() }
        copy.copyBytes(from: bytes)
        var offset = 0
        while let event = try next(UnsafeRawBufferPointer(copy), &offset, now: now) { events.append(event) }
        return events
    }

    mutating func take(_ frame: Frame, now: UInt64 = 0) throws(End) -> [Event] { try take(frame.bytes, now: now) }

    /// A session whose agent, an official one, has shown its token on stream 5 and beats on stream 3.
    static func ready(now: UInt64 = 0, auth: String = Auth.text, reply: AuthReply = Auth.reply) throws -> ServerSession
    {
        var session = ServerSession(now: now, seed: 7)
        let events = try session.take(
            Frame.data(3, StreamKind.heartbeat.bytes, syn: true) + Frame.data(5, number(0), syn: true)
                + Frame.data(5, auth), now: now)
        guard case .call(let ref, .authenticate)? = events.first else { throw Unexpected() }
        session.accept(ref, reply, heartbeat: 10 * second, now: now)
        _ = session.mux.output()
        _ = try session.take(Frame.fin(5), now: now)
        return session
    }
}

struct Unexpected: Error {}

enum Auth {
    static let text =
        #"{"Version":["3","2"],"ClientId":"","Extra":{"AuthToken":"t","HeartbeatInterval":10000000000,"#
        + #""HeartbeatTolerance":15000000000}}"#
    static let reply = AuthReply(clientID: "c", cookie: "k", region: "r")
}

/// What an event is, in a word, for comparisons.
extension ServerSession.Event {
    var word: String {
        switch self {
        case .stream(.data(let ref, let range)): "data \(ref.id) \(range.count)"
        case .stream(.ended(let ref)): "ended \(ref.id)"
        case .stream(.reset(let ref, let code)): "reset \(ref.id) \(code.rawValue)"
        case .stream(.writable(let ref)): "writable \(ref.id)"
        case .stream: "stream"
        case .call(let ref, let call):
            switch call {
            case .authenticate: "auth \(ref.id)"
            case .bind: "bind \(ref.id)"
            case .unbind: "unbind \(ref.id)"
            case .startLabelled: "labels \(ref.id)"
            case .patch: "patch \(ref.id)"
            case .serverInformation: "information \(ref.id)"
            case .unknown(let kind): "unknown \(ref.id) \(kind)"
            }
        case .confirmed(let ref): "confirmed \(ref.id)"
        case .commandAnswered(let ref, let refusal): "answered \(ref.id) \(refusal?.text ?? "-")"
        }
    }
}

extension AgentSession {
    mutating func take(_ bytes: [UInt8], now: UInt64 = 0) throws(End) -> [Event] {
        var events: [Event] = []
        let copy = UnsafeMutableRawBufferPointer.allocate(byteCount: bytes.count, alignment: 1)
        defer { copy.deallocate() }
        copy.copyBytes(from: bytes)
        var offset = 0
        while let event = try next(UnsafeRawBufferPointer(copy), &offset, now: now) { events.append(event) }
        return events
    }

    mutating func take(_ frame: Frame, now: UInt64 = 0) throws(End) -> [Event] { try take(frame.bytes, now: now) }
}

extension AgentSession.Event {
    var word: String {
        switch self {
        case .accepted(let reply): "accepted \(reply.clientID)"
        case .refused(let refusal): "refused \(refusal.code ?? "") \(refusal.text)"
        case .answered(let ref, .success): "answered \(ref.id)"
        case .answered(let ref, .failure(let refusal)): "failed \(ref.id) \(refusal.text)"
        case .visitor(let ref, let header): "visitor \(ref.id) \(header.tunnelID)"
        case .stream(.data(let ref, let range)): "data \(ref.id) \(range.count)"
        case .stream(.ended(let ref)): "ended \(ref.id)"
        case .stream(.reset(let ref, let code)): "reset \(ref.id) \(code.rawValue)"
        case .stream: "stream"
        case .command(let ref, _): "command \(ref.id)"
        case .draining: "draining"
        }
    }
}
