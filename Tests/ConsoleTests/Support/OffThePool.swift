import Foundation
import Testing

/// Runs tests that wait in system calls on threads of their own. On the concurrency pool, which has one thread per core,
/// two of them would hold up every other test of the run until their deadlines had passed.
struct OffThePool: SuiteTrait, TestTrait, TestScoping {
    var isRecursive: Bool { true }

    func provideScope(
        for test: Test, testCase: Test.Case?, performing body: @concurrent @Sendable () async throws -> Void
    ) async throws {
        guard testCase != nil else { return try await body() }
        try await withTaskExecutorPreference(ThreadPerJob()) { try await body() }
    }

    /// Gives each piece of work between two suspensions a thread.
    private final class ThreadPerJob: TaskExecutor {
        func enqueue(_ job: consuming ExecutorJob) {
            let job = UnownedJob(job)
            let thread = Thread { job.runSynchronously(on: self.asUnownedTaskExecutor()) }
            thread.stackSize = 4 << 20
            thread.start()
        }
    }
}

extension Trait where Self == OffThePool {
    static var offThePool: OffThePool { OffThePool() }
}
