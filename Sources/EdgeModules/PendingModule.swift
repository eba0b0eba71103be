public import EdgeCore

/// A module whose settings are checked, kept and answered, but which this version cannot run.
///
/// Where one is enabled, nothing passes: a request is answered 501 with the module's name, a connection is closed.
/// Somebody relies on what the module would have done. Bringing one to life means conforming to `TrafficModule`
/// instead, and writing its hooks.
public protocol PendingModule: TrafficModule {}

extension PendingModule {
    public static var phases: ModulePhases { [.connection, .request] }

    public func admits(_ connection: ConnectionFacts) -> Bool { false }

    public func onRequest(_ exchange: ExchangeView, note: inout UInt64) -> Verdict {
        .reject(.missingModule(Self.name))
    }
}
