import ArgumentParser
import SelvageAgent

/// How to reach the server, and how to report: every command that runs has these.
struct ServerOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "The server's agent address; port 4443 unless given. Else SELVAGE_SERVER.", valueName: "host:port"))
    var server: String?

    @Option(
        help: ArgumentHelp(
            "The authtoken. Others on this machine can see it in the list of processes: better in SELVAGE_AUTHTOKEN or NGROK_AUTHTOKEN, or in a file.",
            valueName: "token"))
    var authtoken: String?

    @Option(help: ArgumentHelp("A file that holds the authtoken and nothing else.", valueName: "file"))
    var authtokenFile: String?

    @Option(help: ArgumentHelp("Trust the authorities of this PEM file, and no other.", valueName: "file"))
    var ca: String?

    @Flag(help: "Do not verify the server: whoever sits in between can read everything. For tests.")
    var insecure = false

    @Option(help: ArgumentHelp("Free text that operators see beside this agent.", valueName: "text"))
    var metadata: String?

    @Option(help: ArgumentHelp("Sessions side by side, 1 to 16, that share the traffic.", valueName: "count"))
    var connections: Int?

    func validate() throws { _ = try draft() }

    func draft() throws -> SettingsDraft {
        guard authtoken == nil || authtokenFile == nil else {
            throw ValidationError("--authtoken and --authtoken-file say the same thing: give one")
        }
        guard !insecure || ca == nil else { throw ValidationError("--ca has no meaning beside --insecure") }
        if let connections, !AgentSettings.connectionRange.contains(connections) {
            throw ValidationError("--connections: from 1 to 16 are possible")
        }
        var draft = SettingsDraft()
        do throws(AgentFault) {
            if let server { draft.server = try ServerAddress(server) }
            if let authtoken { draft.authtoken = .text(try Authtoken(authtoken)) }
        } catch {
            throw ValidationError(error.message)
        }
        if let authtokenFile { draft.authtoken = .file(authtokenFile) }
        draft.trust = insecure ? .insecure : ca.map { .file($0) }
        draft.metadata = metadata
        draft.connections = connections
        return draft
    }
}

/// How a running agent reports.
struct LogOptions: ParsableArguments {
    enum Mode: String, ExpressibleByArgument, CaseIterable {
        case auto, plain, json
    }

    @Option(help: "What to print: 'auto' is a status screen on a terminal, and lines without one.")
    var log = Mode.auto

    @Flag(help: "Also a line for each connection.")
    var verbose = false
}

/// How the tunnel's connections reach the upstream.
struct UpstreamOptions: ParsableArguments {
    @Option(help: ArgumentHelp("What screens and logs call the tunnel.", valueName: "name"))
    var name: String?

    @Option(help: ArgumentHelp("Free text that operators see beside the tunnel.", valueName: "text"))
    var tunnelMetadata: String?

    @Option(
        help: ArgumentHelp(
            "Write a PROXY protocol header in front of each connection: version 1 or 2.", valueName: "1|2"))
    var proxyProto: Int?

    @Flag(help: "Verify the certificate of an https:// or tls:// upstream; not verified unless set.")
    var upstreamTLSVerify = false

    @Option(help: ArgumentHelp("Verify it by the authorities of this PEM file.", valueName: "file"))
    var upstreamCA: String?

    @Option(
        help: ArgumentHelp("The name to ask the upstream for and to verify, instead of its host.", valueName: "name"))
    var upstreamServerName: String?

    func validate() throws {
        guard [nil, 1, 2].contains(proxyProto) else { throw ValidationError("--proxy-proto: it has versions 1 and 2") }
    }

    /// A spec with what all kinds of tunnel have.
    func spec(
        _ kind: TunnelSpec.Kind, _ address: String, name: String, termination: TunnelSpec.Termination = .upstream
    ) throws(AgentFault) -> TunnelSpec {
        let upstream: UpstreamAddress
        do throws(AgentFault) {
            upstream = try UpstreamAddress(address, default: .usual(for: kind, termination))
        } catch {
            throw AgentFault(error.message)
        }
        var spec = TunnelSpec(name: self.name ?? name, kind: kind, upstream: upstream)
        spec.termination = termination
        spec.metadata = tunnelMetadata ?? ""
        spec.proxyProtocol = proxyProto.flatMap(TunnelSpec.ProxyProtocol.init) ?? .none
        spec.verification.trust = upstreamCA.map { .file($0) } ?? (upstreamTLSVerify ? .system : nil)
        spec.verification.serverName = upstreamServerName
        return spec
    }
}

/// The agent as the end of TLS.
struct TerminationOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "End visitors' TLS here, with this PEM chain: not even the server sees the plain text.", valueName: "file"))
    var terminateTLSCert: String?

    @Option(help: ArgumentHelp("The chain's PEM key.", valueName: "file"))
    var terminateTLSKey: String?

    func validate() throws {
        guard (terminateTLSCert == nil) == (terminateTLSKey == nil) else {
            throw ValidationError("--terminate-tls-cert and --terminate-tls-key need each other")
        }
    }

    var termination: TunnelSpec.Termination {
        guard let terminateTLSCert, let terminateTLSKey else { return .upstream }
        return .agent(CertificateFiles(certificate: terminateTLSCert, key: terminateTLSKey))
    }
}

/// What every endpoint of a tunnel's own has.
struct EndpointOptions: ParsableArguments {
    @Option(help: ArgumentHelp("The endpoint's address; the server chooses one unless given.", valueName: "url"))
    var url: String?

    @Flag(help: "Let other tunnels serve the same endpoint beside this one.")
    var pooling = false

    @Option(help: ArgumentHelp("Let in only these networks; may be repeated.", valueName: "network"))
    var allowCIDR: [String] = []

    @Option(help: ArgumentHelp("Keep out these networks; may be repeated.", valueName: "network"))
    var denyCIDR: [String] = []

    @Option(help: ArgumentHelp("A traffic policy for the endpoint.", valueName: "file"))
    var trafficPolicyFile: String?

    func kind(_ proto: TunnelSpec.Proto) throws(AgentFault) -> TunnelSpec.Kind {
        guard let url else { return .endpoint(proto, nil) }
        return .endpoint(proto, try EndpointAddress(url, for: proto))
    }

    func apply(to spec: inout TunnelSpec) {
        spec.pooling = pooling
        spec.modules.addresses = EndpointModules.Choice(allow: allowCIDR, deny: denyCIDR)
        spec.modules.trafficPolicyFile = trafficPolicyFile
    }
}

/// Turns what is wrong with a tunnel into a usage error that names the options.
func checked(_ make: () throws(AgentFault) -> TunnelSpec) throws -> TunnelSpec {
    let spec: TunnelSpec
    let faults: [AgentFault]
    do throws(AgentFault) {
        spec = try make()
        faults = spec.faults
    } catch {
        throw ValidationError(optionText(error))
    }
    guard faults.isEmpty else { throw ValidationError(faults.map(optionText).joined(separator: "\n")) }
    return spec
}

/// The options that are not called as the file's key is.
private let optionNames = ["labels": "label", "metadata": "tunnel-metadata", "terminate_at": "terminate-at-edge"]

private func optionText(_ fault: AgentFault) -> String {
    guard let key = fault.key else { return fault.message }
    return "--\(optionNames[key] ?? key.replacing("_", with: "-")): \(fault.message)"
}
