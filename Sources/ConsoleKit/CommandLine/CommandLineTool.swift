import Foundation
import Shared

/// The console's verbs without a screen.
public struct CommandLineTool {
    /// What the program's arguments ask for.
    public enum Plan: Sendable {
        /// Open the screen.
        case console(App.Options, socketPath: String)
        /// Run `run(...)`.
        case command
    }

    /// Exit codes.
    public enum Exit {
        public static let done: Int32 = 0
        public static let usage: Int32 = 2
        public static let conflict: Int32 = 3
        public static let unreachable: Int32 = 4
        public static let unknown: Int32 = 5
        public static let notAllowed: Int32 = 6
        public static let rolledBack: Int32 = 7
        public static let invalid: Int32 = 8
    }

    public static let version = "0.1.0"
    public static let defaultSocketPath = "/run/selvage/admin.sock"

    public let arguments: [String]
    let options: CommandLineOptions
    /// What is wrong with the options themselves.
    let fault: CommandFault?

    /// - Parameters:
    ///   - arguments: without the program's name.
    ///   - environment: `SELVAGE_SOCKET` names the admin socket.
    public init(arguments: [String], environment: [String: String]) {
        self.arguments = arguments
        var options = CommandLineOptions()
        if let path = environment["SELVAGE_SOCKET"], !path.isEmpty { options.socketPath = path }
        do throws(CommandFault) {
            try options.read(arguments)
            fault = nil
        } catch {
            fault = error
        }
        self.options = options
    }

    public var plan: Plan {
        guard fault == nil, options.words.isEmpty, !options.once, !options.wantsHelp, !options.wantsVersion else {
            return .command
        }
        var app = App.Options(readOnly: options.readOnly, address: options.socketPath, screen: options.screen)
        if let theme = options.theme { app.themes = [theme] + app.themes.filter { $0 != theme } }
        return .console(app, socketPath: options.socketPath)
    }

    public var socketPath: String { options.socketPath }

    /// Text whose C1 controls and changes of direction a terminal cannot obey: written as JSON writes them. JSON itself
    /// leaves them raw, and a description may hold them.
    static func visible(_ line: String) -> String {
        func isHostile(_ scalar: Unicode.Scalar) -> Bool {
            (0x7F...0x9F).contains(scalar.value) || (0x202A...0x202E).contains(scalar.value)
                || (0x2066...0x2069).contains(scalar.value)
        }
        guard line.unicodeScalars.contains(where: isHostile) else { return line }
        return line.unicodeScalars.reduce(into: "") { result, scalar in
            guard isHostile(scalar) else { return result.unicodeScalars.append(scalar) }
            let digits = String(scalar.value, radix: 16)
            result += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
        }
    }

    /// Runs the command. Lines for standard output go to `out`, for standard error to `err`, as they come.
    /// - Returns: one of `Exit`.
    public func run(out: @escaping (String) -> Void, err: @escaping (String) -> Void) -> Int32 {
        if let fault {
            err("selvage: \(fault.message)")
            err("selvage --help shows what there is")
            return Exit.usage
        }
        if options.wantsHelp {
            CommandLineOptions.help.forEach(out)
            return Exit.done
        }
        if options.wantsVersion {
            out("selvage \(Self.version)")
            return Exit.done
        }
        do {
            return try HeadlessRun(options: options, out: { out(Self.visible($0)) }, err: { err(Self.visible($0)) })
                .run()
        } catch let fault as CommandFault {
            err("selvage: \(fault.message)")
            return fault.code == .usage ? Exit.usage : Exit.invalid
        } catch let fault as APIErrorBody {
            err("selvage: \(fault.sentence)")
            return HeadlessRun.exit(fault)
        } catch let fault as AdminFault {
            err("selvage: \(fault.message)")
            return fault.code == .unreachable ? Exit.unreachable : Exit.unknown
        } catch {
            err("selvage: \(error)")
            return Exit.unknown
        }
    }
}
