/// Rules for header fields that come from a configuration (RFC 9110, 5.1 and 5.5).
public enum FieldSyntax {
    /// Whether it may be a field name: a token.
    public static func isName(_ text: String) -> Bool {
        !text.isEmpty && text.utf8.allSatisfy(isTokenByte)
    }

    /// Whether it may be a field value: no control character but the tab, and no white space at its ends.
    public static func isValue(_ text: String) -> Bool {
        let blank: (UInt8) -> Bool = { $0 == 0x20 || $0 == 0x09 }
        return text.utf8.allSatisfy { $0 >= 0x20 && $0 != 0x7F || $0 == 0x09 }
            && !(text.utf8.first.map(blank) ?? false) && !(text.utf8.last.map(blank) ?? false)
    }

    /// RFC 9110, 5.6.2.
    private static func isTokenByte(_ byte: UInt8) -> Bool {
        switch byte {
        case 0x30...0x39, 0x41...0x5A, 0x61...0x7A: true
        default: "!#$%&'*+-.^_`|~".utf8.contains(byte)
        }
    }

    /// Fields that frame a message, belong to one connection, or are the edge's own word: nobody configures these.
    public static let reserved: Set<String> = [
        "content-length", "transfer-encoding", "connection", "upgrade", "te", "trailer", "keep-alive",
        "proxy-connection", "http2-settings", "ngrok-error-code",
    ]
}
