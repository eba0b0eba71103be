import Foundation
import Glibc

/// SIGTERM, SIGINT and SIGHUP as a sequence.
enum StopSignals {
    private static let numbers: [Int32] = [SIGTERM, SIGINT, SIGHUP]

    /// Blocks the signals in this thread and in all that it starts, so that only `watch` takes them.
    /// Called first thing in the program. SIGPIPE is ignored: a lost peer shows as an error of `write`.
    static func block() {
        var set = signalSet()
        pthread_sigmask(SIG_BLOCK, &set, nil)
        signal(SIGPIPE, SIG_IGN)
    }

    /// Every signal from now on, and those that have been waiting. Called once: one thread waits for them for as long
    /// as the process lives.
    static func watch() -> AsyncStream<Int32> {
        let (stream, continuation) = AsyncStream.makeStream(of: Int32.self, bufferingPolicy: .bufferingNewest(4))
        let thread = Thread {
            var set = signalSet()
            var number: Int32 = 0
            while sigwait(&set, &number) == 0 { continuation.yield(number) }
        }
        thread.name = "signals"
        thread.start()
        return stream
    }

    private static func signalSet() -> sigset_t {
        var set = sigset_t()
        sigemptyset(&set)
        for number in numbers { sigaddset(&set, number) }
        return set
    }
}
