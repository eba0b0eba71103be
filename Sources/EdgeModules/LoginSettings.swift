import EdgeCore
import Shared

/// What the settings of `oauth`, `oidc` and `saml` have in common, and how they exclude each other.
enum LoginSettings {
    /// Seconds.
    static let longestInactivity: Int64 = 365 * 24 * 3600
    /// Bytes of one text: an address, a scope, a client's identifier.
    static let maximumText = 1024
    static let maximumTexts = 500
    private static let maximumPrefix = 128

    static let group = ModuleGroup(
        "login",
        fault: Fault(
            7079,
            "The edge specifies conflicting authentication modules. Only one of SAML, OIDC, or OAuth may be enabled."))

    static let fields = [
        Shape.Field("options_passthrough", .flag, "lets OPTIONS pass without a login"),
        Shape.Field("cookie_prefix", .text(maximum: maximumPrefix), "letters, digits and dots"),
        Shape.Field("inactivity_timeout", .integer(0...longestInactivity), "seconds; 0 means none"),
        Shape.Field("maximum_duration", .integer(0...Int64(UInt32.max)), "seconds; 0 means none"),
    ]

    static func normalise(_ reader: SettingsReader, cookiePrefix: String = "") throws(Fault) -> [String: JSON] {
        let prefix = try reader.string("cookie_prefix")
        let isName = prefix.utf8.allSatisfy { byte in
            byte == UInt8(ascii: ".") || (0x30...0x39).contains(byte) || (0x41...0x5A).contains(byte & 0xDF)
        }
        guard isName, prefix.utf8.count <= maximumPrefix else {
            throw Fault(
                7042,
                "Invalid edge module, the cookie prefix '\(prefix.prefix(64))' must consist of only alphanumeric "
                    + "characters with periods, at most \(maximumPrefix).")
        }
        let inactivity = try seconds("inactivity_timeout", reader)
        guard inactivity <= longestInactivity else {
            throw Fault(
                7092,
                "Invalid edge module, session inactivity timeout cannot be more than one year, was \(inactivity) seconds."
            )
        }
        return [
            "options_passthrough": .bool(try reader.bool("options_passthrough", default: false)),
            "cookie_prefix": .string(prefix.isEmpty ? cookiePrefix : prefix),
            "inactivity_timeout": .int(inactivity),
            "maximum_duration": .int(try seconds("maximum_duration", reader)),
        ]
    }

    static func seconds(_ name: String, _ reader: SettingsReader) throws(Fault) -> Int64 {
        let value = try reader.integer(name)
        guard (0...Int64(UInt32.max)).contains(value) else {
            throw Fault(212, "\(name) must be from 0 to \(UInt32.max) seconds, not \(value).")
        }
        return value
    }

    /// A list of texts within the bounds.
    static func texts(_ name: String, _ reader: SettingsReader) throws(Fault) -> [String] {
        let texts = try reader.strings(name)
        guard texts.count <= maximumTexts, texts.allSatisfy({ $0.utf8.count <= maximumText }) else {
            throw Fault(nil, "\(name) may have at most \(maximumTexts) entries of at most \(maximumText) bytes each.")
        }
        return texts
    }

    static func text(_ name: String, _ reader: SettingsReader) throws(Fault) -> String {
        let text = try reader.string(name)
        guard text.utf8.count <= maximumText else {
            throw Fault(nil, "\(name) may have at most \(maximumText) bytes.")
        }
        return text
    }
}

extension JSON {
    static func texts(_ texts: [String]) -> JSON { .array(texts.map { .string($0) }) }
}
