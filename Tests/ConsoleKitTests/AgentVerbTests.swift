import Shared
import Testing

@testable import ConsoleKit

/// Agents by the command line: what is understood, what is sent, what is told.
struct AgentVerbTests {
    private let planner = Planner(inventory: .empty, agents: Sample.agents())

    private func plan(_ line: String) throws(CommandFault) -> RequestPlan {
        try planner.plan(Command.parse(Command.words(line), on: .shell))
    }

    @Test(arguments: [
        ("disconnect", "/selvage/agents/"), ("drain", "/selvage/agents/"), ("stop", "/tunnel_sessions/"),
        ("restart", "/tunnel_sessions/"), ("update", "/tunnel_sessions/"),
    ])
    func `an agent is named by its identifier or a prefix that only it has`(verb: String, path: String) throws {
        for name in [Sample.dashboard, "ts_2d", "ts_2dash"] {
            let plan = try plan("agent \(verb) \(name)")
            #expect(plan.steps.map(\.request.path) == ["\(path)\(Sample.dashboard)/\(verb)"])
            #expect(plan.steps.map(\.request.method) == ["POST"] && plan.steps[0].request.body == nil)
            #expect(plan.danger == .disruptive)
            // The trail has the whole identifier: a prefix means another agent later.
            #expect(plan.command == "agent \(verb) \(Sample.dashboard)")
        }
    }

    @Test(arguments: [
        "agent drain", "agent drain ts_2d ts_2b", "agent drain ts_2d now=yes", "agent drain ''", "agent drain ts_",
        "agent drain ts_2", "agent drain ts_9", "agent drain dash", "agent drain ts", "agent drain billing",
    ])
    func `what names no agent, or several, is refused before anything is sent`(line: String) {
        #expect(throws: CommandFault.self) { try plan(line) }
    }

    @Test func `a prefix of several says which`() {
        let fault = #expect(throws: CommandFault.self) { try plan("agent drain ts_2") }
        #expect(fault?.message.contains(Sample.billing) == true && fault?.message.contains(Sample.dashboard) == true)
    }

    @Test func `one agent alone is not meant by the letters that all agents begin with`() {
        let planner = Planner(inventory: .empty, agents: [Sample.agents()[0]])
        for name in ["", "t", "ts_"] {
            #expect(throws: CommandFault.self) { try planner.plan(Command(.agentDisconnect, [name])) }
        }
    }

    @Test func `a whole identifier goes to the server also when the tick left its agent out`() throws {
        let id = Sample.session("quiet")
        #expect(try plan("agent drain \(id)").steps.map(\.request.path) == ["/selvage/agents/\(id)/drain"])
        #expect(planner.victims(.agentDrain, ofAgent: id, age: nil) == "What it carries is not known.")
    }

    @Test func `every verb has its own consequence`() {
        let verbs = [VerbID.agentDisconnect, .agentDrain, .agentStop, .agentRestart, .agentUpdate]
        let sentences = verbs.map { planner.victims($0, ofAgent: Sample.billing, age: nil) }
        #expect(Set(sentences).count == verbs.count)
        #expect(sentences.allSatisfy { $0.hasPrefix("1 stream, 1 tunnel: ") })
    }

    @Test(arguments: ["agents", "tunnels"]) func `the list goes by both of its names`(noun: String) {
        #expect(Report.Subject(noun: noun) == .agents)
    }

    @Test func `the report has a line for each agent, those that drain first`() {
        let report = Report(agents: Sample.agents())
        #expect(
            report.lines(.tsv) == [
                "draining\tbilling, rack 4\tapp=billing\t1/100\t900 B\t310 kB\t-\t2 min\tus\t0\t3.1.0\t\(Sample.billing)",
                "online\t2001:db8::20 selvage-agent\tnone\t1000/1000\t77 MB\t5.1 TB\t310.5\t4 d\tap\t0\t3.1.0\t"
                    + Sample.crowded,
                "online\t203.0.113.7 ngrok-python\t3: app=dashboard,version=1; app=dashboard,version=2; "
                    + "https://dash.example\t12/100\t4.3 MB\t1.2 GB\t24.1\t3 h\teu\t2\t1.4.0\t\(Sample.dashboard)",
            ])
        #expect(report.lines(.table).count == 4 && report.lines(.table)[0].hasPrefix("STATE     AGENT "))
    }

    @Test(arguments: CommandLineOptions.Format.allCases)
    func `what an agent says of itself breaks no line and reaches no terminal`(format: CommandLineOptions.Format) {
        let lines = Report(agents: [Sample.hostileAgent]).lines(format)
        #expect(lines.count == (format == .table ? 2 : 1))
        for line in lines { #expect(!line.contains("\u{1B}") && !line.contains("\u{1}")) }
        if format == .tsv { #expect(lines[0].split(separator: "\t").count == 12) }
    }

    @Test func `programs get each agent as the server told it, with the name that people see`() throws {
        let lines = Report(agents: Sample.agents()).lines(.jsonl)
        let documents = try lines.map { try JSON(parsing: Array($0.utf8)) }
        #expect(documents.compactMap { $0.decoded(AgentStatus.self) } == AgentStatus.sorted(Sample.agents()))
        #expect(documents.map { $0["name"]?.stringValue } == AgentStatus.sorted(Sample.agents()).map(\.name))
        let all = try JSON(parsing: Array(Report(agents: Sample.agents()).lines(.json).joined().utf8))
        #expect(all.arrayValue?.count == 3)
    }
}
