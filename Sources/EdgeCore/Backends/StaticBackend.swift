public import Shared

/// One address of the customer's network, with or without TLS.
public final class StaticBackend: Backend {
    public static let kind = "static"
    public static let idPrefix = "bkdsc"
    static let tlsShape = Shape("StaticBackendTLS", [Shape.Field("enabled", .flag, "false unless given")])
    public static let settings = Shape(
        "StaticBackend",
        [
            Shape.Field("address", .text(maximum: 300), "host:port; an IPv6 address in brackets"),
            Shape.Field("tls", .object(tlsShape), "whether the address is spoken to with TLS"),
        ])
    public static let defaults: [String: JSON] = ["address": "", "tls": ["enabled": false]]

    public let id: BackendID
    private let target: Target
    private let slot: Int32

    public init(id: BackendID, settings: JSON, environment: BackendEnvironment) throws(Fault) {
        self.id = id
        slot = environment.slots.slot("backend/\(id)")
        let address = try StaticBackend.parse(settings["address"]?.stringValue ?? "")
        let usesTLS = settings["tls"]?["enabled"]?.boolValue ?? false
        let pool = environment.slots.slot("pool/\(address.text)/\(usesTLS ? "tls" : "plain")")
        target = Target(
            backendID: id, host: address.host, port: address.port, usesTLS: usesTLS, poolSlot: Int(pool))
    }

    public func choose(_ balance: inout BalanceStates, _ path: inout SelectionPath) -> Choice {
        path.append(slot)
        return .dial(target)
    }

    /// An empty address in an update means that it stays: clients send it unasked.
    public static func merge(_ update: [String: JSON], into settings: JSON) -> JSON {
        var update = update
        if update["address"]?.stringValue == "" { update["address"] = nil }
        return .object((settings.objectValue ?? [:]).merging(update) { _, new in new })
    }

    public static func normalise(_ settings: JSON) throws(Fault) -> JSON {
        let reader = try SettingsReader(settings, Self.settings, subject: "static backend")
        let address = try parse(try reader.string("address"))
        let tls = try SettingsReader(
            .object(try reader.object("tls") ?? [:]), tlsShape, subject: "static backend's tls")
        return ["address": .string(address.text), "tls": ["enabled": .bool(try tls.bool("enabled", default: false))]]
    }

    private struct Address {
        /// Without brackets.
        var host: String
        var port: UInt16
        var text: String { host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)" }
    }

    private static func parse(_ text: String) throws(Fault) -> Address {
        guard text.utf8.count <= 300, let colon = text.lastIndex(of: ":") else {
            throw Fault(6505, "The address must have the form host:port.")
        }
        let digits = text[text.index(after: colon)...]
        guard (1...5).contains(digits.utf8.count), digits.utf8.allSatisfy({ (0x30...0x39).contains($0) }),
            let port = UInt16(digits), port > 0
        else { throw Fault(6507, "The address's port must be a number from 1 to 65535.") }
        var host = text[..<colon]
        if host.hasPrefix("["), host.hasSuffix("]") {
            host = host.dropFirst().dropLast()
            guard host.contains(":"), let address = IPAddress(host) else {
                throw Fault(6506, "What is in brackets must be an IPv6 address.")
            }
            return Address(host: address.description, port: port)
        }
        if host.contains(":") { throw Fault(6506, "An IPv6 address must be in brackets, as in [2001:db8::1]:80.") }
        guard isHost(host) else { throw Fault(6506, "The address's host must be a host name or an IP address.") }
        return Address(host: host.lowercased(), port: port)
    }

    /// Letters, digits, hyphens and underscores in labels of at most 63 (RFC 1123, 2.1; RFC 2181, 11).
    private static func isHost(_ host: Substring) -> Bool {
        guard (1...253).contains(host.utf8.count) else { return false }
        if host.utf8.allSatisfy({ (0x30...0x39).contains($0) || $0 == 0x2E }) { return IPAddress(host) != nil }
        return host.split(separator: ".", omittingEmptySubsequences: false).allSatisfy { label in
            (1...63).contains(label.utf8.count) && label.first != "-" && label.last != "-"
                && label.utf8.allSatisfy { byte in
                    switch byte {
                    case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, 0x2D, 0x5F: true
                    default: false
                    }
                }
        }
    }
}
