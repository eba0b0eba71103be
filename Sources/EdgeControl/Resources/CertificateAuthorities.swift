import EdgeCore
import Shared
import X509

extension ObjectKind {
    public static let certificateAuthority = ObjectKind(rawValue: "certificate_authority")
}

/// Certificates that mutual TLS checks clients' certificates against. Each object is exactly one certificate; its
/// private key is never here.
enum CertificateAuthorities: Resource {
    static let kind = ObjectKind.certificateAuthority
    static let prefixes = ["ca"]
    private static let request = Shape(
        "CertificateAuthorityCreate",
        TextFields.fields + [
            Shape.Field("ca_pem", .text, required: true, "one certificate whose basic constraints say CA:TRUE")
        ])
    private static let update = Shape("CertificateAuthorityUpdate", TextFields.fields)
    private static let texts = TextFields(descriptionCode: 1916, metadataCode: 1917)
    /// What of a certificate's facts is answered.
    private static let facts = [
        "subject_common_name", "not_before", "not_after", "key_usages", "extended_key_usages",
    ]
    private static let answer = Shape.answer(
        "CertificateAuthority",
        [
            Shape.Field("ca_pem", .text), Shape.Field("subject_common_name", .text), Shape.Field("not_before", .time),
            Shape.Field("not_after", .time), Shape.Field("key_usages", .texts),
            Shape.Field("extended_key_usages", .texts),
        ])

    static func path(of object: ConfigurationObject) -> String { "/certificate_authorities/\(object.id)" }

    static func inUse(_ object: ConfigurationObject, by user: ConfigurationObject) -> Fault {
        Fault(
            nil,
            "The certificate authority '\(object.id)' could not be deleted because the mutual TLS of '\(user.id)' "
                + "still uses it.")
    }

    static func render(_ object: ConfigurationObject, in view: ConfigurationView) -> JSON {
        var fields = object.document["facts"]?.objectValue ?? [:]
        fields["ca_pem"] = object.document["ca_pem"] ?? ""
        return view.frame(object, fields)
    }

    static func lists(_ catalogue: Catalogue) -> [ListOperation] {
        [
            ListOperation(
                "/certificate_authorities", key: "certificate_authorities", of: answer, takesFilter: true, kind: kind)
        ]
    }

    static func reads(_ catalogue: Catalogue) -> [ReadOperation] {
        [.object("/certificate_authorities/{id}", kind, gives: answer)]
    }

    static func edits(_ catalogue: Catalogue) -> [Edit] {
        [
            Edit(
                "POST", "/certificate_authorities",
                .create("Uploads an authority's certificate.", takes: request, gives: answer)
            ) { draft, call in
                let fields = try Fields(call.body, request)
                var document = try texts.create(fields)
                let pem = try fields.string("ca_pem") ?? ""
                let known = CertificateFacts.read(try certificate(pem))
                document["ca_pem"] = .string(pem)
                document["facts"] = .object(known.filter { facts.contains($0.key) })
                let object = try draft.create(kind, prefix: prefixes[0], document: .object(document))
                return .object(object.id, status: 201, draft, call)
            },
            Edit("PATCH", "/certificate_authorities/{id}", .update("Changes its texts.", takes: update, gives: answer))
            { draft, call in
                let object = try draft.require(kind, call.parameter("id"), call)
                var document = object.document
                try texts.update(&document, try Fields(call.body, update))
                try draft.update(object.id, document: document)
                return .object(object.id, draft, call)
            },
            .deletion("/certificate_authorities/{id}", kind, "Deletes an authority that no edge trusts."),
        ]
    }

    /// - Throws: 1912 for more than one certificate, 1913 for one that may not sign others (RFC 5280, 4.2.1.9), and
    ///   what `CertificateUpload.certificates` throws.
    private static func certificate(_ pem: String) throws(Fault) -> Certificate {
        let certificates = try CertificateUpload.certificates(pem, privateKey: 1911)
        guard certificates.count == 1 else {
            let names = certificates.prefix(8).map { "'\($0.subject.description.prefix(64))'" }
            throw Fault(
                1912,
                "The upload contained \(certificates.count) certificates: \(names.joined(separator: ", ")). Only a "
                    + "single certificate may be uploaded at a time.")
        }
        guard case .isCertificateAuthority = try? certificates[0].extensions.basicConstraints else {
            throw Fault(
                1913,
                "The uploaded certificate's x509 Basic Constraints did not mark it as a certificate authority (see "
                    + "RFC 5280, 4.2.1.9).")
        }
        return certificates[0]
    }
}
