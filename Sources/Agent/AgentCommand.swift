import ArgumentParser
import SelvageAgent

/// `selvage-agent`: dials out to a Selvage server, and opens tunnels to services that nobody can dial.
struct AgentCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: AgentVersion.name,
        abstract: "Opens tunnels from a Selvage server to services on this machine or near it.",
        discussion: """
            The agent dials out, so that nothing here needs an open port. It reconnects for ever; SIGINT and SIGTERM \
            let open connections finish, a second one stops at once.

            Exit status: 0 after a clean stop, 1 when the system refuses something, 2 for a wrong command line, 4 when \
            'diagnose' cannot reach the server, 6 when the server refuses the authtoken, 78 when the settings file has \
            mistakes.
            """,
        version: AgentVersion.current,
        subcommands: [
            TunnelCommand.self, HTTPCommand.self, TCPCommand.self, TLSCommand.self, StartCommand.self,
            DiagnoseCommand.self, CheckCommand.self, VersionCommand.self,
        ]
    )
}

struct TunnelCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "tunnel",
        abstract: "Opens a labelled tunnel, for the tunnel groups of edges.",
        discussion: """
            Edges find tunnels by labels: a tunnel group has every tunnel that carries all of the group's labels, and \
            shares its traffic among them equally. The configuration of the edge, with its modules, stays on the \
            server, and can change while the tunnel runs.

            One --label may hold several with commas between; --label may be repeated. Both of these are the same:

              selvage-agent tunnel 80 --label="app=dashboard,version=1"
              selvage-agent tunnel 80 --label app=dashboard --label version=1

            Start the command on several machines to share the load, and with other labels for another version.
            """
    )

    @Argument(help: addressHelp)
    var address: String

    @Option(help: ArgumentHelp("Labels, at least one and at most 32; may be repeated.", valueName: "key=value,…"))
    var label: [String] = []

    @Option(help: "What the upstream speaks, if the edge shall speak it through the tunnel.")
    var forwardsProto: ForwardsProto?

    @OptionGroup(title: "Upstream") var upstream: UpstreamOptions
    @OptionGroup(title: "TLS edges") var termination: TerminationOptions
    @OptionGroup(title: "Server") var server: ServerOptions
    @OptionGroup(title: "Output") var output: LogOptions

    func run() throws { try hold([spec()], server, output) }

    func spec() throws -> TunnelSpec {
        try checked { () throws(AgentFault) in
            var spec = try upstream.spec(
                .labelled(try TunnelLabels.parse(label)), address, name: "tunnel",
                termination: termination.termination)
            spec.forwardsProto = forwardsProto?.spec
            return spec
        }
    }
}

struct HTTPCommand: ParsableCommand {
    enum Scheme: String, ExpressibleByArgument, CaseIterable {
        case https, http
    }

    static let configuration = CommandConfiguration(
        commandName: "http",
        abstract: "Opens an HTTPS or HTTP endpoint.",
        discussion: """
              selvage-agent http 8080
              selvage-agent http https://localhost:8443 --url https://app.example --basic-auth "user:password1"

            The server applies the modules; what reaches the upstream has passed them.
            """
    )

    @Argument(help: addressHelp)
    var address: String

    @Option(help: "How visitors come in; what --url says unless given.")
    var scheme: Scheme?

    @Option(help: "What the upstream speaks.")
    var forwardsProto: ForwardsProto?

    @OptionGroup(title: "Endpoint") var endpoint: EndpointOptions
    @OptionGroup(title: "Modules") var modules: HTTPOptions
    @OptionGroup(title: "Upstream") var upstream: UpstreamOptions
    @OptionGroup(title: "Server") var server: ServerOptions
    @OptionGroup(title: "Output") var output: LogOptions

    func run() throws { try hold([spec()], server, output) }

    func spec() throws -> TunnelSpec {
        try checked { () throws(AgentFault) in
            let isPlain = endpoint.url?.lowercased().hasPrefix("http://") ?? false
            let proto = TunnelSpec.Proto(rawValue: (scheme ?? (isPlain ? .http : .https)).rawValue) ?? .https
            var spec = try upstream.spec(try endpoint.kind(proto), address, name: "http")
            endpoint.apply(to: &spec)
            try modules.apply(to: &spec.modules)
            spec.forwardsProto = forwardsProto?.spec
            return spec
        }
    }
}

struct TCPCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "tcp",
        abstract: "Opens a TCP endpoint.",
        discussion: """
              selvage-agent tcp 22
              selvage-agent tcp localhost:5432 --url tcp://tcp.edge.example:20001
            """
    )

    @Argument(help: addressHelp)
    var address: String

    @OptionGroup(title: "Endpoint") var endpoint: EndpointOptions
    @OptionGroup(title: "Upstream") var upstream: UpstreamOptions
    @OptionGroup(title: "Server") var server: ServerOptions
    @OptionGroup(title: "Output") var output: LogOptions

    func run() throws { try hold([spec()], server, output) }

    func spec() throws -> TunnelSpec {
        try checked { () throws(AgentFault) in
            var spec = try upstream.spec(try endpoint.kind(.tcp), address, name: "tcp")
            endpoint.apply(to: &spec)
            return spec
        }
    }
}

struct TLSCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "tls",
        abstract: "Opens a TLS endpoint.",
        discussion: """
            Visitors' TLS is passed through to the upstream, unless it ends here (--terminate-tls-cert and -key) or at \
            the server (--terminate-at-edge).

              selvage-agent tls 443 --url tls://db.example
            """
    )

    @Argument(help: addressHelp)
    var address: String

    @Flag(help: "End visitors' TLS at the server, with the certificate of its domain.")
    var terminateAtEdge = false

    @Option(
        name: .customLong("mutual-tls-ca"),
        help: ArgumentHelp("Let in only visitors with a certificate of these authorities.", valueName: "file"))
    var mutualTLSCA: String?

    @OptionGroup(title: "Endpoint") var endpoint: EndpointOptions
    @OptionGroup(title: "TLS") var termination: TerminationOptions
    @OptionGroup(title: "Upstream") var upstream: UpstreamOptions
    @OptionGroup(title: "Server") var server: ServerOptions
    @OptionGroup(title: "Output") var output: LogOptions

    func run() throws { try hold([spec()], server, output) }

    func spec() throws -> TunnelSpec {
        guard !terminateAtEdge || termination.termination == .upstream else {
            throw ValidationError("TLS ends at the server or here: --terminate-at-edge or --terminate-tls-cert")
        }
        return try checked { () throws(AgentFault) in
            var spec = try upstream.spec(
                try endpoint.kind(.tls), address, name: "tls",
                termination: terminateAtEdge ? .edge : termination.termination)
            endpoint.apply(to: &spec)
            spec.modules.mutualTLSFile = mutualTLSCA
            return spec
        }
    }
}

private let addressHelp = ArgumentHelp(
    "The upstream: 80, host:port, http://host:port, https://…, tcp://…, tls://… or unix:/path.", valueName: "address")

/// What an upstream speaks, as the command line has it.
enum ForwardsProto: String, ExpressibleByArgument, CaseIterable {
    case http1, http2

    var spec: TunnelSpec.ForwardsProto { self == .http1 ? .http1 : .http2 }
}
