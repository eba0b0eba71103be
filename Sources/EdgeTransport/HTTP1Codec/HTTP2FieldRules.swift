import EdgeCore

/// What an HTTP/2 field may hold, so that none can split or reframe the HTTP/1 message it becomes
/// (RFC 9113, 8.2.1, 8.2.2 and 8.3). Pure; the server calls it for every field.
enum HTTP2FieldRules {
    /// A regular field's name: a lower-case token. Pseudo-fields (`:path`) are not names here.
    static func isValidName(_ name: UnsafeBufferPointer<UInt8>) -> Bool {
        guard ByteScan.isWholeToken(name) else { return false }
        for byte in name where byte &- 0x41 < 26 { return false }
        return true
    }

    /// No CR, LF, NUL or other control but tab, no space or tab at either end.
    static func isValidValue(_ value: UnsafeBufferPointer<UInt8>) -> Bool {
        guard let base = value.baseAddress, let first = value.first, let last = value.last else { return true }
        guard first != ByteScan.space, first != ByteScan.tab, last != ByteScan.space, last != ByteScan.tab else {
            return false
        }
        var index = ByteScan.textEnd(base, from: 0, end: value.count)
        while index < value.count, base[index] == ByteScan.tab {
            index = ByteScan.textEnd(base, from: index + 1, end: value.count)
        }
        return index == value.count
    }

    /// Origin form, or `*` (which only OPTIONS may use): no control, space, `#` or byte beyond ASCII.
    static func isValidPath(_ path: UnsafeBufferPointer<UInt8>) -> Bool {
        guard let base = path.baseAddress, path.count > 0 else { return false }
        if base[0] == UInt8(ascii: "*") { return path.count == 1 }
        return base[0] == UInt8(ascii: "/") && ByteScan.targetEnd(base, from: 0, end: path.count) == path.count
    }

    /// `host[:port]`: letters, digits, `-._~`, or `[IPv6]`; no userinfo.
    static func isValidAuthority(_ authority: UnsafeBufferPointer<UInt8>) -> Bool {
        guard let base = authority.baseAddress else { return false }
        return Authority(base, 0..<authority.count) != nil
    }

    /// A token of at most 32 bytes.
    static func isValidMethod(_ method: UnsafeBufferPointer<UInt8>) -> Bool {
        method.count <= HeadReader.maxMethodBytes && ByteScan.isWholeToken(method)
    }

    /// Connection-specific fields, and `te` other than `trailers`: the message is malformed.
    static func isForbidden(_ id: FieldName, value: UnsafeBufferPointer<UInt8>) -> Bool {
        switch id {
        case .connection, .transferEncoding, .keepAlive, .proxyConnection, .upgrade, .http2Settings: return true
        case .te:
            guard let base = value.baseAddress else { return true }
            return !ByteScan.equals(base, 0, value.count, "trailers")
        default: return false
        }
    }

    /// The host of an authority, without its port and final dot, as a part of it (to be stored lower-cased in
    /// `head.host`); empty when malformed.
    static func host(ofAuthority authority: UnsafeBufferPointer<UInt8>) -> UnsafeBufferPointer<UInt8> {
        guard let base = authority.baseAddress, let parsed = Authority(base, 0..<authority.count) else {
            return UnsafeBufferPointer(start: nil, count: 0)
        }
        return UnsafeBufferPointer(rebasing: authority[parsed.host])
    }

    /// `content-length`: digits only, at most `Int64.max`; `nil` when malformed.
    static func contentLength(_ value: UnsafeBufferPointer<UInt8>) -> UInt64? {
        guard let base = value.baseAddress else { return nil }
        return ByteScan.decimal(base, 0, value.count)
    }
}
