public import Shared

/// The tunnels that carry every one of its labels, however many agents have started them (claims C21 to C26): each gets
/// an equal share, in turn.
///
/// A selector without labels matches no tunnel: it would otherwise take in all of them by oversight.
public final class TunnelGroupBackend: Backend {
    public static let kind = "tunnel_group"
    public static let idPrefix = "bkdtg"
    public static let settings = Shape(
        "TunnelGroupBackend",
        [
            Shape.Field(
                "labels", .map(.text(maximum: maximumLength)),
                "at most \(maximumLabels); no '='; names have 1…\(maximumLength) bytes")
        ])
    public static let answered = settings.with([
        Shape.Field("tunnels", .list(.object(.reference)), "those that match at this moment")
    ])
    public static let defaults: [String: JSON] = ["labels": [:]]

    /// The public API documents that there are limits, and not which.
    static let maximumLabels = 32
    /// Bytes of a label's name, and of its value.
    static let maximumLength = 255

    public let id: BackendID
    private let slot: Int32
    private let group: TunnelGroupUse

    public init(id: BackendID, settings: JSON, environment: BackendEnvironment) throws(Fault) {
        self.id = id
        slot = environment.slots.slot("backend/" + (environment.countsAs ?? id.rawValue))
        group = environment.tunnels.use((settings["labels"]?.objectValue ?? [:]).compactMapValues(\.stringValue))
    }

    public func choose(_ balance: inout BalanceStates, _ path: inout SelectionPath) -> Choice {
        path.append(slot)
        let tunnels = balance.tunnels[group.number]
        // To a failover backend that is a child which could not be dialled.
        guard !tunnels.isEmpty else { return .none(.noTunnel) }
        return .tunnels(tunnels, first: balance.turn(of: group.number, among: tunnels.count))
    }

    /// The official Python client sends `{}` for labels that its caller left out.
    public static func merge(_ update: [String: JSON], into settings: JSON) -> JSON {
        if update["labels"] == [:] { return settings }
        return .object((settings.objectValue ?? [:]).merging(update) { _, new in new })
    }

    public static func normalise(_ settings: JSON) throws(Fault) -> JSON {
        let reader = try SettingsReader(settings, Self.settings, subject: "tunnel group backend")
        let labels = try reader.fields("labels")
        guard labels.count <= maximumLabels else {
            throw Fault(
                6508, "Tunnel group labels count is limited to \(maximumLabels); you have \(labels.count) labels.")
        }
        for (name, value) in labels {
            guard (1...maximumLength).contains(name.utf8.count) else {
                throw Fault(
                    6509,
                    "Tunnel group label key length is limited to between 1 and \(maximumLength); key "
                        + "'\(name.prefix(64))' has \(name.utf8.count) characters.")
            }
            guard value.utf8.count <= maximumLength else {
                throw Fault(
                    6510,
                    "Tunnel group label value length is limited to \(maximumLength); value '\(value.prefix(64))' has "
                        + "\(value.utf8.count) characters.")
            }
            guard let text = [name, value].first(where: { $0.contains("=") }) else { continue }
            throw Fault(6531, "The tunnel group label key/value '\(text.prefix(64))' may not contain '=' characters.")
        }
        return ["labels": .object(Dictionary(uniqueKeysWithValues: labels.map { ($0.name, .string($0.value)) }))]
    }

    public static func live(_ settings: JSON, _ lookup: LiveLookup, baseURL: String) -> [String: JSON] {
        let labels = (settings["labels"]?.objectValue ?? [:]).compactMapValues(\.stringValue)
        let matching = labels.isEmpty ? [] : lookup.tunnels(labels)
        return [
            "tunnels": .array(matching.map { ["id": .string($0), "uri": .string("\(baseURL)/tunnels/\($0)")] })
        ]
    }
}
