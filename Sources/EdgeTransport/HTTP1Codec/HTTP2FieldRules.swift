import EdgeCore

/// What an HTTP/2 field may hold, so that none can split or reframe the HTTP/1 message it becomes
/// (RFC 9113, 8.2.1, 8.2.2 and 8.3). Pure; the nghttp2 session calls it for every field.
enum HTTP2FieldRules {
    /// A regular field's name: a lower-case token. Pseudo-fields (`:path`) are not names here.
    static func isValidName(_ name: UnsafeBufferPointer<UInt8>) -> Bool { fatalError("to come") }
    /// No CR, LF, NUL or other control but tab, no space or tab at either end.
    static func isValidValue(_ value: UnsafeBufferPointer<UInt8>) -> Bool { fatalError("to come") }
    /// Origin form, or `*` (which only OPTIONS may use).
    static func isValidPath(_ path: UnsafeBufferPointer<UInt8>) -> Bool { fatalError("to come") }
    /// `host[:port]`: reg-name, IPv4 or `[IPv6]`; no userinfo.
    static func isValidAuthority(_ authority: UnsafeBufferPointer<UInt8>) -> Bool { fatalError("to come") }
    /// A token of at most 32 bytes.
    static func isValidMethod(_ method: UnsafeBufferPointer<UInt8>) -> Bool { fatalError("to come") }
    /// Connection-specific fields, and `te` other than `trailers`: the message is malformed.
    static func isForbidden(_ id: FieldName, value: UnsafeBufferPointer<UInt8>) -> Bool { fatalError("to come") }
    /// The host of a valid authority, without its port, as a part of it (to be stored lower-cased in `head.host`).
    static func host(ofAuthority authority: UnsafeBufferPointer<UInt8>) -> UnsafeBufferPointer<UInt8> {
        fatalError("to come")
    }
    /// `content-length`: digits only, at most `Int64.max`; `nil` when malformed.
    static func contentLength(_ value: UnsafeBufferPointer<UInt8>) -> UInt64? { fatalError("to come") }
}
