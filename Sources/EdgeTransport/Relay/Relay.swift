import EdgeCore

/// Two channels whose bytes pass untouched both ways, each direction with its own end: TCP edges, TLS edges, and
/// connections after an upgrade (claims C78 and C79).
final class Relay: ChannelHandler {
    private let service: LoopService
    private let client: Channel
    private let upstream: Channel
    private var clientEnded = false
    private var upstreamEnded = false
    private var isOver = false
    private var onBytes: ((_ fromClient: UInt64, _ fromUpstream: UInt64) -> Void)?
    private var onEnd: ((_ isBroken: Bool) -> Void)?
    private var early: (fromClient: [UInt8], fromUpstream: [UInt8])
    private var isBroken = false

    /// - Parameters: `fromClient` and `fromUpstream`: bytes that were read already and go first.
    init(service: LoopService, client: Channel, upstream: Channel, fromClient: [UInt8], fromUpstream: [UInt8]) {
        self.service = service
        self.client = client
        self.upstream = upstream
        early = (fromClient, fromUpstream)
    }

    /// Runs until both directions have ended or one side breaks; `onEnd` is called once then.
    func start(
        onBytes: @escaping (_ fromClient: UInt64, _ fromUpstream: UInt64) -> Void,
        onEnd: @escaping (_ isBroken: Bool) -> Void
    ) {
        self.onBytes = onBytes
        self.onEnd = onEnd
        client.handler = self
        upstream.handler = self
        onBytes(UInt64(early.fromClient.count), UInt64(early.fromUpstream.count))
        upstream.write(early.fromClient)
        client.write(early.fromUpstream)
        early = ([], [])
        service.drainers[ObjectIdentifier(self)] = { [weak self] in self?.drain() }
        touch()
        for channel in [client, upstream] {
            channel.pauseReading()
            channel.resumeReading()
            channel.readAgain()
        }
    }

    private func touch() {
        client.setDeadline(milliseconds: service.settings.relayIdleTimeout)
    }

    private func other(_ channel: Channel) -> Channel { channel === client ? upstream : client }

    override func channelReadable(_ channel: Channel) {
        let other = self.other(channel)
        for _ in 0..<8 {
            if other.isCongested { return channel.pauseReading() }
            switch channel.read() {
            case .bytes(let bytes):
                let count = UInt64(bytes.count)
                onBytes?(channel === client ? count : 0, channel === client ? 0 : count)
                touch()
                other.write(UnsafeRawBufferPointer(bytes))
            case .blocked: return
            case .ended: return ended(channel)
            case .failed: return channelFailed(channel)
            }
        }
        channel.readAgain()
    }

    override func channelDrained(_ channel: Channel) {
        touch()
        other(channel).resumeReading()
        finishIfEnded()
    }

    /// One direction is over: the other side hears it after the last byte, and may go on sending (half-close).
    private func ended(_ channel: Channel) {
        if channel === client {
            guard !clientEnded else { return }
            clientEnded = true
            upstream.shutdownWriting()
        } else {
            guard !upstreamEnded else { return }
            upstreamEnded = true
            client.shutdownWriting()
        }
        finishIfEnded()
    }

    private func finishIfEnded() {
        guard clientEnded, upstreamEnded, !client.hasQueuedBytes, !upstream.hasQueuedBytes else { return }
        finish()
    }

    override func channelFailed(_ channel: Channel) {
        isBroken = true
        finish()
    }

    override func channelDeadline(_ channel: Channel) {
        isBroken = true
        finish()
    }

    /// The server is going down: what is open may go on until the drain's deadline closes it.
    private func drain() {}

    private func finish() {
        guard !isOver else { return }
        isOver = true
        service.drainers[ObjectIdentifier(self)] = nil
        for channel in [client, upstream] {
            // What one side had sent before it broke still belongs to the other.
            if channel.hasQueuedBytes {
                channel.closeGracefully()
            } else if isBroken, channel.isTunnelled {
                // Over there it must not look like an end in good order.
                channel.reset()
            } else {
                channel.closeNow()
            }
        }
        let onEnd = self.onEnd
        self.onEnd = nil
        onBytes = nil
        onEnd?(isBroken)
    }
}
