public import EdgeCore
public import Shared

/// Lets in only those whose address an IP policy allows and none denies.
///
/// What counts is where the connection comes from, never a header. The rules of all policies are taken together, and
/// a denial beats any permission, however much shorter its network is. IPv4 and IPv6 are apart: a list that allows
/// only IPv4 networks shuts out every IPv6 client.
public final class IPRestriction: TrafficModule {
    public static let name = "ip_restriction"
    public static let edgeKinds: Set<EdgeKind> = [.https, .tls, .tcp]
    public static let phases: ModulePhases = [.connection, .request]
    public static let settings = Shape(
        "EndpointIPPolicy",
        [Shape.Field("ip_policy_ids", .list(.text, maximum: maximumPolicies), required: true, "at least one IP policy")]
    )
    public static let example: JSON = ["ip_policy_ids": ["ipp_000000000000000000000000000"]]
    public static let references = [
        ModuleReference(field: "ip_policy_ids", answerField: "ip_policies", kind: "ip_policy", missingCode: 7007)
    ]

    static let maximumPolicies = 10

    private let rules: AddressRules

    public init(settings: JSON, environment: ModuleEnvironment) throws(Fault) {
        var rules: [IPPolicyRule] = []
        for id in (settings["ip_policy_ids"]?.arrayValue ?? []).compactMap(\.stringValue) {
            guard let policy = environment.policy(IPPolicyID(id)) else {
                throw Fault(7007, "The IP policy \(id) does not exist.")
            }
            rules += policy
        }
        self.rules = AddressRules(rules)
    }

    public static func normalise(_ settings: JSON) throws(Fault) -> JSON {
        let reader = try SettingsReader(settings, Self.settings, subject: "ip_restriction module")
        let ids = try reader.strings("ip_policy_ids")
        guard !ids.isEmpty else { throw Fault(7025, "ip_restriction needs at least one IP policy.") }
        guard ids.count <= maximumPolicies else {
            throw Fault(7013, "ip_restriction takes at most \(maximumPolicies) IP policies, not \(ids.count).")
        }
        return ["ip_policy_ids": .array(ids.map { .string($0) })]
    }

    public func admits(_ connection: ConnectionFacts) -> Bool { rules.admits(connection.clientAddress) }

    public func onRequest(_ exchange: ExchangeView, note: inout UInt64) -> Verdict {
        // Without a known source nothing can be allowed.
        let isAdmitted = exchange.connection.map { rules.admits($0.clientAddress) } ?? false
        exchange.publish("ip_policy.decision", isAdmitted ? "allow" : "deny")
        return isAdmitted ? .proceed : .reject(.ipRestricted)
    }
}
