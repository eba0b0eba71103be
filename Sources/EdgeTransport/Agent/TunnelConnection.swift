import EdgeCore
import Synchronization

/// A visitor's connection in a program of its own: bytes in and out, by structured concurrency.
///
/// One reader and one writer at a time. Whoever has it must `close` it, or the visitor waits; a task that is cancelled
/// while it reads or writes gets `CancellationError`.
public final class TunnelConnection: Sendable {
    /// The visitor's connection broke.
    public struct Broken: Error, CustomStringConvertible {
        public let description = "the visitor's connection broke"
    }

    /// The visitor's address and port, as the server tells them.
    public let clientAddress: String
    private let bridge: TunnelBridge

    init(channel: Channel, clientAddress: String, onEnd: @escaping (TunnelBridge) -> Void) {
        self.clientAddress = clientAddress
        bridge = TunnelBridge(channel: channel, onEnd: onEnd)
        bridge.start()
    }

    /// The next bytes; `nil` when the visitor sends no more.
    /// - Throws: `Broken`, or `CancellationError`.
    public func read() async throws -> [UInt8]? {
        try await bridge.await { bridge, done in bridge.read(done) }
    }

    /// Returns when the bytes are on their way, so that a slow visitor slows its writer.
    /// - Throws: `Broken`, or `CancellationError`.
    public func write(_ bytes: [UInt8]) async throws {
        try await bridge.await { bridge, done in bridge.write(bytes, done) }
    }

    public func write(_ text: String) async throws { try await write(Array(text.utf8)) }

    /// Sends no more; the visitor may.
    public func finish() { bridge.post { $0.finish() } }

    /// Ends the connection, after what was written.
    public func close() { bridge.post { $0.close() } }
}

/// The loop's side of a `TunnelConnection`.
///
/// `@unchecked Sendable`: confined to its loop.
final class TunnelBridge: ChannelHandler, @unchecked Sendable {
    private let channel: Channel
    private let loop: EventLoop
    private var onEnd: ((TunnelBridge) -> Void)?
    private var reader: ((Result<[UInt8]?, any Error>) -> Void)?
    private var writer: ((Result<Void, any Error>) -> Void)?
    private var isBroken = false
    private(set) var bytesIn: UInt64 = 0
    private(set) var bytesOut: UInt64 = 0

    init(channel: Channel, onEnd: @escaping (TunnelBridge) -> Void) {
        self.channel = channel
        self.onEnd = onEnd
        loop = channel.loop
    }

    func start() {
        channel.handler = self
        channel.pauseReading()
    }

    func post(_ work: @escaping @Sendable (TunnelBridge) -> Void) { loop.post { [self] _ in work(self) } }

    /// Waits for one answer from the loop; a cancelled task closes the connection, so that nothing waits for ever.
    func await<Value: Sendable>(
        _ ask: @escaping @Sendable (TunnelBridge, @escaping (Result<Value, any Error>) -> Void) -> Void
    ) async throws -> Value {
        try await withTaskCancellationHandler {
            try Task.checkCancellation()
            return try await withCheckedThrowingContinuation { continuation in
                post { bridge in ask(bridge) { continuation.resume(with: $0) } }
            }
        } onCancel: {
            post { $0.cancel() }
        }
    }

    func read(_ done: @escaping (Result<[UInt8]?, any Error>) -> Void) {
        precondition(reader == nil, "one reader at a time")
        guard !isBroken, channel.isOpen else { return done(.failure(TunnelConnection.Broken())) }
        reader = done
        channel.resumeReading()
        channel.readAgain()
    }

    override func channelReadable(_ channel: Channel) {
        guard let reader else { return channel.pauseReading() }
        let result: Result<[UInt8]?, any Error>
        switch channel.read() {
        case .bytes(let bytes):
            bytesIn &+= UInt64(bytes.count)
            result = .success(Array(bytes))
        case .blocked: return
        case .ended: result = .success(nil)
        case .failed: return channelFailed(channel)
        }
        self.reader = nil
        channel.pauseReading()
        reader(result)
    }

    func write(_ bytes: [UInt8], _ done: @escaping (Result<Void, any Error>) -> Void) {
        precondition(writer == nil, "one writer at a time")
        guard !isBroken, channel.isOpen else { return done(.failure(TunnelConnection.Broken())) }
        channel.write(bytes)
        bytesOut &+= UInt64(bytes.count)
        if channel.isCongested { writer = done } else { done(.success(())) }
    }

    override func channelDrained(_ channel: Channel) {
        let writer = self.writer
        self.writer = nil
        writer?(.success(()))
    }

    func finish() { channel.shutdownWriting() }

    func close() {
        channel.closeGracefully()
        settle(TunnelConnection.Broken())
    }

    fileprivate func cancel() {
        channel.closeNow()
        settle(CancellationError())
    }

    override func channelFailed(_ channel: Channel) {
        channel.closeNow()
        settle(TunnelConnection.Broken())
    }

    private func settle(_ error: any Error) {
        isBroken = true
        let (reader, writer, onEnd) = (self.reader, self.writer, self.onEnd)
        self.reader = nil
        self.writer = nil
        self.onEnd = nil
        reader?(.failure(error))
        writer?(.failure(error))
        onEnd?(self)
    }
}
