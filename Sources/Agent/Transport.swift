import SelvageAgent

// What plugs the transport in: these two functions, and nothing else in this program.

/// The transport that holds tunnels open.
func makeRunner() throws(AgentFailure) -> any AgentRunner { TunnelRunner() }

/// What `diagnose` tries the network with.
func makeProbes() throws(AgentFailure) -> any DiagnosisProbes { try TransportProbes() }
