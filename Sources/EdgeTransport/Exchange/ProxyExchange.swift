import EdgeCore
import Shared

/// An exchange that modules act on and an upstream answers.
///
///     client ── begin, receiveBody, receiveEnd ──▶ modules ─▶ backend ─▶ pool or dialer ─▶ upstream connection
///     client ◀─ sendHead, sendBody, sendEnd ────── modules ◀──────────── upstreamHead, upstreamBody, upstreamEnd
///
/// Confined to its loop, and used again for later requests: `begin` to `finished` is one life.
final class ProxyExchange: Exchange, DialWaiter {
    private enum State { case idle, choosing, waiting, answering, done }

    private let service: LoopService
    private var state = State.idle
    private var facts: RequestFacts?
    private var edge: CompiledEdge?
    private var route: CompiledRoute?
    private var walk = BackendWalk()
    private var dialer: Dialer?
    private var upstream: UpstreamConnection?
    /// Where the connection was dialled to; `nil` for a tunnel.
    private var target: Target?
    private var relay: Relay?

    /// What goes upstream next: the head, and body bytes that came while the upstream was not there yet.
    private var pending: [UInt8] = []
    /// How much of it went out already, and is kept because it may have to go out once more.
    private var sent = 0
    private var keepsSent = false
    /// How often the request was sent anew because a tunnel was lost.
    private var retries = 0
    private var requestFraming = BodyFraming.none
    private var requestReceived = false
    private var mayRetry = false
    private var transform: (any BodyTransform)?
    private var transformed: [UInt8] = []
    private var answerHasBody = false
    /// Where requests are sent that their edge does not want without TLS; `nil` on listeners that serve all.
    var redirectPort: UInt16?
    private var outcomeTold = false
    private var tally = ExchangeTally()

    override init(loop: EventLoop) {
        service = loop.service
        super.init(loop: loop)
    }

    var requestWasHead: Bool { facts?.isHead ?? false }
    var requestIsUpgrade: Bool { facts?.isUpgrade ?? false }
    var clientIsCongested: Bool { client?.isCongested ?? false }

    // MARK: Request

    override func begin(_ facts: RequestFacts) {
        self.facts = facts
        state = .choosing
        requestFraming = facts.framing
        requestReceived = false
        outcomeTold = false
        retries = 0
        answerHasBody = false
        view.connection = facts.connection
        view.isSecure = facts.isSecure
        view.version = facts.version
        view.start = loop.now
        view.now = loop.now
        tally.begin(service, regionSlot: facts.regionSlot, bytesIn: UInt64(view.request.bytes.count))
        // What is only sent elsewhere is asked nothing.
        if let redirectPort, isRedirected(to: redirectPort) { return }
        // Before the name is looked at: who may not come in learns nothing of what there is.
        if let entry = service.snapshot.entry, !entry.admits(facts.connection.clientAddress) {
            return reject(.entryRestricted)
        }
        guard let edge = findEdge(facts) else { return }
        self.edge = edge
        tally.add(edge.slot, service)
        let path = view.request.path
        // A closure and not the function itself, which would be boxed with its table for each request.
        guard let route = view.request.withBytes(path, { edge.routes.lookup($0) }) else {
            // What guards a whole edge also guards the paths that it does not have.
            if case .reject(let error) = edge.chain.onRequest(view) { return reject(error) }
            return reject(.endpointNotFound)
        }
        self.route = route
        tally.add(route.slot, service)
        setForwardedFields(facts)
        switch route.chain.onRequest(view) {
        case .proceed: break
        case .reject(let error): return reject(error)
        case .respond(let response): return respond(response)
        }
        proceed(walk.first(service.snapshot.backends[route.backend], &service.balance))
    }

    /// The edge by the request's own host; a TLS connection made for another edge's name may not reach it.
    private func findEdge(_ facts: RequestFacts) -> CompiledEdge? {
        let host = view.request.host
        let hosts = service.snapshot.hosts
        guard let edge = view.request.withBytes(host, { hosts.lookup($0) }), edge.kind == .https else {
            reject(.endpointNotFound)
            return nil
        }
        if facts.isSecure, !view.request.isExactly(host, facts.connection.serverName) {
            let named = service.snapshot.hosts.lookup(facts.connection.serverName)
            guard named === edge else {
                reject(.misdirected)
                return nil
            }
        }
        return edge
    }

    /// What clients claim about earlier hops is not believed: these fields are the edge's own.
    private func setForwardedFields(_ facts: RequestFacts) {
        let head = view.request
        head.remove(.forwardedFor)
        head.remove(.forwardedProto)
        head.remove(.forwardedHost)
        head.append(.forwardedFor, facts.connection.clientText)
        head.append(.forwardedProto, facts.isSecure ? "https" : "http")
        head.append(.forwardedHost, copyOf: head.host)
    }

    private func proceed(_ step: BackendWalk.Step) {
        switch step {
        case .dial(let target): reach(target)
        case .enter(let tunnel): enter(tunnel)
        case .respond(let response):
            tally.add(walk.path, service)
            respond(response)
        case .none(let error): reject(error)
        }
    }

    /// Writes the head to forward, and takes a connection from the pool or dials one.
    private func reach(_ target: Target) {
        view.backendID = target.backendID.rawValue
        self.target = target
        writeHead()
        keepsSent = mayRetry
        if let connection = service.pool(target).take() {
            attach(connection)
        } else {
            dial(target)
        }
    }

    private func writeHead() {
        guard pending.isEmpty else { return }
        HTTP1Writer.requestHead(view.request, framing: requestFraming, isUpgrade: requestIsUpgrade, into: &pending)
        mayRetry = requestFraming == .none && view.request.isIdempotent
    }

    /// Takes an idle stream of the tunnel, or opens one. What is sent is kept for a while: only then does the agent say
    /// whether it reaches its upstream at all.
    private func enter(_ target: TunnelTarget) {
        guard let tunnel = target as? CarriedTunnel, let facts else { return dialFailed(.noTunnel) }
        view.backendID = tunnel.id
        self.target = nil
        writeHead()
        keepsSent = true
        let pool = tunnel.pool(on: loop)
        if let connection = pool.take() { return attach(connection) }
        let visitor = Visitor(facts: facts.connection, kind: .https, isPassthrough: false, isSecure: facts.isSecure)
        guard let channel = tunnel.connect(visitor, on: loop) else { return dialFailed(.noTunnel) }
        attach(UpstreamConnection(channel: channel, pool: pool))
    }

    private func dial(_ target: Target) {
        let dialer = Dialer(loop: loop, place: DialPlace(target, service), waiter: self)
        self.dialer = dialer
        dialer.start()
    }

    func dialed(_ channel: Channel) {
        dialer = nil
        guard let target else { return channel.closeNow() }
        attach(UpstreamConnection(channel: channel, pool: service.pool(target)))
        flushRequest()
        client?.resumeRequestBody()
    }

    func dialFailed(_ error: EdgeError) {
        dialer = nil
        guard let step = walk.next(&service.balance) else {
            reject(walk.triedSeveral ? .allBackendsFailed : error)
            client?.flush()
            return
        }
        proceed(step)
        // The request was received while the first leg was dialled; a pooled connection has not been sent it yet.
        flushRequest()
        client?.resumeRequestBody()
        client?.flush()
    }

    private func attach(_ connection: UpstreamConnection) {
        tally.add(walk.path, service)
        upstream = connection
        state = .waiting
        connection.begin(self)
    }

    override func receiveBody(_ bytes: UnsafeRawBufferPointer) {
        tally.bytesIn &+= UInt64(bytes.count)
        tally.spill(service)
        guard state == .choosing || state == .waiting || state == .answering else { return }
        if requestFraming == .chunked {
            HTTP1Writer.chunkHeader(bytes.count, into: &pending)
            pending.append(contentsOf: bytes)
            HTTP1Writer.chunkEnd(into: &pending)
        } else if pending.isEmpty, let upstream {
            return upstream.write(bytes)
        } else {
            pending.append(contentsOf: bytes)
        }
        if pending.count - sent >= 32 << 10 { flushRequest() }
    }

    override func receiveEnd(trailers: MessageHead?) {
        requestReceived = true
        if requestFraming == .chunked { HTTP1Writer.lastChunk(trailers: trailers, into: &pending) }
        flushRequest()
    }

    override func flushRequest() {
        guard let upstream else { return }
        if pending.count > sent {
            pending.withUnsafeBytes { upstream.write(UnsafeRawBufferPointer(rebasing: $0[sent...])) }
            sent = pending.count
            // Kept while the exchange may have to be tried again on a fresh connection, but no more than a little.
            if sent > Self.maximumKept { keepsSent = false }
            if !keepsSent { dropSent() }
        }
        if requestReceived { upstream.requestEnded() }
    }

    /// Bytes of a request that are kept after they were sent.
    private static let maximumKept = 64 << 10

    private func dropSent() {
        pending.removeAll(keepingCapacity: true)
        sent = 0
        keepsSent = false
    }

    override var wantsBody: Bool {
        guard let upstream else { return state == .choosing ? pending.count < service.settings.queueHighWater : true }
        return !upstream.isCongested
    }

    func upstreamDrained() { client?.resumeRequestBody() }

    // MARK: Answer

    /// A 1xx, in `view.response`.
    func upstreamInterim() { client?.sendInterim(view.response) }

    func upstreamHead(_ framing: BodyFraming) {
        guard let client else { return }
        dropSent()
        state = .answering
        view.now = loop.now
        tell(.answered(status: view.response.status))
        transform = route?.chain.onResponse(view)
        tally.status = view.response.status
        tally.bytesOut &+= UInt64(view.response.bytes.count)
        answerHasBody = framing != .none
        client.sendHead(view.response, framing: transform != nil && answerHasBody ? .chunked : framing)
    }

    func upstreamBody(_ bytes: UnsafeRawBufferPointer) {
        guard let client else { return }
        guard let transform else {
            tally.bytesOut &+= UInt64(bytes.count)
            tally.spill(service)
            return client.sendBody(bytes)
        }
        transformed.removeAll(keepingCapacity: true)
        transform.transform(bytes, into: &transformed)
        sendTransformed(client)
    }

    private func sendTransformed(_ client: any ExchangeClient) {
        tally.bytesOut &+= UInt64(transformed.count)
        tally.spill(service)
        if !transformed.isEmpty { transformed.withUnsafeBytes { client.sendBody($0) } }
    }

    func upstreamEnd(_ trailers: MessageHead?) {
        if let client {
            if let transform, answerHasBody {
                transformed.removeAll(keepingCapacity: true)
                transform.finish(into: &transformed)
                sendTransformed(client)
            }
            state = .done
            releaseUpstream()
            client.sendEnd(trailers: trailers)
            client.flush()
        } else {
            releaseUpstream()
        }
    }

    private func releaseUpstream() {
        let upstream = self.upstream
        self.upstream = nil
        upstream?.release()
    }

    /// The upstream connection is closed already.
    func upstreamFailed(_ error: EdgeError) {
        let failed = upstream
        upstream = nil
        guard let client, state != .done else { return }
        if state == .answering {
            tell(.failed(error))
            tally.isAborted = true
            return client.sendAbort()
        }
        // A connection kept from an earlier exchange may have been closed by its peer in the meantime. If nothing
        // was answered and the request can be repeated without harm, a fresh one is tried (RFC 9110, 9.2.2).
        if let failed, !failed.answerBegun, error != .upstreamTimeout, tryAgain(failed) { return }
        reject(failed?.channel.dialFailure ?? error)
    }

    /// - Returns: whether there is another way for the request.
    private func tryAgain(_ failed: UpstreamConnection) -> Bool {
        if let error = failed.channel.dialFailure {
            guard keepsSent else { return false }
            return sendAnew { dialFailed(error) }
        }
        guard mayRetry else { return false }
        if let target {
            guard failed.isReused else { return false }
            return sendAnew { dial(target) }
        }
        // The agent is gone, or its upstream ended the idle connection: another tunnel may serve.
        guard failed.channel.isLost || failed.isReused, retries < 3, let route else { return false }
        retries += 1
        return sendAnew {
            walk.reset()
            proceed(walk.first(service.snapshot.backends[route.backend], &service.balance))
            flushRequest()
            client?.flush()
        }
    }

    private func sendAnew(_ way: () -> Void) -> Bool {
        sent = 0
        state = .choosing
        way()
        return true
    }

    func flushClient() { client?.flush() }

    override func clientDrained() { upstream?.resumeReading() }

    /// Answers with an error of the edge itself.
    private func reject(_ error: EdgeError) {
        guard let client else { return }
        state = .done
        tell(.failed(error))
        tally.status = error.status
        releaseUnanswered()
        client.send(error, using: view.response, requestWasHead: requestWasHead)
    }

    private func respond(_ response: FixedResponse) {
        guard let client else { return }
        state = .done
        let head = view.response
        head.reset()
        head.status = response.status
        for field in response.fields { head.append(field.name, field.value) }
        tell(.answered(status: response.status))
        var body = response.body
        if let transform = route?.chain.onResponse(view) {
            var changed: [UInt8] = []
            body.withUnsafeBytes { transform.transform($0, into: &changed) }
            transform.finish(into: &changed)
            body = changed
        }
        tally.status = response.status
        tally.bytesOut &+= UInt64(body.count)
        client.send(body, using: head, requestWasHead: requestWasHead)
    }

    /// Sends the client to the same place over HTTPS, unless the edge is there to be served without.
    private func isRedirected(to port: UInt16) -> Bool {
        let hosts = service.snapshot.hosts
        guard let edge = view.request.withBytes(view.request.host, { hosts.lookup($0) }), edge.kind == .https else {
            reject(.endpointNotFound)
            return true
        }
        guard !edge.servesCleartext, let client else { return false }
        state = .done
        view.redirect(to: port)
        tally.status = view.response.status
        client.send([], using: view.response, requestWasHead: requestWasHead)
        return true
    }

    private func tell(_ outcome: Outcome) {
        guard !outcomeTold else { return }
        outcomeTold = true
        view.now = loop.now
        route?.chain.onOutcome(view, outcome)
    }

    private func releaseUnanswered() {
        dialer?.cancel()
        dialer = nil
        let upstream = self.upstream
        self.upstream = nil
        upstream?.close()
    }

    // MARK: Upgrade

    /// The upstream has agreed to another protocol: from here on bytes pass both ways untouched.
    func upstreamUpgraded(leftover: [UInt8]) {
        guard let client, let upstream else { return }
        view.now = loop.now
        tell(.answered(status: 101))
        _ = route?.chain.onResponse(view)
        tally.status = 101
        state = .done
        client.sendHead(view.response, framing: .none)
        client.flush()
        guard let (channel, early) = client.detachForUpgrade() else {
            releaseUnanswered()
            return client.sendAbort()
        }
        self.upstream = nil
        let relay = Relay(
            service: service, client: channel, upstream: upstream.detach(), fromClient: early, fromUpstream: leftover)
        self.client = nil
        self.relay = relay
        relay.start { [self] fromClient, fromUpstream in
            tally.bytesIn &+= fromClient
            tally.bytesOut &+= fromUpstream
            tally.spill(service)
        } onEnd: { [self] _ in
            self.relay = nil
            finished()
        }
    }

    // MARK: End

    override func clientGone() {
        guard state != .idle else { return }
        if state != .done {
            tell(.abandoned)
            tally.isAborted = true
        }
        releaseUnanswered()
        finished()
    }

    override func finished() {
        guard state != .idle else { return }
        state = .idle
        // An upstream that answered before it had the whole request still holds a connection.
        releaseUnanswered()
        view.now = loop.now
        // How long an upgraded connection lived says nothing about speed.
        tally.end(service, microseconds: tally.status == 101 ? nil : loop.now.microseconds(since: view.start))
        client = nil
        facts = nil
        edge = nil
        route = nil
        transform = nil
        target = nil
        sent = 0
        pending.removeAll(keepingCapacity: pending.capacity <= 64 << 10)
        walk.reset()
        view.reset()
        service.recycle(self)
    }
}
