/// The options of `selvage`, and the words that remain.
struct CommandLineOptions {
    enum Format: String, CaseIterable { case table, json, jsonl, tsv }

    var socketPath = CommandLineTool.defaultSocketPath
    var readOnly = false
    var theme: String?
    var once = false
    var screen = "overview"
    var size = Size(columns: 80, rows: 24)
    var format = Format.table
    var ifMatch: String?
    var guardSeconds: Double?
    var maxErrorRate: Double?
    /// Says yes to danger; with a name, to the destruction of that.
    var yes: String?
    var follow = false
    var wait = false
    var dryRun = false
    var ascii = false
    var wantsHelp = false
    var wantsVersion = false
    var words: [String] = []

    /// - Throws: `CommandFault` of code `.usage`.
    mutating func read(_ arguments: [String]) throws(CommandFault) {
        var rest = arguments[...]
        var isLiteral = false
        while let argument = rest.popFirst() {
            guard argument.hasPrefix("-"), argument != "-", !isLiteral else {
                words.append(argument)
                continue
            }
            if argument == "--" {
                isLiteral = true
                continue
            }
            let parts = argument.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
            let inline = parts.count > 1 ? parts[1] : nil
            if try flag(parts[0], inline) { continue }
            guard CommandLineOptions.valued.contains(parts[0]) else {
                throw CommandFault(.usage, "no option is called \(parts[0])")
            }
            guard let value = inline ?? rest.popFirst() else {
                throw CommandFault(.usage, "\(argument) needs a value")
            }
            try option(parts[0], value)
        }
    }

    private static let valued: Set<String> = [
        "--socket", "--theme", "--color", "--screen", "--size", "-o", "--output", "--if-match", "--guard",
        "--guard-err", "--role", "--description",
    ]

    private mutating func flag(_ name: String, _ inline: String?) throws(CommandFault) -> Bool {
        switch name {
        case "--read-only": readOnly = true
        case "--once": once = true
        case "--follow", "-f": follow = true
        case "--wait": wait = true
        case "--dry-run": dryRun = true
        case "--ascii": ascii = true
        case "--help", "-h": wantsHelp = true
        case "--version": wantsVersion = true
        case "--yes", "-y": yes = inline ?? ""
        // What is printed here never has colour.
        case "--no-color": break
        default: return false
        }
        return true
    }

    private mutating func option(_ name: String, _ value: String) throws(CommandFault) {
        switch name {
        case "--socket": socketPath = value
        case "--theme": theme = value
        case "--color": break
        case "--screen":
            guard ScreenID.allCases.contains(where: { $0.title.lowercased() == value.lowercased() }) else {
                let known = ScreenID.allCases.map { $0.title.lowercased() }.joined(separator: ", ")
                throw CommandFault(.usage, "--screen is one of \(known)")
            }
            screen = value
        case "--size":
            let numbers = value.split(separator: "x").compactMap { Int($0) }
            guard numbers.count == 2, (1...1_000).contains(numbers[0]), (1...1_000).contains(numbers[1]) else {
                throw CommandFault(.usage, "--size is COLUMNSxROWS, e.g. 120x40")
            }
            size = Size(columns: numbers[0], rows: numbers[1])
        case "-o", "--output":
            guard let format = Format(rawValue: value) else {
                throw CommandFault(.usage, "-o is one of \(Format.allCases.map(\.rawValue).joined(separator: ", "))")
            }
            self.format = format
        // Another way to write the grammar's key=value.
        case "--role", "--description": words.append("\(name.dropFirst(2))=\(value)")
        case "--if-match": ifMatch = value.hasPrefix("w/") ? String(value.dropFirst(2)) : value
        case "--guard":
            guard let seconds = Planner.seconds(value) else {
                throw CommandFault(.usage, "--guard is 1s to 1h, e.g. 30s")
            }
            guardSeconds = seconds
        case "--guard-err":
            guard let units = Percent.units(value) else { throw CommandFault(.usage, "--guard-err is a percentage") }
            maxErrorRate = Double(units) / Double(Percent.whole)
        default: throw CommandFault(.usage, "no option is called \(name)")
        }
    }

    static var help: [String] {
        var lines = [
            "selvage: the operator's console. Without a command it opens the screen.", "",
            "  selvage [--read-only] [--theme NAME] [--screen NAME]",
            "  selvage --once [--screen overview] [--size 120x40] [--ascii]   one picture as text", "", "Commands:",
        ]
        for verb in VerbTable.verbs where verb.surfaces.contains(.shell) {
            let usage = "  \(verb.name) \(verb.arguments)"
            if usage.count > 46 {
                lines.append(usage)
                lines.append(String(repeating: " ", count: 48) + verb.help)
            } else {
                lines.append(usage.padded(48) + verb.help)
            }
        }
        lines += [
            "", "Options:",
            "  --socket PATH      the admin socket ($SELVAGE_SOCKET, else \(CommandLineTool.defaultSocketPath))",
            "  -o FORMAT          table, json, jsonl or tsv",
            "  --if-match N       weight set: only if the backend's revision still is N;",
            "                     apply, revert: only if the configuration's is",
            "  --dry-run          apply, revert, import: say what would change, and what speaks against it",
            "  --guard 30s        weight set: put back by itself unless kept",
            "  --guard-err 2%     ... or when more than this fails",
            "  --wait             weight set: wait for the guard's end",
            "  --yes[=NAME]       go on where the screen would ask; =NAME to delete", "", "Exit codes:",
            "  0 done  2 usage  3 conflict  4 unreachable  5 outcome unknown  6 not allowed  7 rolled back  8 invalid",
        ]
        return lines
    }
}
