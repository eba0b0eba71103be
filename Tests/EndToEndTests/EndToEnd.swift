import Foundation
import Testing

/// Everything that runs the real programs, one test after the other: they share two cores with the other tests.
@Suite(.serialized) enum EndToEnd {
    /// Where the programs of this build lie: beside the test bundle.
    static let binaries: String = {
        let bundle = (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")) ?? ""
        let folder = (bundle as NSString).deletingLastPathComponent
        if FileManager.default.isExecutableFile(atPath: folder + "/selvage-server") { return folder }
        return repository + "/.build/debug"
    }()

    static let repository = URL(fileURLWithPath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent().path

    /// The Python that `scripts/setup --tests` equips.
    static let python = repository + "/.venv/bin/python"

    /// `scripts/test` demands every test; someone who runs `swift test` alone may lack the Python packages.
    static let hasPython =
        FileManager.default.isExecutableFile(atPath: python)
        || ProcessInfo.processInfo.environment["SELVAGE_E2E_REQUIRED"] != nil

    /// The Python that has the agents' SDK, whose module is called like that of the API's client.
    static let agentPython = repository + "/.venv-agent/bin/python"

    static let hasAgentPython =
        FileManager.default.isExecutableFile(atPath: agentPython)
        || ProcessInfo.processInfo.environment["SELVAGE_E2E_REQUIRED"] != nil

    /// How long the test of live changes lasts: 10 s, or what `scripts/soak` says.
    static let soakSeconds =
        ProcessInfo.processInfo.environment["SELVAGE_SOAK_SECONDS"].flatMap { Int($0) } ?? 10

    /// Runs a body that waits in system calls on a thread of its own, so that it holds up no other test.
    static func onThread<Result: Sendable>(_ body: @escaping @Sendable () throws -> Result) async throws -> Result {
        try await withCheckedThrowingContinuation { continuation in
            let thread = Thread { continuation.resume(with: Swift.Result { try body() }) }
            thread.stackSize = 4 << 20
            thread.start()
        }
    }

    /// Asks again and again until the condition holds.
    /// - Parameter seconds: long, because hundreds of other tests share the machine. What must be quick is measured.
    static func wait(_ seconds: Double = 60, for what: String, until condition: () throws -> Bool) throws {
        let deadline = Date().addingTimeInterval(seconds)
        while try !condition() {
            guard Date() < deadline else { throw EndToEndFailure("waited \(seconds) s for \(what)") }
            usleep(20_000)
        }
    }
}

struct EndToEndFailure: Error, CustomStringConvertible {
    let description: String

    init(_ description: String) { self.description = description }
}
