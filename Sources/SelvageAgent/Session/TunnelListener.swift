@_exported public import class EdgeTransport.TunnelConnection

/// A tunnel whose visitors the program itself serves.
///
///     let settings = AgentSettings(server: try ServerAddress("edge.example:4443"), authtoken: try Authtoken(token))
///     try await TunnelListener(settings, labels: ["app": "echo"]).run { connection in
///         while let bytes = try await connection.read() { try await connection.write(bytes) }
///     }
public struct TunnelListener: Sendable {
    private let settings: AgentSettings
    private let spec: TunnelSpec

    /// A labelled tunnel.
    /// - Throws: `AgentFault` for labels that no tunnel may have.
    public init(_ settings: AgentSettings, labels: [String: String]) throws(AgentFault) {
        try TunnelLabels.check(labels)
        self.init(
            settings, TunnelSpec(name: "listener", kind: .labelled(labels), upstream: try UpstreamAddress("80")))
    }

    /// Any tunnel; its upstream means nothing here.
    public init(_ settings: AgentSettings, _ spec: TunnelSpec) {
        self.settings = settings
        self.spec = spec
    }

    /// Serves visitors until the task is cancelled, reconnecting for ever.
    ///
    /// Each visitor is a child task: none outlives this call. A visitor's connection is closed when its `body` returns
    /// or throws, which ends nobody else's.
    /// - Parameter events: what happens; quick, and on any thread.
    /// - Throws: `AgentFailure` when the server refuses the authtoken for good, or nothing can be tried.
    public func run(
        events: @escaping @Sendable (AgentEvent) -> Void = { _ in },
        _ body: @escaping @Sendable (TunnelConnection) async throws -> Void
    ) async throws {
        let (visitors, inbox) = AsyncStream.makeStream(of: TunnelConnection.self)
        let runner = TunnelRunner { inbox.yield($0) }
        try await withTaskCancellationHandler {
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { [settings, spec] in
                    defer { inbox.finish() }
                    try await runner.run(settings, [spec], events: events)
                }
                group.addTask { await TunnelListener.serve(visitors, body) }
                try await group.waitForAll()
            }
        } onCancel: {
            runner.stop(drain: .zero)
        }
    }

    private static func serve(
        _ visitors: AsyncStream<TunnelConnection>, _ body: @escaping @Sendable (TunnelConnection) async throws -> Void
    ) async {
        await withDiscardingTaskGroup { group in
            for await connection in visitors {
                group.addTask {
                    // A visitor's failure is its own.
                    try? await body(connection)
                    connection.close()
                }
            }
        }
    }
}
