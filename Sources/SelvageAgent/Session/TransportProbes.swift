import EdgeCore
import EdgeTransport
import EdgeTunnel

/// Tries the network with the agent's own transport.
public struct TransportProbes: DiagnosisProbes {
    private let loop: AgentLoop
    private let clock = ContinuousClock()

    /// How long a heartbeat may take to come back.
    private static let patience = Duration.seconds(5)

    /// - Throws: `AgentFailure.cannotRun` when no event loop can start.
    public init() throws(AgentFailure) {
        do { loop = try AgentLoop() } catch { throw .cannotRun("the event loop cannot start: \(error)") }
    }

    public func resolve(_ host: String) async throws(AgentFault) -> (addresses: [String], seconds: Double) {
        let start = clock.now
        let addresses = await loop.addresses(of: host)
        return (addresses, seconds(since: start))
    }

    public func connect(_ address: String, port: UInt16) async throws(AgentFault) -> Double {
        let start = clock.now
        _ = try await probe(address, port, serverName: address, trust: nil)
        return seconds(since: start)
    }

    public func secure(
        _ address: String, _ settings: AgentSettings
    ) async throws(AgentFault) -> (text: String, seconds: Double) {
        let trust = try SessionPlan.trust(settings.trust)
        let start = clock.now
        let version = try await probe(
            address, settings.server.port, serverName: settings.server.host, trust: trust)
        let isTrusted = if case .insecure = settings.trust { false } else { true }
        let text =
            "\(version), the certificate \(isTrusted ? "is good for" : "was not looked at for") \(settings.server.host)"
        return (text, seconds(since: start))
    }

    public func openSession(
        _ address: String, _ settings: AgentSettings
    ) async throws(AgentFailure) -> ProbedSession {
        let plan = try SessionPlan(settings, [], serve: nil)
        let start = clock.now
        let (events, inbox) = AsyncStream.makeStream(of: AgentLinkEvent.self)
        var link = AgentLinkSettings(
            host: settings.server.host, port: settings.server.port, trust: plan.trust,
            auth: plan.auth(session: "", cookie: ""), tunnels: [])
        link.address = address
        let handle: AgentLinkHandle
        do { handle = try loop.connect(link) { inbox.yield($0) } } catch { throw .cannotRun("\(error)") }
        let deadline = Task {
            guard (try? await Task.sleep(for: Self.patience)) != nil else { return }
            inbox.finish()
        }
        defer {
            deadline.cancel()
            handle.close()
        }
        var session: ProbedSession?
        for await event in events {
            switch event {
            case .accepted(let reply):
                session = ProbedSession(region: reply.region, seconds: seconds(since: start), latency: nil)
            case .refused(let refusal): throw .refused(code: refusal.code ?? "", text: refusal.text)
            case .latency(let nanoseconds):
                session?.latency = Double(nanoseconds) / 1e9
                if let session { return session }
            case .ended(let reason): throw .cannotRun(reason)
            default: break
            }
        }
        guard let session else { throw .cannotRun("the server did not answer in time") }
        return session
    }

    private func probe(
        _ address: String, _ port: UInt16, serverName: String, trust: TLSTrust?
    ) async throws(AgentFault) -> String {
        let outcome: Result<String, EdgeError>
        do {
            outcome = try await loop.probe(address: address, port: port, serverName: serverName, trust: trust)
        } catch {
            throw AgentFault("\(error)")
        }
        switch outcome {
        case .success(let version): return version
        case .failure(let error): throw AgentFault(error.agentText)
        }
    }

    private func seconds(since start: ContinuousClock.Instant) -> Double {
        Double((clock.now - start).nanoseconds) / 1e9
    }
}
