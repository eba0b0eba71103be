import EdgeCore
import Glibc
import Shared

/// A listening socket on one loop. What it makes of a connection is a closure's business.
final class Listener: EventSource {
    private let onConnection: (Int32) -> Void
    /// A descriptor kept back, so that running out of them still leaves a way to turn clients away.
    private var reserve: Int32

    init(loop: EventLoop, descriptor: Int32, shared: Bool, onConnection: @escaping (Int32) -> Void) throws(SystemError)
    {
        self.onConnection = onConnection
        reserve = Glibc.open("/dev/null", O_RDONLY | O_CLOEXEC)
        super.init(loop: loop)
        try open(descriptor, shared: shared)
    }

    override func ready(_ readiness: Readiness) {
        // A burst is taken in parts: connections that are open already have their turn in between.
        for _ in 0..<64 {
            switch Sockets.accept(descriptor) {
            case .connection(let connection): onConnection(connection)
            case .none: return
            case .failed(let code):
                guard code == EMFILE || code == ENFILE, reserve >= 0 else { return tryAgainLater() }
                guard turnAway() else { return }
            }
        }
        loop.afterRound { [self] in if isOpen { ready(.readable) } }
    }

    /// Out of descriptors: take one connection with the reserve, only to close it, rather than let it hang.
    /// - Returns: `false` when nobody waited: without a descriptor, `accept` fails before it looks.
    private func turnAway() -> Bool {
        Glibc.close(reserve)
        defer { reserve = Glibc.open("/dev/null", O_RDONLY | O_CLOEXEC) }
        guard case .connection(let connection) = Sockets.accept(descriptor) else { return false }
        Glibc.close(connection)
        return true
    }

    /// Who waits in the backlog gives no second signal.
    private func tryAgainLater() {
        setDeadline(milliseconds: 200)
    }

    override func deadlineReached() {
        if reserve < 0 { reserve = Glibc.open("/dev/null", O_RDONLY | O_CLOEXEC) }
        ready(.readable)
    }

    func close() {
        closeDescriptor()
        if reserve >= 0 { Glibc.close(reserve) }
        reserve = -1
    }
}
