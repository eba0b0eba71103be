import Shared

/// The forms of what lies below `/selvage/` and belongs to the configuration, for the API's description.
enum SelvageShapes {
    private typealias Field = Shape.Field

    static let storedObject = Shape(
        "StoredObject",
        [
            Field("kind", .text), Field("id", .text), Field("revision", .integer(), "its decimal form is the ETag"),
            Field("changed_at", .time), Field("changed_by", .text), Field("document", .anything),
        ])
    static let configuration = Shape(
        "ConfigurationListing",
        [
            Field("revision", .integer()), Field("objects", .list(.object(storedObject))),
            Field(
                "modules",
                .list(
                    .object(
                        Shape(
                            "ModuleListing",
                            [Field("name", .text), Field("edge_kinds", .texts), Field("example", .anything)])))),
        ])
    static let revision = Shape("Revision", [Field("revision", .integer())])
    static let authority = Shape("Authority", [Field("certificate_pem", .text)])

    // MARK: Audit

    static let change = Shape(
        "AuditChange",
        [
            Field("kind", .text), Field("id", .text), Field("before", .nullable(.anything), "null when it was made"),
            Field("after", .nullable(.anything), "null when it was removed"),
        ])
    static let audit = Shape("AuditList", [Field("audit", .list(.object(auditRecord)))])
    private static let auditRecord = Shape(
        "AuditRecord",
        [
            Field("id", .integer()), Field("at", .time), Field("principal", .text), Field("origin", .text),
            Field("command", .text), Field("revision", .integer()), Field("changes", .list(.object(change))),
            Field("omitted", .nullable(.integer()), "further changes that are not shown"),
            Field("status", .nullable(.integer()), "only of a refused write, as is all that follows"),
            Field("error_code", .nullable(.text)),
            Field("count", .nullable(.integer()), "how many times the same was refused"),
            Field("last_at", .nullable(.time)),
        ])
    static let auditQuery = [
        Field("limit", .integer(1...200), "records in a page; 50 unless said"),
        Field("before", .integer(), "what is older than this record"),
        Field("refused", .choice(["true", "false"]), "only refused writes, or only those carried out"),
    ]
    static let undo = Shape("Undo", [Field("audit_id", .integer(1...Int64.max), required: true)])
    static let undone = Shape(
        "Undone", [Field("revision", .integer()), Field("audit_id", .nullable(.integer()))])

    // MARK: Apply

    private static let conditions = [
        Field("command", .text, "what the audit trail shows"), Field("guard", .object(wantedGuard)),
        Field("idempotency_id", .text(maximum: 256), "1 to 64 characters"), Field("dry_run", .flag),
        Field("expected_revision", .integer(0...Int64.max), "the configuration's revision, or 412"),
    ]
    private static let wantedGuard = Shape(
        "WantedGuard",
        [
            Field("seconds", .number(1...3600), required: true), Field("max_error_rate", .number(0...1)),
            Field("max_p95", .number()), Field("min_samples", .integer(0...Int64.max)), Field("session", .text),
        ])
    private static let operation = Shape(
        "ApplyOperation",
        [
            Field("method", .choice(["POST", "PATCH", "PUT", "DELETE"]), required: true),
            Field("path", .text, required: true), Field("body", .anything),
            Field("if_match", .text, "the object's revision that the writer saw"),
            Field("as", .text(maximum: 64), "a name for the object made; later ${new:name} or ${new:name.field}"),
        ])
    static let apply = Shape(
        "Apply",
        [Field("operations", .list(.object(operation), maximum: Apply.maximumOperations), required: true)]
            + conditions)
    private static let fault = Shape(
        "ApplyFault",
        [
            Field("operation", .nullable(.integer()), "counted from 0; null for the whole"),
            Field("method", .nullable(.text)),
            Field("path", .nullable(.text)), Field("object", .nullable(.text)), Field("status", .integer()),
            Field("error_code", .nullable(.text)),
            Field("msg", .text),
            Field("because_of", .nullable(.integer()), "the failed operation that this follows from"),
        ])
    private static let changes = [
        Field("changes", .nullable(.list(.object(change)))), Field("omitted", .nullable(.integer())),
        Field("faults", .nullable(.list(.object(fault)))), Field("dry_run", .nullable(.flag)),
        Field("guard", .nullable(.object(LiveShapes.guard))),
    ]
    static let applied = Shape(
        "Applied",
        [
            Field("revision", .integer()),
            Field(
                "results",
                .list(
                    .object(Shape("ApplyResult", [Field("status", .integer()), Field("body", .nullable(.anything))])))),
        ] + changes)
    static let revert = Shape(
        "Revert",
        [
            Field("revision", .integer(0...Int64.max), required: true),
            Field("id", .text, "only this object and its parts"),
        ] + conditions)
    static let reverted = Shape("Reverted", [Field("revision", .integer())] + changes)

    // MARK: Revisions

    static let pageQuery = [
        Field("limit", .integer(1...Int64(Revisions.maximumPage)), "in a page; 100 unless said"),
        Field("before", .integer(), "what is older than this revision"),
    ]
    private static let author = [
        Field("revision", .integer()), Field("at", .time), Field("principal", .text), Field("origin", .text),
        Field("command", .text), Field("audit_id", .integer()),
    ]
    static let revisions = Shape(
        "RevisionList",
        [
            Field("current", .integer()), Field("oldest", .integer(), "the oldest that can be gone back to"),
            Field(
                "revisions",
                .list(
                    .object(Shape("RevisionRecord", author + [Field("objects", .integer()), Field("kept", .flag)])))),
            Field("next_before", .nullable(.integer())),
        ])
    static let history = Shape(
        "ObjectHistory",
        [
            Field("kind", .text), Field("id", .text), Field("exists", .flag),
            Field(
                "history",
                .list(
                    .object(
                        Shape(
                            "ObjectRevision",
                            author + [
                                Field("change", .choice(ObjectChangeKind.allCases.map(\.rawValue))),
                                Field("document", .nullable(.anything), "null when it was removed"),
                            ])))),
            Field("next_before", .nullable(.integer())),
        ])
    static let differenceQuery = [
        Field("limit", .integer(1...Int64(Revisions.maximumPage)), "objects in a page; 100 unless said"),
        Field("after", .text, "objects whose identifier sorts after this one"),
    ]
    static let difference = Shape(
        "ConfigurationDiff",
        [
            Field("from", .integer()), Field("to", .integer()),
            Field(
                "objects",
                .list(
                    .object(
                        Shape(
                            "ObjectDifference",
                            [
                                Field("kind", .text), Field("id", .text),
                                Field("change", .choice(ObjectChangeKind.allCases.map(\.rawValue))),
                                Field("before", .nullable(.anything)), Field("after", .nullable(.anything)),
                                Field(
                                    "fields",
                                    .list(
                                        .object(
                                            Shape(
                                                "FieldDifference",
                                                [
                                                    Field("path", .text, "a JSON pointer"),
                                                    Field("before", .nullable(.anything)),
                                                    Field("after", .nullable(.anything)),
                                                ])))),
                                Field("secret_changed", .flag),
                            ])))),
            Field("next_after", .nullable(.text)),
        ])
}
