/// The transport: dials the server, opens the tunnels, carries the connections, and reconnects for ever.
public protocol AgentRunner: Sendable {
    /// Holds the tunnels open until `stop`, telling what happens. Called once. The last event is `.stopped`.
    /// - Parameter events: quick, and may be called on any thread.
    /// - Throws: `AgentFailure.refused` when the server refuses the authtoken for good, `.cannotRun` when there is
    ///   nothing to try again: a file that cannot be read, a name that is none. An unreachable server is neither.
    func run(
        _ settings: AgentSettings, _ tunnels: [TunnelSpec], events: @escaping @Sendable (AgentEvent) -> Void
    ) async throws(AgentFailure)

    /// Makes `run` return. Callable from any thread, also again: a later call can only shorten the time.
    /// - Parameter drain: how long open connections may take to finish; zero closes them at once.
    func stop(drain: Duration)
}

/// Why the agent does not go on.
public enum AgentFailure: Error, Hashable, Sendable, CustomStringConvertible {
    case refused(code: String, text: String)
    case cannotRun(String)

    public var description: String {
        switch self {
        case .refused(let code, let text): code.isEmpty ? text : "\(text) (\(code))"
        case .cannotRun(let text): text
        }
    }
}
