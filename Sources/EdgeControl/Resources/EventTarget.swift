import EdgeCore
import Shared

/// The target of an event destination: exactly one of five services.
///
/// Secrets are kept apart from the document and never answered: their fields are answered as `""`. In an update `""`
/// leaves a secret as it is, so that a client may send back what it was answered; but a secret does not go along to
/// another receiver, so that nobody learns one by having it sent to himself.
struct EventTarget {
    /// The one service with its fields, secrets left out.
    let document: JSON
    /// The secrets by field name; `nil` when the service needs none.
    let secret: JSON?

    private enum Service: String, CaseIterable {
        case firehose, kinesis
        case cloudwatchLogs = "cloudwatch_logs"
        case datadog
        case azureLogsIngestion = "azure_logs_ingestion"
    }

    /// A field of a service that is not AWS.
    private struct Part {
        let name: String
        var isRequired = true
        var isSecret = false
        /// Whether it decides who gets the secret: with another one, the secret has to be sent again.
        var isPlace = false
    }

    /// What an ARN of AWS must be like.
    private struct Resource {
        let field: String
        let service: String
        let prefix: String
    }

    private static let resources: [Service: Resource] = [
        .firehose: Resource(field: "delivery_stream_arn", service: "firehose", prefix: "deliverystream/"),
        .kinesis: Resource(field: "stream_arn", service: "kinesis", prefix: "stream/"),
        .cloudwatchLogs: Resource(field: "log_group_arn", service: "logs", prefix: "log-group:"),
    ]
    private static let parts: [Service: [Part]] = [
        .datadog: [
            Part(name: "api_key", isSecret: true), Part(name: "ddtags", isRequired: false),
            Part(name: "service", isRequired: false), Part(name: "ddsite", isRequired: false, isPlace: true),
        ],
        .azureLogsIngestion: [
            Part(name: "tenant_id", isPlace: true), Part(name: "client_id"),
            Part(name: "client_secret", isSecret: true),
            Part(name: "logs_ingestion_uri", isPlace: true), Part(name: "data_collection_rule_id"),
            Part(name: "data_collection_stream_name"),
        ],
    ]
    /// Bytes of any one field.
    static let maximumLength = 2048

    // MARK: Reading

    /// - Parameter kept: the destination that is changed, if one is.
    /// - Throws: 5100 and 5115 when not exactly one service is named, 5108 when it is another than before, 236 for a
    ///   field that misses, 240, 5104, 5106, 5107 and 5116 for the rights, 5118…5120 and 5130 for a name of AWS.
    init(_ written: JSON, keeping kept: ConfigurationObject?) throws(Fault) {
        let fields = try Fields(written, EventTarget.shape)
        let named = Service.allCases.filter { fields.has($0.rawValue) }
        guard let service = named.first, let settings = fields[service.rawValue] else {
            let valid = Service.allCases.map(\.rawValue).joined(separator: ", ")
            throw Fault(
                5100, "An event destination must specify a destination target. Valid targets include: \(valid).")
        }
        guard named.count == 1 else {
            throw Fault(5115, "An event destination may not specify more than one destination target.")
        }
        if let kept, kept.document["target"]?[service.rawValue] == nil {
            throw Fault(
                5108,
                "Update to target type not allowed. Create a new destination if you would like to send to a new "
                    + "target.")
        }
        let form = EventTarget.shape(service)
        let result =
            if let resource = EventTarget.resources[service] {
                try EventTarget.aws(try Fields(settings, form), service, resource, keeping: kept)
            } else {
                try EventTarget.plain(try Fields(settings, form), service, keeping: kept)
            }
        document = [service.rawValue: .object(result.fields)]
        secret = result.secret.isEmpty ? nil : .object(result.secret)
    }

    private typealias Kept = (fields: [String: JSON], secret: [String: JSON])

    private static func aws(
        _ fields: Fields, _ service: Service, _ resource: Resource, keeping kept: ConfigurationObject?
    ) throws(Fault) -> Kept {
        let name = try text(fields, resource.field)
        try AmazonName.check(name, field: resource.field, service: resource.service, prefix: resource.prefix)
        guard let written = fields["auth"] else {
            throw Fault(5106, "Event Destination target is missing the auth field.")
        }
        let auth = try Fields(written, authShape)
        switch (auth["role"], auth["creds"]) {
        case (nil, nil):
            throw Fault(
                5107,
                "Event Destination auth is missing a role or credentials to send events to the destination target.")
        case (_?, _?):
            throw Fault(5116, "An event destination may not specify more than one type of authentication.")
        case (let role?, nil):
            let role = try text(try Fields(role, roleShape), "role_arn")
            try AmazonName.checkRole(role)
            let kept: JSON = ["role": ["role_arn": .string(role)]]
            return ([resource.field: .string(name), "auth": kept], [:])
        case (nil, let creds?):
            let fields = try Fields(creds, credentialsShape)
            let key = try text(fields, "aws_access_key_id")
            let before = kept?.document["target"]?[service.rawValue]?["auth"]?["creds"]?["aws_access_key_id"]
            let secret = try secret(fields, "aws_secret_access_key", before?.stringValue == key ? kept?.secret : nil)
            guard !key.isEmpty, !secret.isEmpty else {
                throw Fault(
                    240,
                    "The provided event destination auth is invalid: aws_access_key_id and aws_secret_access_key are "
                        + "both needed.")
            }
            let kept: JSON = ["creds": ["aws_access_key_id": .string(key)]]
            return ([resource.field: .string(name), "auth": kept], ["aws_secret_access_key": .string(secret)])
        }
    }

    private static func plain(
        _ fields: Fields, _ service: Service, keeping kept: ConfigurationObject?
    ) throws(Fault) -> Kept {
        var result: Kept = ([:], [:])
        let parts = parts[service] ?? []
        let before = kept?.document["target"]?[service.rawValue]
        var isSamePlace = true
        for part in parts where part.isPlace {
            if try text(fields, part.name) != before?[part.name]?.stringValue { isSamePlace = false }
        }
        for part in parts {
            let value =
                part.isSecret
                ? try secret(fields, part.name, isSamePlace ? kept?.secret : nil) : try text(fields, part.name)
            guard !value.isEmpty || !part.isRequired else {
                throw Fault(236, "The destination target is invalid. The field '\(part.name)' is missing.")
            }
            if part.isSecret {
                result.secret[part.name] = .string(value)
            } else {
                result.fields[part.name] = .string(value)
            }
        }
        return result
    }

    private static func text(_ fields: Fields, _ name: String) throws(Fault) -> String {
        let text = try fields.string(name) ?? ""
        guard text.utf8.count <= maximumLength else {
            throw Fault(236, "The destination target is invalid. '\(name)' is limited to \(maximumLength) characters.")
        }
        return text
    }

    private static func secret(_ fields: Fields, _ name: String, _ kept: JSON?) throws(Fault) -> String {
        let written = try text(fields, name)
        return written.isEmpty ? kept?[name]?.stringValue ?? "" : written
    }

    // MARK: Answering

    /// Every documented member, `null` but for one.
    static func render(_ document: JSON) -> JSON {
        var members: [String: JSON] = [:]
        for service in Service.allCases {
            guard var fields = document[service.rawValue]?.objectValue else {
                members[service.rawValue] = .null
                continue
            }
            if resources[service] != nil {
                let auth = fields["auth"] ?? [:]
                let creds = auth["creds"]?["aws_access_key_id"].map { key -> JSON in
                    ["aws_access_key_id": key, "aws_secret_access_key": ""]
                }
                fields["auth"] = ["role": auth["role"] ?? .null, "creds": creds ?? .null]
            }
            for part in parts[service] ?? [] where part.isSecret { fields[part.name] = "" }
            members[service.rawValue] = .object(fields)
        }
        return .object(members)
    }

    // MARK: Forms

    private static let unseen = "never answered; empty in an update to keep it"
    private static let roleShape = Shape("AWSRole", [Shape.Field("role_arn", .text(maximum: maximumLength))])
    private static let credentialsShape = Shape(
        "AWSCredentials",
        [
            Shape.Field("aws_access_key_id", .text(maximum: maximumLength)),
            Shape.Field("aws_secret_access_key", .text(maximum: maximumLength), unseen),
        ])
    private static let authShape = Shape(
        "AWSAuth",
        [
            Shape.Field("role", .nullable(.object(roleShape)), "or creds"),
            Shape.Field("creds", .nullable(.object(credentialsShape)), "or role"),
        ])

    private static func shape(_ service: Service) -> Shape {
        let fields =
            if let resource = resources[service] {
                [Shape.Field("auth", .object(authShape)), Shape.Field(resource.field, .text(maximum: maximumLength))]
            } else {
                (parts[service] ?? []).map {
                    Shape.Field($0.name, .text(maximum: maximumLength), $0.isSecret ? unseen : "")
                }
            }
        let name = service.rawValue.split(separator: "_").map { $0.prefix(1).uppercased() + $0.dropFirst() }.joined()
        return Shape("EventTarget" + name, fields)
    }

    static let shape = Shape(
        "EventTarget", Service.allCases.map { Shape.Field($0.rawValue, .nullable(.object(shape($0)))) })
}

/// Names of resources at AWS: `arn:partition:service:region:account:resource`.
enum AmazonName {
    /// - Throws: 5120 for another form, 5118 and 5119 for a partition or service that it cannot be, 5130 for another
    ///   kind of resource.
    static func check(_ name: String, field: String, service: String, prefix: String) throws(Fault) {
        let shown = "'\(name.prefix(128))'"
        guard let parts = parts(of: name) else {
            throw Fault(
                5120,
                "The provided \(field) (\(shown)) is invalid. Please make sure it matches the ARN you obtained from "
                    + "Amazon exactly.")
        }
        guard isPartition(parts[1]) else {
            throw Fault(
                5118, "The partition ('\(parts[1].prefix(32))') of the provided \(field) (\(shown)) is invalid.")
        }
        guard parts[2] == service else {
            throw Fault(5119, "The service ('\(parts[2].prefix(32))') of the provided \(field) (\(shown)) is invalid.")
        }
        guard parts[5].hasPrefix(prefix), parts[5].count > prefix.count else {
            throw Fault(5130, "The ARN (\(shown)) is not valid for the '\(prefix.dropLast())' resource type.")
        }
    }

    /// - Throws: 5104.
    static func checkRole(_ name: String) throws(Fault) {
        guard let parts = parts(of: name), isPartition(parts[1]), parts[2] == "iam",
            parts[5].hasPrefix("role/"), parts[5].count > 5
        else {
            throw Fault(
                5104, "Event Destination role ARN \"\(name.prefix(128))\" is not a valid ARN for an aws IAM role.")
        }
    }

    private static func parts(of name: String) -> [Substring]? {
        let parts = name.split(separator: ":", maxSplits: 5, omittingEmptySubsequences: false)
        let isPlain = name.unicodeScalars.allSatisfy { ("!"..."~").contains($0) }
        guard parts.count == 6, parts[0] == "arn", isPlain, !parts[5].isEmpty else { return nil }
        return parts
    }

    /// `ngrok-local` is that of the public API's own examples.
    private static func isPartition(_ text: Substring) -> Bool {
        text == "aws" || text.hasPrefix("aws-") || text == "ngrok-local"
    }
}
