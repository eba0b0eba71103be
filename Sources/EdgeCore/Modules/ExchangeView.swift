public import Shared

/// What is known of a client connection for all its life.
public final class ConnectionFacts: Sendable {
    public let clientAddress: IPAddress
    public let clientPort: UInt16
    public let serverAddress: IPAddress
    public let serverPort: UInt16
    /// The name of the TLS handshake, lower case; empty without TLS.
    public let serverName: String
    /// For instance `TLSv1.3` and `TLS_AES_128_GCM_SHA256`; empty without TLS.
    public let tlsVersion: String
    public let tlsCipher: String
    public let region: Region
    public let start: MonotonicTime
    /// The client's address as text, made once: it goes into a field of every request.
    public let clientText: String

    public init(
        clientAddress: IPAddress, clientPort: UInt16, serverAddress: IPAddress, serverPort: UInt16,
        serverName: String = "", tlsVersion: String = "", tlsCipher: String = "", region: Region,
        start: MonotonicTime
    ) {
        self.clientAddress = clientAddress
        self.clientPort = clientPort
        self.serverAddress = serverAddress
        self.serverPort = serverPort
        self.serverName = serverName
        self.tlsVersion = tlsVersion
        self.tlsCipher = tlsCipher
        self.region = region
        self.start = start
        clientText = clientAddress.description
    }
}

/// One request and its answer, as modules see them. Confined to one loop and reused.
public final class ExchangeView {
    public let request = MessageHead()
    public let response = MessageHead()
    public var connection: ConnectionFacts?
    /// Whether the client's request came over TLS.
    public var isSecure = false
    /// `HTTP/1.0`, `HTTP/1.1` or `HTTP/2.0`.
    public var version: StaticString = "HTTP/1.1"
    /// The time of the step that runs: passed in, as modules read no clock.
    public var now = MonotonicTime(nanoseconds: 0)
    /// When the request's head was complete.
    public var start = MonotonicTime(nanoseconds: 0)
    /// The leaf backend that was chosen; empty before.
    public var backendID = ""
    /// How many modules of the chain have seen the request and let it pass.
    public internal(set) var passed = 0
    /// One word per place in the chain, for that module alone to remember something until the answer.
    var notes = InlineArray<16, UInt64>(repeating: 0)
    /// Facts that modules publish for header variables, e.g. `circuit_breaker.decision`.
    public private(set) var variables: [(name: StaticString, value: String)] = []

    public init() {}

    public func reset() {
        request.reset()
        response.reset()
        backendID = ""
        passed = 0
        for index in notes.indices { notes[index] = 0 }
        if !variables.isEmpty { variables.removeAll(keepingCapacity: true) }
    }

    /// Names are those of behaviour.md 2.7, without the leading dot.
    public func publish(_ name: StaticString, _ value: String) { variables.append((name, value)) }
}
