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

    /// What the screen would show, as plain text. The user's own options come later, and so win.
    private func runOnce() -> Int32 {
        var options = ["--once"]
        if !CharacterLocale.choose(environment: environment) { options.append("--ascii") }
        var window = winsize()
        if ioctl(STDOUT_FILENO, UInt(TIOCGWINSZ), &window) == 0, (1...1000).contains(window.ws_col),
            (1...1000).contains(window.ws_row)
        {
            options += ["--size", "\(window.ws_col)x\(window.ws_row)"]
        }
        return runCommand(CommandLineTool(arguments: options + arguments, environment: environment))
    }

    private func runScreen(
        _ options: App.Options, socketPath: String, _ themes: ThemeLibrary, signals: Int32
    ) throws(TerminalFault) -> Int32 {
        guard signals >= 0 else { throw TerminalFault(message: "no signals: \(String(cString: strerror(errno)))") }
        let isUTF8 = CharacterLocale.choose(environment: environment)
        let options = withInstalledThemes(options, themes)
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

    /// The theme that was asked for, then all that are installed, then the one that needs no file.
    private func withInstalledThemes(_ options: App.Options, _ themes: ThemeLibrary) -> App.Options {
        var options = options
        let installed = themes.names
        let isAsked = arguments.contains { $0 == "--theme" || $0.hasPrefix("--theme=") }
        let first = isAsked || !installed.isEmpty ? options.themes.prefix(1) : []
        options.themes = first + (installed + [Theme.plain.name]).filter { !first.contains($0) }
        return options
    }

    /// `--no-color`, `--color=always`, `--color never`; the last one counts.
    static func colorWish(_ arguments: [String]) -> TerminalProfile.ColorWish {
        var wish = TerminalProfile.ColorWish.unsaid
        for (index, argument) in arguments.enumerated() {
            let value =
                argument == "--color" && index + 1 < arguments.count
                ? arguments[index + 1] : argument.hasPrefix("--color=") ? String(argument.dropFirst(8)) : nil
            switch value {
            case "never": wish = .never
            case "always": wish = .always
            case nil where argument == "--no-color": wish = .never
            default: break
            }
        }
        return wish
    }

    private func profile(isUTF8: Bool, _ themes: ThemeLibrary) -> TerminalProfile {
        // Compiled only where it can be used.
        let wantsDirect = TerminalProfile.hasDirectColor(environment)
        return TerminalProfile(
            environment: environment, isUTF8: isUTF8, ascii: arguments.contains("--ascii"),
            colors: Self.colorWish(arguments),
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
