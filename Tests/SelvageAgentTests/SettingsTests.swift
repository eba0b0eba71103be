import Testing

@testable import SelvageAgent

@Suite struct SettingsTests {
    static let nothing: FileReader = { (path: String) throws(AgentFault) in throw AgentFault("\(path): no such file") }

    @Test func `the authtoken is in no description, dump or mirror`() throws {
        let settings = AgentSettings(server: try ServerAddress("edge.example"), authtoken: try Authtoken("2aB_secret"))
        var dumped = ""
        dump(settings, to: &dumped)
        for text in ["\(settings)", String(reflecting: settings), dumped, "\(settings.authtoken)"] {
            #expect(!text.contains("2aB_secret"))
            #expect(!text.isEmpty)
        }
    }

    @Test(arguments: ["", "two words", "line\n", "naïve", String(repeating: "x", count: 1025)])
    func `a text that is no authtoken is refused, and not repeated`(text: String) throws {
        let fault = try #require(throws: AgentFault.self) { try Authtoken(text) }
        #expect(text.isEmpty || !fault.message.contains(text))
    }

    @Test func `a file of an authtoken may end its line`() throws {
        #expect(try Authtoken(fileContents: Array("\t2aB_x\r\n".utf8)).secret == "2aB_x")
        #expect(throws: AgentFault.self) { try Authtoken(fileContents: Array("a\nb\n".utf8)) }
    }

    @Test func `the command line goes before the environment, and that before the file`() throws {
        var line = SettingsDraft()
        line.server = try ServerAddress("line")
        let environment = try SettingsDraft.fromEnvironment([
            "SELVAGE_SERVER": "env", "SELVAGE_AUTHTOKEN": "tokenOfEnvironment", "NGROK_AUTHTOKEN": "other",
        ])
        var file = SettingsDraft()
        file.server = try ServerAddress("file")
        file.authtoken = .text(try Authtoken("tokenOfFile"))
        file.connections = 4
        let settings = try line.over(environment).over(file).settings(files: Self.nothing)
        #expect(settings.server.host == "line")
        #expect(settings.authtoken.secret == "tokenOfEnvironment")
        #expect(settings.connections == 4)
        #expect(settings.trust == .system)
        #expect(settings.heartbeatInterval == .seconds(10))
        #expect(settings.heartbeatTolerance == .seconds(15))
    }

    @Test func `NGROK_AUTHTOKEN serves where SELVAGE_AUTHTOKEN is empty`() throws {
        let draft = try SettingsDraft.fromEnvironment(["SELVAGE_AUTHTOKEN": "", "NGROK_AUTHTOKEN": "theirs"])
        #expect(draft.authtoken == .text(try Authtoken("theirs")))
    }

    @Test func `a fault in a variable names the variable`() throws {
        let fault = try #require(throws: AgentFault.self) {
            try SettingsDraft.fromEnvironment(["NGROK_AUTHTOKEN": "a b"])
        }
        #expect(fault.message.hasPrefix("NGROK_AUTHTOKEN: "))
    }

    @Test func `without a server or an authtoken there are no settings`() throws {
        var draft = SettingsDraft()
        let server = try #require(throws: AgentFault.self) { try draft.settings(files: Self.nothing) }
        #expect(server.key == "server")
        draft.server = try ServerAddress("edge")
        let token = try #require(throws: AgentFault.self) { try draft.settings(files: Self.nothing) }
        #expect(token.key == "authtoken")
        draft.authtoken = .file("/t")
        let file = try #require(throws: AgentFault.self) { try draft.settings(files: Self.nothing) }
        #expect(file.message.contains("/t"))
        #expect(try draft.settings(files: { _ in Array("tok\n".utf8) }).authtoken.secret == "tok")
    }

    @Test func `a settings file that everybody can read is warned about when it holds a secret`() {
        #expect(AgentFile.warning(path: "f", mode: 0o644, holdsSecrets: true)?.contains("chmod o-r f") == true)
        #expect(AgentFile.warning(path: "f", mode: 0o640, holdsSecrets: true) == nil)
        #expect(AgentFile.warning(path: "f", mode: 0o644, holdsSecrets: false) == nil)
    }

    // MARK: Backoff

    @Test func `the first retry is at once, then waits double from half a second to thirty, for ever`() {
        var backoff = Backoff()
        let waits = (0..<9).map { _ in backoff.next(chance: 0.5) }
        #expect(waits == [0, 0.5, 1, 2, 4, 8, 16, 30, 30])
        for _ in 0..<100_000 { _ = backoff.next(chance: 0.5) }
        #expect(backoff.next(chance: 0.5) == 30)
    }

    @Test func `chance makes a wait a fifth shorter or longer`() {
        var backoff = Backoff()
        _ = backoff.next(chance: 0)
        #expect(abs(backoff.next(chance: 0) - 0.4) < 1e-9)
        #expect(abs(backoff.next(chance: 1) - 1.2) < 1e-9)
    }

    @Test func `only a session that stood for thirty seconds begins the waits anew`() {
        var backoff = Backoff()
        for _ in 0..<5 { _ = backoff.next(chance: 0.5) }
        backoff.sessionEnded(after: 29.9)
        #expect(backoff.next(chance: 0.5) == 8)
        backoff.sessionEnded(after: 30)
        #expect(backoff.next(chance: 0.5) == 0)
        #expect(backoff.next(chance: 0.5) == 0.5)
    }

    @Test func `a refused authtoken is final, a limit of sessions is not`() {
        #expect(AgentRefusal.isFinal(code: "ERR_NGROK_107"))
        #expect(AgentRefusal.isFinal(code: "ERR_NGROK_105"))
        #expect(!AgentRefusal.isFinal(code: "ERR_NGROK_108"))
        #expect(!AgentRefusal.isFinal(code: ""))
    }
}
