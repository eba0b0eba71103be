import Dispatch
import EdgeTesting
import Synchronization
import Testing

@testable import EdgeTransport

/// Messages from many threads to one.
@Suite struct MailboxTests {
    private static let senders = 6
    private static let messages = 20_000

    /// What came of each sender, in the order in which it came. Only touched by the taker.
    private final class Arrivals: @unchecked Sendable {
        var next = Array(repeating: 0, count: senders)
        var disorder = 0
        var count: Int { next.reduce(0, +) }

        func take(_ sender: Int, _ number: Int) {
            if number != next[sender] { disorder += 1 }
            next[sender] = number + 1
        }
    }

    @Test func `nothing is lost or doubled, and each sender's order is kept, while it is emptied`() async throws {
        let mailbox = Mailbox()
        let arrivals = Arrivals()
        let loop = try EventLoop(index: 0)
        for sender in 0..<Self.senders {
            try startThread {
                for number in 0..<Self.messages { mailbox.push { _ in arrivals.take(sender, number) } }
            }
        }
        let total = Self.senders * Self.messages
        try await onThread {
            let deadline = ContinuousClock.now + .seconds(60)
            while arrivals.count < total, ContinuousClock.now < deadline { mailbox.takeAll { $0(loop) } }
        }
        #expect(arrivals.next == Array(repeating: Self.messages, count: Self.senders))
        #expect(arrivals.disorder == 0 && mailbox.isEmpty)
    }

    @Test func `messages that nobody takes are given back with the mailbox`() {
        final class Held: Sendable {}
        weak var held: Held?
        do {
            let mailbox = Mailbox()
            let object = Held()
            held = object
            for _ in 0..<10 { mailbox.push { _ in _ = object } }
            #expect(held != nil)
        }
        #expect(held == nil)
    }

    private func withLoop(_ body: (EventLoop) async throws -> Void) async throws {
        let loop = try EventLoop(index: 0)
        Threads.start { loop.run() }
        defer { loop.stop() }
        try await body(loop)
    }

    @Test func `a loop runs all messages of many threads, each sender's in order`() async throws {
        try await withLoop { loop in
            let arrivals = Arrivals()
            let done = Counter()
            for sender in 0..<Self.senders {
                try startThread {
                    for number in 0..<Self.messages {
                        loop.post { _ in
                            arrivals.take(sender, number)
                            if number == Self.messages - 1 { done.raise() }
                        }
                    }
                }
            }
            try await eventually("all senders' last messages were run") { done.value == Self.senders }
            #expect(arrivals.next == Array(repeating: Self.messages, count: Self.senders))
            #expect(arrivals.disorder == 0)
        }
    }

    @Test func `a loop that sleeps is woken by each message, however soon after the last it comes`() async throws {
        try await withLoop { loop in
            let missed = try await onThread {
                let answered = DispatchSemaphore(value: 0)
                for turn in 0..<20_000 {
                    loop.post { _ in answered.signal() }
                    // Sometimes it has gone to sleep, sometimes it is about to.
                    guard answered.wait(timeout: .now() + 60) == .success else { return turn }
                }
                return -1
            }
            #expect(missed == -1, "the message of turn \(missed) was not run")
        }
    }

    @Test func `what a message posts runs in a later round`() async throws {
        try await withLoop { loop in
            let depth = Counter()
            @Sendable func deeper(_ loop: EventLoop) {
                if depth.raise() < 1000 { loop.post(deeper) }
            }
            loop.post(deeper)
            try await eventually("all of them were run") { depth.value == 1000 }
        }
    }
}
