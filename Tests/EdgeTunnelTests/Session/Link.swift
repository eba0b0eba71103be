import Shared

@testable import EdgeTunnel

/// Both halves against each other: what one sends reaches the other a while later, cut by chance.
struct Link {
    var server = ServerSession(now: 0, seed: 1)
    var agent = AgentSession(heartbeat: 10 * second, tolerance: 15 * second, now: 0, seed: 2)
    var now: UInt64 = 0
    private var chance: Chance
    private let cuts: Bool
    /// One way, in nanoseconds.
    private let delay: UInt64
    private var toServer: [(at: UInt64, bytes: [UInt8])] = []
    private var toAgent: [(at: UInt64, bytes: [UInt8])] = []
    /// What the callers were told and have not looked at.
    var serverEvents: [String] = []
    var agentEvents: [String] = []
    var serverData: [UInt32: [UInt8]] = [:]
    var agentData: [UInt32: [UInt8]] = [:]
    var refs: [UInt32: StreamRef] = [:]
    /// Bytes that arrived for visitors, either way.
    var arrived = 0

    init(seed: UInt64 = 1, cuts: Bool = true, delay: UInt64 = 0) {
        chance = Chance(seed)
        self.cuts = cuts
        self.delay = delay
    }

    /// Authenticates; `isOurs` is whether the halves know that both are ours.
    mutating func connect(isOurs: Bool) throws {
        var request = AuthRequest()
        request.authtoken = "t"
        if isOurs { request.extension = Extension(streams: 1_000) }
        agent.start(request, now: now)
        try settle(rounds: 4)
    }

    /// Lets everything that is under way arrive.
    mutating func settle(rounds: Int = 1) throws {
        for _ in 0..<rounds {
            try step()
            now += max(delay, 1)
        }
        try step()
    }

    /// One round of both loops.
    mutating func step() throws {
        server.pumpMessages()
        agent.pumpMessages()
        // What was read is answered in the next round.
        toAgent += cut(server.mux.output())
        toServer += cut(
            {
                let bytes = agent.mux.withOutput { Array($0) }
                agent.mux.dropOutput(bytes.count)
                return bytes
            }())
        while let first = toServer.first, first.at <= now { toServer.removeFirst(); try serve(first.bytes) }
        while let first = toAgent.first, first.at <= now { toAgent.removeFirst(); try take(first.bytes) }
    }

    private mutating func cut(_ bytes: [UInt8]) -> [(UInt64, [UInt8])] {
        guard cuts else { return bytes.isEmpty ? [] : [(now + delay, bytes)] }
        var pieces: [(UInt64, [UInt8])] = []
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = Int.random(in: 1...(Bool.random(using: &chance) ? 9 : 3_000), using: &chance)
            pieces.append((now + delay, Array(rest.prefix(count))))
            rest = rest.dropFirst(count)
        }
        return pieces
    }

    private mutating func serve(_ bytes: [UInt8]) throws {
        for event in try server.take(bytes, now: now) {
            switch event {
            case .call(let ref, .authenticate(let request)):
                var reply = Auth.reply
                reply.extension = request.extension
                server.accept(ref, reply, heartbeat: 10 * second, now: now)
            case .call(let ref, .bind): server.answer(ref, ["Id": "tn"])
            case .call(let ref, _): server.answer(ref, [:])
            case .stream(.data(let ref, let range)):
                serverData[ref.id, default: []] += bytes[range]
                arrived += range.count
                server.mux.credit(ref, range.count, now: now)
                continue
            case .stream, .confirmed, .commandAnswered: break
            }
            serverEvents.append(event.word)
        }
    }

    private mutating func take(_ bytes: [UInt8]) throws {
        for event in try agent.take(bytes, now: now) {
            switch event {
            case .visitor(let ref, _): refs[ref.id] = ref
            case .command(let ref, _): agent.answer(ref, nil)
            case .stream(.data(let ref, let range)):
                agentData[ref.id, default: []] += bytes[range]
                arrived += range.count
                agent.mux.credit(ref, range.count, now: now)
                continue
            default: break
            }
            agentEvents.append(event.word)
        }
    }

    /// A visitor of the server's.
    mutating func visit() -> StreamRef {
        let ref = server.mux.open()!
        _ = server.mux.send(ref, ProxyHeaderTests.header.bytes)
        return ref
    }
}
