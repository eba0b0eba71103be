import CTerminal
import ConsoleKit
import Glibc

/// The program: verbs that print and end, or the screen.
struct Program {
    /// Without the program's name.
    let arguments: [String]
    let environment: [String: String]

    /// - Returns: the exit code.
    func run() -> Int32 {
        let tool = CommandLineTool(arguments: arguments, environment: environment)
        guard case .console(let options, let socketPath) = tool.plan else { return runCommand(tool) }
        guard isatty(STDOUT_FILENO) == 1, TerminalProfile.isCapable(term: environment["TERM"]) else { return runOnce() }
        // First of all: threads that start later inherit it.
        let signals = terminal_signal_descriptor()
        let themes = ThemeLibrary(environment: environment, executable: Self.executable)
        do {
            return try runScreen(options, socketPath: socketPath, themes, signals: signals)
        } catch {
            Self.print("selvage: \(error.message)", to: STDERR_FILENO)
            return runOnce()
        }
    }

    private func runCommand(_ tool: CommandLineTool) -> Int32 {
        tool.run(out: { Self.print($0, to: STDOUT_FILENO) }, err: { Self.print($0, to: STDERR_FILENO) })
    }

    /// What the screen would show, as plain text.
    private func runOnce() -> Int32 {
        runCommand(CommandLineTool(arguments: arguments + ["--once"], environment: environment))
    }

    private func runScreen(
        _ options: App.Options, socketPath: String, _ themes: ThemeLibrary, signals: Int32
    ) throws(TerminalFault) -> Int32 {
        guard signals >= 0 else { throw TerminalFault(message: "no signals: \(String(cString: strerror(errno)))") }
        let isUTF8 = CharacterLocale.choose(environment: environment)
        let name = options.themes.first ?? Theme.plain.name
        var theme = Theme.plain
        var fault: String?
        do {
            theme = try themes.theme(named: name)
        } catch {
            fault = "\(name): \(error)"
        }
        let screen = try TerminalScreen(profile: profile(isUTF8: isUTF8, themes), theme: theme)
        let session = ConsoleSession(
            app: App(options: options), screen: screen, link: AdminLink(path: socketPath), themes: themes,
            signals: signals)
        if let fault { session.report(themeFault: fault) }
        switch session.run() {
        case .quit: return 0
        case .signal(let number): terminal_die_by(number)
        }
    }

    private func profile(isUTF8: Bool, _ themes: ThemeLibrary) -> TerminalProfile {
        // Compiled only where it can be used.
        let wantsDirect = TerminalProfile.hasDirectColor(environment)
        return TerminalProfile(
            environment: environment, isUTF8: isUTF8, ascii: arguments.contains("--ascii"),
            colors: arguments.contains("--no-color") ? .never : arguments.contains("--color") ? .always : .unsaid,
            hasDirectColorEntry: wantsDirect
                && DescriptionCompiler.install(source: themes.descriptionSource, environment: environment))
    }

    private static func print(_ line: String, to descriptor: Int32) {
        var rest = Array((line + "\n").utf8)[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { write(descriptor, $0.baseAddress, $0.count) }
            if count > 0 { rest = rest.dropFirst(count) } else if errno != EINTR { return }
        }
    }

    /// The program's own path.
    private static var executable: String {
        var buffer = [CChar](repeating: 0, count: 4096)
        let count = readlink("/proc/self/exe", &buffer, buffer.count - 1)
        return String(decoding: buffer.prefix(max(0, count)).map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
}
