public import Shared

/// Spreads traffic over other backends in proportion to their weights.
///
/// It keeps no request with one child and knows nothing of their health: a child that must not fail is a failover.
public final class WeightedBackend: Backend {
    public static let kind = "weighted"
    public static let idPrefix = "bkdwd"
    public static let settings = Shape(
        "WeightedBackend",
        [Shape.Field("backends", .map(.integer(0...maximumWeight)), "weights by backend, at most \(maximumChildren)")])
    public static let defaults: [String: JSON] = ["backends": [:]]

    static let maximumChildren = 64
    static let maximumWeight: Int64 = 10000

    public let id: BackendID
    /// The children in the order of `weights`, and their weights as configured.
    public let children: [(id: BackendID, weight: Int64)]
    private let slot: Int32
    private let shares: [Int32]
    private let backends: [any Backend]
    private let weights: WeightTable

    public init(id: BackendID, settings: JSON, environment: BackendEnvironment) throws(Fault) {
        self.id = id
        slot = environment.slots.slot("backend/\(id)")
        children = (settings["backends"]?.objectValue ?? [:]).sorted { $0.key < $1.key }
            .map { (BackendID($0.key), $0.value.intValue ?? 0) }
        shares = children.map { environment.slots.slot("share/\(id)/\($0.id)") }
        var backends: [any Backend] = []
        for child in children {
            guard let backend = environment.resolve(child.id) else {
                throw Fault(6501, "The backend \(child.id) does not exist.")
            }
            backends.append(backend)
        }
        self.backends = backends
        weights = WeightTable(children.map(\.weight))
    }

    public func choose(_ balance: inout BalanceStates, _ path: inout SelectionPath) -> Choice {
        path.append(slot)
        guard !weights.isEmpty else { return .none(.noBackend) }
        let index = balance.next(slot: slot, weights: weights)
        path.append(shares[index])
        return backends[index].choose(&balance, &path)
    }

    public static func references(_ settings: JSON) -> [BackendID] {
        (settings["backends"]?.objectValue ?? [:]).keys.sorted().map { BackendID($0) }
    }

    public static func normalise(_ settings: JSON) throws(Fault) -> JSON {
        let reader = try SettingsReader(settings, Self.settings, subject: "weighted backend")
        let given = try reader.object("backends") ?? [:]
        guard given.count <= maximumChildren else {
            throw Fault(6511, "There are \(given.count) backends; the limit is \(maximumChildren).")
        }
        var backends: [String: JSON] = [:]
        for (child, weight) in given {
            guard let weight = weight.intValue, (0...maximumWeight).contains(weight) else {
                throw Fault(6512, "The weight of \(child.prefix(64)) must be a whole number up to \(maximumWeight).")
            }
            backends[child] = .int(weight)
        }
        return ["backends": .object(backends)]
    }
}
