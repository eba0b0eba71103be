import Shared
import Testing

@testable import SelvageAgent

/// A network that behaves as told.
struct ScriptedProbes: DiagnosisProbes {
    var addresses = ["192.0.2.1", "2001:db8::1"]
    var dead: Set<String> = []
    var tlsFault: String?
    var session: Result<ProbedSession, AgentFailure> = .success(.init(region: "eu", seconds: 0.02, latency: 0.01))

    func resolve(_ host: String) async throws(AgentFault) -> (addresses: [String], seconds: Double) {
        (addresses, 0.001)
    }

    func connect(_ address: String, port: UInt16) async throws(AgentFault) -> Double {
        guard !dead.contains(address) else { throw AgentFault("connection refused") }
        return 0.005
    }

    func secure(
        _ address: String, _ settings: AgentSettings
    ) async throws(AgentFault) -> (text: String, seconds: Double) {
        if let tlsFault { throw AgentFault(tlsFault) }
        return ("TLS 1.3, edge.example", 0.01)
    }

    func openSession(_ address: String, _ settings: AgentSettings) async throws(AgentFailure) -> ProbedSession {
        try session.get()
    }
}

@Suite struct DiagnosisTests {
    private func run(_ probes: ScriptedProbes, server: String = "edge.example") async throws -> Diagnosis {
        let settings = AgentSettings(server: try ServerAddress(server), authtoken: try Authtoken("t0ken"))
        return await Diagnosis.run(settings, probes)
    }

    @Test func `a working way has one finding for each step and each address`() async throws {
        let diagnosis = try await run(ScriptedProbes())
        #expect(diagnosis.isReachable && !diagnosis.isRefused)
        #expect(
            diagnosis.table() == """
                dns      passed  edge.example        1 ms   1 of IPv4, 1 of IPv6
                tcp      passed  192.0.2.1:4443      5 ms   connected
                tcp      passed  [2001:db8::1]:4443  5 ms   connected
                tls      passed  192.0.2.1:4443      10 ms  TLS 1.3, edge.example
                session  passed  192.0.2.1:4443      20 ms  region eu
                latency  passed  192.0.2.1:4443      10 ms
                """)
    }

    @Test func `one dead address shows, and the other is used`() async throws {
        var probes = ScriptedProbes()
        probes.dead = ["192.0.2.1"]
        let diagnosis = try await run(probes)
        #expect(diagnosis.isReachable)
        #expect(diagnosis.findings.map(\.outcome) == [.passed, .failed, .passed, .passed, .passed, .passed])
        #expect(diagnosis.findings.last?.subject == "[2001:db8::1]:4443")
    }

    @Test func `what needs a step that failed is skipped`() async throws {
        var probes = ScriptedProbes()
        probes.addresses = []
        let unknown = try await run(probes)
        #expect(unknown.findings.map(\.outcome) == [.failed, .skipped, .skipped, .skipped, .skipped])
        probes = ScriptedProbes()
        probes.dead = Set(probes.addresses)
        #expect(
            try await run(probes).findings.map(\.outcome) == [.passed, .failed, .failed, .skipped, .skipped, .skipped])
        probes = ScriptedProbes()
        probes.tlsFault = "self-signed"
        let untrusted = try await run(probes)
        #expect(untrusted.findings.suffix(3).map(\.outcome) == [.failed, .skipped, .skipped])
        #expect(!untrusted.isReachable)
    }

    @Test func `a refused authtoken is told apart from a server that cannot be reached`() async throws {
        var probes = ScriptedProbes()
        probes.session = .failure(.refused(code: "ERR_NGROK_107", text: "not valid"))
        let refused = try await run(probes)
        #expect(refused.isRefused && !refused.isReachable)
        #expect(refused.findings.contains { $0.text == "not valid (ERR_NGROK_107)" })
        probes.session = .failure(.cannotRun("closed"))
        #expect(try await run(probes).isRefused == false)
    }

    @Test func `an address needs no name, and a session without a heartbeat says so`() async throws {
        var probes = ScriptedProbes()
        probes.addresses = []
        probes.session = .success(.init(region: "eu", seconds: 0.02, latency: nil))
        let diagnosis = try await run(probes, server: "[::1]:9")
        #expect(diagnosis.findings.map(\.outcome) == [.passed, .passed, .passed, .passed, .failed])
        #expect(diagnosis.findings[0].subject == "::1")
    }

    @Test func `as JSON it has every step, and whether the server can be reached`() async throws {
        let json = try await run(ScriptedProbes()).json
        #expect(json["server"] == "edge.example:4443")
        #expect(json["reachable"] == true)
        #expect(json["steps"]?.arrayValue?.count == 6)
        #expect(
            json["steps"]?.arrayValue?.first == [
                "step": "dns", "subject": "edge.example", "outcome": "passed", "text": "1 of IPv4, 1 of IPv6",
                "seconds": 0.001,
            ])
    }
}
