/// An object's identifier: a prefix that tells its kind, `_`, and 27 base62 characters (a KSUID).
///
/// The kind is a type parameter, so that a route's identifier cannot be handed over as an edge's.
public struct Identifier<Kind>: Hashable, Sendable, RawRepresentable, Codable, Comparable, CustomStringConvertible,
    ExpressibleByStringLiteral
{
    public let rawValue: String

    public init(rawValue: String) { self.rawValue = rawValue }
    public init(_ rawValue: String) { self.rawValue = rawValue }
    public init(stringLiteral value: String) { rawValue = value }

    public init(from decoder: any Decoder) throws { rawValue = try String(from: decoder) }
    public func encode(to encoder: any Encoder) throws { try rawValue.encode(to: encoder) }

    public var description: String { rawValue }
    public static func < (one: Self, other: Self) -> Bool { one.rawValue < other.rawValue }
}

/// Phantom kinds for `Identifier`.
public enum EdgeIdentity {}
public enum RouteIdentity {}
public enum BackendIdentity {}
public enum DomainIdentity {}
public enum AddressIdentity {}
public enum CertificateIdentity {}
public enum IPPolicyIdentity {}
public enum IPPolicyRuleIdentity {}

public typealias EdgeID = Identifier<EdgeIdentity>
public typealias RouteID = Identifier<RouteIdentity>
public typealias BackendID = Identifier<BackendIdentity>
public typealias DomainID = Identifier<DomainIdentity>
public typealias AddressID = Identifier<AddressIdentity>
public typealias CertificateID = Identifier<CertificateIdentity>
public typealias IPPolicyID = Identifier<IPPolicyIdentity>
public typealias IPPolicyRuleID = Identifier<IPPolicyRuleIdentity>

/// The protocol of an edge, chosen when it is made (claim C14).
public enum EdgeKind: String, Codable, Sendable, CaseIterable, Hashable {
    case https, tls, tcp

    /// The prefix of this kind's identifiers.
    public var idPrefix: String {
        switch self {
        case .https: "edghts"
        case .tls: "edgtls"
        case .tcp: "edgtcp"
        }
    }
}

/// A named geography. Any code is allowed; the well-known ones have a city (claim C55).
public struct Region: Hashable, Sendable, Codable, Comparable, CustomStringConvertible {
    public let code: String

    public init(_ code: String) { self.code = code }
    public init(from decoder: any Decoder) throws { code = try String(from: decoder) }
    public func encode(to encoder: any Encoder) throws { try code.encode(to: encoder) }

    public var description: String { code }
    public static func < (one: Region, other: Region) -> Bool { one.code < other.code }

    /// The city of a well-known region, or `nil`.
    public var city: String? { Region.cities[code] }

    /// The well-known regions (behaviour.md, C55).
    public static let cities: [String: String] = [
        "ap": "Singapore", "au": "Sydney", "eu": "Frankfurt", "in": "Mumbai", "jp": "Tokyo",
        "sa": "São Paulo", "us": "Ohio", "us-cal-1": "California",
    ]
}
