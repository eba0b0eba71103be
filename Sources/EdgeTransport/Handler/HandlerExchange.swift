import EdgeCore

/// An exchange that a program answers: the admin API. The handler runs on Swift concurrency, never on the loop; the
/// two talk by messages.
final class HandlerExchange: Exchange {
    private let handler: RequestHandler
    private var facts: RequestFacts?
    private var body: [UInt8] = []
    private var isRefused = false
    private var task: Task<Void, Never>?
    /// The handler's stream waits here while the client is slow.
    private var waiting: CheckedContinuation<Bool, Never>?
    /// How much of the loop's store for bodies of strangers this exchange holds.
    private var held = 0
    private lazy var bodyLimit: Int = {
        let settings = loop.service.settings
        guard let large = settings.largeHandlerBodies[view.request.text(view.request.path)] else {
            return settings.maxHandlerBody
        }
        let most = facts?.peer == nil ? loop.service.maximumHandlerBodyBytes / 2 : large
        return max(settings.maxHandlerBody, min(large, most))
    }()

    init(loop: EventLoop, handler: @escaping RequestHandler) {
        self.handler = handler
        super.init(loop: loop)
    }

    override func begin(_ facts: RequestFacts) {
        self.facts = facts
        if let expect = view.request.value(.expect), view.request.hasToken(expect, "100-continue") {
            view.response.reset()
            view.response.status = 100
            client?.sendInterim(view.response)
        }
    }

    override func receiveBody(_ bytes: UnsafeRawBufferPointer) {
        guard !isRefused else { return }
        guard body.count + bytes.count <= bodyLimit else { return refuse(.bodyTooLarge) }
        // The kernel vouches for who is at a Unix socket. Of all others nobody knows yet who they are.
        if facts?.peer == nil {
            let isRoom = loop.service.handlerBodyBytes + bytes.count <= loop.service.maximumHandlerBodyBytes
            guard isRoom else { return refuse(.tooBusy) }
            held += bytes.count
            loop.service.handlerBodyBytes += bytes.count
        }
        body.append(contentsOf: bytes)
    }

    private func refuse(_ error: EdgeError) {
        isRefused = true
        body = []
        release()
        client?.send(error, using: view.response, requestWasHead: false)
    }

    private func release() {
        loop.service.handlerBodyBytes -= held
        held = 0
    }

    override func receiveEnd(trailers: MessageHead?) {
        guard !isRefused, let facts else { return }
        let head = view.request
        let path = head.path
        let query =
            head.target.count > path.count
            ? head.text(.init(start: path.range.upperBound + 1, count: Int(head.target.count - path.count) - 1)) : ""
        let request = HandlerRequest(
            method: head.text(head.method), path: head.text(path), query: query,
            fields: head.fields.map { (head.text($0.name).lowercased(), head.text($0.value)) },
            body: body, peer: facts.peer, client: facts.peer == nil ? facts.connection.clientAddress : nil,
            isSecure: facts.isSecure)
        body = []
        release()
        let reply = HandlerReply(self)
        let handler = self.handler
        task = Task { await reply.deliver(handler(request)) }
    }

    override func clientGone() {
        task?.cancel()
        finished()
    }

    override func finished() {
        client = nil
        release()
        waiting?.resume(returning: false)
        waiting = nil
    }

    override func clientDrained() {
        waiting?.resume(returning: true)
        waiting = nil
    }

    // MARK: From the handler, on the loop

    fileprivate func answer(status: Int, fields: [(name: String, value: String)], body: [UInt8]?) {
        guard let client else { return }
        let head = view.response
        head.reset()
        head.status = status
        for field in fields { head.append(field.name, field.value) }
        if let body {
            client.send(body, using: head, requestWasHead: facts?.isHead ?? false)
        } else {
            client.sendHead(head, framing: .chunked)
            client.flush()
        }
    }

    fileprivate func stream(_ bytes: [UInt8], _ next: CheckedContinuation<Bool, Never>) {
        guard let client else { return next.resume(returning: false) }
        bytes.withUnsafeBytes { client.sendBody($0) }
        client.flush()
        if client.isCongested { waiting = next } else { next.resume(returning: true) }
    }

    fileprivate func streamEnded() {
        client?.sendEnd(trailers: nil)
    }
}

extension EdgeError {
    static let bodyTooLarge = EdgeError(
        status: 413, code: "ERR_NGROK_3014", title: "The request's body is too large")
    static let tooBusy = EdgeError(
        status: 503, code: "ERR_NGROK_3010", title: "Too many requests are being received at once")
}

/// A handler's way back to its exchange.
///
/// `@unchecked Sendable`: the exchange is only touched on its loop.
private final class HandlerReply: @unchecked Sendable {
    private let exchange: HandlerExchange
    private let loop: EventLoop

    init(_ exchange: HandlerExchange) {
        self.exchange = exchange
        loop = exchange.loop
    }

    func deliver(_ response: HandlerResponse) async {
        switch response.body {
        case .bytes(let bytes):
            loop.post { [self] _ in exchange.answer(status: response.status, fields: response.fields, body: bytes) }
        case .stream(let stream):
            loop.post { [self] _ in exchange.answer(status: response.status, fields: response.fields, body: nil) }
            for await bytes in stream {
                guard response.mayContinue(), await send(bytes) else { break }
            }
            loop.post { [self] _ in exchange.streamEnded() }
        }
    }

    private func send(_ bytes: [UInt8]) async -> Bool {
        await withCheckedContinuation { next in
            loop.post { [self] _ in exchange.stream(bytes, next) }
        }
    }
}
