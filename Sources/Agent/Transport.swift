import SelvageAgent

// What plugs the transport in: these two functions, and nothing else in this program.

/// The transport that holds tunnels open.
/// - Throws: `AgentFailure.cannotRun` while this build has none: better said at once than a tunnel that never comes.
func makeRunner() throws(AgentFailure) -> any AgentRunner { throw withoutTransport }

/// What `diagnose` tries the network with.
func makeProbes() throws(AgentFailure) -> any DiagnosisProbes { throw withoutTransport }

private let withoutTransport = AgentFailure.cannotRun("this build has no transport: it cannot reach any server")
