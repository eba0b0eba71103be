import Shared

/// An agent in the words of operators. All of its text comes from strangers: what is said here can be drawn and sent.
extension AgentStatus {
    /// What its owner calls it, or where it comes from. The address stands first: most agents are of the same client,
    /// and a narrow column cuts the end.
    var name: String {
        let own = AgentStatus.cleaned(metadata)
        if !own.isEmpty { return own }
        let origin = AgentStatus.cleaned([ip, client].filter { !$0.isEmpty }.joined(separator: " "))
        return origin.isEmpty ? id : origin
    }

    /// The beginning, without what a terminal would obey: metadata may have kilobytes, and names are made anew for every
    /// frame.
    private static func cleaned(_ text: String) -> String { Report.clean(String(text.prefix(80))).trimmed }

    /// `12/100`, without a limit only `12`.
    var load: String { streamLimit > 0 ? "\(streams)/\(streamLimit)" : "\(streams)" }

    /// No stream is left, or nearly none.
    var isFull: Bool { streamLimit > 0 && streams >= streamLimit }
    var isNearlyFull: Bool { streamLimit > 0 && Double(streams) >= Double(streamLimit) * 0.9 }

    /// Who is hit when it goes: `12 streams, 1 tunnel`.
    var stake: String {
        "\(Figure.grouped(max(0, streams))) stream\(streams == 1 ? "" : "s"), \(tunnels.count) tunnel\(tunnels.count == 1 ? "" : "s")"
    }

    /// All tunnels in a line, their number first where there are several.
    var tunnelSummary: String {
        guard tunnels.count > 1 else { return tunnels.first?.name ?? "none" }
        return "\(tunnels.count): " + tunnels.map(\.name).joined(separator: "; ")
    }

    /// `ngrok-python 1.4.0 on linux`, as far as it tells.
    var program: String {
        let words = [client, version].filter { !$0.isEmpty }
        let program = words.isEmpty ? "a client that does not say which" : words.joined(separator: " ")
        return os.isEmpty ? program : "\(program) on \(os)"
    }

    var isDraining: Bool { state == .draining }

    /// Those that will go first, then by name.
    static func sorted(_ agents: [AgentStatus]) -> [AgentStatus] {
        agents.map { (key: ($0.isDraining ? 0 : 1, $0.name, $0.id), agent: $0) }.sorted { $0.key < $1.key }.map(\.agent)
    }
}

extension AgentStatus.Tunnel {
    /// `app=dashboard,version=1`, or the URL of one that has an endpoint of its own.
    var name: String {
        if !labels.isEmpty { return labels.sorted { $0.key < $1.key }.map { "\($0)=\($1)" }.joined(separator: ",") }
        return url.isEmpty ? id : url
    }
}
