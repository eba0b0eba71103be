import EdgeTesting
import Foundation
import Glibc
import Testing

@testable import Agent

/// The real program, as this build made it.
@Suite struct ProgramTests {
    private static let program: String = {
        let bundle = (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")) ?? ""
        let beside = (bundle as NSString).deletingLastPathComponent + "/selvage-agent"
        if FileManager.default.isExecutableFile(atPath: beside) { return beside }
        let repository = URL(fileURLWithPath: #filePath)
            .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent().path
        return repository + "/.build/debug/selvage-agent"
    }()

    private func run(_ arguments: [String], environment: [String: String] = [:]) async throws -> Command {
        let variables = ["SELVAGE_SERVER", "SELVAGE_AUTHTOKEN", "NGROK_AUTHTOKEN"].flatMap { ["-u", $0] }
        let set = environment.map { "\($0.key)=\($0.value)" }
        return try await onThread { try Command.run(["env"] + variables + set + [Self.program] + arguments) }
    }

    private func file(_ text: String, mode: mode_t = 0o600, in folder: ScratchFolder) throws -> String {
        let path = folder.path + "/agent.toml"
        try text.write(toFile: path, atomically: true, encoding: .utf8)
        chmod(path, mode)
        return path
    }

    private static let good = """
        server = "edge.example"
        authtoken = "t0ken-of-the-file"
        [[tunnel]]
        name = "web"
        labels = "app=web"
        upstream = 80

        """

    /// Starts the program, waits until it has tried to reach its server and will again, and stops it.
    private func tried(_ arguments: [String], environment: [String: String] = [:]) async throws -> (Int32, String) {
        let variables = ["SELVAGE_SERVER", "SELVAGE_AUTHTOKEN", "NGROK_AUTHTOKEN"].flatMap { ["-u", $0] }
        let set = environment.map { "\($0.key)=\($0.value)" }
        let process = try RunningProcess(["env"] + variables + set + [Self.program] + arguments)
        try await eventually("a second try is announced") {
            process.output.contains("retrying") || !process.isRunning
        }
        process.signal(SIGTERM)
        try await eventually("the program ends") { !process.isRunning }
        return (process.status, process.output + process.errors)
    }

    @Test func `C29: the argv with its label passes the command line, and goes on trying`() async throws {
        let port = try FreePorts.one()
        let (status, said) = try await tried(
            ["tunnel", "80", "--label=app=dashboard,version=1"],
            environment: ["SELVAGE_SERVER": "127.0.0.1:\(port)", "NGROK_AUTHTOKEN": "t0ken"])
        #expect(status == 0)
        #expect(said.contains("connecting session=0 server=127.0.0.1:\(port)"))
        #expect(said.contains("the connection was refused"))
        #expect(!said.contains("t0ken"))
    }

    @Test func `C30: help tunnel prints the tunnel command's help on standard output`() async throws {
        let ended = try await run(["help", "tunnel"])
        #expect(ended.status == 0)
        #expect(ended.output.contains("--label=\"app=dashboard,version=1\""))
        #expect(ended.errors == "")
    }

    @Test func `a wrong command line ends with 2, and prints nothing on standard output`() async throws {
        for arguments in [["tunnel"], ["tunnel", "80"], ["nonsense"], ["tunnel", "80", "--label", "a=b"]] {
            let ended = try await run(arguments)
            #expect(ended.status == 2, "\(arguments)")
            #expect(ended.output == "")
            #expect(!ended.errors.isEmpty)
        }
    }

    @Test func `version and --version print the version`() async throws {
        #expect(try await run(["version"]).output == "selvage-agent 0.1.0\n")
        #expect(try await run(["--version"]).output == "0.1.0\n")
    }

    @Test func `check finds good settings good, and every mistake of bad ones with its line`() async throws {
        let folder = try ScratchFolder()
        let good = try await run(["check", "--config", try file(Self.good, in: folder)])
        #expect(good.status == 0)
        #expect(good.output.hasSuffix("agent.toml: no mistakes found\n"))
        #expect(good.errors == "")
        let path = try file("sever = \"x\"\n" + Self.good + "kind = \"ftp\"\n", in: folder)
        let bad = try await run(["check", "--config", path])
        #expect(bad.status == 78)
        #expect(
            bad.errors.hasPrefix(
                "\(path):1: unknown key 'sever': did you mean 'server'?\n\(path):8: tunnel.kind must be"))
        #expect(try await run(["check", "--config", folder.path + "/none"]).status == 78)
        #expect(try await run(["check", "--config", folder.path]).errors.contains("no regular file"))
    }

    @Test func `check looks at the files that are named`() async throws {
        let folder = try ScratchFolder()
        let text =
            Self.good
            + "[[tunnel]]\nname = \"e\"\nkind = \"https\"\nupstream = 80\ntraffic_policy_file = \"/none.yml\"\n"
        let ended = try await run(["check", "--config", try file(text, in: folder)])
        #expect(ended.status == 78)
        #expect(ended.errors.contains("tunnel 'e': /none.yml: No such file or directory"))
    }

    @Test func `a file with a secret that everybody can read is warned about, and used`() async throws {
        let folder = try ScratchFolder()
        let ended = try await run(["check", "--config", try file(Self.good, mode: 0o644, in: folder)])
        #expect(ended.status == 0)
        #expect(ended.errors.contains("warning: "))
        #expect(!ended.errors.contains("t0ken-of-the-file"))
    }

    @Test func `start refuses a tunnel that the file does not have, with the nearest one`() async throws {
        let folder = try ScratchFolder()
        let path = try file(Self.good, in: folder)
        let wrong = try await run(["start", "--config", path, "wep"])
        #expect(wrong.status == 2)
        #expect(wrong.errors.contains("did you mean 'web'?"))
        let right = try await tried(["start", "--config", path, "web", "--server", "127.0.0.1:\(try FreePorts.one())"])
        #expect(right.0 == 0)
        let empty = try file("server = \"edge.example\"\n", in: folder)
        #expect(try await run(["start", "--config", empty]).status == 78)
    }

    @Test func `diagnose says at which step the way to a server ends`() async throws {
        let ended = try await run(
            ["diagnose", "--server", "127.0.0.1:\(try FreePorts.one())", "--authtoken", "t0ken"])
        #expect(ended.status == 4)
        #expect(ended.output.contains("tcp") && ended.output.contains("the connection was refused"))
        #expect(ended.output.contains("skipped"))
        #expect(try await run(["diagnose"]).status == 2)
    }
}
