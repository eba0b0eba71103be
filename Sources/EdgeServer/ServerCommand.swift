import ArgumentParser
import Foundation
import Glibc
import Shared

@main
enum Program {
    /// Not asynchronous, so that this is the main thread, before any other: signals are blocked here and with that in
    /// all threads to come. One thread with SIGTERM open would be enough for it to kill the process undrained.
    static func main() {
        StopSignals.block()
        Task.detached {
            do {
                try await ServerCommand.parse().run()
                exit(EXIT_SUCCESS)
            } catch {
                ServerCommand.exit(withError: error)
            }
        }
        // Not `dispatchMain`, which opens this thread's signals again.
        DispatchSemaphore(value: 0).wait()
    }
}

/// `selvage-server`: one point of presence.
struct ServerCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "selvage-server",
        abstract: "Accepts traffic, applies modules, routes to backends, and serves the admin API.",
        discussion: """
            Exit status: 0 after a clean stop, 78 when the settings are wrong, 75 when another server holds the data \
            folder, 71 when the system refuses something. SIGTERM and SIGINT drain, a second one stops at once.
            """,
        version: ServerVersion.current
    )

    @Option(name: .long, help: "The settings file (TOML): see docs/configuration.md.")
    var config: String

    @Flag(name: .long, help: "Check the settings, report every mistake, and end.")
    var check = false

    func run() async throws {
        var settings = try loadSettings()
        if check {
            print("\(config): no mistakes found")
            return
        }
        let supervisor = Supervisor.takeFromEnvironment()
        let folder: DataFolder
        do throws(DataFolder.Failure) {
            folder = try DataFolder(claiming: settings.dataFolder)
        } catch {
            log(error.message)
            throw ExitCode(error.isHeld ? EX_TEMPFAIL : EX_CANTCREAT)
        }
        settings.limits.connections = raiseDescriptorLimit(for: settings.limits.connections)
        let server: RunningServer
        do {
            server = try await RunningServer.start(settings: settings, sockets: supervisor.sockets, log: log)
        } catch {
            log("cannot start: \(error)")
            throw ExitCode(EX_OSERR)
        }
        supervisor.notify("READY=1\nSTATUS=Serving as \(settings.node) in \(settings.region)")
        await serve(server, settings, supervisor)
        folder.release()
    }

    /// Until told to stop; then finishes what is open, until the deadline or a second signal.
    private func serve(_ server: RunningServer, _ settings: ServerSettings, _ supervisor: Supervisor) async {
        let drain = settings.timeouts.drain
        let signals = StopSignals.watch()
        for await signal in signals {
            guard signal != SIGHUP else {
                log("SIGHUP does nothing here: settings are read at start, the configuration is changed live")
                continue
            }
            break
        }
        supervisor.notify("STOPPING=1\nSTATUS=Draining")
        log("draining for at most \(drain); a second signal stops at once")
        let impatient = Task {
            for await signal in signals where signal != SIGHUP {
                log("stopped at once")
                _exit(128 + signal)
            }
        }
        await server.drain(deadline: drain)
        impatient.cancel()
        await server.shutdown()
        log("stopped")
    }

    private func loadSettings() throws -> ServerSettings {
        errno = 0
        guard let bytes = FileManager.default.contents(atPath: config) else {
            // A folder or a device is refused without an error of the system.
            let reason = errno == 0 ? "it is no regular file" : String(cString: strerror(errno))
            log("\(config): cannot be read: \(reason)")
            throw ExitCode(EX_CONFIG)
        }
        guard let text = String(validating: bytes, as: UTF8.self) else {
            log("\(config): cannot be read: it is not valid UTF-8")
            throw ExitCode(EX_CONFIG)
        }
        let environment = SettingsEnvironment(hostName: machineName()) { name in
            getpwnam(name).map { $0.pointee.pw_uid }
        }
        let (settings, faults) = ServerSettings.read(text, environment: environment)
        for fault in faults { printError("\(config):\(fault.line): \(fault.message)") }
        guard let settings else { throw ExitCode(EX_CONFIG) }
        return settings
    }

    private func machineName() -> String {
        var name = [CChar](repeating: 0, count: 256)
        guard gethostname(&name, name.count - 1) == 0 else { return "selvage" }
        return String(decoding: name.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
    }

    /// A proxied connection takes two descriptors; listeners, loops and the store take the rest.
    /// - Returns: how many connections the system's limit allows, at most as many as are wanted.
    private func raiseDescriptorLimit(for connections: Int) -> Int {
        var limit = rlimit()
        guard getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else { return connections }
        limit.rlim_cur = limit.rlim_max
        _ = setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
        let rest: UInt = 512
        let allowed = Int(clamping: (max(limit.rlim_cur, rest + 64) - rest) / 2)
        guard allowed < connections else { return connections }
        log(
            "at most \(allowed) connections, not limits.connections = \(connections): the system allows"
                + " \(limit.rlim_cur) open files (LimitNOFILE= in the systemd unit, or ulimit -n)")
        return allowed
    }
}

enum ServerVersion {
    static let current = "0.1.0"
}

/// Notes for developers and the system's journal. Never a secret, never one line per exchange.
@Sendable func log(_ message: String) { printError("selvage-server: \(message)") }

/// One write, so that lines of several threads do not mix.
private func printError(_ line: String) {
    let bytes = Array((line + "\n").utf8)
    _ = bytes.withUnsafeBytes { write(STDERR_FILENO, $0.baseAddress, $0.count) }
}
