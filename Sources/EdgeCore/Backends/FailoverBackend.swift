public import Shared

/// Other backends in order; the next one is asked only when the one before could not be dialled.
public final class FailoverBackend: Backend {
    public static let kind = "failover"
    public static let idPrefix = "bkdfo"
    public static let settings = Shape(
        "FailoverBackend", [Shape.Field("backends", .list(.text, maximum: maximumChildren), "in the order of trial")])
    public static let defaults: [String: JSON] = ["backends": []]

    static let maximumChildren = 16

    public let id: BackendID
    private let slot: Int32
    private let choice: Choice

    public init(id: BackendID, settings: JSON, environment: BackendEnvironment) throws(Fault) {
        self.id = id
        slot = environment.slots.slot("backend/\(id)")
        var backends: [any Backend] = []
        for child in FailoverBackend.references(settings) {
            guard let backend = environment.resolve(child) else {
                throw Fault(6501, "The backend \(child) does not exist.")
            }
            backends.append(backend)
        }
        choice = backends.isEmpty ? .none(.noBackend) : .inOrder(backends)
    }

    public func choose(_ balance: inout BalanceStates, _ path: inout SelectionPath) -> Choice {
        path.append(slot)
        return choice
    }

    public static func references(_ settings: JSON) -> [BackendID] {
        (settings["backends"]?.arrayValue ?? []).compactMap(\.stringValue).map { BackendID($0) }
    }

    public static func normalise(_ settings: JSON) throws(Fault) -> JSON {
        let reader = try SettingsReader(settings, Self.settings, subject: "failover backend")
        let backends = try reader.strings("backends")
        guard backends.count <= maximumChildren else {
            throw Fault(6513, "There are \(backends.count) backends; the limit is \(maximumChildren).")
        }
        if let twice = backends.first(where: { id in backends.count(where: { $0 == id }) > 1 }) {
            throw Fault(6525, "The backend \(twice.prefix(64)) is listed more than once.")
        }
        return ["backends": .array(backends.map { .string($0) })]
    }
}
