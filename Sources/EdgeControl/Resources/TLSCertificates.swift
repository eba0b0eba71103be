import EdgeCore
import Shared

extension ObjectKind {
    public static let certificate = ObjectKind(rawValue: "tls_certificate")
}

/// TLS certificates: those that operators upload and those that the internal authority made for domains.
enum TLSCertificates: Resource {
    static let kind = ObjectKind.certificate
    static let prefixes = ["cert"]
    private static let request = Shape(
        "TLSCertificateCreate",
        TextFields.fields + [
            Shape.Field("certificate_pem", .text, required: true, "the chain, leaf first"),
            Shape.Field("private_key_pem", .text, required: true, "unencrypted; never answered"),
        ])
    private static let update = Shape("TLSCertificateUpdate", TextFields.fields)
    private static let texts = TextFields(descriptionCode: 1914, metadataCode: 1915)

    private static let answer = Shape.answer(
        "TLSCertificate",
        [
            Shape.Field("certificate_pem", .text), Shape.Field("issued_at", .nullable(.time)),
            Shape.Field("private_key_type", .text), Shape.Field("serial_number", .text, "in hexadecimal"),
            Shape.Field("issuer_common_name", .text),
            Shape.Field(
                "subject_alternative_names",
                .object(Shape("TLSCertificateSANs", [Shape.Field("dns_names", .texts), Shape.Field("ips", .texts)]))),
            Shape.Field("not_before", .time), Shape.Field("not_after", .time), Shape.Field("key_usages", .texts),
            Shape.Field("extended_key_usages", .texts),
        ]
            + [
                "common_name", "organization", "organizational_unit", "locality", "province", "country",
            ].map { Shape.Field("subject_\($0)", .text) })

    static func path(of object: ConfigurationObject) -> String { "/tls_certificates/\(object.id)" }

    /// Whether the internal authority made it for a domain.
    static func isManaged(_ object: ConfigurationObject) -> Bool { object.document["managed"] == true }

    static func inUse(_ object: ConfigurationObject, by user: ConfigurationObject) -> Fault {
        let name = user.document["domain"]?.stringValue ?? user.id
        if isManaged(object) {
            return Fault(
                1966,
                "The certificate '\(object.id)' could not be deleted because it has an attached Managed "
                    + "Certificate Policy. Delete the domain reservation or attach another certificate.")
        }
        return Fault(
            nil, "The certificate '\(object.id)' could not be deleted because the domain '\(name)' still uses it.")
    }

    static func render(_ object: ConfigurationObject, in view: ConfigurationView) -> JSON {
        var fields = object.document["facts"]?.objectValue ?? [:]
        fields["certificate_pem"] = object.document["certificate_pem"] ?? ""
        fields["issued_at"] = isManaged(object) ? .string(object.createdAt) : .null
        return view.frame(object, fields)
    }

    static func configure(_ id: String, in state: ConfigurationState, _ configuration: inout Configuration) {
        let old = configuration.certificates[CertificateID(id)]
        configuration.certificates[CertificateID(id)] = state[id].map { object in
            let chain = object.document["certificate_pem"]?.stringValue ?? ""
            let key = object.secret?["private_key_pem"]?.stringValue ?? ""
            // Another description makes no other certificate.
            if let old, old.chainPEM == chain, old.keyPEM == key { return old }
            return CertificateMaterial(id: CertificateID(id), chainPEM: chain, keyPEM: key)
        }
    }

    static func lists(_ catalogue: Catalogue) -> [ListOperation] {
        [ListOperation("/tls_certificates", key: "tls_certificates", of: answer, takesFilter: true, kind: kind)]
    }

    static func reads(_ catalogue: Catalogue) -> [ReadOperation] {
        [.object("/tls_certificates/{id}", kind, gives: answer)]
    }

    static func edits(_ catalogue: Catalogue) -> [Edit] {
        [
            Edit("POST", "/tls_certificates", .create("Uploads a certificate.", takes: request, gives: answer)) {
                draft, call in
                let fields = try Fields(call.body, request)
                let certificate = try CertificateUpload.read(
                    chainPEM: try fields.string("certificate_pem") ?? "",
                    keyPEM: try fields.string("private_key_pem") ?? "")
                let object = try create(certificate, texts: try texts.create(fields), managed: false, &draft)
                return .object(object.id, status: 201, draft, call)
            },
            Edit("PATCH", "/tls_certificates/{id}", .update("Changes its texts.", takes: update, gives: answer)) {
                draft, call in
                let object = try draft.require(kind, call.parameter("id"), call)
                var document = object.document
                try texts.update(&document, try Fields(call.body, update))
                try draft.update(object.id, document: document)
                return .object(object.id, draft, call)
            },
            .deletion("/tls_certificates/{id}", kind, "Deletes a certificate."),
        ]
    }

    /// Keeps a certificate; its key goes where no answer reaches.
    static func create(
        _ certificate: IssuedCertificate, texts: [String: JSON], managed: Bool, _ draft: inout ConfigurationDraft
    ) throws(Fault) -> ConfigurationObject {
        var document = texts
        document["certificate_pem"] = .string(certificate.chainPEM)
        document["facts"] = .object(certificate.facts)
        document["managed"] = .bool(managed)
        return try draft.create(
            kind, prefix: prefixes[0], document: .object(document),
            secret: ["private_key_pem": .string(certificate.keyPEM)])
    }

    /// When a managed certificate is to be renewed, as RFC 3339.
    static func renewsAt(_ object: ConfigurationObject) -> String? {
        guard let facts = object.document["facts"],
            let start = facts["not_before"]?.stringValue.flatMap(WallTime.init(text:)),
            let end = facts["not_after"]?.stringValue.flatMap(WallTime.init(text:))
        else { return nil }
        return InternalAuthority.renewalTime(notBefore: start, notAfter: end).text
    }
}
