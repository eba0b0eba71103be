import EdgeCore

/// Finds a body's bytes and its end in what arrives (RFC 9112, 6 and 7.1). Holds no bytes but those of trailers, and
/// answers alike wherever the bytes are cut.
struct BodyDecoder {
    enum Step: Equatable, Sendable {
        /// Bytes of the body: a range of the buffer given. Call again.
        case data(Range<Int>)
        /// Everything in the buffer is used up.
        case needMore
        /// The body is over; `offset` is at the first byte that belongs to the next message.
        case end
        case invalid(EdgeError)
    }

    /// What came after the last chunk, when anything allowed did.
    var trailers: MessageHead? { chunks?.trailers }
    /// Bytes of the body still to come; `nil` when that is not known.
    private(set) var remaining: UInt64?
    /// Whether `end` was reached.
    private(set) var isAtEnd: Bool

    private let framing: BodyFraming
    private let failure: EdgeError
    private var chunks: ChunkReader?
    private var hasFailed = false

    /// - Parameter failure: how a malformed or cut body is answered: `badRequest` for a request,
    ///   `invalidUpstreamAnswer` for an answer.
    init(_ framing: BodyFraming, limits: HeadLimits = HeadLimits(), failure: EdgeError = .badRequest) {
        self.framing = framing
        self.failure = failure
        isAtEnd = false
        switch framing {
        case .none:
            remaining = 0
            isAtEnd = true
        case .length(let length):
            remaining = length
            isAtEnd = length == 0
        case .chunked: chunks = ChunkReader(maxFields: limits.maxFields)
        case .untilClose: break
        }
    }

    /// The next piece from `offset` on, which moves past what is used up.
    ///
    /// After `end`, it answers `end`; after `invalid`, `invalid`. An `offset` beyond the buffer counts as its end.
    mutating func next(_ bytes: UnsafeBufferPointer<UInt8>, from offset: inout Int) -> Step {
        if hasFailed { return .invalid(failure) }
        if isAtEnd { return .end }
        guard let base = bytes.baseAddress, offset >= 0, offset < bytes.count else { return .needMore }
        switch framing {
        case .none: return .end
        case .untilClose:
            defer { offset = bytes.count }
            return .data(offset..<bytes.count)
        case .length:
            let left = remaining ?? 0
            let available = bytes.count - offset
            let count = left < UInt64(available) ? Int(left) : available
            let start = offset
            offset += count
            remaining = left - UInt64(count)
            isAtEnd = remaining == 0
            return .data(start..<offset)
        case .chunked: return nextOfChunks(base, count: bytes.count, from: &offset)
        }
    }

    private mutating func nextOfChunks(_ base: UnsafePointer<UInt8>, count: Int, from offset: inout Int) -> Step {
        switch chunks?.next(base, end: count, index: &offset) {
        case .data(let range): return .data(range)
        case .needMore: return .needMore
        case .end:
            isAtEnd = true
            remaining = 0
            return .end
        case .malformed, nil:
            hasFailed = true
            return .invalid(failure)
        }
    }

    /// The connection ended: that is the end of a body framed so, and a fault within any other.
    mutating func endOfInput() -> Step {
        if hasFailed { return .invalid(failure) }
        if framing == .untilClose { isAtEnd = true }
        if isAtEnd { return .end }
        hasFailed = true
        return .invalid(failure)
    }
}
