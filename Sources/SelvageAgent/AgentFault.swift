/// Something that was asked for and cannot be, in words for the person who asked.
public struct AgentFault: Error, Hashable, Sendable, CustomStringConvertible {
    /// What it is about, as a key of the settings file, e.g. `upstream_ca`; `nil` when it is about the whole.
    public var key: String?
    public var message: String

    public init(_ message: String, key: String? = nil) {
        self.message = message
        self.key = key
    }

    public var description: String { message }
}

/// Gives a file's bytes. Passed in, so that this room needs no file system.
/// Throws when the file cannot be read or is larger than a few megabytes.
public typealias FileReader = @Sendable (_ path: String) throws(AgentFault) -> [UInt8]

/// A PEM chain, leaf first, and its PEM key, by their paths.
public struct CertificateFiles: Hashable, Sendable {
    public var certificate: String
    public var key: String

    public init(certificate: String, key: String) {
        self.certificate = certificate
        self.key = key
    }
}
