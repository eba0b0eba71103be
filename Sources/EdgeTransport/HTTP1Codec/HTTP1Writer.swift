import EdgeCore

enum HTTP1Writer {
    /// Appends a request head for an upstream: HTTP/1.1, `host` first, the framing field for `framing`, no
    /// hop-by-hop field but our own. `isUpgrade` sends `connection: upgrade` and the head's `upgrade` field on.
    static func requestHead(
        _ head: MessageHead, framing: BodyFraming, isUpgrade: Bool = false, keepAlive: Bool = true,
        into output: inout [UInt8]
    ) {
        fatalError("to come")
    }

    /// Appends an answer's head for a client (interim answers too: framing `none`).
    ///
    /// `framing` is that of the bytes the caller will write: pass `upstreamFraming.towardsClient(isHTTP10:)`.
    /// With `none`, `content-length` passes through on an answer to HEAD and on 304, and is 0 where one is due.
    static func responseHead(
        _ head: MessageHead, framing: BodyFraming, isHTTP10: Bool = false, keepAlive: Bool = true,
        isUpgrade: Bool = false, requestWasHead: Bool = false, into output: inout [UInt8]
    ) {
        fatalError("to come")
    }

    static func statusLine(_ status: Int, into output: inout [UInt8]) { fatalError("to come") }
    /// `name: value`, CRLF.
    static func field(_ name: StaticString, _ value: String, into output: inout [UInt8]) { fatalError("to come") }
    /// The line before a chunk of `count` bytes (more than 0). After the chunk comes `chunkEnd`.
    static func chunkHeader(_ count: Int, into output: inout [UInt8]) { fatalError("to come") }
    /// CRLF.
    static func chunkEnd(into output: inout [UInt8]) { fatalError("to come") }
    /// The last chunk, trailers if any, and the empty line.
    static func lastChunk(trailers: MessageHead? = nil, into output: inout [UInt8]) { fatalError("to come") }
    static func appendDecimal(_ value: UInt64, into output: inout [UInt8]) { fatalError("to come") }
    static func appendHex(_ value: UInt64, into output: inout [UInt8]) { fatalError("to come") }
    /// The standard reason phrase; empty for a status without one.
    static func reason(_ status: Int) -> StaticString { fatalError("to come") }
    /// `HTTP/1.1 100 Continue` with its empty line.
    static let continueAnswer: StaticString = "HTTP/1.1 100 Continue\r\n\r\n"
}
