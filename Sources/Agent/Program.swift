import ArgumentParser
import Foundation
import Glibc
import SelvageAgent

@main
enum Program {
    static func main() {
        signal(SIGPIPE, SIG_IGN)
        exit(run(Array(CommandLine.arguments.dropFirst())))
    }

    /// - Returns: the exit status.
    static func run(_ arguments: [String]) -> Int32 {
        do {
            var command = try AgentCommand.parseAsRoot(arguments)
            do {
                try command.run()
            } catch let fault as ValidationError {
                // What does not go together is looked at here and not while parsing, where it would hide a mistyped
                // option that is its cause.
                Output.error("Error: \(fault.message)\nUsage: \(AgentCommand.usageString(for: type(of: command)))")
                return ExitStatus.usage.rawValue
            }
            return ExitStatus.stopped.rawValue
        } catch let ending as ExitStatus {
            return ending.rawValue
        } catch {
            let code = AgentCommand.exitCode(for: error)
            let text = AgentCommand.fullMessage(for: error)
            if code.isSuccess {
                Output.line(text)
            } else {
                Output.error(text)
            }
            // ArgumentParser ends with 64 for a wrong command line.
            return code == .validationFailure ? ExitStatus.usage.rawValue : code.rawValue
        }
    }
}

/// How the program ends: part of its contract with whoever runs it.
enum ExitStatus: Int32, Error {
    case stopped = 0
    /// The machine or the program cannot do what was asked.
    case failed = 1
    case usage = 2
    /// `diagnose` only: everything else tries for ever.
    case unreachable = 4
    case refused = 6
    /// EX_CONFIG of sysexits(3): a settings file with mistakes.
    case wrongFile = 78
}

/// Where lines go: the standard streams, unless a test listens.
struct Output {
    /// Takes a line without its end.
    var line: (String) -> Void = { Output.line($0) }
    var error: (String) -> Void = { Output.error($0) }

    static func line(_ text: String) { write(text, STDOUT_FILENO) }
    static func error(_ text: String) { write(text, STDERR_FILENO) }

    /// All of it, also into a pipe that takes only parts at a time.
    private static func write(_ text: String, _ descriptor: Int32) {
        var bytes = Array((text + "\n").utf8)[...]
        while !bytes.isEmpty {
            let count = bytes.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
            if count < 0 && errno == EINTR { continue }
            guard count > 0 else { return }
            bytes = bytes.dropFirst(count)
        }
    }
}
