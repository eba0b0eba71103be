import ConsoleKit
import Foundation
import Glibc

/// `selvage-demo up`: an edge with three regions, two upstreams and traffic, until the console is left.
final class DemoRun {
    static let domain = "demo.selvage.localhost"

    private let state: String
    private let layout: DemoLayout
    private var children: [ChildProcess] = []

    init(_ options: DemoOptions) throws(DemoFailure) {
        let path = try options.required("--state")
        state = URL(fileURLWithPath: path).standardizedFileURL.path
        layout = DemoLayout(state: state)
    }

    /// Runs on the main thread from beginning to end.
    func run() throws {
        var signals = sigset_t()
        sigemptyset(&signals)
        for number in [SIGINT, SIGTERM, SIGHUP, SIGCHLD] { sigaddset(&signals, number) }
        pthread_sigmask(SIG_BLOCK, &signals, nil)
        defer { stopAll() }
        try start()
        if isatty(STDIN_FILENO) == 1, isatty(STDOUT_FILENO) == 1 {
            step("Opening the console; leaving it (q) stops the demo")
            layout.printGuide(withConsole: false)
            let binary = ChildProcess.binaries + "/selvage"
            let console = try ChildProcess(onTerminal: "the console", [binary, "--socket", layout.socket])
            children.append(console)
            try wait(for: signals, until: console)
        } else {
            layout.printGuide(withConsole: true)
            try wait(for: signals, until: nil)
        }
    }

    private func step(_ text: String) { tell("    \(text)") }

    private func start() throws {
        try FileManager.default.createDirectory(
            atPath: layout.logs, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
        try layout.settings.write(toFile: layout.settingsFile, atomically: true, encoding: .utf8)
        for (name, port) in layout.upstreams {
            step("Starting upstream \(name) on 127.0.0.1:\(port)")
            try spawn(name, ["selvage-demo", "upstream", "--name", name, "--port", "\(port)"])
        }
        step("Starting selvage-server with its settings in \(layout.settingsFile)")
        try spawn("server", ["selvage-server", "--config", layout.settingsFile])
        let seed = DemoSeed(socket: layout.socket)
        try waitUntilServing(seed)
        step("Configuring the edge \(DemoRun.domain)")
        try seed.plant(domain: DemoRun.domain, upstreams: layout.upstreams, authorityFile: layout.authority)
        step("Starting an agent for the tunnel group app=demo")
        try seed.plantTunnels(domain: DemoRun.domain, tokenFile: layout.token)
        try spawn(
            "agent",
            [
                "selvage-agent", "tunnel", "\(layout.upstreams[0].port)", "--label", "app=demo", "--metadata", "demo",
                "--server", "localhost:\(layout.agents)", "--ca", layout.authority,
                "--authtoken-file", layout.token,
            ])
        let regions = layout.regions.map(\.region).joined(separator: ", ")
        step("Starting gentle traffic: 40 requests a second over \(regions)")
        let targets = layout.regions.flatMap { ["--to", "\($0.region)=\($0.port)"] }
        try spawn(
            "traffic",
            ["selvage-demo", "traffic", "--host", DemoRun.domain, "--ca", layout.authority, "--rate", "40"] + targets)
    }

    private func spawn(_ name: String, _ arguments: [String]) throws {
        let program = ChildProcess.binaries + "/" + arguments[0]
        let log = "\(layout.logs)/\(name).log"
        children.append(try ChildProcess(name, [program] + arguments.dropFirst(), log: log))
    }

    private func waitUntilServing(_ seed: DemoSeed) throws {
        let deadline = Date().addingTimeInterval(30)
        while !seed.isServing() {
            if let ended = children.first(where: { $0.hasEnded() }) {
                children.removeAll { $0.pid == ended.pid }
                throw failure(of: ended)
            }
            guard Date() < deadline else { throw DemoFailure("the server does not answer on \(layout.socket)") }
            usleep(50_000)
        }
    }

    /// Until a signal asks to stop, or `last` ends. Any other child that ends is a failure.
    private func wait(for signals: sigset_t, until last: ChildProcess?) throws {
        var signals = signals
        while true {
            let number = sigwaitinfo(&signals, nil)
            guard number == SIGCHLD else { return }
            for child in children where child.hasEnded() {
                children.removeAll { $0.pid == child.pid }
                guard child.pid == last?.pid else { throw failure(of: child) }
                return
            }
        }
    }

    private func failure(of child: ChildProcess) -> DemoFailure {
        let log = "\(layout.logs)/\(child.name).log"
        let text = (try? String(contentsOfFile: log, encoding: .utf8)) ?? ""
        let tail = text.split(separator: "\n").suffix(10).joined(separator: "\n  ")
        return DemoFailure("\(child.name) has ended; the end of \(log):\n  \(tail)")
    }

    /// Traffic first, so that nothing fails; then the server, which drains; then the upstreams.
    private func stopAll() {
        guard !children.isEmpty else { return }
        step("Stopping the demo")
        for child in children.reversed() { child.stop(patience: 10) }
        children = []
    }
}
