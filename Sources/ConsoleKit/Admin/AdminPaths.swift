import Shared

/// The operations below `/selvage/`: named in one place.
enum AdminPaths {
    static let configuration = "/selvage/configuration"
    static let stream = "/selvage/stream"
    static let apply = "/selvage/apply"

    /// `keep`, `rollback` or `extend`.
    static func guardVerb(_ id: String, _ verb: String) -> String { "/selvage/guards/\(escaped(id))/\(verb)" }

    /// `open`, `close` or `reset`.
    static func breaker(_ route: String, _ verb: String) -> String { "/selvage/breakers/\(escaped(route))/\(verb)" }

    static let agents = "/selvage/agents"

    /// `disconnect` or `drain`.
    static func agent(_ id: String, _ verb: String) -> String { "\(agents)/\(escaped(id))/\(verb)" }

    /// `stop`, `restart` or `update`: asked of the agent's own program, by the public API.
    static func session(_ id: String, _ verb: String) -> String { "/tunnel_sessions/\(escaped(id))/\(verb)" }

    static let undo = "/selvage/undo"
    static let keys = "/api_keys"
    static let credentials = "/credentials"
    static let revert = "/selvage/revert"

    static func history(_ id: String) -> String { "/selvage/objects/\(escaped(id))/history?limit=200" }

    static func difference(_ from: UInt64, _ to: UInt64) -> String {
        "/selvage/revisions/\(from)/diff/\(to)?limit=1000"
    }

    /// Percent-encodes one segment of a path.
    static func escaped(_ segment: String) -> String {
        var result = ""
        for byte in segment.utf8 {
            let scalar = Unicode.Scalar(byte)
            if scalar.properties.isAlphabetic && byte < 128 || (48...57).contains(byte) || "-_.~".utf8.contains(byte) {
                result.unicodeScalars.append(scalar)
            } else {
                result += "%" + (byte < 16 ? "0" : "") + String(byte, radix: 16, uppercase: true)
            }
        }
        return result
    }
}
