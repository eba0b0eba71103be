import EdgeCore
import EdgeTunnel
import Glibc

/// Who uses a channel. Called on the channel's loop; the channel may be closed in any of these.
class ChannelHandler {
    /// A dialled connection stands (and its TLS handshake is done).
    func channelConnected(_ channel: Channel) {}
    /// Bytes may be read: read until `.blocked`, or pause.
    func channelReadable(_ channel: Channel) {}
    /// What was queued has been written; `Channel.isCongested` is false again.
    func channelDrained(_ channel: Channel) {}
    /// The channel broke and is closed already.
    func channelFailed(_ channel: Channel) {}
    func channelDeadline(_ channel: Channel) { channelFailed(channel) }
    /// Both directions are closed by the peer while this side reads nothing; what had arrived can still be read.
    func channelHungUp(_ channel: Channel) {}
    /// The ClientHello asks for an edge that does not terminate TLS: these are the bytes read so far.
    func channelPassThrough(_ channel: Channel, edge: CompiledEdge, helloBytes: [UInt8]) {}
}

/// A byte stream over a socket or a tunnel's stream, with or without TLS, that writes at once and queues only what its
/// carrier refuses.
final class Channel: EventSource, TLSCarrier {
    private enum Phase {
        case connecting, handshaking, open
        /// Everything is written and the writing half is shut: what the peer still sends is thrown away, so that our
        /// last bytes are not lost to a reset (RFC 9112, 9.6).
        case lingering(discarded: Int)
    }

    enum ReadResult {
        /// Valid until the next read on this loop.
        case bytes(UnsafeMutableRawBufferPointer)
        case blocked
        case ended
        case failed
    }

    var handler: ChannelHandler?
    /// What carries the bytes where it is no socket.
    private let carrier: StreamCarrier?
    private(set) var tls: TLSSession?
    private var phase = Phase.open
    private var queue = ByteQueue()
    /// The kernel has told of something to read that has not been read up.
    private var readable = false
    /// A short read has emptied the socket: the next one would only say so again.
    private var socketDrained = false
    private var peerShut = false
    /// The peer has ended its half, though perhaps not all of it was read yet.
    var peerHasShut: Bool { peerShut || inputEnded }
    private var readPaused = false
    private var resumeScheduled = false
    private var afterFlush = AfterFlush.nothing
    private(set) var inputEnded = false
    /// Called once, when the descriptor is closed: not before its last byte is written.
    var onClose: (() -> Void)?
    /// The loop's clock when the kernel last took queued bytes, or when they began to queue.
    private(set) var lastWriteProgress: UInt64 = 0
    /// How long a peer has to end its half after we have ended ours.
    private static let lingerMilliseconds: UInt64 = 2000

    /// Acknowledge at once what the peer sends, again and again, because the kernel forgets it: official agents keep
    /// small segments back until then, 44 ms for every request (agent-protocol.md 10.2).
    var acknowledgesAtOnce = false

    private enum AfterFlush { case nothing, shutdown, close, linger }

    /// Queued bytes above which the other side is no longer read, and below which it is read again.
    private let highWater: Int

    init(loop: EventLoop, descriptor: Int32, connecting: Bool = false) throws(SystemError) {
        highWater = loop.service.settings.queueHighWater
        carrier = nil
        super.init(loop: loop)
        phase = connecting ? .connecting : .open
        try open(descriptor)
    }

    init(loop: EventLoop, carrier: StreamCarrier) {
        highWater = loop.service.settings.queueHighWater
        self.carrier = carrier
        super.init(loop: loop)
        openDetached()
        carrier.channel = self
    }

    /// Whether a tunnel carries it.
    var isTunnelled: Bool { carrier != nil }
    /// The tunnel broke, or its session ended, and not this one connection in good order.
    var isLost: Bool { carrier?.isBroken ?? false }
    /// Why a tunnelled connection came to nothing: its agent could not reach the upstream. No byte was used up then.
    var dialFailure: EdgeError? { carrier?.dialFailure }

    var isReadingPaused: Bool { readPaused }
    var isCongested: Bool { queue.count >= highWater }
    var hasQueuedBytes: Bool { !queue.isEmpty }

    override func closeDescriptor() {
        carrier?.close()
        super.closeDescriptor()
        let onClose = self.onClose
        self.onClose = nil
        onClose?()
    }

    /// Whether bytes are queued of which the kernel has taken none for `milliseconds`.
    func isStuck(_ milliseconds: UInt64) -> Bool {
        !queue.isEmpty && loop.milliseconds &- lastWriteProgress >= milliseconds
    }

    // MARK: TLS

    /// Makes this the server's half of a TLS connection; `channelConnected` follows when the handshake is done.
    func beginServerTLS(decide: @escaping (String) -> HelloDecision) throws(TLSError) {
        tls = try TLSSession(
            server: loop.service.listenerTLS, ticketKeys: loop.service.ticketKeys, carrier: self, decide: decide)
        phase = .handshaking
    }

    /// Makes a connected channel the client's half; `channelConnected` follows.
    func beginClientTLS(_ client: ClientTLS) throws(TLSError) {
        tls = try TLSSession(
            client: client.context, serverName: client.serverName, verifiedHost: client.verifiedHost, carrier: self)
        phase = .handshaking
        driveHandshake()
    }

    private func driveHandshake() {
        guard let tls else { return }
        switch tls.handshake() {
        case .done:
            phase = .open
            handler?.channelConnected(self)
            if isOpen, readable, !readPaused { handler?.channelReadable(self) }
        case .blocked:
            if peerShut { fail() }
        case .passThrough(let edge, let bytes):
            self.tls = nil
            phase = .open
            handler?.channelPassThrough(self, edge: edge, helloBytes: bytes)
        case .failed: fail()
        }
    }

    func carrierRead(_ buffer: UnsafeMutableRawBufferPointer) -> CarrierResult {
        if let carrier { return carrier.read(into: buffer) }
        if socketDrained, !peerShut { return .blocked }
        let count = recv(descriptor, buffer.baseAddress, buffer.count, 0)
        if count > 0 {
            if count < buffer.count { socketDrained = true }
            if acknowledgesAtOnce { Sockets.setQuickAcknowledge(descriptor) }
            return .bytes(count)
        }
        if count == 0 { return .ended }
        guard errno == EAGAIN || errno == EINTR else { return .failed }
        socketDrained = true
        return .blocked
    }

    func carrierWrite(_ bytes: UnsafeRawBufferPointer) -> CarrierResult {
        if let carrier { return carrier.write(bytes) }
        let count = send(descriptor, bytes.baseAddress, bytes.count, Int32(MSG_NOSIGNAL))
        if count >= 0 { return .bytes(count) }
        return errno == EAGAIN || errno == EINTR ? .blocked : .failed
    }

    // MARK: Events

    override func ready(_ readiness: Readiness) {
        if !readiness.isDisjoint(with: [.readable, .readClosed, .failed]) {
            readable = true
            socketDrained = false
        }
        if !readiness.isDisjoint(with: [.readClosed, .failed]) { peerShut = true }
        switch phase {
        case .connecting:
            guard !readiness.isDisjoint(with: [.writable, .failed]) else { return }
            finishConnecting()
        case .handshaking: driveHandshake()
        case .open:
            if readiness.contains(.writable), !queue.isEmpty { flushQueue() }
            if isOpen, readable, !readPaused { handler?.channelReadable(self) }
            // A reset ends both directions, whoever reads.
            let cannotRead = readPaused || carrier != nil && inputEnded
            if isOpen, !readiness.isDisjoint(with: .failed), cannotRead { probe() }
        case .lingering:
            if readiness.contains(.writable), !queue.isEmpty { flushQueue() }
            if isOpen { discardInput() }
        }
    }

    private func finishConnecting() {
        guard Sockets.connectionError(descriptor) == 0 else { return fail() }
        phase = .open
        handler?.channelConnected(self)
    }

    override func deadlineReached() {
        if case .lingering = phase {
            let patience = loop.service.settings.bodyProgressTimeout
            guard !queue.isEmpty, !isStuck(patience) else { return closeDescriptor() }
            return setDeadline(milliseconds: patience)
        }
        handler?.channelDeadline(self)
    }

    private func fail() {
        guard isOpen else { return }
        closeDescriptor()
        let handler = self.handler
        self.handler = nil
        handler?.channelFailed(self)
    }

    /// A paused reader does not see a reset by reading: ask the socket.
    private func probe() {
        let isBroken = carrier?.isBroken ?? (Sockets.connectionError(descriptor) != 0)
        if isBroken { fail() } else { handler?.channelHungUp(self) }
    }

    // MARK: Reading

    func read() -> ReadResult {
        guard isOpen, !inputEnded else { return inputEnded ? .ended : .failed }
        let result: CarrierResult
        if tls == nil, let carrier { return read(carrier) }
        if let tls {
            result = tls.read(loop.scratch)
        } else {
            result = carrierRead(loop.scratch)
        }
        switch result {
        case .bytes(let count):
            // A short read has emptied the source: the next event will say when there is more.
            if count < loop.scratch.count, !peerShut, tls?.isDrained ?? true { readable = false }
            return .bytes(UnsafeMutableRawBufferPointer(rebasing: loop.scratch[0..<count]))
        case .blocked:
            readable = false
            return .blocked
        case .ended:
            inputEnded = true
            readable = false
            return .ended
        case .failed:
            return .failed
        }
    }

    /// A tunnel's bytes are handed on where they lie.
    private func read(_ carrier: StreamCarrier) -> ReadResult {
        let result = carrier.read()
        switch result {
        case .bytes, .failed: break
        case .blocked: readable = false
        case .ended:
            inputEnded = true
            readable = false
        }
        return result
    }

    /// Stops `channelReadable` until `resumeReading`. What the peer sends waits in the kernel, and then at the peer.
    func pauseReading() { readPaused = true }

    /// Takes reading up again, after this round: a reader's bytes lie in the loop's scratch buffer, and a caller
    /// further up the stack may be using it.
    func resumeReading() {
        guard readPaused else { return }
        readPaused = false
        readAgain()
    }

    /// Has `channelReadable` called after this round, for a reader that stopped before `.blocked`.
    func readAgain() {
        guard readable || inputEnded, !resumeScheduled else { return }
        resumeScheduled = true
        loop.afterRound { [self] in
            resumeScheduled = false
            if isOpen, !readPaused { handler?.channelReadable(self) }
        }
    }

    // MARK: Writing

    /// Writes now what the kernel takes and queues the rest. The caller keeps the queue bounded by reading no more
    /// from its own source while `isCongested`.
    func write(_ bytes: UnsafeRawBufferPointer) {
        guard isOpen, bytes.count > 0 else { return }
        var rest = bytes
        if queue.isEmpty {
            while rest.count > 0 {
                switch writeOnce(rest) {
                case .bytes(let count): rest = UnsafeRawBufferPointer(rebasing: rest[count...])
                case .blocked:
                    lastWriteProgress = loop.milliseconds
                    queue.append(rest)
                    return
                case .ended, .failed: return failLater()
                }
            }
        } else {
            queue.append(rest)
        }
    }

    func write(_ bytes: [UInt8]) { bytes.withUnsafeBytes { write($0) } }

    @inline(__always)
    private func writeOnce(_ bytes: UnsafeRawBufferPointer) -> CarrierResult {
        if let tls { tls.write(bytes) } else { carrierWrite(bytes) }
    }

    /// A writer is often in the midst of something: it hears of the failure after the round.
    private func failLater() {
        loop.afterRound { [self] in fail() }
    }

    private func flushQueue() {
        let wasCongested = isCongested
        while !queue.isEmpty {
            switch queue.withBytes(writeOnce) {
            case .bytes(let count):
                lastWriteProgress = loop.milliseconds
                queue.drop(count)
            case .blocked:
                if wasCongested, !isCongested { handler?.channelDrained(self) }
                return
            case .ended, .failed: return fail()
            }
        }
        flushed()
    }

    private func flushed() {
        switch afterFlush {
        case .nothing: handler?.channelDrained(self)
        case .shutdown:
            afterFlush = .nothing
            sendEnd()
            handler?.channelDrained(self)
        case .close: closeNow()
        case .linger:
            setDeadline(milliseconds: Self.lingerMilliseconds)
            sendEnd()
            discardInput()
        }
    }

    private func sendEnd() {
        tls?.sendCloseNotify()
        if let carrier { carrier.finish() } else { Glibc.shutdown(descriptor, Int32(SHUT_WR)) }
    }

    /// Ends the writing half when all is written.
    func shutdownWriting() {
        guard isOpen else { return }
        if queue.isEmpty { sendEnd() } else { afterFlush = .shutdown }
    }

    // MARK: Closing

    /// Closes at once; what is queued is lost.
    func closeNow() {
        guard isOpen else { return }
        handler = nil
        if case .open = phase, queue.isEmpty { tls?.sendCloseNotify() }
        closeDescriptor()
    }

    /// Tells the other end of a tunnel's stream that there is nobody behind it, and closes.
    func refuse(_ code: MuxCode) {
        guard isOpen else { return }
        handler = nil
        carrier?.breakOff(code)
        closeDescriptor()
    }

    /// Closes so that the peer sees a reset: for bytes that would look complete if they ended in good order.
    func reset() {
        guard isOpen else { return }
        handler = nil
        if let carrier { carrier.breakOff(.reset) } else { Sockets.setResetOnClose(descriptor) }
        closeDescriptor()
    }

    /// Writes what is queued for as long as the peer takes it, tells the peer that this is the end, and closes when
    /// the peer has done the same, or two seconds later, or after 256 KiB that nobody wants.
    func closeGracefully() {
        guard isOpen else { return }
        handler = nil
        readPaused = false
        phase = .lingering(discarded: 0)
        guard queue.isEmpty else {
            setDeadline(milliseconds: loop.service.settings.bodyProgressTimeout)
            return afterFlush = .linger
        }
        setDeadline(milliseconds: Self.lingerMilliseconds)
        sendEnd()
        loop.afterRound { [self] in if isOpen { discardInput() } }
    }

    private func discardInput() {
        guard case .lingering(var discarded) = phase else { return }
        while isOpen {
            if let carrier {
                guard case .bytes(let bytes) = carrier.read() else {
                    if carrier.hasEnded { closeDescriptor() }
                    return
                }
                discarded += bytes.count
                phase = .lingering(discarded: discarded)
                if discarded > 256 << 10 { return closeDescriptor() }
                continue
            }
            // Sealed bytes need no opening to be thrown away.
            let count = recv(descriptor, loop.scratch.baseAddress, loop.scratch.count, 0)
            if count > 0 {
                discarded += count
                phase = .lingering(discarded: discarded)
                if discarded > 256 << 10 { return closeDescriptor() }
            } else if count < 0, errno == EAGAIN || errno == EINTR {
                return
            } else {
                if queue.isEmpty || count < 0 { closeDescriptor() }
                return
            }
        }
    }
}
