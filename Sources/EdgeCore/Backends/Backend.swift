public import Shared

/// An address that the transport can dial.
public final class Target: Sendable {
    /// The leaf backend's identifier.
    public let backendID: BackendID
    /// Host name or address, and port.
    public let host: String
    public let port: UInt16
    public let usesTLS: Bool
    /// A small number that stays with this address (and TLS use) for the process's life: the place of its pool.
    public let poolSlot: Int

    public init(backendID: BackendID, host: String, port: UInt16, usesTLS: Bool, poolSlot: Int) {
        self.backendID = backendID
        self.host = host
        self.port = port
        self.usesTLS = usesTLS
        self.poolSlot = poolSlot
    }
}

/// An answer known beforehand.
public final class FixedResponse: Sendable {
    public let status: Int
    public let fields: [(name: String, value: String)]
    public let body: [UInt8]

    public init(status: Int, fields: [(name: String, value: String)], body: [UInt8]) {
        self.status = status
        self.fields = fields
        self.body = body
    }
}

/// A backend's answer: what the transport should do. Backends choose, they never dial.
public enum Choice: Sendable {
    case dial(Target)
    case respond(FixedResponse)
    /// Ask the first of these; ask the next only when the one before could not be dialled (behaviour.md 2.3).
    case inOrder([any Backend])
    /// Send it into one of these tunnels, which are never none: that at this place first, then those after it, round
    /// to the one before it.
    case tunnels([TunnelTarget], first: Int)
    case none(EdgeError)
}

/// Statistics slots of the backends that a request went through, from the route's down to the leaf.
public struct SelectionPath: Sendable {
    public private(set) var slots = InlineArray<12, Int32>(repeating: -1)
    public private(set) var count = 0

    public init() {}

    /// Slots past the twelfth are not counted: nesting is refused before that (`Backends.maximumDepth`).
    @inline(__always)
    public mutating func append(_ slot: Int32) {
        guard count < slots.count else { return }
        slots[count] = slot
        count += 1
    }

    @inline(__always)
    public mutating func truncate(to length: Int) { count = min(count, length) }
}

/// Chooses where traffic goes: once per request on HTTPS edges, once per connection on TLS and TCP edges.
public protocol Backend: AnyObject, Sendable {
    /// Collection below `/backends/` and the kind's name, e.g. `weighted`.
    static var kind: String { get }
    /// Prefix of its identifiers, e.g. `bkdwd`.
    static var idPrefix: String { get }
    /// The fields of its documents. Its name is that of the answer in the public API's description.
    static var settings: Shape { get }
    /// `settings`, and the fields that `live` gives.
    static var answered: Shape { get }
    /// Those fields with their values when a create leaves them out.
    static var defaults: [String: JSON] { get }
    /// Backends that a document refers to.
    static func references(_ settings: JSON) -> [BackendID]
    /// Joins an update into kept settings: an absent field stays. What an empty value means is the kind's own
    /// business (api.md 1.6).
    static func merge(_ update: [String: JSON], into settings: JSON) -> JSON
    /// Checks settings as they come from the API and gives the form to keep, every field present.
    static func normalise(_ settings: JSON) throws(Fault) -> JSON
    /// Fields of an answer that no document holds, because they change without a write.
    /// - Parameter baseURL: absolute addresses begin with it.
    static func live(_ settings: JSON, _ lookup: LiveLookup, baseURL: String) -> [String: JSON]

    /// - Parameter settings: what `normalise` gave.
    init(id: BackendID, settings: JSON, environment: BackendEnvironment) throws(Fault)

    var id: BackendID { get }
    func choose(_ balance: inout BalanceStates, _ path: inout SelectionPath) -> Choice
}

extension Backend {
    public static var answered: Shape { settings }

    public static func live(_ settings: JSON, _ lookup: LiveLookup, baseURL: String) -> [String: JSON] { [:] }

    public static func references(_ settings: JSON) -> [BackendID] { [] }

    public static func merge(_ update: [String: JSON], into settings: JSON) -> JSON {
        .object((settings.objectValue ?? [:]).merging(update) { _, new in new })
    }
}

/// What is connected at this moment.
public struct LiveLookup: Sendable {
    /// Identifiers of the tunnels that have every one of these labels, oldest first.
    public let tunnels: @Sendable (_ labels: [String: String]) -> [String]

    public init(tunnels: @escaping @Sendable (_ labels: [String: String]) -> [String]) { self.tunnels = tunnels }

    /// Nothing is connected.
    public static let nothing = LiveLookup { _ in [] }
}

/// What a backend may ask for while it is made.
public struct BackendEnvironment: Sendable {
    public let slots: SlotTable
    public let tunnels: TunnelGroups
    /// The name under which it is counted, where that is not its identifier.
    public let countsAs: String?
    /// Compiled children; `nil` when one does not exist.
    public let resolve: @Sendable (BackendID) -> (any Backend)?

    public init(
        slots: SlotTable, tunnels: TunnelGroups = TunnelGroups(), countsAs: String? = nil,
        resolve: @escaping @Sendable (BackendID) -> (any Backend)?
    ) {
        self.slots = slots
        self.tunnels = tunnels
        self.countsAs = countsAs
        self.resolve = resolve
    }
}

/// The backend kinds of this program: one line each.
public enum Backends {
    public static let kinds: [any Backend.Type] = [
        StaticBackend.self,
        HTTPResponseBackend.self,
        WeightedBackend.self,
        FailoverBackend.self,
        TunnelGroupBackend.self,
    ]

    /// How deep backends may nest.
    public static let maximumDepth = 5

    public static func kind(named name: String) -> (any Backend.Type)? { kinds.first { $0.kind == name } }
    public static func kind(of id: BackendID) -> (any Backend.Type)? {
        kinds.first { id.rawValue.hasPrefix($0.idPrefix + "_") }
    }
}
