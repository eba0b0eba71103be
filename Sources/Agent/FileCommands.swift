import ArgumentParser
import Foundation
import SelvageAgent
import Shared

struct StartCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "start",
        abstract: "Opens the tunnels of a settings file: all of them, or the named ones.",
        discussion: """
              selvage-agent start --config /etc/selvage/agent.toml
              selvage-agent start --config agent.toml dashboard api

            What the command line says goes before the environment, and that before the file.
            """
    )

    @Option(help: ArgumentHelp("The settings file (TOML).", valueName: "file"))
    var config: String

    @Argument(help: ArgumentHelp("Tunnels of the file.", valueName: "name"))
    var names: [String] = []

    @OptionGroup(title: "Server") var server: ServerOptions
    @OptionGroup(title: "Output") var output: LogOptions

    func run() throws {
        let file = try loadFile(config)
        let tunnels: [TunnelSpec]
        do throws(AgentFault) {
            tunnels = try file.tunnels(named: names)
        } catch {
            Output.error("\(AgentVersion.name): \(config): \(error.message)")
            throw names.isEmpty ? ExitStatus.wrongFile : ExitStatus.usage
        }
        try hold(tunnels, server, output, file: file, path: config)
    }
}

struct CheckCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "check",
        abstract: "Reports every mistake of a settings file, and ends.",
        discussion: "The files that it names are looked at, too. Nothing is sent to the server."
    )

    @Option(help: ArgumentHelp("The settings file (TOML).", valueName: "file"))
    var config: String

    func run() throws {
        let file = try loadFile(config)
        var faults: [String] = []
        func note(_ name: String, _ body: () throws(AgentFault) -> Void) {
            do throws(AgentFault) { try body() } catch { faults.append("\(config): \(name)\(error.message)") }
        }
        for tunnel in file.tunnels {
            note("tunnel '\(tunnel.name)': ") { () throws(AgentFault) in try checkFiles(tunnel) }
        }
        // Server and authtoken may come from elsewhere; a file that is named must be there.
        if case .file(let path) = file.settings.authtoken {
            note("") { () throws(AgentFault) in _ = try Authtoken(fileContents: Files.read(path)) }
        }
        if case .file(let path) = file.settings.trust {
            note("") { () throws(AgentFault) in _ = try Files.read(path) }
        }
        for fault in faults { Output.error(fault) }
        guard faults.isEmpty else { throw ExitStatus.wrongFile }
        Output.line("\(config): no mistakes found")
    }
}

struct VersionCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "version", abstract: "Prints the program's name and version.")

    func run() throws { Output.line("\(AgentVersion.name) \(AgentVersion.current)") }
}

struct DiagnoseCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "diagnose",
        abstract: "Tries every step on the way to the server: name, addresses, TLS, session, latency.",
        discussion: "Ends with 0 when a session can be opened, 4 when not, 6 when the authtoken is refused."
    )

    @Option(help: ArgumentHelp("Take server and authtoken from this settings file.", valueName: "file"))
    var config: String?

    @Flag(help: "Print one JSON object.")
    var json = false

    @OptionGroup(title: "Server") var server: ServerOptions

    func run() throws {
        let file = try config.map(loadFile)
        let settings = try resolve(server, file: file, path: config)
        let probes: any DiagnosisProbes
        do throws(AgentFailure) {
            probes = try makeProbes()
        } catch {
            Output.error("\(AgentVersion.name): \(error.description)")
            throw ExitStatus.failed
        }
        let diagnosis = blocking { await Diagnosis.run(settings, probes) }
        Output.line(json ? diagnosis.json.text : diagnosis.table())
        if diagnosis.isRefused { throw ExitStatus.refused }
        guard diagnosis.isReachable else { throw ExitStatus.unreachable }
    }

    private func blocking<Value: Sendable>(_ body: @escaping @Sendable () async -> Value) -> Value {
        let result = ResultBox<Value>()
        Task.detached { result.put(await body()) }
        return result.wait()
    }
}

/// Reads a settings file; its mistakes are printed, each with its line.
func loadFile(_ path: String) throws -> AgentFile {
    let bytes: [UInt8]
    do throws(AgentFault) {
        bytes = try Files.read(path)
    } catch {
        Output.error("\(AgentVersion.name): \(error.message)")
        throw ExitStatus.wrongFile
    }
    guard let text = String(validating: bytes, as: UTF8.self) else {
        Output.error("\(AgentVersion.name): \(path): it is not valid UTF-8")
        throw ExitStatus.wrongFile
    }
    let (file, faults) = AgentFile.read(text)
    for fault in faults { Output.error("\(path):\(fault.line): \(fault.message)") }
    guard let file else { throw ExitStatus.wrongFile }
    warn(path, holdsSecrets: file.holdsSecrets)
    if case .file(let token) = file.settings.authtoken { warn(token, holdsSecrets: true) }
    return file
}

func warn(_ path: String, holdsSecrets: Bool) {
    if let warning = AgentFile.warning(path: path, mode: Files.mode(path), holdsSecrets: holdsSecrets) {
        Output.error("\(AgentVersion.name): warning: \(warning)")
    }
}

/// Everything that a tunnel names in the file system is there.
func checkFiles(_ tunnel: TunnelSpec) throws(AgentFault) {
    _ = try tunnel.request(files: Files.read)
    if case .agent(let files) = tunnel.termination {
        for path in [files.certificate, files.key] { _ = try Files.read(path) }
    }
    if case .file(let path) = tunnel.verification.trust { _ = try Files.read(path) }
}
