public import EdgeCore
public import Shared

/// Rules over requests, answers and connections, written as one text.
public final class TrafficPolicy: PendingModule {
    public static let name = "traffic_policy"
    public static let edgeKinds: Set<EdgeKind> = [.https, .tls, .tcp]
    public static let settings = Shape(
        "EndpointTrafficPolicy",
        [Shape.Field("value", .text(maximum: PolicyDocument.maximumLength), required: true, "JSON or YAML")])
    /// Without a rule: the names of phases depend on the kind of the edge.
    public static let example: JSON = ["value": "{}"]

    public init(settings: JSON, environment: ModuleEnvironment) throws(Fault) {}

    /// Checks what does not depend on the kind of the edge.
    public static func normalise(_ settings: JSON) throws(Fault) -> JSON {
        try normalise(settings, phases: PolicyDocument.Phase.allCases, protocolName: "any")
    }

    public static func normalise(_ settings: JSON, on edge: EdgeKind) throws(Fault) -> JSON {
        try normalise(
            settings, phases: edge == .https ? [.httpRequest, .httpResponse] : [.tcpConnect],
            protocolName: edge.rawValue)
    }

    /// The text is kept byte for byte.
    private static func normalise(
        _ settings: JSON, phases: [PolicyDocument.Phase], protocolName: String
    ) throws(Fault) -> JSON {
        let reader = try SettingsReader(settings, Self.settings, subject: "traffic_policy module")
        let value = try reader.string("value")
        _ = try PolicyDocument(value, phases: phases, protocolName: protocolName)
        return ["value": .string(value)]
    }
}
