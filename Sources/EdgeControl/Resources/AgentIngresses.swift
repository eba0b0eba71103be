import EdgeCore
import Shared

extension ObjectKind {
    public static let agentIngress = ObjectKind(rawValue: "agent_ingress")
}

/// Names of the operator's own under which agents reach this server, one below each for every region.
///
/// No agent can connect to this version of the server, so there is no certificate for these names yet and the status is
/// `null`, as it is before a certificate was asked for.
enum AgentIngresses: Resource {
    static let kind = ObjectKind.agentIngress
    static let prefixes = ["agin"]
    private static let texts = TextFields(descriptionCode: 6700, metadataCode: 6701)

    static func path(of object: ConfigurationObject) -> String { "/agent_ingresses/\(object.id)" }

    static func name(of object: ConfigurationObject) -> String { object.document["domain"]?.stringValue ?? "" }

    static func names(of object: ConfigurationObject) -> [ObjectName] {
        let name = name(of: object)
        return [ObjectName(text: "ingress/\(name)", taken: taken(name))]
    }

    private static func taken(_ name: String) -> Fault {
        Fault(6706, "The agent ingress domain \"\(name)\" already exists, choose another domain.")
    }

    /// Where agents of each region connect.
    private static func regionDomains(_ name: String, _ catalogue: Catalogue) -> [String] {
        catalogue.regions.map { "tunnel.\($0).\(name)" }
    }

    /// A name is for agents or for edges.
    static func check(_ object: ConfigurationObject, in state: ConfigurationState) throws(Fault) {
        let name = name(of: object)
        for name in [name] + regionDomains(name, state.catalogue) where state.owner(of: "domain/\(name)") != nil {
            throw taken(name)
        }
    }

    /// The ingress that agents reach by `domain`, if any.
    static func owner(of domain: String, in state: ConfigurationState) -> String? {
        if let owner = state.owner(of: "ingress/\(domain)") { return owner }
        for region in state.catalogue.regions where domain.hasPrefix("tunnel.\(region).") {
            let name = domain.dropFirst("tunnel.\(region).".count)
            if let owner = state.owner(of: "ingress/\(name)") { return owner }
        }
        return nil
    }

    static func render(_ object: ConfigurationObject, in view: ConfigurationView) -> JSON {
        let regions = regionDomains(name(of: object), view.state.catalogue)
        return view.frame(
            object,
            [
                "domain": object.document["domain"] ?? "",
                // Targets for NS records, which would hand the domain over to a name server. This server is none: the
                // regions' names are to be pointed at it by address or alias records.
                "ns_targets": [], "region_domains": .array(regions.map { .string($0) }),
                "certificate_management_policy": object.document["certificate_management_policy"] ?? .null,
                "certificate_management_status": .null,
            ])
    }

    private static let policyShape = Shape(
        "AgentIngressCertPolicy",
        [
            Shape.Field("authority", .text, "letsencrypt"),
            Shape.Field("private_key_type", .choice(["", "rsa", "ecdsa"]), "rsa unless given"),
        ])
    private static let update = Shape(
        "AgentIngressUpdate",
        TextFields.fields + [Shape.Field("certificate_management_policy", .object(policyShape))])
    private static let request = update.with(
        [Shape.Field("domain", .text, required: true, "no wildcard; not below this server's own name")],
        name: "AgentIngressCreate")
    private static let job = Shape(
        "AgentIngressCertJob",
        [
            Shape.Field("error_code", .nullable(.text)), Shape.Field("msg", .text), Shape.Field("started_at", .time),
            Shape.Field("retries_at", .nullable(.time)),
        ])
    private static let status = Shape(
        "AgentIngressCertStatus",
        [Shape.Field("renews_at", .nullable(.time)), Shape.Field("provisioning_job", .nullable(.object(job)))])
    private static let answer = Shape.answer(
        "AgentIngress",
        [
            Shape.Field("domain", .text), Shape.Field("ns_targets", .texts, "always empty: this server answers no DNS"),
            Shape.Field("region_domains", .texts),
            Shape.Field("certificate_management_policy", .nullable(.object(policyShape))),
            Shape.Field("certificate_management_status", .nullable(.object(status))),
        ])

    static func lists(_ catalogue: Catalogue) -> [ListOperation] {
        [ListOperation("/agent_ingresses", key: "ingresses", of: answer, takesFilter: true, kind: kind)]
    }

    static func reads(_ catalogue: Catalogue) -> [ReadOperation] {
        [.object("/agent_ingresses/{id}", kind, gives: answer)]
    }

    static func edits(_ catalogue: Catalogue) -> [Edit] {
        [
            Edit("POST", "/agent_ingresses", .create("Makes an ingress for agents.", takes: request, gives: answer)) {
                draft, call in
                let fields = try Fields(call.body, request)
                var document = try texts.create(fields)
                document["domain"] = .string(try domain(try fields.string("domain") ?? "", catalogue))
                document["certificate_management_policy"] = try policy(fields) ?? .null
                let object = try draft.create(kind, prefix: prefixes[0], document: .object(document))
                return .object(object.id, status: 201, draft, call)
            },
            Edit("PATCH", "/agent_ingresses/{id}", .update("Changes an ingress.", takes: update, gives: answer)) {
                draft, call in
                let object = try draft.require(kind, call.parameter("id"), call)
                let fields = try Fields(call.body, update)
                var document = object.document
                try texts.update(&document, fields)
                if let policy = try policy(fields) { document["certificate_management_policy"] = policy }
                try draft.update(object.id, document: document)
                return .object(object.id, draft, call)
            },
            .deletion("/agent_ingresses/{id}", kind, "Deletes an ingress."),
        ]
    }

    /// The domain in lower case.
    /// - Throws: 6704 for what is no domain name, 6705 for this server's own name and what lies below it.
    private static func domain(_ written: String, _ catalogue: Catalogue) throws(Fault) -> String {
        let invalid = { (reason: String) in
            Fault(6704, "The specified domain \"\(written.prefix(253))\" is not a valid domain name. \(reason)")
        }
        let name: String
        do {
            name = try DomainName.check(written)
        } catch {
            throw invalid(error.message)
        }
        guard !name.hasPrefix("*") else { throw invalid("It may not be a wildcard.") }
        guard regionDomains(name, catalogue).allSatisfy({ $0.utf8.count <= 253 }) else {
            throw invalid("There is no room in it for the names of the regions.")
        }
        guard name != catalogue.publicName, !name.hasSuffix("." + catalogue.publicName) else {
            throw Fault(
                6705,
                "The agent ingress domain \"\(name)\" must be a third party domain, you may not enter a domain "
                    + "controlled by this server.")
        }
        return name
    }

    private static func policy(_ fields: Fields) throws(Fault) -> JSON? {
        guard let written = fields["certificate_management_policy"] else { return nil }
        let fields = try Fields(written, policyShape)
        let authority = try fields.string("authority") ?? ""
        guard ["", "letsencrypt"].contains(authority) else {
            throw Fault(1908, "Invalid authority '\(authority.prefix(32))'. Valid authorities: letsencrypt.")
        }
        let type = try fields.string("private_key_type") ?? ""
        guard let type = type.isEmpty ? .rsa : CertificateKeyType(rawValue: type) else {
            throw Fault(1909, "Invalid private key type '\(type.prefix(32))'. Valid types: rsa, ecdsa.")
        }
        return ["authority": "letsencrypt", "private_key_type": .string(type.rawValue)]
    }
}
