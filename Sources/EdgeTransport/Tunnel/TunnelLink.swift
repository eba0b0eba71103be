import EdgeCore
import EdgeTunnel
import Glibc

/// One connection of the agent protocol on its loop: the socket's bytes to the session and back, and the streams that
/// visitors have on it. The server's and the agent's half are subclasses, which own the session.
///
/// Lives as long as its connection; confined to its loop.
class TunnelLink: ChannelHandler {
    let channel: Channel
    let loop: EventLoop
    /// Streams by their record's place in the session.
    private var streams: [TunnelStream?] = []
    /// Streams that wait for a place, the longest first.
    private var waiting: [TunnelStream] = []
    /// Streams that had no room in the output.
    private var blocked: [TunnelStream] = []
    private var isFlushScheduled = false
    private(set) var isOver = false
    private(set) var opened: UInt64 = 0
    var bytesIn: UInt64 = 0
    var bytesOut: UInt64 = 0

    /// Streams that may wait for a place.
    static let maximumWaiting = 4096
    /// Output that a peer does not take in, beyond which it is taken for one that means harm.
    private static let maximumOutput = 4 << 20
    static let tickMilliseconds: UInt64 = 250

    init(channel: Channel) {
        self.channel = channel
        loop = channel.loop
        super.init()
        channel.handler = self
    }

    // MARK: The session, which a subclass owns

    func open() -> StreamRef? { nil }
    func send(_ ref: StreamRef, _ bytes: UnsafeRawBufferPointer) -> Int { 0 }
    func finish(_ ref: StreamRef) {}
    func credit(_ ref: StreamRef, _ count: Int) {}
    func abandon(_ ref: StreamRef, _ code: MuxCode) {}
    func credited(_ ref: StreamRef) -> UInt64? { nil }
    var isExtended: Bool { false }
    var isOutputFull: Bool { false }
    var outputCount: Int { 0 }
    /// Hands the output to the socket.
    func drainOutput() {}
    func pumpMessages() {}
    /// Feeds bytes to the session until they are used up or the session is over.
    func receive(_ bytes: UnsafeRawBufferPointer) {}
    /// The connection is over: streams have been told already.
    func ended() {}
    /// Somebody waits for a place, or nobody does any more.
    func scarcityChanged(_ isScarce: Bool) {}

    // MARK: The socket

    override func channelReadable(_ channel: Channel) {
        for _ in 0..<8 {
            switch channel.read() {
            case .bytes(let bytes):
                receive(UnsafeRawBufferPointer(bytes))
                if isOver { return }
                guard outputCount < Self.maximumOutput else { return end("it does not read what it asks for") }
            case .blocked: return settle()
            case .ended: return end("the connection was closed")
            case .failed: return end("the connection broke")
            }
        }
        settle()
        channel.readAgain()
    }

    /// After a burst of events: who waits for a place may have one now.
    func settle() {
        admitWaiting()
        if outputCount > 0 { scheduleFlush() }
    }

    override func channelDrained(_ channel: Channel) { flush() }
    override func channelFailed(_ channel: Channel) { end("the connection broke") }

    /// What a round has to say goes out as one write.
    func scheduleFlush() {
        guard !isFlushScheduled, !isOver else { return }
        isFlushScheduled = true
        loop.afterRound { [self] in
            isFlushScheduled = false
            flush()
        }
    }

    func flush() {
        guard !isOver, !channel.isCongested else { return }
        if outputCount > 0 { drainOutput() }
        pumpMessages()
        guard !isOutputFull, !blocked.isEmpty else { return }
        let again = blocked
        blocked.removeAll(keepingCapacity: true)
        for stream in again { stream.writable() }
        if outputCount > 0 { scheduleFlush() }
    }

    /// Ends the connection and all its streams.
    /// - Parameter inOrder: nobody is cut: what was said on streams that have ended must still reach the peer.
    func end(_ reason: String, inOrder: Bool = false) {
        guard !isOver else { return }
        if inOrder, outputCount > 0 { drainOutput() }
        isOver = true
        endReason = reason
        let all = streams.compactMap(\.self) + waiting
        streams = []
        waiting = []
        blocked = []
        ended()
        for stream in all { stream.lost() }
        if inOrder { channel.closeGracefully() } else { channel.closeNow() }
    }

    private(set) var endReason = ""

    // MARK: Streams

    var openVisitors: Int { streams.reduce(0) { $1 == nil ? $0 : $0 + 1 } }

    /// Opens a stream, now or when there is a place for it.
    func start(_ stream: TunnelStream) {
        guard !isOver else { return stream.lost() }
        if waiting.isEmpty, let ref = open() { return begin(stream, ref) }
        guard waiting.count < Self.maximumWaiting else { return stream.lost(.noBackend) }
        waiting.append(stream)
        if waiting.count == 1 { scarcityChanged(true) }
    }

    /// Takes over a stream that the peer has opened.
    func adopt(_ stream: TunnelStream, _ ref: StreamRef) {
        opened += 1
        put(stream, ref)
        stream.began(ref)
    }

    private func begin(_ stream: TunnelStream, _ ref: StreamRef) {
        opened += 1
        put(stream, ref)
        stream.began(ref)
        scheduleFlush()
    }

    private func put(_ stream: TunnelStream, _ ref: StreamRef) {
        while streams.count <= ref.slot { streams.append(nil) }
        streams[ref.slot] = stream
    }

    private func admitWaiting() {
        guard !waiting.isEmpty else { return }
        var admitted = 0
        while admitted < waiting.count {
            guard !waiting[admitted].isGivenUp else {
                admitted += 1
                continue
            }
            guard let ref = open() else { break }
            begin(waiting[admitted], ref)
            admitted += 1
        }
        waiting.removeFirst(admitted)
        if admitted > 0, waiting.isEmpty { scarcityChanged(false) }
    }

    /// Those that have waited for a place for too long are told that there is none.
    func expireWaiting() {
        let patience = loop.service.settings.dialTimeout
        let count = waiting.prefix { loop.milliseconds &- $0.since >= patience }.count
        guard count > 0 else { return }
        let late = waiting.prefix(count)
        waiting.removeFirst(count)
        if waiting.isEmpty { scarcityChanged(false) }
        for stream in late { stream.lost(.noBackend) }
    }

    /// No stream will be opened any more.
    func turnAwayWaiting() {
        let all = waiting
        waiting = []
        for stream in all { stream.lost() }
    }

    func stream(_ ref: StreamRef) -> TunnelStream? {
        guard ref.slot < streams.count, let stream = streams[ref.slot], stream.ref == ref else { return nil }
        return stream
    }

    func forget(_ ref: StreamRef) {
        if ref.slot < streams.count, streams[ref.slot]?.ref == ref { streams[ref.slot] = nil }
    }

    func waitForRoom(_ stream: TunnelStream) {
        blocked.append(stream)
        scheduleFlush()
    }

    /// What happened on a visitor's stream.
    /// - Parameter bytes: what the event's range is of.
    func handle(_ event: MuxEvent, _ bytes: UnsafeRawBufferPointer) {
        switch event {
        case .data(let ref, let range): stream(ref)?.arrived(UnsafeRawBufferPointer(rebasing: bytes[range]))
        case .ended(let ref): stream(ref)?.inputEnded()
        case .reset(let ref, let code): stream(ref)?.wasReset(code)
        case .writable(let ref): stream(ref)?.writable()
        case .opened, .goAway: break
        }
    }
}
