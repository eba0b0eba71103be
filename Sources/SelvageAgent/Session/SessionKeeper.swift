import EdgeCore
import EdgeTransport
import EdgeTunnel
import Shared
import Synchronization

/// Holds one session: connects, tells what happens, and connects again.
struct SessionKeeper {
    private enum Outcome {
        case ended(reason: String)
        case refused(Refusal)
        /// The server sends nothing new here; the connection goes on by itself until its visitors are gone.
        case draining
        case restart
        case stop
    }

    private let number: Int
    private let plan: SessionPlan
    private let loop: AgentLoop
    private let runner: TunnelRunner
    private let events: @Sendable (AgentEvent) -> Void
    private var backoff = Backoff()
    private var session = ""
    private var cookie = ""
    private var tunnels: [AgentTunnel]

    init(
        _ number: Int, _ plan: SessionPlan, _ loop: AgentLoop, runner: TunnelRunner,
        _ events: @escaping @Sendable (AgentEvent) -> Void
    ) {
        self.number = number
        self.plan = plan
        self.loop = loop
        self.runner = runner
        self.events = events
        tunnels = plan.tunnels
    }

    /// - Returns: why there is no use in going on; `nil` when it was stopped.
    mutating func hold() async -> AgentFailure? {
        while !runner.isStopping {
            let started = ContinuousClock.now
            switch await connect() {
            case .refused(let refusal):
                events(.refused(session: number, code: refusal.code ?? "", text: refusal.text))
                if AgentRefusal.isFinal(code: refusal.code ?? "") {
                    return .refused(code: refusal.code ?? "", text: refusal.text)
                }
                // Neither is good any more, if it was that.
                (session, cookie) = ("", "")
            case .ended(let reason): events(.disconnected(session: number, reason: reason))
            case .draining, .restart: break
            case .stop:
                runner.stop(drain: .seconds(30))
                return nil
            }
            backoff.sessionEnded(after: Double((ContinuousClock.now - started).nanoseconds) / 1e9)
            guard !runner.isStopping else { break }
            let wait = backoff.next(chance: Double.random(in: 0..<1))
            if wait > 0 { events(.retrying(session: number, seconds: wait)) }
            await runner.pause(seconds: wait)
        }
        return nil
    }

    private mutating func connect() async -> Outcome {
        events(.connecting(session: number, server: plan.settings.server.description))
        let (stream, inbox) = AsyncStream.makeStream(of: AgentLinkEvent.self)
        let server = plan.settings.server
        let handle: AgentLinkHandle
        let watcher = LinkWatcher(number, plan.specs.map(\.name), events) { inbox.yield($0) }
        do {
            handle = try loop.connect(
                AgentLinkSettings(
                    host: server.host, port: server.port, trust: plan.trust,
                    auth: plan.auth(session: session, cookie: cookie), tunnels: tunnels)
            ) { watcher.take($0) }
        } catch {
            return .ended(reason: "\(error)")
        }
        if !runner.add(handle) { handle.close() }
        watcher.onEnd { [runner] in runner.remove(handle) }
        for await event in stream {
            if let outcome = take(event, handle) { return outcome }
        }
        return .ended(reason: "closed")
    }

    /// - Returns: how this connection turned out, when that is known.
    private mutating func take(_ event: AgentLinkEvent, _ handle: AgentLinkHandle) -> Outcome? {
        switch event {
        case .accepted(let reply):
            session = reply.clientID
            cookie = reply.cookie
            events(.connected(session: number, id: reply.clientID, region: reply.region, rtt: nil))
        case .refused(let refusal): return .refused(refusal)
        case .bound(let index, let id, let reply): bound(index, id, reply)
        case .bindFailed(let index, let refusal):
            events(
                .tunnelFailed(
                    session: number, name: plan.specs[index].name, code: refusal.code ?? "", text: refusal.text))
        case .stopped(let index, let message):
            events(.tunnelFailed(session: number, name: plan.specs[index].name, code: "", text: message))
        case .draining: return runner.isStopping ? nil : .draining
        case .command(let command): return obey(command, handle)
        case .ended(let reason): return .ended(reason: reason)
        case .opened, .traffic, .closed, .upstreamFailed, .latency: break
        }
        return nil
    }

    private mutating func bound(_ index: Int, _ id: String, _ reply: BindReply?) {
        let spec = plan.specs[index]
        var place = TunnelPlace.url(reply?.url ?? "")
        if case .labelled(let labels) = spec.kind { place = .labels(labels) }
        if let reply, case .endpoint(let document) = tunnels[index].request {
            // Next time what was given is asked for by name.
            var request = BindRequest(document)
            request.id = reply.id
            request.token = reply.token
            request.options = reply.options
            tunnels[index].request = .endpoint(request.document)
        }
        events(.tunnelOnline(session: number, name: spec.name, place: place, id: id))
    }

    private func obey(_ command: ServerCommand, _ handle: AgentLinkHandle) -> Outcome? {
        switch command {
        case .stop:
            handle.answer(command, nil)
            return .stop
        case .restart:
            handle.answer(command, nil)
            handle.drain()
            return .restart
        case .update: handle.answer(command, Refusal(nil, "This agent is updated by whoever installed it."))
        case .stopTunnel: break
        }
        return nil
    }
}

/// Turns what a connection tells into an agent's events: at once for what happens often, by its keeper for the rest.
private final class LinkWatcher: Sendable {
    private let number: Int
    private let names: [String]
    private let events: @Sendable (AgentEvent) -> Void
    private let pass: @Sendable (AgentLinkEvent) -> Void
    private let state = Mutex<(isOver: Bool, onEnd: (@Sendable () -> Void)?)>((false, nil))

    init(
        _ number: Int, _ names: [String], _ events: @escaping @Sendable (AgentEvent) -> Void,
        pass: @escaping @Sendable (AgentLinkEvent) -> Void
    ) {
        self.number = number
        self.names = names
        self.events = events
        self.pass = pass
    }

    /// Called once the connection is over, also when nobody reads its events any more.
    func onEnd(_ body: @escaping @Sendable () -> Void) {
        let isOver = state.withLock { state in
            if !state.isOver { state.onEnd = body }
            return state.isOver
        }
        if isOver { body() }
    }

    func take(_ event: AgentLinkEvent) {
        switch event {
        case .opened(let index, let client): events(.connectionOpened(tunnel: names[index], client: client))
        case .traffic(let index, let bytesIn, let bytesOut):
            events(.traffic(tunnel: names[index], bytesIn: bytesIn, bytesOut: bytesOut))
        case .closed(let index, let bytesIn, let bytesOut, let duration, let firstByte):
            events(
                .connectionClosed(
                    tunnel: names[index],
                    ConnectionSummary(
                        bytesIn: bytesIn, bytesOut: bytesOut, duration: duration, firstByte: firstByte)))
        case .upstreamFailed(let index, let text): events(.upstreamFailed(tunnel: names[index], text: text))
        case .latency(let nanoseconds): events(.latency(session: number, seconds: Double(nanoseconds) / 1e9))
        case .ended:
            pass(event)
            let onEnd = state.withLock { state in
                defer { state = (true, nil) }
                return state.onEnd
            }
            onEnd?()
        default: pass(event)
        }
    }
}
