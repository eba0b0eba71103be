public import Shared

/// A module's answer to a request.
public enum Verdict: Sendable {
    case proceed
    /// Answer this; nothing goes upstream.
    case reject(EdgeError)
    /// Answer this fixed response; nothing goes upstream.
    case respond(FixedResponse)
}

/// How an exchange turned out, told once, as early as it is known: at the head of the upstream's answer, or when the
/// exchange failed before one.
public enum Outcome: Sendable, Equatable {
    /// The upstream (or a fixed-response backend) answered with this status.
    case answered(status: Int)
    /// No answer: the edge made this error itself after the modules had let the request pass.
    case failed(EdgeError)
    /// The client went away first.
    case abandoned
}

/// When a module wants to be called.
public struct ModulePhases: OptionSet, Sendable {
    public let rawValue: UInt8
    public init(rawValue: UInt8) { self.rawValue = rawValue }

    public static let connection = ModulePhases(rawValue: 1)
    public static let request = ModulePhases(rawValue: 2)
    public static let response = ModulePhases(rawValue: 4)
    public static let outcome = ModulePhases(rawValue: 8)
}

/// Changes the bytes of an answer's body as they pass. Used on one loop, for one exchange.
public protocol BodyTransform: AnyObject {
    /// Takes all of `input` and appends what is ready to `output`.
    func transform(_ input: UnsafeRawBufferPointer, into output: inout [UInt8])
    /// The body has ended: appends the rest.
    func finish(into output: inout [UInt8])
}

/// A named step acting on the traffic of an edge or a route.
///
/// Made when a snapshot is compiled, shared by all loops until the snapshot is retired: settings are immutable, and
/// state that must outlive a change comes from `ModuleEnvironment`. Called on a loop: must not block.
public protocol TrafficModule: AnyObject, Sendable {
    /// JSON key, metric label and documentation anchor in one, e.g. `circuit_breaker`.
    static var name: String { get }
    /// The edge kinds that may carry it (claim C16).
    static var edgeKinds: Set<EdgeKind> { get }
    static var phases: ModulePhases { get }
    /// The fields of its settings, without `enabled`. Its name is that of the answer in the public API's description.
    static var settings: Shape { get }
    /// Complete settings with which the module works, as a starting point for an editor.
    static var example: JSON { get }
    /// Fields of the settings that hold identifiers of other objects, and how the API shows them.
    static var references: [ModuleReference] { get }
    /// Names of members, at any depth of the settings, that only those who ask for the module may see: what is written
    /// down about a change leaves them out.
    static var secrets: Set<String> { get }
    /// Of a group, one owner can have only one enabled.
    static var group: ModuleGroup? { get }
    /// Whether only endpoints that agents bind may have it: edges and routes do not show it.
    static var isForAgentsOnly: Bool { get }
    /// Whether it needs the plain bytes, or the handshake: refused where TLS is passed through.
    static var needsTermination: Bool { get }
    /// What answers say beyond the settings; requests may bring it back, and it is ignored there.
    static var answerFields: [Shape.Field] { get }
    /// The values of `answerFields`: facts of the server, which are not kept.
    static func answer(_ facts: AnswerFacts) -> [String: JSON]

    /// Checks settings as they come from the API and gives the form to keep: every field present, names lower-cased
    /// and so on. `enabled` is handled by the caller and not part of `settings`.
    static func normalise(_ settings: JSON) throws(Fault) -> JSON
    /// The same for a module whose settings depend on the kind of its edge. This is what the control plane calls.
    static func normalise(_ settings: JSON, on edge: EdgeKind) throws(Fault) -> JSON

    /// - Parameter settings: what `normalise` gave.
    init(settings: JSON, environment: ModuleEnvironment) throws(Fault)

    /// A connection to a TLS or TCP edge; `false` closes it.
    func admits(_ connection: ConnectionFacts) -> Bool
    /// The request's head may be read and changed. `note` stays with the exchange for the later calls.
    func onRequest(_ exchange: ExchangeView, note: inout UInt64) -> Verdict
    /// The answer's head may be read and changed; the result, if any, sees the body.
    func onResponse(_ exchange: ExchangeView, note: inout UInt64) -> (any BodyTransform)?
    func onOutcome(_ exchange: ExchangeView, outcome: Outcome, note: inout UInt64)
}

extension TrafficModule {
    public static var references: [ModuleReference] { [] }
    public static var secrets: Set<String> { [] }
    public static var group: ModuleGroup? { nil }
    public static var isForAgentsOnly: Bool { false }
    public static var needsTermination: Bool { false }
    public static var answerFields: [Shape.Field] { [] }
    public static func answer(_ facts: AnswerFacts) -> [String: JSON] { [:] }
    public static func normalise(_ settings: JSON, on edge: EdgeKind) throws(Fault) -> JSON {
        try normalise(settings)
    }
    public func admits(_ connection: ConnectionFacts) -> Bool { true }
    public func onRequest(_ exchange: ExchangeView, note: inout UInt64) -> Verdict { .proceed }
    public func onResponse(_ exchange: ExchangeView, note: inout UInt64) -> (any BodyTransform)? { nil }
    public func onOutcome(_ exchange: ExchangeView, outcome: Outcome, note: inout UInt64) {}
}

/// A module that holds the circuit breaker of its route: as long as one does, the breaker is kept and shown.
public protocol BreakerBearing: TrafficModule {}

/// Settings that name other objects: `ip_policy_ids: [id]` on the way in, `ip_policies: [{id, uri}]` on the way out.
public struct ModuleReference: Sendable {
    /// The field as written and kept, and as answered.
    public let field: String
    public let answerField: String
    /// The objects' kind in the configuration (`StoredObject.kind`).
    public let kind: String
    /// What is said when one does not exist.
    public let missingCode: Int

    public init(field: String, answerField: String, kind: String, missingCode: Int) {
        self.field = field
        self.answerField = answerField
        self.kind = kind
        self.missingCode = missingCode
    }
}

/// Modules of which an owner can have only one enabled.
public struct ModuleGroup: Sendable, Hashable {
    public let name: String
    /// What is said when two are enabled.
    public let fault: Fault

    public init(_ name: String, fault: Fault) {
        self.name = name
        self.fault = fault
    }
}

/// What an answer may say about a module that its settings do not.
public struct AnswerFacts: Sendable {
    /// The edge or route that carries the module.
    public let ownerID: String
    /// The host name under which clients reach this server.
    public let publicName: String
    /// The certificate with which this server signs; empty without one.
    public let signingCertificatePEM: String

    public init(ownerID: String, publicName: String, signingCertificatePEM: String) {
        self.ownerID = ownerID
        self.publicName = publicName
        self.signingCertificatePEM = signingCertificatePEM
    }
}

/// What a module may ask for while it is made.
public struct ModuleEnvironment: Sendable {
    /// The edge or route that carries the module.
    public let ownerID: String
    /// Rules of an IP policy; `nil` when it does not exist.
    public let policy: @Sendable (IPPolicyID) -> [IPPolicyRule]?
    /// State that outlives snapshots.
    public let breakers: CircuitBreakers

    public init(
        ownerID: String, breakers: CircuitBreakers, policy: @escaping @Sendable (IPPolicyID) -> [IPPolicyRule]?
    ) {
        self.ownerID = ownerID
        self.breakers = breakers
        self.policy = policy
    }
}
