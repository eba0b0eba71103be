import EdgeCore

/// Finds a body's bytes and its end in what arrives.
struct BodyDecoder {
    enum Step: Equatable, Sendable {
        /// Bytes of the body: a range of the buffer given. Call again.
        case data(Range<Int>)
        /// Everything up to `offset` is used up.
        case needMore
        /// The body is over; `offset` is at the first byte that belongs to the next message.
        case end
        case invalid(EdgeError)
    }

    /// What came after the last chunk, when anything allowed did.
    var trailers: MessageHead? { nil }
    /// Bytes of the body still to come; `nil` when that is not known.
    var remaining: UInt64? { nil }
    /// Whether `end` was reached.
    var isAtEnd: Bool { false }

    /// - Parameter failure: how a malformed or cut body is answered: `badRequest` for a request,
    ///   `invalidUpstreamAnswer` for an answer.
    init(_ framing: BodyFraming, limits: HeadLimits = HeadLimits(), failure: EdgeError = .badRequest) {
        fatalError("to come")
    }

    mutating func next(_ bytes: UnsafeBufferPointer<UInt8>, from offset: inout Int) -> Step { fatalError("to come") }

    /// The connection ended.
    mutating func endOfInput() -> Step { fatalError("to come") }
}
