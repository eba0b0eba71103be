/// Idle connections of one loop to one target, the latest used first: the others grow old and are closed.
final class UpstreamPool {
    let loop: EventLoop
    private let limit: Int
    /// Of the tunnel that leads there, if one does.
    private let condition: TunnelCondition?
    private var idle: [UpstreamConnection] = []

    init(loop: EventLoop, limit: Int = .max, condition: TunnelCondition? = nil) {
        self.loop = loop
        self.limit = limit
        self.condition = condition
    }

    /// A tunnel's streams have places that others may wait for, and a tunnel that is gone leads nowhere.
    private var mayKeep: Bool { condition?.mayKeepIdle ?? true }

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
        guard idle.count < min(limit, loop.service.settings.idleUpstreams), mayKeep, !loop.service.isDraining else {
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
