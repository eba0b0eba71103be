import CLinux
import EdgeCore
import Glibc

/// Who waits for a dial.
protocol DialWaiter: AnyObject {
    func dialed(_ channel: Channel)
    /// The edge's own error for it; nothing was sent.
    func dialFailed(_ error: EdgeError)
}

/// Where to dial, and how.
struct DialPlace {
    /// A name or an address, or the path of a Unix socket.
    let host: String
    let port: UInt16
    var isUnixSocket = false
    var tls: ClientTLS?
    /// `host`, where that is an address and was read already.
    var address: IPAddress?

    init(host: String, port: UInt16, tls: ClientTLS? = nil, address: IPAddress? = nil) {
        self.host = host
        self.port = port
        self.tls = tls
        self.address = address
    }

    init(unixSocket path: String, tls: ClientTLS? = nil) {
        self.init(host: path, port: 0, tls: tls)
        isUnixSocket = true
    }

    init(_ target: Target, _ service: LoopService) {
        self.init(
            host: target.host, port: target.port,
            tls: target.usesTLS
                ? ClientTLS(
                    service.upstreamTLS, host: target.host, isVerified: service.settings.verifyUpstreamTLS) : nil)
    }
}

/// Makes one connection: name, address after address, TLS. One deadline covers it all.
final class Dialer: ChannelHandler {
    private let loop: EventLoop
    private let place: DialPlace
    /// Let go of at the end. Not weak: a weak reference gives its object a side table, and from then on every retain of
    /// it takes the slow way; exchanges, which wait here, live long and are retained often.
    private var waiter: (any DialWaiter)?
    private var addresses: [IPAddress] = []
    private var channel: Channel?
    private var deadline: MonotonicTime
    private var lastError = EdgeError.upstreamUnreachable
    private var isOver = false
    /// Dialers that wait for a name have no channel whose deadline would end them.
    private var keepAlive: Dialer?
    private var timer: DialTimer?

    init(loop: EventLoop, place: DialPlace, waiter: any DialWaiter) {
        self.loop = loop
        self.place = place
        self.waiter = waiter
        deadline = loop.now + .milliseconds(Int64(loop.service.settings.dialTimeout))
    }

    func start() {
        keepAlive = self
        if let address = place.isUnixSocket ? .unspecified : place.address {
            addresses = [address]
            return tryNext()
        }
        if let known = loop.service.resolver.cached(place.host, now: loop.now) {
            addresses = known
            return tryNext()
        }
        // The resolver's answer may come late or never: the timer's source is this box.
        let box = WeakDialer(self)
        loop.service.resolver.resolve(place.host, loop: loop) { found in box.dialer?.resolved(found) }
        let timer = DialTimer(loop: loop, dialer: self)
        self.timer = timer
        guard timer.start(milliseconds: loop.service.settings.dialTimeout) else {
            return finish(.failure(.upstreamUnreachable))
        }
    }

    /// Nobody waits any more.
    func cancel() {
        isOver = true
        waiter = nil
        channel?.closeNow()
        channel = nil
        timer?.closeDescriptor()
        keepAlive = nil
    }

    fileprivate func resolved(_ found: [IPAddress]) {
        guard !isOver, channel == nil else { return }
        timer?.closeDescriptor()
        addresses = found
        tryNext()
    }

    fileprivate func timeRanOut() {
        guard !isOver, channel == nil else { return }
        finish(.failure(.upstreamUnreachable))
    }

    private func tryNext() {
        while !addresses.isEmpty {
            let address = addresses.removeFirst()
            let left =
                deadline.nanoseconds > loop.now.nanoseconds
                ? (deadline.nanoseconds - loop.now.nanoseconds) / 1_000_000 : 0
            guard left > 0 else { break }
            do {
                let descriptor =
                    try place.isUnixSocket
                    ? Sockets.connect(unixPath: place.host)
                    : Sockets.connect(SocketAddress(address, port: place.port))
                guard let channel = try? Channel(loop: loop, descriptor: descriptor, connecting: true) else {
                    close(descriptor)
                    continue
                }
                channel.handler = self
                // One slow address leaves time for those after it.
                channel.setDeadline(milliseconds: addresses.isEmpty ? left : max(250, left / 2))
                self.channel = channel
                return
            } catch {
                lastError = error.code == ECONNREFUSED ? .upstreamRefused : .upstreamUnreachable
            }
        }
        finish(.failure(lastError))
    }

    override func channelConnected(_ channel: Channel) {
        if let tls = place.tls, channel.tls == nil {
            do {
                try channel.beginClientTLS(tls)
            } catch {
                channelFailed(channel)
            }
            return
        }
        channel.clearDeadline()
        finish(.success(channel))
    }

    override func channelFailed(_ channel: Channel) {
        self.channel = nil
        channel.closeNow()
        lastError = place.tls != nil && channel.tls != nil ? .upstreamUnreachable : .upstreamRefused
        tryNext()
    }

    override func channelDeadline(_ channel: Channel) {
        self.channel = nil
        channel.closeNow()
        lastError = .upstreamUnreachable
        tryNext()
    }

    private func finish(_ result: Result<Channel, EdgeError>) {
        guard !isOver else { return }
        isOver = true
        keepAlive = nil
        channel = nil
        timer?.closeDescriptor()
        switch result {
        case .success(let channel):
            channel.handler = nil
            guard let waiter = takeWaiter() else { return channel.closeNow() }
            waiter.dialed(channel)
        case .failure(let error):
            // After the round: a dial may fail at once, while its waiter is still being set up.
            loop.afterRound { [self] in takeWaiter()?.dialFailed(error) }
        }
    }

    private func takeWaiter() -> (any DialWaiter)? {
        defer { waiter = nil }
        return waiter
    }
}

/// Lets a late answer find its dialer, if it is still there. Only touched on the loop.
private final class WeakDialer: @unchecked Sendable {
    weak var dialer: Dialer?
    init(_ dialer: Dialer) { self.dialer = dialer }
}

/// A deadline without a connection: an eventfd that never fires carries it.
private final class DialTimer: EventSource {
    private weak var dialer: Dialer?

    init(loop: EventLoop, dialer: Dialer) {
        self.dialer = dialer
        super.init(loop: loop)
    }

    /// - Returns: `false` where there is no descriptor left: then nothing may wait for it.
    func start(milliseconds: UInt64) -> Bool {
        let descriptor = eventfd(0, O_CLOEXEC)
        guard descriptor >= 0 else { return false }
        do { try open(descriptor) } catch {
            _ = close(descriptor)
            return false
        }
        setDeadline(milliseconds: milliseconds)
        return true
    }

    override func deadlineReached() {
        closeDescriptor()
        dialer?.timeRanOut()
    }
}
