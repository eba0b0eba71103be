import Shared
import Testing

@testable import ConsoleKit

struct CommandLineTests {
    private func run(_ arguments: [String]) -> (code: Int32, out: [String], err: [String]) {
        final class Lines {
            var out: [String] = []
            var err: [String] = []
        }
        let lines = Lines()
        let tool = CommandLineTool(arguments: arguments, environment: ["SELVAGE_SOCKET": "/nonexistent/admin.sock"])
        let code = tool.run(out: { lines.out.append($0) }, err: { lines.err.append($0) })
        return (code, lines.out, lines.err)
    }

    @Test func `without a command the screen opens, on the socket that the environment names`() {
        let tool = CommandLineTool(
            arguments: ["--read-only", "--theme", "daylight"], environment: ["SELVAGE_SOCKET": "/s"])
        guard case .console(let options, let path) = tool.plan else {
            Issue.record("the screen was expected")
            return
        }
        #expect(path == "/s" && options.readOnly && options.themes.first == "daylight")
    }

    @Test func `the exit code tells usage from a server that is not there`() {
        #expect(run(["--bogus"]).code == 2)
        #expect(run(["-o", "xml", "get", "edges"]).code == 2)
        #expect(run(["--size", "0x9", "--once"]).code == 2)
        #expect(run(["--guard", "2h", "weight", "set"]).code == 2)
        let away = run(["get", "edges"])
        #expect(away.code == 4 && away.out.isEmpty && away.err.count == 1)
        #expect(run(["--version"]).code == 0)
    }

    @Test func `C1 controls and changes of direction are written as escapes, which JSON reads back`() throws {
        let text = JSON.string("a\u{9B}2Jb\u{202E}c é").text
        let line = CommandLineTool.visible(text)
        #expect(line == #""a\u009b2Jb\u202ec é""#)
        #expect(try JSON(parsing: Array(line.utf8)).stringValue == "a\u{9B}2Jb\u{202E}c é")
    }

    @Test func `help names every verb of the shell`() {
        let help = run(["--help"])
        #expect(help.code == 0)
        for verb in VerbTable.verbs where verb.surfaces.contains(.shell) {
            #expect(help.out.contains { $0.contains(verb.name) })
        }
        #expect(help.out.allSatisfy { $0.count <= 120 })
    }

    @Test func `an option of a key is another way to write its value`() throws {
        var options = CommandLineOptions()
        try options.read(["api-key", "create", "--role", "viewer", "--description=a = b"])
        let command = try Command.parse(options.words, on: .shell)
        #expect(command.verb == .keyCreate && command.names.isEmpty)
        #expect(command["role"] == "viewer" && command["description"] == "a = b")
        // A token is printed: there is no place for that in the palette.
        #expect(throws: CommandFault.self) { try Command.parse(["api-key", "create"], on: .palette) }
    }

    @Test func `a command is the same text for shell, palette and audit trail`() throws {
        let words = ["weight", "set", "shop.example/a b", "checkout v1=84", "v2=16"]
        let command = try Command.parse(words, on: .shell)
        #expect(command.verb == .weightSet)
        #expect(command.text == "weight set 'shop.example/a b' 'checkout v1=84' v2=16")
        #expect(Command.words(command.text) == words)
    }

    @Test(arguments: ["it's", "a b", "", "$(reboot)", "x;y", "`id`", "a\"b", "ünïcode"])
    func `a copied word is one word again, and nothing that a shell would run`(word: String) {
        #expect(Command.words(Command.quoted(word)) == [word])
        if !word.allSatisfy(\.isLetter) || word.isEmpty { #expect(Command.quoted(word).hasPrefix("'")) }
    }

    @Test func `names mean one object, or say which ones they could be`() throws {
        let resolver = Resolver(inventory: Inventory(Sample.listing()))
        #expect(try resolver.find("shop.example").id == Sample.edge)
        #expect(try resolver.find("shop.example/v1").id == Sample.api)
        #expect(try resolver.find("checkout-v1").id == Sample.v1)
        #expect(try resolver.find(Sample.v2).name == "checkout-v2")
        let fault = #expect(throws: CommandFault.self) { try resolver.find("chckout", [.backend]) }
        #expect(fault?.message.contains("did you mean checkout") == true)
    }

    @Test func `weights by name leave the rest to the others, and must not pass 100 percent`() throws {
        let planner = WeightPlanner(inventory: Inventory(Sample.listing()))
        var edit = try #require(planner.edit(Sample.weighted))
        try planner.stage([("checkout-v2", "30")], in: &edit)
        #expect(edit.weights == [Sample.v1: 7_000, Sample.v2: 3_000])
        #expect(throws: CommandFault.self) {
            var edit = edit
            try planner.stage([("checkout-v1", "80"), ("checkout-v2", "30")], in: &edit)
        }
        #expect(throws: CommandFault.self) {
            var edit = edit
            try planner.stage([("checkout-v9", "1")], in: &edit)
        }
    }

    @Test(arguments: CommandLineOptions.Format.allCases)
    func `every report has a line per object, and no control character`(format: CommandLineOptions.Format) {
        var listing = Sample.listing()
        listing.objects[5].document["description"] = "evil\u{1B}[2J"
        let inventory = Inventory(listing)
        for subject in Report.Subject.allCases {
            let lines = Report(subject: subject, inventory: inventory, tick: Sample.tick()).lines(format)
            #expect(!lines.isEmpty)
            for line in lines {
                #expect(line.unicodeScalars.allSatisfy { $0.value >= 0x20 || $0 == "\n" || $0 == "\t" })
            }
        }
    }
}
