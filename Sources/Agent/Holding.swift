import CTerminal
import Foundation
import Glibc
import SelvageAgent
import Synchronization

/// Holds tunnels open until told to stop.
/// - Parameters:
///   - file: the settings file, if the tunnels come from one; `path` is where it stands.
/// - Throws: `ExitStatus`.
func hold(
    _ tunnels: [TunnelSpec], _ options: ServerOptions, _ output: LogOptions, file: AgentFile? = nil,
    path: String? = nil
) throws {
    let settings = try resolve(options, file: file, path: path)
    do throws(AgentFault) {
        for tunnel in tunnels { try checkFiles(tunnel) }
        if case .file(let authorities) = settings.trust { _ = try Files.read(authorities) }
    } catch {
        Output.error("\(AgentVersion.name): \(error.message)")
        throw file == nil ? ExitStatus.usage : ExitStatus.wrongFile
    }
    if settings.trust == .insecure {
        Output.error("\(AgentVersion.name): warning: the server is not verified")
    }
    let runner: any AgentRunner
    do throws(AgentFailure) {
        runner = try makeRunner()
    } catch {
        Output.error("\(AgentVersion.name): \(error.description)")
        throw ExitStatus.failed
    }
    // Before any other thread begins, so that all of them inherit the blocked signals.
    let signals = terminal_signal_descriptor()
    let run = ForegroundRun(
        runner, settings, tunnels, display: try display(output), detailed: output.verbose, signals: signals)
    switch run.run() {
    case .status(let status): guard status == .stopped else { throw status }
    // The transport's threads still run: nothing of theirs is to be waited for.
    case .cut(let signal): _exit(128 + signal)
    }
}

/// What the command line, the environment and the file say together.
func resolve(_ options: ServerOptions, file: AgentFile?, path: String?) throws -> AgentSettings {
    let draft = try options.draft()
    if let file = options.authtokenFile { warn(file, holdsSecrets: true) }
    do throws(AgentFault) {
        let environment = try SettingsDraft.fromEnvironment(ProcessInfo.processInfo.environment)
        return try draft.over(environment).over(file?.settings ?? SettingsDraft()).settings(files: Files.read)
    } catch {
        Output.error("\(AgentVersion.name): \(path.map { "\($0): " } ?? "")\(error.message)")
        throw file == nil ? ExitStatus.usage : ExitStatus.wrongFile
    }
}

/// A screen where there is a terminal for one, lines everywhere else.
private func display(_ options: LogOptions) throws -> ForegroundRun.Display {
    switch options.log {
    case .plain: return .plain
    case .json: return .json
    case .auto:
        let environment = ProcessInfo.processInfo.environment
        guard isatty(STDOUT_FILENO) == 1, !["", "dumb"].contains(environment["TERM"] ?? ""),
            let name = ttyname(STDOUT_FILENO), let terminal = StatusTerminal(path: String(cString: name))
        else { return .plain }
        terminal.unicode = StatusTerminal.isUnicode(environment)
        terminal.color = environment["NO_COLOR", default: ""].isEmpty
        return .screen(terminal)
    }
}

/// One value from another thread.
final class ResultBox<Value: Sendable>: Sendable {
    private let value = Mutex<Value?>(nil)
    private let ready = DispatchSemaphore(value: 0)

    func put(_ result: Value) {
        value.withLock { $0 = result }
        ready.signal()
    }

    /// Blocks until `put`. Called once.
    func wait() -> Value {
        while true {
            ready.wait()
            if let result = value.withLock({ $0 }) { return result }
        }
    }
}
