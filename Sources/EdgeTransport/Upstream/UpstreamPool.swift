/// Idle connections of one loop to one target, the latest used first: the others grow old and are closed.
final class UpstreamPool {
    private let loop: EventLoop
    private var idle: [UpstreamConnection] = []

    init(loop: EventLoop) { self.loop = loop }

    /// A connection that was open a moment ago.
    func take() -> UpstreamConnection? {
        while let connection = idle.popLast() {
            if connection.isUsable { return connection }
            connection.close()
        }
        return nil
    }

    /// Keeps a connection whose last exchange ended cleanly in both directions.
    func put(_ connection: UpstreamConnection) {
        guard idle.count < loop.service.settings.idleUpstreams, !loop.service.isDraining else {
            return connection.close()
        }
        connection.becomeIdle()
        idle.append(connection)
    }

    func remove(_ connection: UpstreamConnection) {
        idle.removeAll { $0 === connection }
    }

    func closeIdle() {
        let all = idle
        idle.removeAll()
        for connection in all { connection.close() }
    }
}
