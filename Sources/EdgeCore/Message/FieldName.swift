/// Header fields that the edge itself has to know. Everything else is `other` and passes through by its bytes.
public enum FieldName: UInt8, Sendable {
    case other
    case host, connection, contentLength, transferEncoding, expect, upgrade, te, trailer, keepAlive
    case proxyConnection, proxyAuthenticate, proxyAuthorization, http2Settings
    case acceptEncoding, contentEncoding, contentType, cacheControl, vary, etag, date, cookie
    case userAgent, forwardedFor, forwardedProto, forwardedHost, edgeErrorCode, secWebSocketKey

    /// The field's number for its name in any letter case.
    public init(_ name: UnsafeBufferPointer<UInt8>) {
        self = FieldName.candidate(length: name.count, first: name.isEmpty ? 0 : name[0] | 0x20)
        guard self != .other else { return }
        let expected = text
        let matches = expected.withUTF8Buffer { expected in
            for index in 0..<name.count where FieldName.lowered(name[index]) != expected[index] { return false }
            return true
        }
        if !matches { self = .other }
    }

    @inline(__always)
    static func lowered(_ byte: UInt8) -> UInt8 { byte &- 0x41 < 26 ? byte | 0x20 : byte }

    /// At most one known name has a given length and first letter, so one comparison decides.
    private static func candidate(length: Int, first: UInt8) -> FieldName {
        switch (length, first) {
        case (2, UInt8(ascii: "t")): .te
        case (4, UInt8(ascii: "h")): .host
        case (4, UInt8(ascii: "v")): .vary
        case (4, UInt8(ascii: "e")): .etag
        case (4, UInt8(ascii: "d")): .date
        case (6, UInt8(ascii: "e")): .expect
        case (6, UInt8(ascii: "c")): .cookie
        case (7, UInt8(ascii: "u")): .upgrade
        case (7, UInt8(ascii: "t")): .trailer
        case (10, UInt8(ascii: "c")): .connection
        case (10, UInt8(ascii: "k")): .keepAlive
        case (10, UInt8(ascii: "u")): .userAgent
        case (12, UInt8(ascii: "c")): .contentType
        case (13, UInt8(ascii: "c")): .cacheControl
        case (14, UInt8(ascii: "c")): .contentLength
        case (14, UInt8(ascii: "h")): .http2Settings
        case (15, UInt8(ascii: "a")): .acceptEncoding
        case (15, UInt8(ascii: "x")): .forwardedFor
        case (16, UInt8(ascii: "c")): .contentEncoding
        case (16, UInt8(ascii: "p")): .proxyConnection
        case (16, UInt8(ascii: "n")): .edgeErrorCode
        case (16, UInt8(ascii: "x")): .forwardedHost
        case (17, UInt8(ascii: "t")): .transferEncoding
        case (17, UInt8(ascii: "x")): .forwardedProto
        case (17, UInt8(ascii: "s")): .secWebSocketKey
        case (18, UInt8(ascii: "p")): .proxyAuthenticate
        case (19, UInt8(ascii: "p")): .proxyAuthorization
        default: .other
        }
    }

    /// The name in lower case; empty for `other`.
    public var text: StaticString {
        switch self {
        case .other: ""
        case .host: "host"
        case .connection: "connection"
        case .contentLength: "content-length"
        case .transferEncoding: "transfer-encoding"
        case .expect: "expect"
        case .upgrade: "upgrade"
        case .te: "te"
        case .trailer: "trailer"
        case .keepAlive: "keep-alive"
        case .proxyConnection: "proxy-connection"
        case .proxyAuthenticate: "proxy-authenticate"
        case .proxyAuthorization: "proxy-authorization"
        case .http2Settings: "http2-settings"
        case .acceptEncoding: "accept-encoding"
        case .contentEncoding: "content-encoding"
        case .contentType: "content-type"
        case .cacheControl: "cache-control"
        case .vary: "vary"
        case .etag: "etag"
        case .date: "date"
        case .cookie: "cookie"
        case .userAgent: "user-agent"
        case .forwardedFor: "x-forwarded-for"
        case .forwardedProto: "x-forwarded-proto"
        case .forwardedHost: "x-forwarded-host"
        case .edgeErrorCode: "ngrok-error-code"
        case .secWebSocketKey: "sec-websocket-key"
        }
    }

    /// Fields about one connection rather than the message (RFC 9110, 7.6.1): never forwarded.
    public var isHopByHop: Bool {
        switch self {
        case .connection, .transferEncoding, .te, .trailer, .keepAlive, .proxyConnection, .upgrade, .http2Settings,
            .proxyAuthenticate, .proxyAuthorization:
            true
        default: false
        }
    }
}
