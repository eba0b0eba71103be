public import Shared

public final class AdminConnection {
    public init(socketPath: String) throws { throw AdminFault(.unreachable, "not yet") }
    public func request(
        _ method: String, _ path: String, body: JSON? = nil, headers: [(String, String)] = []
    ) throws -> (status: Int, fields: [(name: String, value: String)], body: [UInt8]) {
        throw AdminFault(.unreachable, "not yet")
    }
    public func lines(_ path: String, onLine: ([UInt8]) -> Bool) throws { throw AdminFault(.unreachable, "not yet") }
}

/// Why the admin API could not be used.
public struct AdminFault: Error, CustomStringConvertible, Sendable {
    public enum Code: Sendable { case unreachable, timeout, malformed, closed }
    public let code: Code
    public let message: String
    public init(_ code: Code, _ message: String) {
        self.code = code
        self.message = message
    }
    public var description: String { message }
}
