import Foundation
import Glibc

/// A program run to its end.
struct Command {
    var status: Int32
    var output: String
    var errors: String

    /// - Parameter seconds: after this long it is killed, and the test fails.
    @discardableResult
    static func run(_ arguments: [String], seconds: Double = 30) throws -> Command {
        let process = try RunningProcess(arguments)
        try EndToEnd.wait(seconds, for: arguments.joined(separator: " ") + " to end") { !process.isRunning }
        return Command(status: process.status, output: process.output, errors: process.errors)
    }
}

/// A program that runs beside the test, and is killed with this value.
final class RunningProcess: @unchecked Sendable {
    // Unchecked: `Process` is not Sendable, but one test uses this value from one thread at a time.
    private let process = Process()
    private let folder: ScratchFolder

    init(_ arguments: [String]) throws {
        folder = try ScratchFolder()
        let program = arguments[0].contains("/") ? arguments[0] : "/usr/bin/env"
        process.executableURL = URL(fileURLWithPath: program)
        process.arguments = arguments[0].contains("/") ? Array(arguments.dropFirst()) : arguments
        process.standardInput = FileHandle.nullDevice
        // Into files rather than pipes, which would have to be emptied while the program runs.
        process.standardOutput = try RunningProcess.file(folder.path + "/out")
        process.standardError = try RunningProcess.file(folder.path + "/err")
        var environment = ProcessInfo.processInfo.environment
        environment["SWIFT_BACKTRACE"] = "enable=no"
        process.environment = environment
        try process.run()
    }

    deinit { kill() }

    private static func file(_ path: String) throws -> FileHandle {
        _ = FileManager.default.createFile(atPath: path, contents: nil)
        guard let handle = FileHandle(forWritingAtPath: path) else { throw EndToEndFailure("cannot write \(path)") }
        return handle
    }

    var pid: pid_t { process.processIdentifier }
    var isRunning: Bool { process.isRunning }
    /// Of an ended program; the signal's number if it died of one.
    var status: Int32 { process.terminationStatus }
    var output: String { text("out") }
    var errors: String { text("err") }

    private func text(_ name: String) -> String {
        String(decoding: FileManager.default.contents(atPath: folder.path + "/" + name) ?? Data(), as: UTF8.self)
    }

    /// At once, as when the power fails.
    func kill() {
        guard process.isRunning else { return }
        Glibc.kill(pid, SIGKILL)
        process.waitUntilExit()
    }

    func signal(_ number: Int32) { Glibc.kill(pid, number) }
}
