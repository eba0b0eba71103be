import Foundation
import Shared
import Testing

@testable import ConsoleKit

private let sizes = [Size(columns: 80, rows: 24), Size(columns: 200, rows: 60), Size(columns: 40, rows: 12)]

/// The screen of agents, and what can be done to them.
struct TunnelsTests {
    private func text(_ app: App, _ size: Size = Size(columns: 100, rows: 30)) -> String {
        let canvas = app.render(size: size, glyphs: .unicode)
        return (0..<size.rows).map(canvas.line).joined(separator: "\n")
    }

    /// An app on the screen of agents that was told of these alone.
    private func app(_ agents: [AgentStatus], role: Role = .operator) -> App {
        var app = Sample.app(role: role)
        var tick = Sample.tick(101)
        tick.agents = agents
        _ = app.receive(.line(.tick(tick)), now: 100)
        app.press("5")
        return app
    }

    // MARK: Looks

    @Test(arguments: sizes)
    func `agents with a minute of traffic look as their golden file says`(size: Size) throws {
        var app = Sample.watched()
        app.press(.end)
        try Golden.check(app.render(size: size, glyphs: .unicode), "tunnels")
    }

    @Test(arguments: sizes)
    func `without an agent the screen tells how to connect one`(size: Size) throws {
        let canvas = app([]).render(size: size, glyphs: .unicode)
        #expect((0..<size.rows).contains { canvas.line($0).contains("selvage-agent tunnel 80 --label app=web") })
        try Golden.check(canvas, "tunnels-none")
    }

    @Test(arguments: sizes)
    func `the box of a disconnection says who is hit`(size: Size) throws {
        var app = Sample.watched()
        app.press(.end, "k")
        let canvas = app.render(size: size, glyphs: .unicode)
        #expect((0..<size.rows).contains { canvas.line($0).contains("12 streams, 3 tunnels: cut") })
        try Golden.check(canvas, "tunnels-disconnect")
    }

    @Test func `Enter shows all tunnels of an agent, also where the pane has no room`() throws {
        var app = Sample.watched()
        app.press(.end, .enter)
        try Golden.check(app.render(size: sizes[0], glyphs: .unicode), "tunnels-agent")
        app.press(.end)
        let small = text(app, sizes[2])
        #expect(small.contains("app=dashboard,version=2") && small.contains("https://dash.example"))
    }

    @Test func `more tunnels than there is room for are counted`() {
        var agent = Sample.agents()[0]
        agent.tunnels = (1...40).map { AgentStatus.Tunnel(id: "tn_\($0)", labels: ["n": "\($0)"]) }
        let text = text(app([agent]), sizes[0])
        #expect(text.contains("40: n=1; n=2") && text.contains("and 37 more: Enter shows all"))
    }

    @Test func `old figures are grey, in the rows and in the pane`() throws {
        var app = Sample.watched()
        app.press(.end)
        func roles() throws -> (row: ColorRole, pane: ColorRole) {
            let canvas = app.render(size: sizes[0], glyphs: .unicode)
            func role(_ text: String) throws -> ColorRole {
                let row = try #require((0..<24).last { canvas.line($0).contains(text) })
                let column = try #require(canvas.line(row).range(of: text)).lowerBound
                return canvas[row, canvas.line(row).distance(from: canvas.line(row).startIndex, to: column)].role
            }
            return (try role("12/100"), try role("12 of 100"))
        }
        #expect(try roles() == (.text, .text))
        _ = app.advance(now: 112)
        #expect(try roles() == (.stale, .stale))
        app.press("k")
        #expect(text(app).contains("12 streams, 3 tunnels (12 s old): cut"))
    }

    @Test func `what its owner calls an agent stands before where it comes from`() {
        var agent = AgentStatus(id: "ts_1", client: "ngrok-go", ip: "203.0.113.7", metadata: "  till 7 \n")
        #expect(agent.name == "till 7")
        agent.metadata = " "
        #expect(agent.name == "203.0.113.7 ngrok-go")
        agent.ip = ""
        agent.client = ""
        #expect(agent.name == "ts_1")
    }

    @Test(arguments: [
        (89, "89/100", ColorRole.text), (90, "90/100!", .warn), (100, "100/100!", .crit), (7, "7", .text),
    ])
    func `an agent with hardly a stream left is marked, not only coloured`(
        streams: Int, shown: String, role: ColorRole
    ) {
        let agent = AgentStatus(id: "ts_1", streams: streams, streamLimit: streams == 7 ? 0 : 100)
        let cell = TunnelsScreen().table(app([agent]).model).rows[0].cells[3]
        #expect(cell.text == shown && cell.role == role)
    }

    @Test func `at the smallest size every screen still shows the numbers of all screens`() {
        var app = Sample.app()
        for screen in ScreenID.allCases {
            app.press(Key.character(Character("\(screen.rawValue)")))
            for columns in 40...80 {
                let tabs = app.render(size: Size(columns: columns, rows: 12), glyphs: .unicode).line(1)
                #expect(tabs.filter(\.isNumber) == "123456" && tabs.contains("[\(screen.rawValue) \(screen.title)]"))
            }
        }
    }

    // MARK: Acts

    @Test(arguments: [("k", "disconnect"), ("d", "drain")] as [(Key, String)])
    func `disconnecting and draining ask for Y, which neither Enter nor the key itself is`(key: Key, verb: String) {
        var app = Sample.watched()
        let early = app.press(.end, key, key, .enter)
        #expect(early.requests.isEmpty && app.overlays.isEmpty)
        let effects = app.press(key, "Y")
        #expect(effects.requests.map(\.path) == ["/selvage/agents/\(Sample.dashboard)/\(verb)"])
        #expect(effects.requests.map(\.method) == ["POST"])
        #expect(effects.requests.first?.command == "agent \(verb) \(Sample.dashboard)")
        app.answer(effects, status: 204, JSON.null)
        #expect(app.model.notice?.role == .ok)
    }

    @Test func `the box stays with its agent, whoever is selected when Y comes`() {
        var app = Sample.watched()
        app.press(.end, "k")
        var tick = Sample.tick(170)
        tick.agents.removeAll { $0.id == Sample.dashboard }
        _ = app.receive(.line(.tick(tick)), now: 101)
        let effects = app.press("Y")
        #expect(effects.requests.map(\.path) == ["/selvage/agents/\(Sample.dashboard)/disconnect"])
        app.answer(
            effects, status: 404, APIErrorBody(errorCode: nil, statusCode: 404, message: "no such agent"))
        #expect(text(app).contains("no such agent"))
    }

    @Test(arguments: ["stop", "restart", "update"])
    func `what is asked of the agent itself goes through the palette, and asks for Y`(verb: String) {
        var app = Sample.watched()
        app.press(":")
        app.type("agent \(verb) 2bill")
        app.press(.tab)
        #expect((app.overlays.last as? Palette)?.field.text == "agent \(verb) \(Sample.billing) ")
        let early = app.press(.enter)
        #expect(early.requests.isEmpty && text(app).contains("This touches billing, rack 4."))
        let effects = app.press("Y")
        #expect(effects.requests.map(\.path) == ["/tunnel_sessions/\(Sample.billing)/\(verb)"])
    }

    @Test func `without an agent the keys say so and open nothing`() {
        var app = app([])
        for key in ["k", "d"] as [Key] {
            app.press(key)
            #expect(app.overlays.isEmpty && text(app).contains("no agent is selected"))
        }
    }

    @Test(arguments: [(Role.viewer, false), (.operator, true)])
    func `who may only look can do nothing to agents, and is told why`(role: Role, readOnly: Bool) {
        var app = Sample.watched(role: role, readOnly: readOnly)
        for key in ["k", "d"] as [Key] {
            let effects = app.press(key, "Y")
            #expect(effects.filter(\.isWrite).isEmpty && app.overlays.isEmpty)
            app.press(key)
            #expect(text(app).contains("read-only: "))
        }
        for verb in ["disconnect", "drain", "stop", "restart", "update"] {
            app.press(":")
            app.type("agent \(verb) \(Sample.billing)")
            let effects = app.press(.enter, "Y", .escape, .escape)
            #expect(effects.filter(\.isWrite).isEmpty)
        }
        let shown = text(app)
        #expect(shown.contains("203.0.113.7 ngrok-python"), "looking is allowed")
    }

    @Test func `y copies the agent as a command of the shell`() {
        var app = Sample.watched()
        #expect(app.press(.end, "y") == [.copy("selvage get agents \(Sample.dashboard)")])
    }

    // MARK: Strangers' text

    @Test func `what an agent says of itself is shown, not obeyed`() {
        let agent = Sample.hostileAgent
        #expect(agent.name == "a\u{FFFD}[2Jb\u{FFFD}cd\u{FFFD}0.id\u{FFFD}")
        for glyphs in GlyphSet.allCases {
            var app = app([agent])
            for keys in [[], ["k"], [.escape, .enter]] as [[Key]] {
                app.press(keys)
                for size in sizes {
                    let canvas = app.render(size: size, glyphs: glyphs)
                    #expect(
                        canvas.cells.allSatisfy {
                            $0.base.value >= 0x20 && !(0x7F...0x9F).contains($0.base.value) && $0.base != "\u{202E}"
                                && (glyphs == .unicode || $0.base.isASCII)
                        })
                }
            }
        }
    }

    @Test func `a name that looks like a part of a plan is only a name`() throws {
        let agent = AgentStatus(id: Sample.billing, metadata: "\u{1}0.msg\u{1}")
        let planner = Planner(inventory: .empty, agents: [agent])
        var run = PlanRun(try planner.plan(Command(.agentDrain, [Sample.billing])))
        _ = run.begin()
        _ = run.receive(status: 200, body: Sample.bytes(["msg": "\u{1B}[2J"] as JSON))
        #expect(run.success == "\u{FFFD}0.msg\u{FFFD} drains: it gets nothing new")
    }
}
