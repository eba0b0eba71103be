public import Shared

/// A request to the admin API.
public struct APIRequest: Hashable, Sendable {
    public var method: String
    /// Path with query.
    public var path: String
    public var body: JSON?
    /// The `ETag` that the writer saw.
    public var ifMatch: String?
    /// The command in the console's grammar, for the audit trail.
    public var command: String?

    public init(_ method: String, _ path: String, body: JSON? = nil, ifMatch: String? = nil, command: String? = nil) {
        self.command = command
        self.method = method
        self.path = path
        self.body = body
        self.ifMatch = ifMatch
    }

    /// Anything but a read.
    public var isWrite: Bool { method != "GET" && method != "HEAD" }

    /// Fields beside those that `AdminConnection` always sends.
    public var headers: [(String, String)] {
        var headers: [(String, String)] = []
        if let ifMatch { headers.append(("If-Match", "\"\(ifMatch)\"")) }
        if let command {
            // A field's value is one line of ASCII.
            headers.append(
                (
                    "selvage-command",
                    String(
                        command.unicodeScalars.map { scalar in
                            scalar.isASCII && scalar.value >= 0x20 && scalar.value != 0x7F ? Character(scalar) : "?"
                        }.prefix(1_000))
                ))
        }
        return headers
    }
}

/// Names a request, so that its answer finds back.
public struct RequestTag: Hashable, Sendable {
    public var number: UInt64
    public init(number: UInt64) { self.number = number }
}

/// What the program must do for the `App`, which itself does nothing.
public enum Effect: Hashable, Sendable {
    /// Send it; tell `Message.answer` or `Message.unanswered` with the same tag.
    case send(APIRequest, RequestTag)
    /// Connect, `GET /selvage/stream`, tell each line. An open stream is closed first.
    case openStream
    /// Put text into the terminal's clipboard (OSC 52).
    case copy(String)
    case bell
    /// Leave the screen and stop (SIGTSTP).
    case suspend
    /// Draw everything anew.
    case repaint
    /// Load this theme; tell `Message.themeFault` when it cannot be.
    case setTheme(String)
    case quit
}

/// What the program tells the `App`.
public enum Message: Sendable {
    /// One line of the stream, as bytes, without its newline.
    case streamBytes([UInt8])
    /// One line of the stream, decoded.
    case line(StreamLine)
    /// The stream could not be opened, or has ended.
    case linkLost(String)
    case answer(RequestTag, status: Int, fields: [(name: String, value: String)], body: [UInt8])
    /// No answer came: whether the request took effect is not known, unless the reason begins with `unsent`.
    case unanswered(RequestTag, reason: String)
    /// How long the terminal takes to answer, in seconds; `nil` when it does not.
    case terminalDelay(Double?)
    case themeFault(String)

    /// Begins the reason of a request that never left: it certainly had no effect.
    public static let unsent = "not sent: "
}
