import EdgeCore

@testable import EdgeTransport

/// What a scan of a request came to, with its parts as text, for comparison.
struct ReadRequest: Equatable, CustomStringConvertible {
    var outcome: String
    var request = ScannedRequest()
    var method = ""
    var target = ""
    var host = ""
    var fields: [String] = []

    var description: String { "\(outcome) \(method) \(target) \(host) \(fields) \(request)" }
}

struct ReadResponse: Equatable {
    var outcome: String
    var response = ScannedResponse()
    var status = 0
    var fields: [String] = []
}

func lines(_ head: MessageHead) -> [String] {
    head.fields.map { head.text($0.name) + ": " + head.text($0.value) }
}

func scanRequest(_ bytes: [UInt8], limits: HeadLimits = HeadLimits(), scanned: Int = 0) -> ReadRequest {
    let head = MessageHead()
    return scanRequest(bytes, limits: limits, scanned: scanned, into: head)
}

func scanRequest(
    _ bytes: [UInt8], limits: HeadLimits = HeadLimits(), scanned: Int = 0, into head: MessageHead
) -> ReadRequest {
    switch bytes.withUnsafeBufferPointer({
        HTTP1Scanner.request($0, limits: limits, scanned: scanned, into: head)
    }) {
    case .incomplete: return ReadRequest(outcome: "incomplete")
    case .invalid(let error): return ReadRequest(outcome: "\(error.status)")
    case .complete(let request):
        return ReadRequest(
            outcome: "complete", request: request, method: head.text(head.method), target: head.text(head.target),
            host: head.text(head.host), fields: lines(head))
    }
}

func scanRequest(_ text: String, limits: HeadLimits = HeadLimits()) -> ReadRequest {
    scanRequest(Array(text.utf8), limits: limits)
}

/// What a second look at a head must come to when the first, at its first `cut` bytes, said it is incomplete: the
/// whole's meaning if a line has ended since, and no new opinion otherwise.
func expected<Read>(_ whole: Read, of bytes: [UInt8], cut: Int, incomplete: Read) -> Read {
    cut == 0 || bytes[cut...].contains(UInt8(ascii: "\n")) ? whole : incomplete
}

func scanResponse(
    _ bytes: [UInt8], requestWasHead: Bool = false, limits: HeadLimits = HeadLimits(), scanned: Int = 0
) -> ReadResponse {
    let head = MessageHead()
    switch bytes.withUnsafeBufferPointer({
        HTTP1Scanner.response($0, requestWasHead: requestWasHead, limits: limits, scanned: scanned, into: head)
    }) {
    case .incomplete: return ReadResponse(outcome: "incomplete")
    case .invalid(let error): return ReadResponse(outcome: "\(error.status)")
    case .complete(let response):
        return ReadResponse(outcome: "complete", response: response, status: head.status, fields: lines(head))
    }
}

func scanResponse(_ text: String, requestWasHead: Bool = false) -> ReadResponse {
    scanResponse(Array(text.utf8), requestWasHead: requestWasHead)
}

/// A whole body, decoded from pieces as they would arrive one after the other.
struct ReadBody: Equatable {
    var outcome: String
    var body: [UInt8] = []
    /// How many bytes of all pieces belong to the body's message.
    var used = 0
    var trailers: [String] = []
}

func decode(_ framing: BodyFraming, pieces: [[UInt8]], closes: Bool = false) -> ReadBody {
    var decoder = BodyDecoder(framing)
    var read = ReadBody(outcome: "more")
    for piece in pieces {
        var offset = 0
        var isOver = false
        while !isOver {
            switch piece.withUnsafeBufferPointer({ decoder.next($0, from: &offset) }) {
            case .data(let range): read.body += piece[range]
            case .needMore: isOver = true
            case .end:
                read.outcome = "end"
                isOver = true
            case .invalid(let error):
                return ReadBody(outcome: "\(error.status)")
            }
        }
        read.used += offset
        if read.outcome == "end" { break }
    }
    if closes {
        switch decoder.endOfInput() {
        case .end: read.outcome = "end"
        case .invalid(let error): return ReadBody(outcome: "\(error.status)")
        case .data, .needMore: read.outcome = "impossible"
        }
    }
    read.trailers = decoder.trailers.map(lines) ?? []
    return read
}

func decode(_ framing: BodyFraming, _ text: String, closes: Bool = false) -> ReadBody {
    decode(framing, pieces: [Array(text.utf8)], closes: closes)
}

/// A small generator of chance with a seed, so that a failure can be repeated (xorshift64*).
struct SeededChance: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { state = seed | 1 }

    mutating func next() -> UInt64 {
        state ^= state >> 12
        state ^= state << 25
        state ^= state >> 27
        return state &* 0x2545_F491_4F6C_DD1D
    }
}
