import Foundation
import Synchronization

/// What a program printed, and how it ended.
public struct CommandResult: Sendable {
    public let status: Int32
    public let output: String
    public let errors: String
}

/// Runs a program to its end, at most `seconds` long. Blocking: use it through `onThread`.
public func run(_ words: [String], input: String? = nil, seconds: Double = 30) throws -> CommandResult {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
    process.arguments = words
    let output = Pipe()
    let errors = Pipe()
    let stdin = Pipe()
    process.standardOutput = output
    process.standardError = errors
    process.standardInput = stdin
    try process.run()
    let watchdog = DispatchWorkItem { process.terminate() }
    DispatchQueue.global().asyncAfter(deadline: .now() + seconds, execute: watchdog)
    if let input { stdin.fileHandleForWriting.write(Data(input.utf8)) }
    try? stdin.fileHandleForWriting.close()
    let errorText = Mutex("")
    let reader = DispatchQueue(label: "errors")
    reader.async {
        let text = String(decoding: errors.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        errorText.withLock { $0 = text }
    }
    let text = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
    process.waitUntilExit()
    watchdog.cancel()
    reader.sync {}
    return CommandResult(status: process.terminationStatus, output: text, errors: errorText.withLock { $0 })
}

/// `curl` for a host that an edge on this machine serves over TLS.
public func curl(_ host: String, port: UInt16, v6: Bool = false, path: String = "/", _ options: [String] = []) throws
    -> CommandResult
{
    try run(
        ["curl", "-sk", "--max-time", "20", "--resolve", "\(host):\(port):\(v6 ? "[::1]" : "127.0.0.1")"] + options
            + ["https://\(host):\(port)\(path)"])
}
