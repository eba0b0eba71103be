/// Requests and answers of the admin API's own part, below `/selvage/`. The rest is the public REST API, whose shapes
/// are documented in docs/admin-api.md and handled as `JSON`.

/// One object of the configuration with what the public API does not show. Part of `ConfigurationListing`.
public struct StoredObject: Codable, Sendable, Hashable {
    /// `https_edge`, `tls_edge`, `tcp_edge`, `route`, `backend`, `reserved_domain`, `reserved_addr`,
    /// `tls_certificate`, `ip_policy`, `ip_policy_rule`.
    public var kind: String
    public var id: String
    /// Grows with each write to this object; its decimal form is the `ETag`.
    public var revision: UInt64
    /// RFC 3339, UTC.
    public var changedAt: String
    public var changedBy: String
    /// Exactly what a `GET` of the object answers.
    public var document: JSON

    public init(kind: String, id: String, revision: UInt64, changedAt: String, changedBy: String, document: JSON) {
        self.kind = kind
        self.id = id
        self.revision = revision
        self.changedAt = changedAt
        self.changedBy = changedBy
        self.document = document
    }

    enum CodingKeys: String, CodingKey {
        case kind, id, revision, document
        case changedAt = "changed_at"
        case changedBy = "changed_by"
    }
}

/// Answer of `GET /selvage/configuration`: everything, at one revision.
public struct ConfigurationListing: Codable, Sendable {
    public var revision: UInt64
    public var objects: [StoredObject]
    /// Traffic modules by name, in running order, with the edge kinds they work on.
    public var modules: [ModuleListing]

    public init(revision: UInt64, objects: [StoredObject], modules: [ModuleListing]) {
        self.revision = revision
        self.objects = objects
        self.modules = modules
    }
}

/// A module that a route or an edge may carry.
public struct ModuleListing: Codable, Sendable, Hashable {
    /// Its JSON key, e.g. `circuit_breaker`.
    public var name: String
    public var edgeKinds: [EdgeKind]
    /// A complete settings document with which the module works, as a starting point for an editor.
    public var example: JSON

    public init(name: String, edgeKinds: [EdgeKind], example: JSON) {
        self.name = name
        self.edgeKinds = edgeKinds
        self.example = example
    }

    enum CodingKeys: String, CodingKey {
        case name, example
        case edgeKinds = "edge_kinds"
    }
}

/// Body of `POST /selvage/apply`: several writes, all or none.
public struct ApplyRequest: Codable, Sendable {
    public struct Operation: Codable, Sendable {
        /// `POST`, `PATCH`, `PUT` or `DELETE`, and a path of the public API.
        public var method: String
        public var path: String
        public var body: JSON?
        /// The object's revision that the writer saw; another one refuses the whole request with 412.
        public var ifMatch: String?
        /// A name for the object that this operation makes. Later operations write `${new:name}` for its identifier,
        /// or `${new:name.field}` for one of its fields, as a whole string of a body, as a member's name, or as a
        /// segment of their path.
        public var name: String?

        public init(method: String, path: String, body: JSON? = nil, ifMatch: String? = nil, name: String? = nil) {
            self.method = method
            self.path = path
            self.body = body
            self.ifMatch = ifMatch
            self.name = name
        }

        enum CodingKeys: String, CodingKey {
            case method, path, body
            case ifMatch = "if_match"
            case name = "as"
        }
    }

    /// Hold the change and put it back by itself: see `GuardStatus`.
    public struct Guard: Codable, Sendable {
        /// 1…3600.
        public var seconds: Double
        public var maxErrorRate: Double?
        public var maxP95: Double?
        /// Default 200.
        public var minSamples: UInt64?
        /// The `session` of the operator's stream; when that stream ends, the change is rolled back.
        public var session: String?

        public init(
            seconds: Double, maxErrorRate: Double? = nil, maxP95: Double? = nil, minSamples: UInt64? = nil,
            session: String? = nil
        ) {
            self.seconds = seconds
            self.maxErrorRate = maxErrorRate
            self.maxP95 = maxP95
            self.minSamples = minSamples
            self.session = session
        }

        enum CodingKeys: String, CodingKey {
            case seconds, session
            case maxErrorRate = "max_error_rate"
            case maxP95 = "max_p95"
            case minSamples = "min_samples"
        }
    }

    /// The command in the console's grammar, for the audit trail; at most 1,000 characters.
    public var command: String?
    public var operations: [Operation]
    public var `guard`: Guard?
    /// Chosen by the writer, at most 64 characters: the same id again within ten minutes answers what the first
    /// one answered and writes nothing, so that a request whose answer was lost can be sent again.
    public var idempotencyID: String?
    /// Change nothing; say everything that speaks against the request, and what it would change.
    public var dryRun: Bool?
    /// The configuration's revision that the writer saw; another one refuses the request with 412.
    public var expectedRevision: UInt64?

    public init(
        command: String? = nil, operations: [Operation], guard: Guard? = nil, idempotencyID: String? = nil,
        dryRun: Bool? = nil, expectedRevision: UInt64? = nil
    ) {
        self.command = command
        self.operations = operations
        self.guard = `guard`
        self.idempotencyID = idempotencyID
        self.dryRun = dryRun
        self.expectedRevision = expectedRevision
    }

    enum CodingKeys: String, CodingKey {
        case command, operations
        case `guard`
        case idempotencyID = "idempotency_id"
        case dryRun = "dry_run"
        case expectedRevision = "expected_revision"
    }
}

/// Answer of `POST /selvage/apply`, 200.
public struct ApplyAnswer: Codable, Sendable {
    public struct Result: Codable, Sendable {
        /// 0 in a dry run for an operation that fails.
        public var status: Int
        /// Absent in a dry run.
        public var body: JSON?

        public init(status: Int, body: JSON?) {
            self.status = status
            self.body = body
        }
    }

    /// One thing that speaks against a request.
    public struct Fault: Codable, Sendable, Hashable {
        /// Counted from 0; `nil` when it is the request as a whole.
        public var operation: Int?
        public var method: String?
        public var path: String?
        /// The object that could not serve, when it was found out by compiling the whole.
        public var object: String?
        public var status: Int
        public var errorCode: String?
        public var message: String
        /// The earlier operation whose failure is the likely cause of this one.
        public var becauseOf: Int?

        public init(
            operation: Int?, method: String? = nil, path: String? = nil, object: String? = nil, status: Int,
            errorCode: String?, message: String, becauseOf: Int? = nil
        ) {
            self.operation = operation
            self.method = method
            self.path = path
            self.object = object
            self.status = status
            self.errorCode = errorCode
            self.message = message
            self.becauseOf = becauseOf
        }

        enum CodingKeys: String, CodingKey {
            case operation, method, path, object, status
            case errorCode = "error_code"
            case message = "msg"
            case becauseOf = "because_of"
        }
    }

    /// The revision after the request; in a dry run the one in force.
    public var revision: UInt64
    public var results: [Result]
    public var `guard`: GuardStatus?
    /// Only in a dry run, as is all that follows.
    public var dryRun: Bool?
    /// Empty when the request would be carried out.
    public var faults: [Fault]?
    /// What the operations without a fault would change. Identifiers of objects that would be made are examples.
    public var changes: [AuditRecord.Change]?
    /// How many more changes there are than `changes` has.
    public var omitted: Int?

    public init(
        revision: UInt64, results: [Result], guard: GuardStatus?, dryRun: Bool? = nil, faults: [Fault]? = nil,
        changes: [AuditRecord.Change]? = nil, omitted: Int? = nil
    ) {
        self.revision = revision
        self.results = results
        self.guard = `guard`
        self.dryRun = dryRun
        self.faults = faults
        self.changes = changes
        self.omitted = omitted
    }

    enum CodingKeys: String, CodingKey {
        case revision, results, faults, changes, omitted
        case `guard`
        case dryRun = "dry_run"
    }
}

/// An error of the admin API (api.md 1.3). Every value of `details` is a string.
public struct APIErrorBody: Codable, Sendable, Error {
    /// `ERR_NGROK_n`, or `nil` where the public API gives none.
    public var errorCode: String?
    public var statusCode: Int
    public var message: String
    public var details: [String: String]

    public init(errorCode: String?, statusCode: Int, message: String, details: [String: String] = [:]) {
        self.errorCode = errorCode
        self.statusCode = statusCode
        self.message = message
        self.details = details
    }

    enum CodingKeys: String, CodingKey {
        case details
        case errorCode = "error_code"
        case statusCode = "status_code"
        case message = "msg"
    }
}
