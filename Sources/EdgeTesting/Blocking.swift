import Glibc
import Synchronization

/// Runs blocking work on a thread of its own: the concurrency pool has one thread per core, and a test that blocked
/// them all would wait for the very tasks that it keeps from running.
public func onThread<R: Sendable>(_ body: @escaping @Sendable () throws -> R) async throws -> R {
    try await withCheckedThrowingContinuation { continuation in
        do {
            try startThread { continuation.resume(with: Result(catching: body)) }
        } catch {
            continuation.resume(throwing: error)
        }
    }
}

/// Runs blocking work on a thread of its own, for nobody to wait for.
public func startThread(_ body: @escaping @Sendable () -> Void) throws {
    let box = Unmanaged.passRetained(Box(body))
    var thread = pthread_t()
    let status = pthread_create(
        &thread, nil,
        { argument in
            Unmanaged<Box>.fromOpaque(argument!).takeRetainedValue().run()
            return nil
        }, box.toOpaque())
    guard status == 0 else {
        box.release()
        throw RawSocket.Failure(description: "no thread: \(String(cString: strerror(status)))")
    }
    pthread_detach(thread)
}

private final class Box: Sendable {
    let run: @Sendable () -> Void
    init(_ run: @escaping @Sendable () -> Void) { self.run = run }
}

/// Waits for a condition, looking again every few milliseconds.
/// - Parameter seconds: long, because hundreds of tests share the machine.
/// - Throws: `Late` when it does not come true in time.
public func eventually(
    _ what: String, seconds: Double = 60, _ condition: @Sendable () async throws -> Bool
) async throws {
    let deadline = ContinuousClock.now + .seconds(seconds)
    while ContinuousClock.now < deadline {
        if try await condition() { return }
        try await Task.sleep(for: .milliseconds(5))
    }
    throw Late(what: what)
}

public struct Late: Error, CustomStringConvertible {
    public let what: String
    public init(what: String) { self.what = what }
    public var description: String { "not in time: \(what)" }
}

/// A count that several threads may raise.
public final class Counter: Sendable {
    private let count = Mutex(0)
    public init() {}
    public var value: Int { count.withLock { $0 } }
    @discardableResult
    public func raise() -> Int {
        count.withLock {
            $0 += 1; return $0
        }
    }
}
