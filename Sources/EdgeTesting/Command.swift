import Glibc

/// A program run to its end: how it ended, and what it printed.
public struct Command: Sendable {
    public var status: Int32
    public var output: String
    public var errors: String

    /// Blocking: use it through `onThread`.
    /// - Parameters:
    ///   - input: what it can read; nothing by default.
    ///   - seconds: after this long it is killed. Far more than any of them needs, because hundreds of other tests may
    ///     run at the same moment.
    /// - Throws: `CommandFailure` when it cannot be started or does not end in time.
    @discardableResult
    public static func run(_ arguments: [String], input: String? = nil, seconds: Double = 60) throws -> Command {
        let process = try RunningProcess(arguments, input: input)
        let deadline = ContinuousClock.now + .seconds(seconds)
        while process.isRunning {
            guard ContinuousClock.now < deadline else {
                process.kill()
                throw CommandFailure(
                    "\(arguments.joined(separator: " ")): killed after \(seconds) s; it said: "
                        + "\(process.output.suffix(2000)) \(process.errors.suffix(2000))")
            }
            usleep(5000)
        }
        return Command(status: process.status, output: process.output, errors: process.errors)
    }

    /// `curl` for a host that an edge on this machine serves over TLS.
    public static func curl(
        _ host: String, port: UInt16, v6: Bool = false, path: String = "/", _ options: [String] = []
    ) throws -> Command {
        try run(
            ["curl", "-sSk", "--max-time", "50", "--resolve", "\(host):\(port):\(v6 ? "[::1]" : "127.0.0.1")"] + options
                + ["https://\(host):\(port)\(path)"])
    }
}

/// Why a program could not be run to its end.
public struct CommandFailure: Error, CustomStringConvertible {
    public let description: String

    init(_ description: String) { self.description = description }
}
