import Foundation
import Shared
import Testing

/// The real program's verbs about agents, in front of a scripted server.
@Suite(.serialized, .offThePool) struct `Agents on the command line` {
    private struct Outcome {
        var code: Int32
        var text: String
        var requests: [ScriptedServer.Request]
    }

    private func run(_ line: String, answers: [String: (status: Int, body: String)] = [:]) throws -> Outcome {
        let run = try ConsoleRun(columns: 200, arguments: line.split(separator: " ").map(String.init))
        let list = String(decoding: try JSONEncoder().encode(["agents": run.server.scene.agents]), as: UTF8.self)
        run.server.answers = ["GET /selvage/agents": (200, list)].merging(answers) { $1 }
        let code = try run.exitCode()
        return Outcome(code: code, text: run.terminal.text, requests: run.server.requests)
    }

    @Test(arguments: ["get agents", "get tunnels", "get agents ts_2f"]) func `they are listed`(line: String) throws {
        let outcome = try run(line)
        #expect(outcome.code == 0 && outcome.requests.map(\.path) == ["/selvage/agents"])
        #expect(outcome.text.contains("STATE") && outcome.text.contains("online  203.0.113.7 ngrok-go  app=web,v=1"))
    }

    @Test func `one that is not there is an error`() throws {
        let outcome = try run("get agents ts_9")
        #expect(outcome.code == 8 && outcome.text.contains("no agent is called ts_9"))
    }

    @Test(arguments: [
        ("disconnect", "/selvage/agents/"), ("drain", "/selvage/agents/"), ("stop", "/tunnel_sessions/"),
        ("restart", "/tunnel_sessions/"), ("update", "/tunnel_sessions/"),
    ])
    func `a command is sent once it has its yes, with the whole identifier`(verb: String, path: String) throws {
        let wanted = "\(path)\(Scene.agent)/\(verb)"
        let answers = ["POST \(wanted)": (status: 204, body: "")]
        let refused = try run("agent \(verb) ts_2f", answers: answers)
        #expect(refused.code == 2 && refused.text.contains("add --yes"))
        #expect(refused.requests.allSatisfy { $0.method == "GET" })
        let outcome = try run("agent \(verb) ts_2f --yes", answers: answers)
        #expect(outcome.code == 0 && outcome.text.contains("203.0.113.7 ngrok-go"))
        let sent = outcome.requests.filter { $0.method == "POST" }
        #expect(sent.map(\.path) == [wanted])
        #expect(sent.first?.fields["selvage-command"] == "agent \(verb) \(Scene.agent)")
        let narrowed = try run("agent \(verb) ts_2f --yes --read-only", answers: answers)
        #expect(narrowed.code == 6 && narrowed.requests.isEmpty)
    }

    @Test func `an agent that went meanwhile is told as the server tells it`() throws {
        let outcome = try run("agent drain \(Scene.agent) --yes")
        #expect(outcome.code == 8 && outcome.text.contains("not found"))
    }
}
