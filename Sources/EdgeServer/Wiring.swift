import Shared

/// The rooms put together: data plane, control plane and the admin socket between them.
struct RunningServer: Sendable {
    /// Binds everything, opens the store and publishes the first snapshot. When it returns, traffic is served and the
    /// admin socket answers.
    /// - Parameter sockets: listening sockets that were passed to the process, by name.
    static func start(
        settings: ServerSettings, sockets: [String: [Int32]], log: @escaping @Sendable (String) -> Void
    ) async throws -> RunningServer {
        throw Unwired()
    }

    /// Accepts nothing new, and returns when all that is open has finished, or at the deadline.
    func drain(deadline: Duration) async {}

    /// Closes what is still open and ends the loops.
    func shutdown() async {}

    private struct Unwired: Error {}
}
