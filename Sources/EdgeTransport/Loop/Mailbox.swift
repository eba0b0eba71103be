import Synchronization

/// Messages to a loop from other threads, without a lock: what crosses from loop to loop with each request must not make
/// one wait for the other.
///
/// A stack that is taken whole: the taker turns it round, so that messages of one sender keep their order.
/// `@unchecked Sendable`: nodes are written before they are pushed, and belong to who takes them.
final class Mailbox: @unchecked Sendable {
    private struct Node {
        let message: EventLoop.Message
        var next: UnsafeMutablePointer<Node>?
    }

    private let head = Atomic<UnsafeMutablePointer<Node>?>(nil)

    init() {}

    var isEmpty: Bool { head.load(ordering: .sequentiallyConsistent) == nil }

    /// Callable from anywhere.
    func push(_ message: @escaping EventLoop.Message) {
        let node = UnsafeMutablePointer<Node>.allocate(capacity: 1)
        var expected = head.load(ordering: .relaxed)
        node.initialize(to: Node(message: message, next: expected))
        while true {
            let (exchanged, original) = head.weakCompareExchange(
                expected: expected, desired: node, ordering: .sequentiallyConsistent)
            if exchanged { return }
            expected = original
            node.pointee.next = original
        }
    }

    /// Takes all, the oldest first. By the loop alone.
    func takeAll(_ body: (EventLoop.Message) -> Void) {
        var node = head.exchange(nil, ordering: .acquiring)
        var oldest: UnsafeMutablePointer<Node>?
        while let current = node {
            node = current.pointee.next
            current.pointee.next = oldest
            oldest = current
        }
        while let current = oldest {
            oldest = current.pointee.next
            let message = current.pointee.message
            current.deinitialize(count: 1)
            current.deallocate()
            body(message)
        }
    }

    deinit { takeAll { _ in } }
}
