import EdgeCore
import Shared

extension ObjectKind {
    public static let reservedDomain = ObjectKind(rawValue: "reserved_domain")
}

/// Reserved domains. Each has a certificate from the moment it is made: the operator's, or one of the internal authority.
enum ReservedDomains: Resource {
    static let kind = ObjectKind.reservedDomain
    static let prefixes = ["rd"]
    private static let texts = TextFields(descriptionCode: 420, metadataCode: 421)
    private static let legacy: Set<String> = [
        "http_endpoint_configuration_id", "https_endpoint_configuration_id", "error_redirect_url",
    ]

    static func path(of object: ConfigurationObject) -> String { "/reserved_domains/\(object.id)" }

    static func name(of object: ConfigurationObject) -> String { object.document["domain"]?.stringValue ?? "" }

    static func names(of object: ConfigurationObject) -> [ObjectName] {
        let name = name(of: object)
        return [
            ObjectName(
                text: "domain/\(name)",
                taken: Fault(413, "The domain '\(name)' is already reserved for your account."))
        ]
    }

    /// A name is for agents or for edges.
    static func check(_ object: ConfigurationObject, in state: ConfigurationState) throws(Fault) {
        let name = name(of: object)
        guard let ingress = AgentIngresses.owner(of: name, in: state) else { return }
        throw Fault(413, "The domain '\(name)' is already taken: agents connect to it, by '\(ingress)'.")
    }

    static func references(of object: ConfigurationObject, in state: ConfigurationState) -> [ObjectReference] {
        guard let id = object.document["certificate_id"]?.stringValue else { return [] }
        return [ObjectReference(id: id, missing: missingCertificate(id))]
    }

    static func inUse(_ object: ConfigurationObject, by user: ConfigurationObject) -> Fault {
        Fault(
            446,
            "The domain '\(name(of: object))' could not be deleted because it is still referenced by an edge or "
                + "cloud endpoint.")
    }

    static func render(_ object: ConfigurationObject, in view: ConfigurationView) -> JSON {
        let certificate = object.document["certificate_id"]?.stringValue
        let policy = object.document["certificate_management_policy"] ?? .null
        var status = JSON.null
        if !policy.isNull, let managed = certificate.flatMap({ view.state[$0] }) {
            status = [
                "renews_at": TLSCertificates.renewsAt(managed).map { .string($0) } ?? .null, "provisioning_job": nil,
            ]
        }
        return view.frame(
            object,
            [
                "domain": object.document["domain"] ?? "", "region": "",
                "cname_target": .string(view.state.catalogue.publicName),
                "certificate": certificate.map(view.reference) ?? .null, "certificate_management_policy": policy,
                "certificate_management_status": status, "acme_challenge_cname_target": nil,
                "resolves_to": object.document["resolves_to"] ?? [],
            ])
    }

    static func configure(_ id: String, in state: ConfigurationState, _ configuration: inout Configuration) {
        configuration.domains[DomainID(id)] = state[id].map { object in
            DomainConfiguration(
                id: DomainID(id), name: name(of: object),
                certificate: object.document["certificate_id"]?.stringValue.map { CertificateID($0) })
        }
    }

    static func lists(_ catalogue: Catalogue) -> [ListOperation] {
        [ListOperation("/reserved_domains", key: "reserved_domains", of: answer, takesFilter: true, kind: kind)]
    }

    static func reads(_ catalogue: Catalogue) -> [ReadOperation] {
        [.object("/reserved_domains/{id}", kind, gives: answer)]
    }

    private static let policyShape = Shape(
        "ReservedDomainCertPolicy",
        [
            Shape.Field("authority", .text, "letsencrypt"),
            Shape.Field("private_key_type", .choice(["", "rsa", "ecdsa"]), "ecdsa unless given"),
        ])
    private static let place = Shape(
        "ReservedDomainResolvesToEntry", [Shape.Field("value", .text, required: true, "a region's code, or global")])
    private static let update = Shape(
        "ReservedDomainUpdate",
        TextFields.fields + [
            Shape.Field("certificate_id", .text, "instead of a policy"),
            Shape.Field("certificate_management_policy", .object(policyShape), "instead of a certificate"),
            Shape.Field("resolves_to", .list(.object(place), maximum: 32)),
        ])
    private static let request = update.with(
        [
            Shape.Field("domain", .text, "may begin with the label *"), Shape.Field("name", .text, "instead of domain"),
            Shape.Field("region", .text, "of no effect"),
        ], name: "ReservedDomainCreate")
    private static let job = Shape(
        "ReservedDomainCertJob",
        [
            Shape.Field("error_code", .nullable(.text)), Shape.Field("msg", .text), Shape.Field("started_at", .time),
            Shape.Field("retries_at", .nullable(.time)),
        ])
    private static let status = Shape(
        "ReservedDomainCertStatus",
        [
            Shape.Field("renews_at", .nullable(.time)), Shape.Field("provisioning_job", .nullable(.object(job))),
        ])
    private static let answer = Shape.answer(
        "ReservedDomain",
        [
            Shape.Field("domain", .text), Shape.Field("region", .text),
            Shape.Field("cname_target", .nullable(.text)), Shape.Field("certificate", .nullable(.object(.reference))),
            Shape.Field("certificate_management_policy", .nullable(.object(policyShape))),
            Shape.Field("certificate_management_status", .nullable(.object(status))),
            Shape.Field("acme_challenge_cname_target", .nullable(.text)),
            Shape.Field("resolves_to", .list(.object(place))),
        ])

    static func edits(_ catalogue: Catalogue) -> [Edit] {
        [
            Edit(
                "POST", "/reserved_domains", .create("Reserves a domain.", takes: request, gives: answer), body: create),
            Edit(
                "PATCH", "/reserved_domains/{id}", .update("Changes a domain.", takes: update, gives: answer),
                body: change),
            Edit("DELETE", "/reserved_domains/{id}", .delete("Gives a domain up.")) { draft, call in
                let object = try draft.require(kind, call.parameter("id"), call)
                let certificate = object.document["certificate_id"]?.stringValue
                draft.remove(object.id)
                removeManaged(certificate, &draft)
                return .none()
            },
            Edit(
                "DELETE", "/reserved_domains/{id}/certificate_management_policy",
                .delete("Takes the policy and its certificate away.")
            ) { draft, call in
                let object = try draft.require(kind, call.parameter("id"), call)
                guard object.document["certificate_management_policy"]?.isNull == false else { return .none() }
                try attach(nil, policy: .null, to: object.id, &draft)
                return .none()
            },
            Edit("DELETE", "/reserved_domains/{id}/certificate", .delete("Detaches the certificate.")) { draft, call in
                let object = try draft.require(kind, call.parameter("id"), call)
                guard object.document["certificate_management_policy"]?.isNull != false else {
                    throw Fault(
                        436,
                        "The certificate of a reserved domain with a managed certificate policy can not be detached "
                            + "directly, instead the managed certificate policy itself should be detached.")
                }
                try attach(nil, policy: .null, to: object.id, &draft)
                return .none()
            },
        ]
    }

    @Sendable
    private static func create(_ draft: inout ConfigurationDraft, _ call: EditCall) throws -> EditAnswer {
        let fields = try Fields(call.body, request, legacy: legacy)
        let written = try fields.string("domain") ?? ""
        let alias = try fields.string("name") ?? ""
        guard written.isEmpty || alias.isEmpty else {
            throw Fault(449, "You may only specify one of 'name' or 'domain'.")
        }
        let name = try DomainName.check(written.isEmpty ? alias : written)
        guard draft.state.owner(of: "domain/\(name)") == nil else {
            throw Fault(413, "The domain '\(name)' is already reserved for your account.")
        }
        _ = try fields.string("region")
        var document = try texts.create(fields)
        document["domain"] = .string(name)
        document["resolves_to"] = try resolvesTo(fields) ?? []
        let choice = try certificateChoice(fields, in: draft.state)
        switch choice {
        case .own(let id):
            document["certificate_id"] = .string(id)
            document["certificate_management_policy"] = .null
        case .managed, .none:
            let type = if case .managed(let type) = choice { type } else { CertificateKeyType.ecdsa }
            document["certificate_id"] = .string(try issue(name, type, &draft))
            document["certificate_management_policy"] = policy(type)
        }
        let object = try draft.create(kind, prefix: prefixes[0], document: .object(document))
        return .object(object.id, status: 201, draft, call)
    }

    @Sendable
    private static func change(_ draft: inout ConfigurationDraft, _ call: EditCall) throws -> EditAnswer {
        let object = try draft.require(kind, call.parameter("id"), call)
        let fields = try Fields(call.body, update, legacy: legacy)
        var document = object.document
        try texts.update(&document, fields)
        // The official Python client sends an empty list unasked.
        if let entries = try resolvesTo(fields), entries != [] { document["resolves_to"] = entries }
        let choice = try certificateChoice(fields, in: draft.state)
        try draft.update(object.id, document: document)
        switch choice {
        case .own(let id): try attach(id, policy: .null, to: object.id, &draft)
        case .managed(let type):
            if document["certificate_management_policy"] != policy(type) {
                try attach(try issue(name(of: object), type, &draft), policy: policy(type), to: object.id, &draft)
            }
        case .none: break
        }
        return .object(object.id, draft, call)
    }

    private enum CertificateChoice {
        case own(String), managed(CertificateKeyType)
    }

    /// What a request says of the certificate; `nil` when it says nothing.
    private static func certificateChoice(
        _ fields: Fields, in state: ConfigurationState
    ) throws(Fault) -> CertificateChoice? {
        let id = try fields.string("certificate_id") ?? ""
        if let written = fields["certificate_management_policy"] {
            guard id.isEmpty else {
                throw Fault(434, "Either a certificate or a certificate management policy may be specified, not both")
            }
            let fields = try Fields(written, policyShape)
            let authority = try fields.string("authority") ?? ""
            // The internal authority stands in for the documented one until ACME comes.
            guard ["", "letsencrypt"].contains(authority) else {
                throw Fault(1908, "Invalid authority '\(authority.prefix(32))'. Valid authorities: letsencrypt.")
            }
            let type = try fields.string("private_key_type") ?? ""
            guard let type = type.isEmpty ? .ecdsa : CertificateKeyType(rawValue: type) else {
                throw Fault(1909, "Invalid private key type '\(type.prefix(32))'. Valid types: rsa, ecdsa.")
            }
            return .managed(type)
        }
        guard !id.isEmpty else { return nil }
        guard state[id]?.kind == .certificate else { throw missingCertificate(id) }
        return .own(id)
    }

    private static func missingCertificate(_ id: String) -> Fault {
        Fault(1965, "The certificate '\(id.prefix(64))' does not exist.")
    }

    static func policy(_ type: CertificateKeyType) -> JSON {
        ["authority": "letsencrypt", "private_key_type": .string(type.rawValue)]
    }

    /// Makes a certificate for a name and keeps it; the result is its identifier.
    static func issue(
        _ name: String, _ type: CertificateKeyType, _ draft: inout ConfigurationDraft
    ) throws -> String {
        let issued = try draft.effects.issue(name, type, draft.effects.now)
        let texts: [String: JSON] = ["description": .string("Made for \(name)"), "metadata": ""]
        return try TLSCertificates.create(issued, texts: texts, managed: true, &draft).id
    }

    /// Gives a domain another certificate; one that was made for it alone goes.
    static func attach(
        _ certificate: String?, policy: JSON, to id: String, _ draft: inout ConfigurationDraft
    ) throws(Fault) {
        guard let object = draft.state[id] else { return }
        let old = object.document["certificate_id"]?.stringValue
        var document = object.document
        document["certificate_id"] = certificate.map { .string($0) } ?? .null
        document["certificate_management_policy"] = policy
        try draft.update(id, document: document)
        if old != certificate { removeManaged(old, &draft) }
    }

    private static func removeManaged(_ id: String?, _ draft: inout ConfigurationDraft) {
        guard let id, let object = draft.state[id], TLSCertificates.isManaged(object),
            draft.state.firstReferrer(of: id) == nil
        else { return }
        draft.remove(id)
    }

    private static func resolvesTo(_ fields: Fields) throws(Fault) -> JSON? {
        guard let value = fields["resolves_to"] else { return nil }
        guard let entries = value.arrayValue, entries.count <= 32 else {
            throw Fields.wrongType("resolves_to", "a list of at most 32 objects")
        }
        var kept: [JSON] = []
        for entry in entries {
            let place = try Fields(entry, place).string("value") ?? ""
            guard place == "global" || Region.cities[place] != nil else {
                throw Fault(500, "The region '\(place.prefix(32))' is not valid.")
            }
            kept.append(["value": .string(place)])
        }
        return .array(kept)
    }
}

/// The form of a domain name (RFC 1123, 2.1), which may begin with the label `*`.
enum DomainName {
    /// The name in lower case.
    /// - Throws: the public API's code for the first mistake.
    static func check(_ written: String) throws(Fault) -> String {
        let name = written.lowercased()
        let shown = "Failed to reserve '\(name.prefix(253))'."
        guard !name.isEmpty else { throw Fault(448, "The domain '' is not a fully qualified domain name.") }
        guard name.utf8.count <= 253 else { throw Fault(514, "A domain is limited to 253 characters. \(shown)") }
        for scalar in name.unicodeScalars {
            if scalar == "_" {
                throw Fault(438, "Invalid '_' in domain name. Valid domains may not contain underscores. \(shown)")
            }
            let isAllowed =
                ("a"..."z").contains(scalar) || ("0"..."9").contains(scalar) || ".*-".unicodeScalars.contains(scalar)
            guard isAllowed else {
                throw Fault(
                    406,
                    "Invalid character in domain name. Valid domains may contain only a-z, A-Z, 0-9, . * and - "
                        + "characters. \(shown)")
            }
        }
        let labels = name.split(separator: ".", omittingEmptySubsequences: false)
        guard !labels.contains(where: \.isEmpty) else {
            throw Fault(409, "Domain has an invalid character sequence: an empty part. \(shown)")
        }
        for (index, label) in labels.enumerated() { try check(label, isFirst: index == 0, shown) }
        guard labels.count >= 2, let last = labels.last, !last.allSatisfy(\.isNumber) else {
            throw Fault(448, "The domain '\(name)' is not a fully qualified domain name.")
        }
        return name
    }

    private static func check(_ label: Substring, isFirst: Bool, _ shown: String) throws(Fault) {
        guard label.utf8.count <= 63 else {
            throw Fault(513, "A part of a domain is limited to 63 characters. \(shown)")
        }
        if label.contains("*") {
            guard isFirst else {
                throw Fault(402, "Only the first part of a reserved domain may be a '*' wildcard. \(shown)")
            }
            guard label == "*" else {
                throw Fault(
                    403,
                    "The first subdomain of a domain with a wildcard pattern must be a single '*' character. \(shown)")
            }
            return
        }
        guard label.first != "-" else {
            throw Fault(407, "Domain part '\(label)' has an invalid first character. \(shown)")
        }
        guard label.last != "-" else {
            throw Fault(408, "Domain part '\(label)' has an invalid last character. \(shown)")
        }
        if label.dropFirst(2).hasPrefix("--"), !label.hasPrefix("xn--") {
            throw Fault(
                410,
                "Valid domains may not contain '--' in positions 3 and 4 unless the domain has a punycode prefix of "
                    + "'xn--'. \(shown)")
        }
    }
}
