/// The console's verbs without a screen.
public struct CommandLineTool {
    /// What the program's arguments ask for.
    public enum Plan: Sendable {
        /// Open the screen.
        case console(App.Options, socketPath: String)
        /// Run `run(...)`.
        case command
    }
    public struct Options: Sendable {
        public var socketPath: String
    }

    public let arguments: [String]

    /// - Parameter arguments: without the program's name.
    public init(arguments: [String], environment: [String: String]) { self.arguments = arguments }

    public var plan: Plan { .console(App.Options(), socketPath: "/run/selvage/admin.sock") }

    /// Runs the command. Lines for standard output go to `out`, for standard error to `err`, as they come.
    /// - Returns: the exit code: 0 done, 2 usage, 3 conflict, 4 unreachable, 5 outcome unknown, 6 not allowed,
    ///   7 rolled back by a guard, 8 invalid.
    public func run(out: (String) -> Void, err: (String) -> Void) -> Int32 { 0 }
}
