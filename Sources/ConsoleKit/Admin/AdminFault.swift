/// Why the admin API could not be used.
public struct AdminFault: Error, Hashable, CustomStringConvertible, Sendable {
    public enum Code: Sendable {
        /// There is nobody at the socket.
        case unreachable
        /// No answer in time: whether the request took effect is not known.
        case timeout
        /// What came is no HTTP.
        case malformed
        /// The server closed the connection: whether the request took effect is not known.
        case closed
    }

    public let code: Code
    public let message: String

    public init(_ code: Code, _ message: String) {
        self.code = code
        self.message = message
    }

    public var description: String { message }
}
