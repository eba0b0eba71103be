import CLinux
import Glibc

/// What has become possible on a descriptor.
struct Readiness: OptionSet {
    let rawValue: UInt32
    static let readable = Readiness(rawValue: selvage_epollin)
    static let writable = Readiness(rawValue: selvage_epollout)
    /// The peer will send no more.
    static let readClosed = Readiness(rawValue: selvage_epollrdhup)
    static let failed = Readiness(rawValue: selvage_epollerr | selvage_epollhup)
}

/// How a loop learns what is ready. Edge-triggered: a source is told of a change once and keeps it in mind. The seam
/// at which an io_uring loop can take epoll's place.
protocol Poller {
    init() throws(SystemError)
    /// Watches for both directions until the descriptor is closed. `shared` is for a listening socket that several
    /// loops watch: one of them wakes.
    func add(_ descriptor: Int32, token: UInt64, shared: Bool) throws(SystemError)
    func remove(_ descriptor: Int32)
    /// Waits at most `milliseconds` (-1: without end) and tells how many sources are ready.
    mutating func wait(milliseconds: Int32) -> Int
    /// One of those that the last wait found.
    subscript(index: Int) -> (token: UInt64, readiness: Readiness) { get }
    func close()
}

struct EpollPoller: Poller {
    private static let batch = 256
    private let descriptor: Int32
    private var events = [selvage_event](repeating: selvage_event(), count: EpollPoller.batch)

    init() throws(SystemError) {
        descriptor = epoll_create1(O_CLOEXEC)
        guard descriptor >= 0 else { throw SystemError("epoll_create1") }
    }

    func add(_ source: Int32, token: UInt64, shared: Bool) throws(SystemError) {
        var event = selvage_event()
        // EPOLLEXCLUSIVE does not go with EPOLLRDHUP (epoll_ctl(2)).
        event.events =
            shared
            ? selvage_epollin | selvage_epollexclusive
            : selvage_epollin | selvage_epollout | selvage_epollrdhup | selvage_epollet
        event.token = token
        guard epoll_ctl(descriptor, selvage_epoll_ctl_add, source, &event) == 0 else { throw SystemError("epoll_ctl") }
    }

    func remove(_ source: Int32) {
        var event = selvage_event()
        _ = epoll_ctl(descriptor, selvage_epoll_ctl_del, source, &event)
    }

    mutating func wait(milliseconds: Int32) -> Int {
        max(0, Int(epoll_wait(descriptor, &events, Int32(Self.batch), milliseconds)))
    }

    subscript(index: Int) -> (token: UInt64, readiness: Readiness) {
        let event = events[index]
        return (event.token, Readiness(rawValue: event.events))
    }

    func close() { _ = Glibc.close(descriptor) }
}
