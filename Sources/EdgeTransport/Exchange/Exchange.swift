import EdgeCore

/// The client's side of an exchange: an HTTP/1 connection or an HTTP/2 stream.
protocol ExchangeClient: AnyObject {
    /// More is queued for the client than should be: send no more until `clientDrained`.
    var isCongested: Bool { get }
    /// An interim answer (1xx), if the client's version knows them.
    func sendInterim(_ head: MessageHead)
    /// The answer's head. `framing` is that of the body that follows; `none` for none at all.
    func sendHead(_ head: MessageHead, framing: BodyFraming)
    func sendBody(_ bytes: UnsafeRawBufferPointer)
    func sendEnd(trailers: MessageHead?)
    /// The answer cannot be completed: make that visible to the client.
    func sendAbort()
    /// Everything sent so far should go out now.
    func flush()
    /// The request's body may go on.
    func resumeRequestBody()
    /// Gives up the bare connection after a 101; `nil` where there is none (HTTP/2).
    func detachForUpgrade() -> (channel: Channel, leftover: [UInt8])?
}

/// What a client's side tells about a request besides its head.
struct RequestFacts {
    var connection: ConnectionFacts
    var regionSlot: Int32
    var edge: CompiledEdge?
    var framing: BodyFraming
    var version: StaticString
    var isSecure: Bool
    var isUpgrade: Bool
    var isHead: Bool
    var peer: PeerIdentity?
}

/// One request and its answer: the server side of it. Who makes the answer is a subclass's business.
class Exchange {
    let loop: EventLoop
    let view = ExchangeView()
    /// `nil` once the exchange is over for the client.
    var client: (any ExchangeClient)?

    init(loop: EventLoop) { self.loop = loop }

    /// The head is complete and lies in `view.request`.
    func begin(_ facts: RequestFacts) {}
    func receiveBody(_ bytes: UnsafeRawBufferPointer) {}
    func receiveEnd(trailers: MessageHead?) {}
    /// What has been received should go on now: the client's side has no more at hand.
    func flushRequest() {}
    /// Whether more of the request's body is welcome; `resumeRequestBody` follows when it is again.
    var wantsBody: Bool { true }
    func clientDrained() {}
    /// The client went away, or broke off the request.
    func clientGone() {}
    /// The client's side is through with the exchange and drops it.
    func finished() {}
}

extension ExchangeClient {
    /// Answers with an error of the edge's own making.
    func send(_ error: EdgeError, using head: MessageHead, requestWasHead: Bool) {
        head.reset()
        head.status = error.status
        var body = "\(error.status) \(error.title)\n"
        if let code = error.code { body += "\(code)\n" }
        head.append(.contentType, "text/plain; charset=utf-8")
        if let code = error.code { head.append(.edgeErrorCode, code) }
        head.append(.cacheControl, "no-store")
        body.withUTF8 { text in
            sendHead(head, framing: .length(UInt64(text.count)))
            if !requestWasHead { sendBody(UnsafeRawBufferPointer(text)) }
        }
        sendEnd(trailers: nil)
    }

    /// Answers with `head` and a body that is known whole.
    func send(_ body: [UInt8], using head: MessageHead, requestWasHead: Bool) {
        let bodiless = head.status == 204 || head.status == 304 || head.status < 200
        sendHead(head, framing: bodiless ? .none : .length(UInt64(body.count)))
        if !requestWasHead, !bodiless { body.withUnsafeBytes { sendBody($0) } }
        sendEnd(trailers: nil)
    }
}
