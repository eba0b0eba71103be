import Foundation
import Glibc

/// `selvage-demo`: everything that a try-out needs around the server.
@main
enum DemoCommand {
    static let usage = """
        usage: selvage-demo up --state FOLDER        the whole demo; leaving the console stops it
               selvage-demo upstream --name NAME --port PORT
                                                     a small HTTP server that can be told to fail
               selvage-demo traffic --host NAME --ca FILE --rate N --to CODE=PORT...
                                                     gentle HTTPS traffic to listeners on this machine
        """

    static func main() {
        signal(SIGPIPE, SIG_IGN)
        let arguments = Array(CommandLine.arguments.dropFirst())
        do {
            switch arguments.first {
            case "up": try DemoRun(DemoOptions(arguments, allowed: ["--state"])).run()
            case "upstream": try runUpstream(DemoOptions(arguments, allowed: ["--name", "--port"]))
            case "traffic": try runTraffic(DemoOptions(arguments, allowed: ["--host", "--ca", "--rate", "--to"]))
            case "child": try ChildProcess.become(Array(arguments.dropFirst()))
            case "help", "--help", "-h": tell(usage)
            default: throw DemoFailure(usage)
            }
        } catch {
            FileHandle.standardError.write(Data("selvage-demo: \(error)\n".utf8))
            exit(error is DemoFailure ? 1 : 70)
        }
    }

    private static func runUpstream(_ options: DemoOptions) throws {
        let server = try DemoUpstream(name: options.required("--name"), port: options.port("--port"))
        tell("\(server.name) answers on 127.0.0.1:\(server.port)")
        server.run()
    }

    private static func runTraffic(_ options: DemoOptions) throws {
        let targets = try options.all("--to").map { text throws(DemoFailure) -> TrafficTarget in
            let parts = text.split(separator: "=")
            guard parts.count == 2, let port = UInt16(parts[1]) else {
                throw DemoFailure("--to takes a region and a port, like eu=8444")
            }
            return TrafficTarget(region: String(parts[0]), port: port)
        }
        guard !targets.isEmpty else { throw DemoFailure("traffic needs --to at least once") }
        let rate = Double(options.all("--rate").last ?? "30") ?? 0
        guard (0.1...10_000).contains(rate) else { throw DemoFailure("--rate takes requests per second, 0.1…10000") }
        try DemoTraffic(host: options.required("--host"), authority: options.required("--ca"), rate: rate)
            .run(targets)
    }
}

/// A line for the person at the terminal, at once, also when nobody but a file reads it.
func tell(_ line: String) { FileHandle.standardOutput.write(Data((line + "\n").utf8)) }

/// Why the demo cannot go on, in words for the person at the terminal.
struct DemoFailure: Error, CustomStringConvertible {
    let description: String

    init(_ description: String) { self.description = description }
}

/// Options of a subcommand: `--name value`, some of them several times.
struct DemoOptions {
    private var values: [String: [String]] = [:]

    init(_ arguments: [String], allowed: [String]) throws(DemoFailure) {
        var rest = arguments.dropFirst()
        while let name = rest.popFirst() {
            guard allowed.contains(name) else { throw DemoFailure("unknown option \(name)\n\(DemoCommand.usage)") }
            guard let value = rest.popFirst() else { throw DemoFailure("\(name) needs a value") }
            values[name, default: []].append(value)
        }
    }

    func all(_ name: String) -> [String] { values[name] ?? [] }

    func required(_ name: String) throws(DemoFailure) -> String {
        guard let value = values[name]?.last else { throw DemoFailure("\(name) is missing\n\(DemoCommand.usage)") }
        return value
    }

    func port(_ name: String) throws(DemoFailure) -> UInt16 {
        guard let port = UInt16(try required(name)) else { throw DemoFailure("\(name) takes a port") }
        return port
    }
}
