import CLinux
import EdgeCore
import Glibc
import Shared
import Synchronization

/// Something with a descriptor on a loop. Subclassed by channels and listeners.
class EventSource {
    let loop: EventLoop
    /// -1 once closed, and for a source without one.
    fileprivate(set) var descriptor: Int32 = -1
    private(set) var isOpen = false
    fileprivate var token: UInt64 = 0
    /// The loop's clock in milliseconds at which `deadlineReached` is called; 0 for never.
    private var deadline: UInt64 = 0
    /// The tick of the wheel entry that counts; others are stale.
    fileprivate var armedTick: UInt64 = 0

    init(loop: EventLoop) { self.loop = loop }

    /// Gives the loop the descriptor to watch, and to close.
    func open(_ descriptor: Int32, shared: Bool = false) throws(SystemError) {
        token = loop.register(self)
        do {
            try loop.poller.add(descriptor, token: token, shared: shared)
        } catch {
            loop.unregister(token)
            throw error
        }
        self.descriptor = descriptor
        isOpen = true
    }

    /// Makes this a source without a descriptor: it has deadlines, and somebody else tells it what is ready.
    func openDetached() {
        token = loop.register(self)
        isOpen = true
    }

    /// Closes the descriptor. The object stays alive until the loop's round ends, so that a caller further up the
    /// stack does not run in freed memory.
    func closeDescriptor() {
        guard isOpen else { return }
        isOpen = false
        loop.unregister(token)
        if descriptor >= 0 { Glibc.close(descriptor) }
        descriptor = -1
        deadline = 0
        loop.keepUntilRoundEnds(self)
    }

    func ready(_ readiness: Readiness) {}
    func deadlineReached() {}

    /// Sets the one deadline of this source, from now. Costs a store, unless it is earlier than all before.
    @inline(__always)
    final func setDeadline(milliseconds: UInt64) {
        deadline = loop.milliseconds &+ milliseconds
        let tick = deadline / EventLoop.millisecondsPerTick + 1
        if armedTick == 0 || tick < armedTick { loop.arm(self, at: tick) }
    }

    final func clearDeadline() { deadline = 0 }

    fileprivate final func tickReached(_ tick: UInt64) {
        guard tick == armedTick else { return }
        armedTick = 0
        guard deadline != 0, isOpen else { return }
        if deadline <= loop.milliseconds {
            deadline = 0
            deadlineReached()
        } else {
            loop.arm(self, at: deadline / EventLoop.millisecondsPerTick + 1)
        }
    }
}

/// One thread with its own poller, timers, pools and counters. A connection lives on one loop for all its life.
///
/// `@unchecked Sendable`: everything but `post` and `stop` is confined to the loop's thread.
final class EventLoop: @unchecked Sendable {
    typealias Message = @Sendable (EventLoop) -> Void

    let index: Int
    fileprivate var poller: EpollPoller
    private let wakeDescriptor: Int32
    private let mailbox = Mailbox()
    /// Whether the loop waits, so that a message has to wake it.
    private let isAsleep = Atomic<Bool>(false)
    private var running = true

    private var sources: [EventSource?] = [nil]
    private var generations: [UInt32] = [0]
    private var freeSources: [Int] = []
    /// Entries are tokens, not objects: a closed connection is not kept alive by a deadline far away.
    private var wheel: TimerWheel<UInt64>
    private var due: [(element: UInt64, tick: UInt64)] = []
    fileprivate static let millisecondsPerTick = TimerWheel<UInt64>.millisecondsPerTick
    private var graveyard: [AnyObject] = []
    private var deferred: [() -> Void] = []

    /// The clock of this round.
    private(set) var now = MonotonicTime(nanoseconds: 0)
    private(set) var milliseconds: UInt64 = 0

    /// Where bytes are read to: valid until the next read on this loop.
    let scratch: UnsafeMutableRawBufferPointer
    /// Where an answer's head and body are put together before one write.
    var staging: [UInt8] = []

    /// What serves on this loop: snapshot, pools, counters. Set before the loop runs.
    var service: LoopService! = nil

    static let scratchSize = 64 << 10

    init(index: Int) throws(SystemError) {
        self.index = index
        poller = try EpollPoller()
        wakeDescriptor = eventfd(0, O_CLOEXEC | O_NONBLOCK)
        guard wakeDescriptor >= 0 else { throw SystemError("eventfd") }
        scratch = .allocate(byteCount: Self.scratchSize, alignment: 64)
        staging.reserveCapacity(Self.scratchSize + (16 << 10))
        wheel = TimerWheel(now: 0)
        readClock()
        wheel = TimerWheel(now: milliseconds / EventLoop.millisecondsPerTick)
        try poller.add(wakeDescriptor, token: 0, shared: false)
    }

    /// Runs `message` on the loop's thread, soon. Callable from anywhere.
    func post(_ message: @escaping Message) {
        mailbox.push(message)
        // The loop looks at its mailbox after it has said that it sleeps, so that one of the two sees the other.
        guard isAsleep.exchange(false, ordering: .sequentiallyConsistent) else { return }
        var one: UInt64 = 1
        _ = Glibc.write(wakeDescriptor, &one, 8)
    }

    /// Ends `run` after this round.
    func stop() { post { $0.running = false } }

    /// Runs something after all events of this round, still before the next wait.
    func afterRound(_ work: @escaping () -> Void) { deferred.append(work) }

    func run() {
        while running {
            let count = wait()
            readClock()
            for index in 0..<count {
                let (token, readiness) = poller[index]
                if token == 0 { clearWakening() } else { source(token)?.ready(readiness) }
            }
            mailbox.takeAll { $0(self) }
            runTimers()
            runDeferred()
            graveyard.removeAll(keepingCapacity: true)
        }
    }

    private func wait() -> Int {
        guard deferred.isEmpty else { return poller.wait(milliseconds: 0) }
        isAsleep.store(true, ordering: .sequentiallyConsistent)
        let timeout = mailbox.isEmpty ? millisecondsToNextTimer() : 0
        defer { isAsleep.store(false, ordering: .relaxed) }
        return poller.wait(milliseconds: timeout)
    }

    private func source(_ token: UInt64) -> EventSource? {
        let index = Int(token & 0xFFFF_FFFF)
        return generations[index] == UInt32(token >> 32) ? sources[index] : nil
    }

    private func runTimers() {
        readClock()
        // Collected first: a deadline's work may set new deadlines, which touches the wheel.
        wheel.advance(to: milliseconds / Self.millisecondsPerTick, into: &due)
        guard !due.isEmpty else { return }
        for (token, tick) in due { source(token)?.tickReached(tick) }
        due.removeAll(keepingCapacity: true)
    }

    private func runDeferred() {
        guard !deferred.isEmpty else { return }
        // Work that is put off again waits for the next round, so that sockets are served in between.
        let work = deferred
        deferred.removeAll(keepingCapacity: true)
        for item in work { item() }
    }

    private func clearWakening() {
        var count: UInt64 = 0
        _ = Glibc.read(wakeDescriptor, &count, 8)
    }

    private func millisecondsToNextTimer() -> Int32 {
        guard let next = wheel.next else { return -1 }
        let due = next * EventLoop.millisecondsPerTick
        return due <= milliseconds ? 0 : Int32(clamping: due - milliseconds)
    }

    func readClock() {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        now = MonotonicTime(nanoseconds: UInt64(time.tv_sec) &* 1_000_000_000 &+ UInt64(time.tv_nsec))
        milliseconds = now.nanoseconds / 1_000_000
    }

    fileprivate func arm(_ source: EventSource, at tick: UInt64) {
        // At most one turn ahead, to be looked at again then: an entry outlives its connection, and with deadlines of an
        // hour those of all connections of an hour would pile up.
        source.armedTick = wheel.insert(source.token, at: min(tick, wheel.lastOfTurn))
    }

    fileprivate func register(_ source: EventSource) -> UInt64 {
        let index: Int
        if let free = freeSources.popLast() {
            index = free
            sources[index] = source
        } else {
            index = sources.count
            sources.append(source)
            generations.append(1)
        }
        return UInt64(generations[index]) << 32 | UInt64(index)
    }

    fileprivate func unregister(_ token: UInt64) {
        let index = Int(token & 0xFFFF_FFFF)
        guard generations[index] == UInt32(token >> 32) else { return }
        if let source = sources[index] { graveyard.append(source) }
        sources[index] = nil
        generations[index] &+= 1
        freeSources.append(index)
    }

    func keepUntilRoundEnds(_ object: AnyObject) { graveyard.append(object) }

    deinit {
        scratch.deallocate()
        poller.close()
        Glibc.close(wakeDescriptor)
    }
}
