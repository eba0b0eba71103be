public import Shared

/// Why an agent can or cannot reach its server: one finding for each step on the way.
public struct Diagnosis: Hashable, Sendable {
    public enum Step: String, Hashable, Sendable, CaseIterable {
        /// The server's name has addresses.
        case dns
        /// An address takes connections.
        case tcp
        /// The server's certificate is trusted.
        case tls
        /// The server lets the authtoken in.
        case session
        /// A heartbeat comes back.
        case latency
    }

    public enum Outcome: String, Hashable, Sendable, CaseIterable {
        case passed, failed
        /// Not tried, because a step before failed.
        case skipped
    }

    public struct Finding: Hashable, Sendable {
        public var step: Step
        /// The address or name that it is about.
        public var subject: String
        public var outcome: Outcome
        public var text: String
        /// Seconds that the step took, if it passed.
        public var seconds: Double?

        public init(_ step: Step, _ subject: String, _ outcome: Outcome, _ text: String, seconds: Double? = nil) {
            self.step = step
            self.subject = subject
            self.outcome = outcome
            self.text = text
            self.seconds = seconds
        }
    }

    public private(set) var server: String
    public private(set) var findings: [Finding] = []
    /// The server was reached and did not want the authtoken.
    public private(set) var isRefused = false

    public init(server: ServerAddress) { self.server = server.description }

    mutating func add(_ finding: Finding) { findings.append(finding) }

    /// Whether a session could be opened: some address works, and everything after.
    public var isReachable: Bool { findings.contains { $0.step == .session && $0.outcome == .passed } }

    // MARK: Running

    /// Tries every step in order; what needs a step that failed is skipped.
    public static func run(_ settings: AgentSettings, _ probes: some DiagnosisProbes) async -> Diagnosis {
        var diagnosis = Diagnosis(server: settings.server)
        let addresses = await diagnosis.resolve(settings.server, probes)
        let reached = await diagnosis.connect(addresses, settings.server, probes)
        await diagnosis.openSession(reached, settings, probes)
        return diagnosis
    }

    private mutating func resolve(_ server: ServerAddress, _ probes: some DiagnosisProbes) async -> [String] {
        if HostPort.isIPv4(server.host) || HostPort.isIPv6(server.host) {
            add(Finding(.dns, server.host, .passed, "an address already"))
            return [server.host]
        }
        do throws(AgentFault) {
            let (addresses, seconds) = try await probes.resolve(server.host)
            guard !addresses.isEmpty else { throw AgentFault("the name has no addresses") }
            let v6 = addresses.count { $0.contains(":") }
            let text = "\(addresses.count - v6) of IPv4, \(v6) of IPv6"
            add(Finding(.dns, server.host, .passed, text, seconds: seconds))
            return addresses
        } catch {
            add(Finding(.dns, server.host, .failed, error.message))
            return []
        }
    }

    /// Every address is tried, so that a dead IPv6 shows, which a working IPv4 would hide.
    /// - Returns: the first that answers.
    private mutating func connect(
        _ addresses: [String], _ server: ServerAddress, _ probes: some DiagnosisProbes
    ) async -> String? {
        guard !addresses.isEmpty else {
            add(Finding(.tcp, server.host, .skipped, "there is no address"))
            return nil
        }
        var first: String?
        for address in addresses.prefix(Diagnosis.maximumAddresses) {
            let subject = "\(HostPort.written(address)):\(server.port)"
            do throws(AgentFault) {
                let seconds = try await probes.connect(address, port: server.port)
                add(Finding(.tcp, subject, .passed, "connected", seconds: seconds))
                first = first ?? address
            } catch {
                add(Finding(.tcp, subject, .failed, error.message))
            }
        }
        return first
    }

    private mutating func openSession(
        _ address: String?, _ settings: AgentSettings, _ probes: some DiagnosisProbes
    ) async {
        guard let address else { return skip([.tls, .session, .latency], "no address can be reached") }
        let subject = "\(HostPort.written(address)):\(settings.server.port)"
        do throws(AgentFault) {
            let (text, seconds) = try await probes.secure(address, settings)
            add(Finding(.tls, subject, .passed, text, seconds: seconds))
        } catch {
            add(Finding(.tls, subject, .failed, error.message))
            return skip([.session, .latency], "there is no TLS")
        }
        do throws(AgentFailure) {
            let session = try await probes.openSession(address, settings)
            add(Finding(.session, subject, .passed, "region \(session.region)", seconds: session.seconds))
            let rtt = session.latency
            add(
                Finding(
                    .latency, subject, rtt == nil ? .failed : .passed, rtt == nil ? "no heartbeat came back" : "",
                    seconds: rtt))
        } catch {
            if case .refused = error { isRefused = true }
            add(Finding(.session, subject, .failed, error.description))
            skip([.latency], "there is no session")
        }
    }

    private mutating func skip(_ steps: [Step], _ reason: String) {
        for step in steps { add(Finding(step, server, .skipped, reason)) }
    }

    /// Of a name, that are tried.
    static let maximumAddresses = 16

    // MARK: Showing

    /// One line to each finding, in columns, without control characters.
    public func table() -> String {
        let sanitiser = Sanitiser()
        let cells = findings.map { finding in
            [
                finding.step.rawValue, finding.outcome.rawValue, finding.subject, Figures.time(finding.seconds),
                finding.text,
            ].map { StyledLine.clipped($0, to: 400, sanitiser: sanitiser) }
        }
        let widths = (0..<4).map { column in cells.map { sanitiser.width($0[column]) }.max() ?? 0 }
        let lines = cells.map { row in
            let padded = (0..<4).map { row[$0] + String(repeating: " ", count: widths[$0] - sanitiser.width(row[$0])) }
            return (padded + [row[4]]).joined(separator: "  ").trimmedEnd
        }
        return lines.joined(separator: "\n")
    }

    public var json: JSON {
        let steps = findings.map { finding -> JSON in
            var json: JSON = [
                "step": .string(finding.step.rawValue), "subject": .string(finding.subject),
                "outcome": .string(finding.outcome.rawValue), "text": .string(finding.text),
            ]
            if let seconds = finding.seconds { json["seconds"] = .double(seconds) }
            return json
        }
        return ["server": .string(server), "reachable": .bool(isReachable), "steps": .array(steps)]
    }
}

/// What the diagnosis tries on the network. Each try has its own deadline, of a few seconds.
public protocol DiagnosisProbes: Sendable {
    /// The addresses of a name, IPv4 and IPv6, and the seconds that it took.
    func resolve(_ host: String) async throws(AgentFault) -> (addresses: [String], seconds: Double)
    /// The seconds until the connection stood.
    func connect(_ address: String, port: UInt16) async throws(AgentFault) -> Double
    /// The version and the certificate in words, and the seconds of the handshake. With the settings' trust.
    func secure(_ address: String, _ settings: AgentSettings) async throws(AgentFault) -> (
        text: String, seconds: Double
    )
    /// Opens a session, waits for one heartbeat, and closes it.
    func openSession(_ address: String, _ settings: AgentSettings) async throws(AgentFailure) -> ProbedSession
}

/// A session that stood for a moment. Times in seconds.
public struct ProbedSession: Hashable, Sendable {
    public var region: String
    public var seconds: Double
    /// `nil` when no heartbeat came back in time.
    public var latency: Double?

    public init(region: String, seconds: Double, latency: Double?) {
        self.region = region
        self.seconds = seconds
        self.latency = latency
    }
}

extension String {
    fileprivate var trimmedEnd: String {
        var text = self
        while text.hasSuffix(" ") { text.removeLast() }
        return text
    }
}
