import EdgeCore
import Glibc
import Synchronization

/// Turns upstream host names into addresses, off the loops: the system's resolver blocks. Answers are kept for 30
/// seconds, at most 1,024 names; literal addresses are answered at once.
final class Resolver: Sendable {
    private struct Entry {
        var addresses: [IPAddress]
        var expires: MonotonicTime
    }

    private struct State {
        var entries: [String: Entry] = [:]
        var waiting: [String: [(EventLoop, @Sendable ([IPAddress]) -> Void)]] = [:]
    }

    private static let lifetime = Duration.seconds(30)
    private let state = Mutex(State())

    /// An answer that is known already.
    func cached(_ host: String, now: MonotonicTime) -> [IPAddress]? {
        if let literal = IPAddress(host) { return [literal] }
        return state.withLock { state in
            guard let entry = state.entries[host], entry.expires > now else { return nil }
            return entry.addresses
        }
    }

    /// Calls back on `loop` with the addresses; none when the name does not resolve.
    func resolve(_ host: String, loop: EventLoop, _ answer: @escaping @Sendable ([IPAddress]) -> Void) {
        let first = state.withLock { state in
            state.waiting[host, default: []].append((loop, answer))
            return state.waiting[host]?.count == 1
        }
        guard first else { return }
        let isStarted = Threads.start { [self] in finish(host, Resolver.lookUp(host)) }
        // Without a thread nobody would ever answer, nor ask again.
        if !isStarted { finish(host, []) }
    }

    private func finish(_ host: String, _ addresses: [IPAddress]) {
        let waiting = state.withLock { state in
            if state.entries.count >= 1024 { state.entries.removeAll() }
            // A failure is not kept: the next request asks again.
            if !addresses.isEmpty {
                state.entries[host] = Entry(addresses: addresses, expires: Clock.now() + Resolver.lifetime)
            }
            return state.waiting.removeValue(forKey: host) ?? []
        }
        for (loop, answer) in waiting { loop.post { _ in answer(addresses) } }
    }

    private static func lookUp(_ host: String) -> [IPAddress] {
        var hints = addrinfo()
        hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        hints.ai_flags = AI_ADDRCONFIG
        var list: UnsafeMutablePointer<addrinfo>?
        guard Glibc.getaddrinfo(host, nil, &hints, &list) == 0 else { return [] }
        defer { freeaddrinfo(list) }
        var addresses: [IPAddress] = []
        var entry = list
        while let current = entry, addresses.count < 16 {
            if let address = current.pointee.ai_addr {
                var storage = sockaddr_storage()
                memcpy(&storage, address, Int(current.pointee.ai_addrlen))
                if let parsed = SocketAddress(&storage), !addresses.contains(parsed.address) {
                    addresses.append(parsed.address)
                }
            }
            entry = current.pointee.ai_next
        }
        return addresses
    }
}

enum Clock {
    static func now() -> MonotonicTime {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return MonotonicTime(nanoseconds: UInt64(time.tv_sec) &* 1_000_000_000 &+ UInt64(time.tv_nsec))
    }
}

enum Threads {
    private final class Body: Sendable {
        let run: @Sendable () -> Void
        init(_ run: @escaping @Sendable () -> Void) { self.run = run }
    }

    /// Runs `body` on a thread of its own, with every signal blocked: signals belong to the main thread.
    /// - Returns: `false` when the system has no thread to give.
    @discardableResult
    static func start(_ body: @escaping @Sendable () -> Void) -> Bool {
        var all = sigset_t()
        var before = sigset_t()
        sigfillset(&all)
        pthread_sigmask(SIG_SETMASK, &all, &before)
        defer { pthread_sigmask(SIG_SETMASK, &before, nil) }
        var thread = pthread_t()
        let argument = Unmanaged.passRetained(Body(body)).toOpaque()
        let result = pthread_create(
            &thread, nil,
            { argument in
                Unmanaged<Body>.fromOpaque(argument!).takeRetainedValue().run()
                return nil
            }, argument)
        if result == 0 { pthread_detach(thread) } else { Unmanaged<Body>.fromOpaque(argument).release() }
        return result == 0
    }
}
